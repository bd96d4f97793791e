//! Watches the plant's true state: degree-minutes beyond limits, worst margin, actuator travel.

use crate::site::Site;
use simulators::plant::{Plant, SignalId};
use std::collections::BTreeMap;
use thermo::moist_air;

/// One watched temperature or margin and its limit.
#[derive(Debug)]
struct Watched {
    signal: SignalId,
    limit: f64,
    /// The limit is a smallest margin, not a largest temperature.
    falling: bool,
    /// Index into [`Watch::sums`].
    sum: usize,
}

/// The sums of one run. A limit is its *critical* value: targets are where control aims.
#[derive(Debug)]
pub(super) struct Watch {
    watched: Vec<Watched>,
    margins: Vec<SignalId>,
    actuators: Vec<(SignalId, f64)>,
    /// Room temperature and humidity of each air unit.
    rooms: Vec<(SignalId, SignalId)>,
    supplies: Vec<SignalId>,
    dew_margin_k: f64,
    sums: Vec<(&'static str, f64)>,
    worst_margin_k: f64,
    travel: f64,
}

const SUPPLY: usize = 0;
const RETURN: usize = 1;
const MARGIN: usize = 2;
const ROOM: usize = 3;
const DEW: usize = 4;

impl Watch {
    pub(super) fn new(site: &Site, plant: &Plant) -> Self {
        let limits = &site.limits;
        let signal = |name: &str, quantity: &str| plant.signal(&format!("{name}.{quantity}"));
        let mut watched = Vec::new();
        let mut watch = |signal: Option<SignalId>, limit: f64, falling: bool, sum: usize| {
            if let Some(signal) = signal {
                watched.push(Watched {
                    signal,
                    limit,
                    falling,
                    sum,
                });
            }
        };
        for cdu in &site.cdus {
            let supply = signal(&cdu.name, "secondary_supply_temperature");
            watch(supply, limits.secondary_supply_c.critical, false, SUPPLY);
        }
        for rack in &site.racks {
            let back = signal(&rack.name, "liquid_return_temperature");
            watch(back, limits.rack_return_c.critical, false, RETURN);
            watch(
                signal(&rack.name, "chip_margin"),
                limits.chip_margin_k.critical,
                true,
                MARGIN,
            );
        }
        for unit in &site.air_units {
            watch(
                signal(&unit.name, "room_temperature"),
                limits.room_c.critical,
                false,
                ROOM,
            );
        }
        let rooms = site.air_units.iter().filter_map(|unit| {
            Some((
                signal(&unit.name, "room_temperature")?,
                signal(&unit.name, "room_relative_humidity")?,
            ))
        });
        let actuators = plant.signals().filter(|(tag, _)| {
            ["pump_speed", "primary_valve_position", "fan_speed", "valve_position"]
                .iter()
                .any(|end| tag.ends_with(end))
        });
        Self {
            margins: site
                .racks
                .iter()
                .filter_map(|rack| signal(&rack.name, "chip_margin"))
                .collect(),
            actuators: actuators.map(|(_, signal)| (signal, plant.truth(signal))).collect(),
            rooms: rooms.collect(),
            supplies: site
                .cdus
                .iter()
                .filter_map(|cdu| signal(&cdu.name, "secondary_supply_temperature"))
                .collect(),
            dew_margin_k: limits.dew_point_margin_k.critical,
            sums: [
                "secondary_supply_temperature",
                "rack_return_temperature",
                "chip_margin",
                "room_temperature",
                "dew_point_margin",
            ]
            .map(|name| (name, 0.0))
            .to_vec(),
            worst_margin_k: f64::INFINITY,
            travel: 0.0,
            watched,
        }
    }

    /// Adds `dt_s` seconds in the plant's present state.
    pub(super) fn observe(&mut self, plant: &Plant, dt_s: f64) {
        let minutes = dt_s / 60.0;
        for watched in &self.watched {
            let value = plant.truth(watched.signal);
            let beyond = if watched.falling {
                watched.limit - value
            } else {
                value - watched.limit
            };
            if beyond > 0.0 {
                self.sums[watched.sum].1 += beyond * minutes;
            }
        }
        let dew_point =
            |(t, rh): &(SignalId, SignalId)| moist_air::clamped::dew_point_c(plant.truth(*t), plant.truth(*rh));
        let dew_c = self.rooms.iter().map(dew_point).fold(f64::NEG_INFINITY, f64::max);
        for supply in &self.supplies {
            let beyond = dew_c + self.dew_margin_k - plant.truth(*supply);
            if beyond > 0.0 {
                self.sums[DEW].1 += beyond * minutes;
            }
        }
        for margin in &self.margins {
            self.worst_margin_k = self.worst_margin_k.min(plant.truth(*margin));
        }
        for (signal, last) in &mut self.actuators {
            let now = plant.truth(*signal);
            self.travel += (now - *last).abs();
            *last = now;
        }
    }

    /// Degree-minutes beyond each limit, K min.
    pub(super) fn by_limit(&self) -> BTreeMap<String, f64> {
        self.sums.iter().map(|(name, sum)| ((*name).to_owned(), *sum)).collect()
    }

    /// The smallest true chip margin seen, K.
    pub(super) const fn worst_margin_k(&self) -> f64 {
        self.worst_margin_k
    }

    /// Sum of all strokes, 1 a full stroke.
    pub(super) const fn travel(&self) -> f64 {
        self.travel
    }
}
