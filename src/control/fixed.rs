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
        setpoints: Setpoints::new(site).complete(),
        report: PlanReport {
            sentence: "The plant as found: every setpoint at its release value.".into(),
            ..PlanReport::default()
        },
    }
}
