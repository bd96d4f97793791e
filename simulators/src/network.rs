//! A district heating network: how much heat its customers want, and how cold its water comes back.

use crate::plant::NetworkSample;
use serde::{Deserialize, Serialize};

/// A low-temperature network with heating by season and hot water all year.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistrictNetwork {
    /// Water from the network on a winter day, degC.
    pub winter_return_c: f64,
    /// How much warmer it comes back in summer, when houses take little, K.
    pub summer_rise_k: f64,
    /// Share of the exchangers' rated heat that hot water takes all year.
    pub hot_water_share: f64,
    /// Outdoor temperature above which nobody heats, degC.
    pub heating_limit_c: f64,
    /// Outdoor temperature at which the network takes all of the rated heat, degC.
    pub full_load_c: f64,
}

impl DistrictNetwork {
    /// A fourth-generation network whose return a warm-water hall can heat.
    pub const LOW_TEMPERATURE: Self = Self {
        winter_return_c: 25.0,
        summer_rise_k: 4.0,
        hot_water_share: 0.15,
        heating_limit_c: 17.0,
        full_load_c: -2.0,
    };
    /// No network.
    pub const NONE: Self = Self {
        winter_return_c: 30.0,
        summer_rise_k: 0.0,
        hot_water_share: 0.0,
        heating_limit_c: -99.0,
        full_load_c: -100.0,
    };

    /// What it takes at `hour` of the day (0 to 24) with the outdoor air at `outdoor_c`.
    pub fn at(&self, hour: f64, outdoor_c: f64) -> NetworkSample {
        let span = (self.heating_limit_c - self.full_load_c).max(0.1);
        let heating = ((self.heating_limit_c - outdoor_c) / span).clamp(0.0, 1.0);
        // People shower and heat in the morning and the evening, and lower the thermostat at night.
        let peak = |at: f64| libm::exp(-0.5 * ((hour - at) / 2.0) * ((hour - at) / 2.0));
        let habit = 0.75 + 0.5 * peak(7.0) + 0.4 * peak(19.0);
        let demand_share = ((self.hot_water_share + (1.0 - self.hot_water_share) * heating) * habit).clamp(0.0, 1.0);
        NetworkSample {
            return_c: self.winter_return_c + self.summer_rise_k * (1.0 - heating),
            demand_share,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn winter_mornings_want_more_than_summer_nights() {
        let network = DistrictNetwork::LOW_TEMPERATURE;
        let (cold, warm) = (network.at(7.0, -5.0), network.at(2.0, 24.0));
        assert!(cold.demand_share > 0.95 && warm.demand_share < 0.2);
        assert!(cold.return_c < warm.return_c);
        assert!(DistrictNetwork::NONE.at(7.0, -20.0).demand_share <= 0.0);
    }
}
