//! How well the model explains the power of cooling: its laws with the learned ratios at the measured flows, pressures and
//! temperatures, against the meters. A model that drifts away is named.

use super::learn::{Learned, running_first_stage};
use super::model::cdu::CduModel;
use super::model::rejection::{Duty, Outdoors, fan_kw, fan_speed};
use super::model::{carries, facility};
use crate::control::{View, value};
use thermo::Coolant;

/// Power that the model explains and power that is metered, over all equipment that tells both, kW; and the sum of the
/// differences' sizes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Explained {
    metered_kw: f64,
    off_kw: f64,
}

impl Explained {
    fn add(&mut self, metered_kw: Option<f64>, model_kw: Option<f64>) {
        if let (Some(metered), Some(model)) = (metered_kw, model_kw.filter(|kw| kw.is_finite())) {
            self.metered_kw += metered;
            self.off_kw += (metered - model).abs();
        }
    }
}

/// Error of the model over the metered power; `None` where too little is metered.
pub(super) fn error(view: &View<'_>, learned: &Learned, outdoors: &Outdoors) -> Option<f64> {
    let site = view.site;
    let mut sum = Explained::default();
    for (id, cdu) in site.cdus.iter().enumerate() {
        let model = CduModel::new(cdu, learned.cdus[id]);
        let kpa = value(view, cdu.points.secondary_differential_pressure);
        sum.add(
            value(view, cdu.points.power),
            kpa.map(|kpa| model.pump_kw(model.flow_share(kpa))),
        );
    }
    for (id, unit) in site.loops.iter().enumerate() {
        let points = &unit.points;
        let (flow, kpa) = (value(view, points.flow), value(view, points.differential_pressure));
        let pumps = flow.zip(kpa).map(|(flow, kpa)| {
            let running = value(view, points.pumps_running).unwrap_or(1.0).max(1.0);
            learned.pumps[id] * facility::pump_kw(unit, running, flow, kpa)
        });
        sum.add(value(view, points.power), pumps);
        let Some(cells) = running_first_stage(view, unit) else {
            continue;
        };
        let back = value(view, points.return_temperature);
        let duty = flow.zip(back).map(|(flow, back)| Duty {
            heat_kw: flow * carries(Coolant::Water) * (back - cells.leaving_c) / cells.count,
            leaving_c: cells.leaving_c,
            flow_lpm: flow / cells.count,
        });
        let fans = duty.map(|duty| {
            let speed = fan_speed(cells.plate, learned.rejection[id].law, duty, outdoors, cells.wet);
            cells.count * fan_kw(cells.plate, speed.min(1.0))
        });
        sum.add(cells.power_kw, fans);
    }
    (sum.metered_kw > 0.1).then(|| sum.off_kw / sum.metered_kw)
}
