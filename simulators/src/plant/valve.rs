//! A branch of a loop with its control valve.

/// Rangeability: flow of an open valve over flow of a closed one at the same pressure. A seat that leaks 2 % keeps every
/// branch, and with it the loop's pump, from a dead end.
const LN_RANGEABILITY: f64 = 3.912_023;
/// Share of the branch's open resistance that is in the valve.
const AUTHORITY: f64 = 0.5;
/// Full stroke, s.
pub(super) const STROKE_S: f64 = 60.0;

/// Pipes, exchanger and an equal-percentage valve in series between the headers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Branch {
    /// Resistance with the valve open, kPa/(L/min)^2.
    open: f64,
}

impl Branch {
    /// The branch that takes `pressure_kpa` at `flow_lpm` with its valve open.
    pub(super) fn rated(flow_lpm: f64, pressure_kpa: f64) -> Self {
        Self {
            open: pressure_kpa / (flow_lpm * flow_lpm),
        }
    }

    /// Flow per root of pressure, (L/min)/kPa^0.5, with the valve at `position` (0 to 1).
    pub(super) fn conductance(self, position: f64) -> f64 {
        let opening = libm::exp(LN_RANGEABILITY * (position - 1.0));
        1.0 / (self.open * (1.0 - AUTHORITY + AUTHORITY / (opening * opening))).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_monotonically_to_its_rated_flow() {
        let branch = Branch::rated(600.0, 100.0);
        assert!((branch.conductance(1.0) * 100.0f64.sqrt() - 600.0).abs() < 1e-9);
        let flows: Vec<f64> = (0..=10).map(|p| branch.conductance(f64::from(p) / 10.0)).collect();
        assert!(flows.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(flows[0] < 0.04 * flows[10]);
    }
}
