//! The textbook: pumps with drives, counterflow exchangers, towers.

use super::steady::Conditions;
use crate::site::{LoopNameplate, RejectionKind, RejectionNameplate};
use thermo::Coolant;
use thermo::moist_air::clamped::saturated_enthalpy_kj_kg;

/// Conductance of an exchanger's side over its relative flow.
const CONDUCTANCE_EXPONENT: f64 = 0.8;
/// Electric power of a fan over relative speed, drive losses included.
pub(super) const FAN_EXPONENT: f64 = 2.7;
/// Transfer of a tower over water and air flow (Braun, 1989: number of transfer units over the flow ratio to -0.6).
const WATER_EXPONENT: f64 = 0.4;
pub(super) const AIR_EXPONENT: f64 = 0.6;
/// Saturation efficiency of wet pads.
const PAD_EFFICIENCY: f64 = 0.8;
/// Share of a tower's range at which its mean driving force lies above the leaving water.
const MEAN_RANGE: f64 = 0.4;

/// Heat of a water flow, kW per (L/min) and K.
pub(super) fn water() -> f64 {
    Coolant::Water.kw_per_lpm_k(25.0)
}

/// Power over rated power of a pump with motor and drive, at shares of its rated flow and head: hydraulic work over
/// efficiencies that fall at small loads (Bernier and Bourret, ASHRAE Journal 41/12, 1999).
pub(super) fn pump_share(flow: f64, head: f64) -> f64 {
    let load = (flow * head).max(1e-4);
    let speed = head.max(0.0).sqrt().clamp(0.05, 1.0);
    load * drive(1.0, 1.0) / drive(load.min(1.0), speed)
}

/// Head at no flow over head at rated flow of a typical end-suction pump.
const SHUT_OFF: f64 = 1.25;
/// Speed above which a skid starts its next pump.
const STAGE_UP: f64 = 0.92;

/// A skid of like pumps in parallel by their plate, and the friction of the pipes outside the hall.
#[derive(Debug, Clone, Copy)]
pub(super) struct Skid<'a> {
    pub(super) plate: &'a LoopNameplate,
    /// kPa per (L/min)^2.
    pub(super) pipe_k: f64,
}

impl Skid<'_> {
    /// Head that the pumps make for a flow with a pressure difference at the headers, kPa.
    fn head(&self, flow_lpm: f64, header_kpa: f64) -> f64 {
        header_kpa + self.pipe_k * flow_lpm * flow_lpm
    }

    fn fall(&self, flow_lpm: f64, running: f64) -> f64 {
        let each = flow_lpm / (running * self.plate.pump_flow_lpm);
        (SHUT_OFF - 1.0) * self.plate.pump_head_kpa * each * each
    }

    /// Largest pressure difference at the headers with all pumps at full speed, kPa.
    pub(super) fn most_kpa(&self, flow_lpm: f64) -> f64 {
        SHUT_OFF * self.plate.pump_head_kpa - self.fall(flow_lpm, self.plate.pumps as f64) - self.head(flow_lpm, 0.0)
    }

    /// Electric power, kW: hydraulic work over the efficiencies of pump (a parabola over flow by speed), motor and drive.
    pub(super) fn kw(&self, flow_lpm: f64, header_kpa: f64) -> f64 {
        let plate = self.plate;
        let head = self.head(flow_lpm, header_kpa);
        let speed_of = |running: f64| {
            ((head + self.fall(flow_lpm, running)) / (SHUT_OFF * plate.pump_head_kpa))
                .max(0.0)
                .sqrt()
        };
        let mut running = 1.0;
        while running < plate.pumps as f64 && speed_of(running) > STAGE_UP {
            running += 1.0;
        }
        let speed = speed_of(running).clamp(plate.pump_min_speed, 1.0);
        let each = flow_lpm / running;
        let shaft_rated = plate.pump_kw * drive(1.0, 1.0);
        let best = plate.pump_flow_lpm * plate.pump_head_kpa / 60_000.0 / shaft_rated;
        let off = 1.0 - each / (speed * plate.pump_flow_lpm);
        let shaft = each * head / 60_000.0 / (best * (1.0 - off * off).max(0.2));
        running * shaft / drive(shaft / shaft_rated, speed)
    }

    /// The pipes' friction that explains a speed of the running pumps.
    pub(super) fn pipe_of(&self, flow_lpm: f64, header_kpa: f64, running: f64, speed: f64) -> f64 {
        let head = SHUT_OFF * self.plate.pump_head_kpa * speed * speed - self.fall(flow_lpm, running);
        (head - header_kpa) / (flow_lpm * flow_lpm)
    }
}

