//! True totals since the plant was built, for scores and balances.

use super::Plant;

/// What the plant has really used and moved since it was built.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Totals {
    /// Time, s.
    pub elapsed_s: f64,
    /// Electricity of the racks, kWh.
    pub it_kwh: f64,
    /// Electricity of all cooling equipment, kWh.
    pub cooling_kwh: f64,
    /// Constant loads, kWh.
    pub overhead_kwh: f64,
    /// Electricity of each piece of cooling equipment by id, in the order of the specification, kWh.
    pub equipment_kwh: Vec<(String, f64)>,
    /// Evaporated in towers, L.
    pub evaporation_l: f64,
    /// Carried off as droplets, L.
    pub drift_l: f64,
    /// Led away for its salts, L.
    pub blowdown_l: f64,
    /// Let in to the basins, L.
    pub makeup_l: f64,
    /// Used by adiabatic pads, L.
    pub spray_l: f64,
    /// Water in the tower basins now, L.
    pub basin_l: f64,
    /// Heat handed to the district network, kWh.
    pub reused_kwh: f64,
    /// Heat given to the outdoor air (or taken by chillers), kWh.
    pub rejected_kwh: f64,
    /// Heat of pumps and fans that went into water, coolant and room air, kWh.
    pub machine_heat_kwh: f64,
    /// Heat of the racks into air that no air unit takes, kWh.
    pub unremoved_kwh: f64,
    /// Heat held by water, coolant, racks and rooms above 0 degC now, kWh.
    pub stored_kwh: f64,
}

impl Totals {
    /// Electricity of racks, cooling and constant loads, kWh.
    pub fn site_kwh(&self) -> f64 {
        self.it_kwh + self.cooling_kwh + self.overhead_kwh
    }
}

impl Plant {
    /// True totals since the plant was built.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals {
            elapsed_s: self.elapsed_s,
            it_kwh: self.it_kwh,
            cooling_kwh: self.cooling_kwh(),
            overhead_kwh: self.overhead_kw * self.elapsed_s / 3600.0,
            machine_heat_kwh: self.machine_heat_kwh,
            unremoved_kwh: self.unremoved_kwh,
            ..Totals::default()
        };
        for facility in &self.loops {
            let mut list = |id: &str, kwh: f64| totals.equipment_kwh.push((id.to_owned(), kwh));
            list(&facility.id, facility.energy_kwh);
            facility
                .rejection
                .iter()
                .for_each(|unit| list(&unit.id, unit.energy_kwh));
            facility
                .air_units
                .iter()
                .for_each(|unit| list(&unit.id, unit.energy_kwh));
            facility.cdus.iter().for_each(|unit| list(&unit.id, unit.energy_kwh));
            for unit in &facility.rejection {
                let water = unit.water();
                totals.evaporation_l += water.evaporation;
                totals.drift_l += water.drift;
                totals.blowdown_l += water.blowdown;
                totals.makeup_l += water.makeup;
                totals.spray_l += water.spray;
                totals.basin_l += unit.level_l();
            }
            totals.reused_kwh += facility.reuse.iter().map(|unit| unit.energy_kwh).sum::<f64>();
            totals.rejected_kwh += facility.rejected_kwh;
            totals.stored_kwh += facility.stored_kj() / 3600.0;
        }
        totals
    }

    /// Electric power of all cooling equipment now, kW.
    pub(super) fn cooling_kw(&self) -> f64 {
        self.loops
            .iter()
            .map(|l| {
                l.power_kw()
                    + l.cdus.iter().map(super::cdu::Cdu::power_kw).sum::<f64>()
                    + l.air_units.iter().map(super::air_unit::AirUnit::power_kw).sum::<f64>()
                    + l.rejection
                        .iter()
                        .map(super::rejection::Rejection::power_kw)
                        .sum::<f64>()
            })
            .sum()
    }

    /// Electricity of all cooling equipment so far, kWh.
    pub(super) fn cooling_kwh(&self) -> f64 {
        self.loops
            .iter()
            .map(|l| {
                l.energy_kwh
                    + l.cdus.iter().map(|unit| unit.energy_kwh).sum::<f64>()
                    + l.air_units.iter().map(|unit| unit.energy_kwh).sum::<f64>()
                    + l.rejection.iter().map(|unit| unit.energy_kwh).sum::<f64>()
            })
            .sum()
    }
}
