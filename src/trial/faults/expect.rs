//! What the field's practice allows each fault.

use simulators::faults::Kind;

/// The longest time in which a fault is noticed, s, where practice gives a figure (vendors' manuals and guides).
///
/// Pump trip: equipment trips within 10 s. Low flow: below 90 % of the setpoint for 100 s. Drift of 0.05 K/min: 1 K apart
/// for 30 s, which it reaches after 20 min, or six minutes later where the two sensors' own errors are against it. Dropout:
/// three periods. Communication: a heartbeat lost for 30 s. Leak: at once, which is the cycle that sees it and the next one;
/// a wrong clock: when its samples are refused, so as a dropout. A valve is looked at every 15 min, once its temperature is
/// off.
pub fn detect_within_s(kind: Kind) -> Option<f64> {
    match kind {
        Kind::CduPumpTrip | Kind::LoopPumpTrip | Kind::Leak => Some(10.0),
        Kind::LowFlow => Some(100.0),
        Kind::SensorDrift => Some(26.0 * 60.0 + 30.0),
        Kind::SensorDropout | Kind::ClockSkew => Some(15.0),
        Kind::ValveStuck => Some(15.0 * 60.0),
        Kind::CommsLoss | Kind::BrokerLoss => Some(30.0),
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
