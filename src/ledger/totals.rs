//! The counters: what is summed, never averaged.

use crate::snapshot::Shadow;
use serde::{Deserialize, Serialize};

macro_rules! counters {
    ($($(#[doc = $doc:literal])* $name:ident: $unit:literal,)*) => {
        /// Counters over a period. Ratios are formed from these and never averaged.
        #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
        pub struct Totals {
            $($(#[doc = $doc])* pub $name: f64,)*
            /// Energy of each cooling equipment, kWh, in the order of [`super::cooling_equipment`].
            pub cooling_kwh_by_equipment: Vec<f64>,
        }

        impl Totals {
            /// Every counter with its name, its unit and what it counts.
            pub fn counters(&self) -> Vec<Counter> {
                vec![$(Counter {
                    name: stringify!($name),
                    unit: $unit,
                    meaning: concat!($($doc),*).trim(),
                    value: self.$name,
                },)*]
            }

            /// Adds the counters of another period.
            pub fn add(&mut self, other: &Self) {
                let evaporated = self.evaporation_l;
                $(self.$name += other.$name;)*
                // Make-up comes when a float valve opens: the balance holds over hours, and a counter never runs back.
                self.evaporation_l = evaporated.max(self.makeup_l - self.blowdown_l - self.drift_l);
                self.cooling_kwh_by_equipment.resize(
                    self.cooling_kwh_by_equipment.len().max(other.cooling_kwh_by_equipment.len()),
                    0.0,
                );
                for (sum, kwh) in self.cooling_kwh_by_equipment.iter_mut().zip(&other.cooling_kwh_by_equipment) {
                    *sum += kwh;
                }
            }
        }
    };
}

/// A counter as printed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Counter {
    /// Name, as in [`Totals`].
    pub name: &'static str,
    /// Unit; that of money is empty.
    pub unit: &'static str,
    /// What it counts.
    pub meaning: &'static str,
    /// Its value.
    pub value: f64,
}

counters! {
    /// Length of the period that the counters cover, s.
    covered_s: "s",
    /// Of it, how much rests on estimates in place of a meter, s.
    estimated_s: "s",
    /// Energy into the IT equipment, kWh.
    it_kwh: "kWh",
    /// Of it, what rests on racks' idle power or on a rate that fell silent, kWh.
    it_estimated_kwh: "kWh",
    /// Sum of the racks' own power readings, kWh: closes against the IT meter.
    racks_kwh: "kWh",
    /// Energy that reaches computing parts, kWh; 0 where neither a meter nor a share is known.
    compute_kwh: "kWh",
    /// Energy of the whole site, kWh.
    site_kwh: "kWh",
    /// Of it, what is put together without a site meter, kWh.
    site_estimated_kwh: "kWh",
    /// Energy of the cooling equipment, kWh.
    cooling_kwh: "kWh",
    /// Of it, what rests on speeds and nameplates, kWh.
    cooling_estimated_kwh: "kWh",
    /// Sum of the cooling equipment's own power, kWh: closes against the cooling meter.
    equipment_kwh: "kWh",
    /// Evaporated water: make-up less blowdown and drift, L. Over hours it includes the change of basin levels.
    evaporation_l: "L",
    /// Drift, L, estimated from the circulation.
    drift_l: "L",
    /// Blowdown, L.
    blowdown_l: "L",
    /// Make-up of the towers and spray of the dry coolers, L.
    makeup_l: "L",
    /// Of the make-up, what rests on the heat rejected, L.
    makeup_estimated_l: "L",
    /// Of the make-up, reclaimed water, L; the rest is of drinking quality.
    reclaimed_l: "L",
    /// Sum of the units' own make-up and spray counters, L: closes against the site's water meter.
    cells_makeup_l: "L",
    /// Circulated water for which the basins' conductivity is known, L.
    concentration_l: "L",
    /// The same times the basins' conductivity over that of the make-up water, L.
    concentration_weighted_l: "L",
    /// Heat handed to the network, kWh.
    reused_kwh: "kWh",
    /// Of it, what the exchangers' readings stand in for, kWh.
    reused_estimated_kwh: "kWh",
    /// Sum of the exchangers' own readings, kWh: closes against the heat meter.
    exchangers_kwh: "kWh",
    /// Of the heat handed over, that whose supply temperature is known, kWh.
    reused_known_kwh: "kWh",
    /// The same times its supply temperature, kWh degC.
    reused_kwh_c: "kWh degC",
    /// Heat that the facility loops carried, by flow and temperatures, while all were known, kWh.
    loop_heat_kwh: "kWh",
    /// Electricity that becomes heat in the loops, in the same time, kWh: closes against it.
    heat_input_kwh: "kWh",
    /// Carbon of the electricity, location-based, kg of CO2 equivalent.
    co2e_kg: "kg",
    /// Energy whose carbon rests on another year's hours or on a daily profile, kWh.
    co2e_profile_kwh: "kWh",
    /// Carbon of the electricity, market-based, kg; 0 where no contract's intensity is known.
    co2e_market_kg: "kg",
    /// Energy whose market-based intensity is known, kWh.
    market_kwh: "kWh",
    /// Carbon that the site's demand sets free at the margin, kg; 0 where no marginal intensity is known.
    co2e_marginal_kg: "kg",
    /// Energy whose marginal intensity is known, kWh.
    marginal_kwh: "kWh",
    /// Renewable electricity, kWh.
    renewable_kwh: "kWh",
    /// Water that generated the electricity, L; 0 where no factor is stated.
    source_water_l: "L",
    /// Time for which the outdoor dry bulb is known, s.
    outdoors_known_s: "s",
    /// The same times the dry bulb, s degC.
    outdoors_s_c: "s degC",
    /// Time for which a setpoint of the air to the IT equipment is known, s.
    intake_known_s: "s",
    /// The same times the mean setpoint, s degC.
    intake_s_c: "s degC",
    /// Time for which a shadow of the plant ran beside it, s.
    shadow_s: "s",
    /// Energy of the cooling equipment in that time, kWh.
    shadow_metered_kwh: "kWh",
    /// The same by the shadow's model, under the setpoints in force, kWh.
    shadow_model_kwh: "kWh",
    /// What `fixed` would have drawn by the model, kWh.
    shadow_fixed_kwh: "kWh",
    /// What `trim_respond` would have drawn by the model, kWh.
    shadow_trim_respond_kwh: "kWh",
    /// Cost of all electricity.
    energy_cost: "",
    /// Energy taken at a price below zero, kWh.
    negative_price_kwh: "kWh",
    /// Cost of make-up and waste water.
    water_cost: "",
    /// Paid for the heat handed over.
    heat_income: "",
    /// Cost of electricity for cooling, water and waste water, less heat sold, in the site's currency.
    cooling_cost: "",
    /// Cost of all electricity, water and waste water, less heat sold.
    cost: "",
}

impl Totals {
    /// The counters of consecutive periods as one. Evaporation is what the water counters leave over all of it.
    pub fn sum<'a>(parts: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sum = Self::default();
        for part in parts {
            sum.add(part);
        }
        sum.evaporation_l = (sum.makeup_l - sum.blowdown_l - sum.drift_l).max(0.0);
        sum
    }

    /// Adds what the shadow says of the time that the counters cover.
    pub(super) fn watch(&mut self, shadow: Shadow) {
        let hours = self.covered_s / 3600.0;
        self.shadow_s = self.covered_s;
        self.shadow_metered_kwh = self.cooling_kwh;
        self.shadow_model_kwh = shadow.model_kw * hours;
        self.shadow_fixed_kwh = shadow.fixed_kw * hours;
        self.shadow_trim_respond_kwh = shadow.trim_respond_kw * hours;
    }

    /// Energy of lights, losses of distribution and whatever else the site meter sees, kWh.
    pub fn other_kwh(&self) -> f64 {
        self.site_kwh - self.it_kwh - self.cooling_kwh
    }
}