fn drive(load: f64, speed: f64) -> f64 {
    let motor = 0.941_87 * (1.0 - libm::exp(-9.04 * load.max(0.02)));
    motor * (0.5067 + speed * (1.283 + speed * (-1.42 + speed * 0.5842)))
}

/// A counterflow exchanger by its rated point.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exchanger {
    /// Heat flow per kelvin of the rated flows, kW/K.
    pub(super) hot: f64,
    pub(super) cold: f64,
    ua: f64,
}

impl Exchanger {
    /// Passes `heat_kw` with `drive_k` between the inlets at rated flows, its conductance `ratio` times what that takes.
    pub(super) fn rated(heat_kw: f64, hot: f64, cold: f64, drive_k: f64, ratio: f64) -> Self {
        let (least, most) = (hot.min(cold), hot.max(cold));
        let effectiveness = (heat_kw / (least * drive_k)).clamp(0.05, 0.98);
        Self {
            hot,
            cold,
            ua: ratio * least * transfer_units(effectiveness, least / most),
        }
    }

    /// Heat per kelvin between the inlets at shares of the rated flows, kW/K.
    pub(super) fn per_k(&self, hot_share: f64, cold_share: f64) -> f64 {
        let (hot, cold) = (hot_share * self.hot, cold_share * self.cold);
        let (least, most) = (hot.min(cold), hot.max(cold));
        if least <= 0.0 {
            return 0.0;
        }
        let resistance = |share: f64| libm::pow(share, -CONDUCTANCE_EXPONENT);
        let ua = self.ua * 2.0 / (resistance(hot_share) + resistance(cold_share));
        effectiveness(ua / least, least / most) * least
    }

    /// The conductance's ratio that explains a heat per kelvin between the inlets.
    pub(super) fn ratio_of(&self, hot_share: f64, cold_share: f64, per_k: f64) -> Option<f64> {
        let (hot, cold) = (hot_share * self.hot, cold_share * self.cold);
        let (least, most) = (hot.min(cold), hot.max(cold));
        let seen = per_k / least;
        if !(0.2..0.95).contains(&seen) {
            return None;
        }
        let resistance = |share: f64| libm::pow(share, -CONDUCTANCE_EXPONENT);
        let ua = transfer_units(seen, least / most) * least;
        Some(ua * (resistance(hot_share) + resistance(cold_share)) / (2.0 * self.ua))
    }

    /// Share of the rated cold flow, at most `most`, that takes `heat_kw`, with the hot side leaving at `leaving_k` above
    /// the cold inlet; and how far above the leaving temperature stays where it does not.
    pub(super) fn cold_share(&self, heat_kw: f64, hot_share: f64, leaving_k: f64, most: f64) -> (f64, f64) {
        let range_k = heat_kw / (hot_share * self.hot).max(1e-6);
        let enough = |share: f64, leaving_k: f64| self.per_k(hot_share, share) * (leaving_k + range_k) >= heat_kw;
        if leaving_k <= 0.0 || !enough(most, leaving_k) {
            let needed_k = heat_kw / self.per_k(hot_share, most).max(1e-6) - range_k;
            return (most, (needed_k - leaving_k).max(0.0));
        }
        let (mut low, mut high) = (0.0, most);
        for _ in 0..14 {
            let middle = 0.5 * (low + high);
            if enough(middle, leaving_k) {
                high = middle;
            } else {
                low = middle;
            }
        }
        (high, 0.0)
    }
}

fn effectiveness(units: f64, ratio: f64) -> f64 {
    if (1.0 - ratio).abs() < 1e-6 {
        return units / (1.0 + units);
    }
    let e = libm::exp(-units * (1.0 - ratio));
    (1.0 - e) / (1.0 - ratio * e)
}

fn transfer_units(effectiveness: f64, ratio: f64) -> f64 {
    if (1.0 - ratio).abs() < 1e-6 {
        return effectiveness / (1.0 - effectiveness);
    }
    libm::log((1.0 - effectiveness * ratio) / (1.0 - effectiveness)) / (1.0 - ratio)
}

