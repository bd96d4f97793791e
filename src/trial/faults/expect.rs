//! What the field's practice allows each fault.

use simulators::faults::Kind;

/// The longest time to safe for a fault, s, where practice gives a figure; the detection time of vendors' manuals and
/// guides counts for faults whose safe action follows at once.
///
/// Pump trip: equipment trips within 10 s. Low flow: below 90 % of the setpoint for 100 s. Drift of 0.05 K/min: 1 K apart
/// for 30 s, which it reaches after 20 min. Dropout: three periods. Valve: more than 10 % off, looked at every 15 min.
/// Communication: a heartbeat lost for 30 s, then the device's own time-out of 60 s. High supply: 2 min. Leak and
/// clock skew: at once, which is the cycle that sees them and the next one.
pub fn safe_within_s(kind: Kind) -> Option<f64> {
    match kind {
        Kind::CduPumpTrip | Kind::LoopPumpTrip | Kind::Leak => Some(10.0),
        Kind::LowFlow => Some(100.0),
        Kind::SensorDrift => Some(20.0 * 60.0 + 30.0),
        Kind::SensorDropout => Some(15.0),
        Kind::ValveStuck => Some(15.0 * 60.0),
        Kind::CommsLoss | Kind::BrokerLoss => Some(90.0),
        Kind::ClockSkew => Some(35.0),
        Kind::HighSupply => Some(120.0),
        Kind::SensorStuck
        | Kind::StrainerClog
        | Kind::FanTrip
        | Kind::PowerBump
        | Kind::Condensation
        | Kind::PrimaryNoFlow
        | Kind::BadForecast
        | Kind::QueueLost
        | Kind::WriteEcho => None,
    }
}
