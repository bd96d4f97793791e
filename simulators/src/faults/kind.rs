//! The faults that a liquid-cooled hall is known for.

use crate::plant::{Plant, Wound};
use crate::random::Random;

/// One kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The duty pump of a CDU trips and its standby takes over.
    CduPumpTrip,
    /// A pump of a facility-water skid trips.
    LoopPumpTrip,
    /// 15 % of a CDU's flow misses its racks.
    LowFlow,
    /// A telemetry value freezes.
    SensorStuck,
    /// A temperature or margin drifts by 0.05 K a minute.
    SensorDrift,
    /// A point has no value.
    SensorDropout,
    /// A rack or CDU leaks.
    Leak,
    /// The primary valve of a CDU stays where it is.
    ValveStuck,
    /// The strainer of a CDU clogs.
    StrainerClog,
    /// A device falls off the network.
    CommsLoss,
    /// Every rack and the weather station fall off the network: their broker is gone.
    BrokerLoss,
    /// A fan of the heat rejection trips.
    FanTrip,
    /// Towers, chillers and air units are without power for up to a minute; pumps are on a UPS.
    PowerBump,
    /// Moisture gets into a room.
    Condensation,
    /// A CDU's exchanger loses two fifths of its conductance: its supply gets warm under load.
    HighSupply,
    /// The primary side of a CDU is shut off.
    PrimaryNoFlow,
    /// The job queue says 30 % too much or too little, or nonsense.
    BadForecast,
    /// The job queue is no longer read.
    QueueLost,
    /// The clock of a publisher is off by five minutes.
    ClockSkew,
    /// A device acknowledges setpoints and keeps its own.
    WriteEcho,
}

