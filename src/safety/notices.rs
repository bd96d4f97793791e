//! Conditions become events when they begin and when they end, never in between.

use crate::site::{DeviceId, PointId, Site, ZoneId};
use crate::snapshot::{Event, Severity};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Conditions that safety watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Code {
    MissingReading,
    FrozenReading,
    ImplausibleReading,
    EnergyImbalance,
    LimitCritical,
    BeyondTrip,
    CondensationRisk,
    DewPointUnknown,
    Leak,
    IsolationRequested,
    WeatherOutsideDesign,
    LocalControl,
    NotArmed,
    HeartbeatLost,
    PlanRejected,
    PointYielded,
    SensorsDisagree,
    ValveStuck,
    LowFlow,
    LowPressure,
    FlowLost,
    HighSupply,
    PrimaryLost,
    FanTrip,
    OutlookLimit,
    LeakSensorFault,
    LateReading,
    Overridden,
    NotEnabled,
    BuildingLost,
}

impl Code {
    const fn name(self) -> &'static str {
        match self {
            Self::MissingReading => "missing_reading",
            Self::FrozenReading => "frozen_reading",
            Self::ImplausibleReading => "implausible_reading",
            Self::EnergyImbalance => "energy_imbalance",
            Self::LimitCritical => "limit_critical",
            Self::BeyondTrip => "beyond_trip",
            Self::CondensationRisk => "condensation_risk",
            Self::DewPointUnknown => "dew_point_unknown",
            Self::Leak => "leak",
            Self::IsolationRequested => "isolation_requested",
            Self::WeatherOutsideDesign => "weather_outside_design",
            Self::LocalControl => "local_control",
            Self::NotArmed => "not_armed",
            Self::HeartbeatLost => "heartbeat_lost",
            Self::PlanRejected => "plan_rejected",
            Self::PointYielded => "point_yielded",
            Self::SensorsDisagree => "sensors_disagree",
            Self::ValveStuck => "valve_stuck",
            Self::LowFlow => "low_flow",
            Self::LowPressure => "low_pressure",
            Self::FlowLost => "flow_lost",
            Self::HighSupply => "high_supply",
            Self::PrimaryLost => "primary_lost",
            Self::FanTrip => "fan_trip",
            Self::OutlookLimit => "outlook_limit",
            Self::LeakSensorFault => "leak_sensor_fault",
            Self::LateReading => "late_reading",
            Self::Overridden => "overridden",
            Self::NotEnabled => "not_enabled",
            Self::BuildingLost => "building_lost",
        }
    }

    const fn severity(self) -> Severity {
        match self {
            Self::EnergyImbalance
            | Self::DewPointUnknown
            | Self::WeatherOutsideDesign
            | Self::LocalControl
            | Self::FlowLost
            | Self::LeakSensorFault
            | Self::LateReading
            | Self::OutlookLimit => Severity::Warning,
            Self::MissingReading
            | Self::FrozenReading
            | Self::ImplausibleReading
            | Self::LimitCritical
            | Self::BeyondTrip
            | Self::CondensationRisk
            | Self::Leak
            | Self::IsolationRequested
            | Self::NotArmed
            | Self::HeartbeatLost
            | Self::PlanRejected
            | Self::PointYielded
            | Self::SensorsDisagree
            | Self::ValveStuck
            | Self::LowFlow
            | Self::LowPressure
            | Self::HighSupply
            | Self::PrimaryLost
            | Self::BuildingLost
            | Self::NotEnabled
            | Self::Overridden
            | Self::FanTrip => Severity::Alarm,
        }
    }
}

/// What a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Subject {
    Point(PointId),
    Device(DeviceId),
    Zone(ZoneId),
}

impl Subject {
    fn name(self, site: &Site) -> String {
        let name = match self {
            Self::Point(id) => site.points.get(id.0).map(|point| &point.tag),
            Self::Device(id) => site.devices.get(id.0).map(|device| &device.id),
            Self::Zone(id) => site.zones.get(id.0).map(|zone| &zone.name),
        };
        name.cloned().unwrap_or_default()
    }
}

type Condition = (Code, Subject);

/// The conditions of one cycle.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Notices {
    before: BTreeSet<Condition>,
    holding: BTreeSet<Condition>,
    events: Vec<Event>,
}

impl Notices {
    /// A cycle's conditions, after those of the cycle before.
    pub(super) fn after(before: &BTreeSet<Condition>) -> Self {
        Self {
            before: before.clone(),
            holding: BTreeSet::new(),
            events: vec![],
        }
    }

    /// A condition holds. Its text is only made when it begins.
    pub(super) fn holds(&mut self, site: &Site, code: Code, subject: Subject, text: impl FnOnce() -> String) {
        if self.holding.insert((code, subject)) && !self.before.contains(&(code, subject)) {
            self.tell(code.severity(), code.name(), subject.name(site), text());
        }
    }

    /// Whether a condition held in the cycle before, for those that end later than they begin.
    pub(super) fn held_before(&self, code: Code, subject: Subject) -> bool {
        self.before.contains(&(code, subject))
    }

    /// Whether a condition holds in this cycle, as far as was looked.
    pub(super) fn is_held(&self, code: Code, subject: Subject) -> bool {
        self.holding.contains(&(code, subject))
    }

    /// Something happened once.
    pub(super) fn tell(&mut self, severity: Severity, code: &str, subject: String, text: String) {
        self.events.push(Event {
            severity,
            code: code.into(),
            subject,
            text,
        });
    }

    /// Ends the cycle: conditions that no longer hold are told as over.
    pub(super) fn close(mut self, site: &Site, active: &mut BTreeSet<Condition>) -> Vec<Event> {
        for (code, subject) in self.before.difference(&self.holding) {
            self.events.push(Event {
                severity: Severity::Info,
                code: format!("{}_over", code.name()),
                subject: subject.name(site),
                text: "over".into(),
            });
        }
        *active = self.holding;
        self.events
    }
}