/// Fan speed at which a cell cools `flow_lpm` by `heat_kw` to `leaving_c`, before limits; infinite where none does.
pub(super) fn fan_speed(
    plate: &RejectionNameplate,
    capacity: f64,
    (heat_kw, flow_lpm, leaving_c): (f64, f64, f64),
    air: &Conditions,
) -> f64 {
    let rated_range_k = plate.rated_kw / (plate.flow_lpm * water());
    let range_k = heat_kw / (flow_lpm * water()).max(1e-6);
    let (drive, rated) = match plate.kind {
        RejectionKind::TowerCell => {
            // Merkel: heat goes with the enthalpy of saturated air at the water's temperature over that of the air.
            let enthalpy = |c: f64| saturated_enthalpy_kj_kg(c, air.pressure_pa);
            let rated_c = plate.design_ambient_c + plate.approach_k + MEAN_RANGE * rated_range_k;
            (
                enthalpy(leaving_c + MEAN_RANGE * range_k) - enthalpy(air.wet_bulb_c),
                enthalpy(rated_c) - enthalpy(plate.design_ambient_c),
            )
        }
        RejectionKind::DryCooler | RejectionKind::Chiller => {
            let pads = if plate.spray { PAD_EFFICIENCY } else { 0.0 };
            let air_c = air.dry_bulb_c - pads * (air.dry_bulb_c - air.wet_bulb_c);
            (
                leaving_c + 0.5 * range_k - air_c,
                plate.approach_k + 0.5 * rated_range_k,
            )
        }
    };
    if drive <= 0.0 {
        return f64::INFINITY;
    }
    let flow = (flow_lpm / plate.flow_lpm).max(0.05);
    let transfer = (heat_kw / plate.rated_kw) * (rated / drive) / capacity;
    libm::pow(transfer / libm::pow(flow, WATER_EXPONENT), 1.0 / AIR_EXPONENT)
}

/// Fan power over rated power at a speed; below its slowest a fan runs part of the time.
pub(super) fn fan_share(speed: f64, slowest: f64) -> f64 {
    if speed >= slowest {
        libm::pow(speed.min(1.0), FAN_EXPONENT)
    } else {
        libm::pow(slowest, FAN_EXPONENT) * speed.max(0.0) / slowest.max(1e-6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Engineering handbook values: 1950 kW/m... of a CDU at its rated point and off it.
    #[test]
    fn an_exchanger_meets_its_rated_point_and_the_worked_off_design_point() {
        // 130.2597 and 135.0135 kW/K, approach 4 K: UA 311.5092 kW/K; at half load and 60 % flows UA 207.0102.
        let exchanger = Exchanger::rated(1300.0, 130.2597, 135.0135, 1300.0 / (0.713_878 * 130.2597), 1.0);
        assert!((exchanger.ua - 311.5092).abs() < 0.5, "{}", exchanger.ua);
        let effectiveness = exchanger.per_k(0.6, 0.6) / (0.6 * 130.2597);
        assert!((effectiveness - 0.735_178).abs() < 2e-3, "{effectiveness}");
        let ratio = exchanger.ratio_of(0.6, 0.6, exchanger.per_k(0.6, 0.6)).unwrap();
        assert!((ratio - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_least_flow_is_found_and_what_cannot_be_held_floats() {
        let exchanger = Exchanger::rated(400.0, 40.0, 41.0, 14.0, 1.0);
        let (share, above) = exchanger.cold_share(400.0, 1.0, 4.0, 2.0);
        assert!((share - 1.0).abs() < 0.01 && above == 0.0, "{share}");
        let (share, above) = exchanger.cold_share(400.0, 1.0, 2.0, 0.8);
        assert!((share - 0.8).abs() < 1e-9 && above > 2.0, "{above}");
    }

    #[test]
    fn a_skid_meets_its_plate_and_finds_its_pipes_again() {
        let site = crate::site::load_embedded("demo").unwrap().unwrap();
        let plate = &site.loops[0].nameplate;
        let skid = Skid { plate, pipe_k: 4e-6 };
        let (flow, header) = (4800.0, plate.pump_head_kpa - 4e-6 * 4800.0 * 4800.0);
        assert!((skid.kw(flow, header) - 2.0 * plate.pump_kw).abs() < 1e-9);
        assert!((skid.most_kpa(flow) - header).abs() < 1e-9);
        assert!((skid.pipe_of(flow, header, 2.0, 1.0) / 4e-6 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_pump_meets_its_plate() {
        assert!((pump_share(1.0, 1.0) - 1.0).abs() < 1e-12);
        assert!(pump_share(0.5, 0.25) > 0.125, "losses weigh more at part load");
    }
}
