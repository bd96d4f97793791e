//! Measured heat of CDUs as the load of a hall.

use crate::jobs::TraceError;
use crate::plant::PlantSpec;
use std::sync::Arc;

/// Heat per CDU over time, as columns `time_s, <any>_w, ...` of a CSV; it starts over at its end.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatTrace {
    step_s: f64,
    /// kW, one row a sample, one entry a CDU.
    rows: Vec<Vec<f64>>,
}

impl HeatTrace {
    /// Reads a CSV with a column `time_s` in equal steps and one column ending in `_w` for each CDU, in W.
    ///
    /// # Errors
    /// Missing columns, fewer than two rows, or a field that is not a number.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        let header: Vec<&str> = text.lines().next().unwrap_or("").split(',').map(str::trim).collect();
        let time = header.iter().position(|name| *name == "time_s");
        let heat: Vec<usize> = header
            .iter()
            .enumerate()
            .filter(|(_, name)| name.ends_with("_w"))
            .map(|(place, _)| place)
            .collect();
        let (Some(time), false) = (time, heat.is_empty()) else {
            return Err(TraceError {
                line: 1,
                message: "the header needs time_s and one column ending in _w for each CDU".to_owned(),
            });
        };
        let (mut times, mut rows) = (Vec::new(), Vec::new());
        for (n, line) in text
            .lines()
            .enumerate()
            .skip(1)
            .filter(|(_, line)| !line.trim().is_empty())
        {
            let fields: Vec<&str> = line.split(',').collect();
            let number = |place: usize| {
                let field = fields.get(place).map_or("", |field| field.trim());
                field
                    .parse()
                    .ok()
                    .filter(|value: &f64| value.is_finite())
                    .ok_or_else(|| TraceError {
                        line: n + 1,
                        message: format!("{} is {field:?}: write a number", header[place]),
                    })
            };
            times.push(number(time)?);
            rows.push(
                heat.iter()
                    .map(|place| Ok((number(*place)? / 1000.0).max(0.0)))
                    .collect::<Result<_, TraceError>>()?,
            );
        }
        let step_s = match times.as_slice() {
            [first, second, ..] if second > first => second - first,
            _ => {
                return Err(TraceError {
                    line: 2,
                    message: "write at least two rows with rising time_s".to_owned(),
                });
            }
        };
        Ok(Self { step_s, rows })
    }

    /// CDUs in the trace.
    pub fn cdus(&self) -> usize {
        self.rows.first().map_or(0, Vec::len)
    }

    /// Time until it starts over, s.
    pub fn span_s(&self) -> f64 {
        self.step_s * self.rows.len() as f64
    }

    /// Heat of CDU `cdu` at `t_s`, kW; each sample holds until the next.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a remainder within the trace"
    )]
    fn at(&self, t_s: f64, cdu: usize) -> f64 {
        let row = (t_s.rem_euclid(self.span_s()) / self.step_s) as usize;
        self.rows
            .get(row)
            .or(self.rows.last())
            .and_then(|row| row.get(cdu))
            .copied()
            .unwrap_or(0.0)
    }
}

/// A heat trace laid over the racks of a plant.
#[derive(Debug, Clone)]
pub struct HeatLoad {
    /// Shared between copies of a world.
    trace: Arc<HeatTrace>,
    /// For each rack: its CDU's place in the trace, and electric kW per kW of that CDU's heat.
    racks: Vec<(usize, f64)>,
    rack_kw: Vec<f64>,
}

impl HeatLoad {
    /// Divides each CDU's heat over its racks by their rated liquid heat; a rack's electric power is its liquid heat over
    /// its liquid share.
    ///
    /// # Errors
    /// Where the trace has fewer CDUs than the plant.
    pub fn new(trace: HeatTrace, spec: &PlantSpec) -> Result<Self, TraceError> {
        if trace.cdus() < spec.cdus.len() {
            let message = format!(
                "{} CDUs for a plant of {}: write one column for each",
                trace.cdus(),
                spec.cdus.len()
            );
            return Err(TraceError { line: 1, message });
        }
        let racks = spec.racks.iter().map(|rack| {
            let place = spec
                .cdus
                .iter()
                .position(|cdu| cdu.id == rack.cdu)
                .unwrap_or(usize::MAX);
            let all: f64 = spec
                .racks
                .iter()
                .filter(|r| r.cdu == rack.cdu)
                .map(|r| r.rated_kw * r.liquid_fraction)
                .sum();
            (place, rack.rated_kw / all)
        });
        let racks: Vec<(usize, f64)> = racks.collect();
        let rack_kw = vec![0.0; racks.len()];
        Ok(Self {
            trace: Arc::new(trace),
            racks,
            rack_kw,
        })
    }

    /// Electric power of every rack at `t_s`, kW.
    pub fn rack_kw(&mut self, t_s: f64) -> &[f64] {
        for (kw, (cdu, per_heat)) in self.rack_kw.iter_mut().zip(&self.racks) {
            *kw = per_heat * self.trace.at(t_s, *cdu);
        }
        &self.rack_kw
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plant::demo_hall;

    const CSV: &str =
        "time_s,cdu01_w,cdu02_w,cdu03_w,cdu04_w,wet_bulb_raw\n0,100000,200000,300000,400000,15\n15,400000,0,0,0,15\n";

    #[test]
    fn liquid_heat_of_the_racks_is_that_of_the_cdu() {
        let spec = demo_hall::spec();
        let mut load = HeatLoad::new(HeatTrace::parse(CSV).unwrap(), &spec).unwrap();
        let liquid = |kw: &[f64]| kw[..4].iter().map(|kw| 0.87 * kw).sum::<f64>();
        assert!((liquid(load.rack_kw(3.0)) - 100.0).abs() < 1e-9);
        assert!((liquid(load.rack_kw(20.0)) - 400.0).abs() < 1e-9);
        assert!((liquid(load.rack_kw(31.0)) - 100.0).abs() < 1e-9, "it starts over");
    }

    #[test]
    fn mistakes_say_where() {
        assert_eq!(HeatTrace::parse(&CSV.replace("200000", "x")).unwrap_err().line, 2);
        assert!(HeatTrace::parse("time_s,a\n0,1\n15,1\n").is_err());
        let few = HeatTrace::parse("time_s,cdu01_w\n0,1\n15,1\n").unwrap();
        assert!(HeatLoad::new(few, &demo_hall::spec()).is_err_and(|e| e.message.contains("1 CDUs for a plant of 4")));
    }
}
