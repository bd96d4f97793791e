//! Watches the plant's true state: degree-minutes beyond limits, worst margin, actuator travel.

use crate::site::{Band, RejectionKind, Site};
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
    /// The CDU that it belongs to.
    cdu: Option<usize>,
}

/// Which value of a band counts as its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// Where control aims.
    Target,
    /// What a run is scored by.
    Critical,
}

impl Mark {
    const fn of(self, band: Band) -> f64 {
        match self {
            Self::Target => band.target,
            Self::Critical => band.critical,
        }
    }
}

/// The sums of one run.
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
    by_cdu: Vec<f64>,
    /// Whether each chiller ran when last seen.
    chillers: Vec<(SignalId, bool)>,
    chiller_starts: u64,
    worst_margin_k: f64,
    travel: f64,
}

const SUPPLY: usize = 0;
const RETURN: usize = 1;
const MARGIN: usize = 2;
const ROOM: usize = 3;
const DEW: usize = 4;

impl Watch {
    pub(super) fn new(site: &Site, plant: &Plant, mark: Mark) -> Self {
        let limits = &site.limits;
        let signal = |name: &str, quantity: &str| plant.signal(&format!("{name}.{quantity}"));
        let mut watched = Vec::new();
        let mut watch = |signal: Option<SignalId>, limit: Band, falling: bool, sum: usize, cdu: Option<usize>| {
            if let Some(signal) = signal {
                watched.push(Watched {
                    signal,
                    limit: mark.of(limit),
                    falling,
                    sum,
                    cdu,
                });
            }
        };
        for (id, cdu) in site.cdus.iter().enumerate() {
            let supply = signal(&cdu.name, "secondary_supply_temperature");
            watch(supply, limits.secondary_supply_c, false, SUPPLY, Some(id));
        }
        for rack in &site.racks {
            let back = signal(&rack.name, "liquid_return_temperature");
            watch(back, limits.rack_return_c, false, RETURN, Some(rack.cdu.0));
            watch(
                signal(&rack.name, "chip_margin"),
                limits.chip_margin_k,
                true,
                MARGIN,
                Some(rack.cdu.0),
            );
        }
        for unit in &site.air_units {
            watch(signal(&unit.name, "room_temperature"), limits.room_c, false, ROOM, None);
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
        let chillers = site
            .rejection
            .iter()
            .filter(|unit| unit.nameplate.kind == RejectionKind::Chiller);
        Self {
            chillers: chillers
                .filter_map(|unit| signal(&unit.name, "running"))
                .map(|signal| (signal, plant.truth(signal) > 0.5))
                .collect(),
            chiller_starts: 0,
            by_cdu: vec![0.0; site.cdus.len()],
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
            dew_margin_k: mark.of(limits.dew_point_margin_k),
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
                if let Some(sum) = watched.cdu.and_then(|cdu| self.by_cdu.get_mut(cdu)) {
                    *sum += beyond * minutes;
                }
            }
        }
        for (signal, ran) in &mut self.chillers {
            let runs = plant.truth(*signal) > 0.5;
            self.chiller_starts += u64::from(runs && !*ran);
            *ran = runs;
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

    /// Degree-minutes beyond all limits, K min.
    pub(super) fn total(&self) -> f64 {
        self.sums.iter().map(|(_, sum)| sum).sum()
    }

    /// Degree-minutes beyond the limits of each CDU's coolant and racks, K min.
    pub(super) fn by_cdu(&self) -> &[f64] {
        &self.by_cdu
    }

    /// Starts of chillers' compressors.
    pub(super) const fn chiller_starts(&self) -> u64 {
        self.chiller_starts
    }

    /// The smallest true chip margin now, K.
    pub(super) fn margin_k(&self, plant: &Plant) -> f64 {
        let margins = self.margins.iter().map(|margin| plant.truth(*margin));
        margins.fold(f64::INFINITY, f64::min)
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