impl Kind {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 20] = [
        Self::CduPumpTrip,
        Self::LoopPumpTrip,
        Self::LowFlow,
        Self::SensorStuck,
        Self::SensorDrift,
        Self::SensorDropout,
        Self::Leak,
        Self::ValveStuck,
        Self::StrainerClog,
        Self::CommsLoss,
        Self::BrokerLoss,
        Self::FanTrip,
        Self::PowerBump,
        Self::Condensation,
        Self::HighSupply,
        Self::PrimaryNoFlow,
        Self::BadForecast,
        Self::QueueLost,
        Self::ClockSkew,
        Self::WriteEcho,
    ];

    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CduPumpTrip => "cdu_pump_trip",
            Self::LoopPumpTrip => "loop_pump_trip",
            Self::LowFlow => "low_flow",
            Self::SensorStuck => "sensor_stuck",
            Self::SensorDrift => "sensor_drift",
            Self::SensorDropout => "sensor_dropout",
            Self::Leak => "leak",
            Self::ValveStuck => "valve_stuck",
            Self::StrainerClog => "strainer_clog",
            Self::CommsLoss => "comms_loss",
            Self::BrokerLoss => "broker_loss",
            Self::FanTrip => "fan_trip",
            Self::PowerBump => "power_bump",
            Self::Condensation => "condensation",
            Self::HighSupply => "high_supply",
            Self::PrimaryNoFlow => "primary_no_flow",
            Self::BadForecast => "bad_forecast",
            Self::QueueLost => "queue_lost",
            Self::ClockSkew => "clock_skew",
            Self::WriteEcho => "write_echo",
        }
    }

    /// The wound in a plant; `None` for a fault of the job queue. `amount`, 0 to 1, says how bad or which way.
    pub(super) fn wound(self, amount: f64) -> Option<Wound> {
        let sign = if amount < 0.5 { -1.0 } else { 1.0 };
        Some(match self {
            Self::CduPumpTrip | Self::LoopPumpTrip => Wound::PumpTrip,
            Self::LowFlow => Wound::Bypass(0.15),
            Self::SensorStuck => Wound::Stuck,
            Self::SensorDrift => Wound::Drift(0.05 * sign),
            Self::SensorDropout => Wound::Dropout,
            Self::Leak => Wound::Leak,
            Self::ValveStuck => Wound::ValveStuck,
            // The clean resistance fourfold to eightfold in an hour.
            Self::StrainerClog => Wound::Clog(4.0 + 4.0 * amount),
            Self::CommsLoss | Self::BrokerLoss => Wound::Silent,
            Self::FanTrip => Wound::FanTrip,
            Self::PowerBump => Wound::Unpowered,
            // At a room of 0.0085 kg/kg the dew point rises by 4 to 8 K against the drier.
            Self::Condensation => Wound::Humid(0.012 + 0.016 * amount),
            Self::HighSupply => Wound::Fouled(0.6),
            Self::PrimaryNoFlow => Wound::PrimaryShut,
            Self::ClockSkew => Wound::Skew(300.0 * sign),
            Self::WriteEcho => Wound::Deaf,
            Self::BadForecast | Self::QueueLost => return None,
        })
    }

    /// What it can hit in a plant: ids of units, tags of signals; several at once are joined by `+`. Empty where the
    /// plant has nothing of the kind.
    pub fn targets(self, plant: &Plant) -> Vec<String> {
        let owners = |quantity: &str| -> Vec<String> {
            let suffix = format!(".{quantity}");
            let tags = plant.signals().map(|(tag, _)| tag);
            tags.filter_map(|tag| tag.strip_suffix(suffix.as_str()).map(str::to_owned))
                .collect()
        };
        let cdus = || owners("primary_valve_position");
        let racks = || owners("chip_margin");
        let loops = || owners("pumps_running");
        let rejection = || owners("leaving_temperature");
        let rooms = || owners("room_temperature");
        let weather = || owners("dry_bulb");
        let tags = |quantities: &[&str]| -> Vec<String> {
            quantities
                .iter()
                .flat_map(|quantity| owners(quantity).into_iter().map(move |id| format!("{id}.{quantity}")))
                .collect()
        };
        match self {
            Self::CduPumpTrip
            | Self::LowFlow
            | Self::ValveStuck
            | Self::StrainerClog
            | Self::HighSupply
            | Self::PrimaryNoFlow => cdus(),
            Self::LoopPumpTrip => loops(),
            Self::SensorDrift => tags(&[
                "secondary_supply_temperature",
                "secondary_return_temperature",
                "chip_margin",
                "supply_temperature",
                "room_temperature",
            ]),
            Self::SensorStuck | Self::SensorDropout => tags(&[
                "secondary_supply_temperature",
                "secondary_return_temperature",
                "secondary_flow",
                "secondary_differential_pressure",
                "chip_margin",
                "supply_temperature",
                "room_temperature",
                "room_relative_humidity",
            ])
            .into_iter()
            .chain(racks().into_iter().map(|rack| format!("{rack}.power")))
            .collect(),
            Self::Leak => [cdus(), racks()].concat(),
            Self::CommsLoss | Self::WriteEcho => [cdus(), loops(), rejection(), rooms()].concat(),
            Self::BrokerLoss => vec![[racks(), weather()].concat().join("+")],
            Self::FanTrip => owners("fan_speed")
                .into_iter()
                .filter(|id| rejection().contains(id))
                .collect(),
            Self::PowerBump => vec![[rejection(), rooms()].concat().join("+")],
            Self::Condensation => rooms(),
            Self::ClockSkew => [racks(), weather()].concat(),
            Self::BadForecast | Self::QueueLost => vec!["queue".to_owned()],
        }
    }

    /// How long it lasts, s, as chance has it.
    pub(super) fn lasts_s(self, random: &mut Random) -> f64 {
        match self {
            // A breaker or a transfer switch.
            Self::PowerBump => random.range(10.0, 60.0),
            // Somebody has to notice and go there.
            Self::PrimaryNoFlow => random.range(300.0, 1800.0),
            Self::SensorDrift | Self::StrainerClog => random.range(3600.0, 6.0 * 3600.0),
            _ => random.range(600.0, 3.0 * 3600.0),
        }
    }
}
