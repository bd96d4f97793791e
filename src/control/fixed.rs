//! The plant as found: release values, never moved. The yardstick of every saving.

use super::{Setpoints, Strategy, View};
use crate::site::{Site, StrategyKind};
use crate::snapshot::{Plan, PlanReport, PlanStatus};

/// The plant as found.
pub(super) struct Fixed;

impl Strategy for Fixed {
    fn plan(&mut self, view: &View<'_>) -> Result<Plan, String> {
        Ok(release(view.site, StrategyKind::Fixed))
    }
}

/// Every writable point at its release value.
pub(super) fn release(site: &Site, strategy: StrategyKind) -> Plan {
    Plan {
        strategy,
        status: PlanStatus::Complete,
        setpoints: Setpoints::default().complete(site),
        report: PlanReport {
            sentence: "The plant as found: every setpoint at its release value.".into(),
            ..PlanReport::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::load_embedded;

    #[test]
    fn every_writable_point_but_heartbeats_is_at_its_release_value() {
        let site = load_embedded("demo").unwrap().unwrap();
        let plan = release(&site, StrategyKind::Fixed);
        let writable = site
            .points
            .iter()
            .filter(|p| p.write.is_some() && p.quantity != "heartbeat")
            .count();
        assert_eq!(plan.setpoints.len(), writable);
        for setpoint in &plan.setpoints {
            assert!((setpoint.value - site.spec(setpoint.point).write.unwrap().release).abs() < 1e-12);
        }
    }
}
