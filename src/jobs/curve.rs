//! What a kWh of IT brings with it at each minute of the day, added up so that any span is two look-ups.

use super::profile::{Profile, Ratios};
use crate::site::Site;
use serde::Serialize;
use std::ops::{Add, Sub};

const DAY_MIN: usize = 1440;

/// Amounts of a job, or for a kWh of IT.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Amounts {
    /// Energy into the IT equipment, kWh.
    pub it_kwh: f64,
    /// Its share of the energy for cooling, kWh.
    pub cooling_kwh: f64,
    /// Its share of all other energy of the site, kWh.
    pub other_kwh: f64,
    /// Make-up water, L.
    pub water_l: f64,
    /// Carbon of all that electricity, kg of CO2 equivalent.
    pub co2e_kg: f64,
    /// Electricity, water and waste water less heat sold, in the site's currency.
    pub cost: f64,
}

impl Amounts {
    /// So many times as much.
    pub(super) fn times(self, by: f64) -> Self {
        Self {
            it_kwh: by * self.it_kwh,
            cooling_kwh: by * self.cooling_kwh,
            other_kwh: by * self.other_kwh,
            water_l: by * self.water_l,
            co2e_kg: by * self.co2e_kg,
            cost: by * self.cost,
        }
    }
}

impl Add for Amounts {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self {
            it_kwh: self.it_kwh + more.it_kwh,
            cooling_kwh: self.cooling_kwh + more.cooling_kwh,
            other_kwh: self.other_kwh + more.other_kwh,
            water_l: self.water_l + more.water_l,
            co2e_kg: self.co2e_kg + more.co2e_kg,
            cost: self.cost + more.cost,
        }
    }
}

impl Sub for Amounts {
    type Output = Self;

    fn sub(self, less: Self) -> Self {
        self + less.times(-1.0)
    }
}

/// The site's prices, carbon and measured overheads over a day, repeated for every day; integrated.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    /// Amounts of 1 kW of IT from local midnight up to each minute.
    up_to: Vec<Amounts>,
    utc_offset_s: i32,
    /// Whether cooling and water are measured; without a measurement they are left at nothing.
    pub measured: bool,
}

impl Curves {
    /// The curves of a site. Local time is UTC plus `utc_offset_s`, also beyond the next change of the clocks.
    pub fn new(site: &Site, profile: &Profile, utc_offset_s: i32) -> Self {
        let prices = &site.prices;
        let mut up_to = Vec::with_capacity(DAY_MIN + 1);
        let mut sum = Amounts::default();
        let mut measured = true;
        up_to.push(sum);
        for minute in 0..DAY_MIN {
            let hour = minute as f64 / 60.0;
            let ratios = profile.at(minute / 60).unwrap_or_else(|| {
                measured = false;
                Ratios::default()
            });
            let site_kwh = 1.0 + ratios.cooling + ratios.other;
            let water = ratios.makeup_l * prices.water_per_m3 + ratios.blowdown_l * prices.sewer_per_m3;
            let a_kwh = Amounts {
                it_kwh: 1.0,
                cooling_kwh: ratios.cooling,
                other_kwh: ratios.other,
                water_l: ratios.makeup_l,
                co2e_kg: site_kwh * prices.carbon_g_per_kwh_at(hour) / 1000.0,
                cost: site_kwh * prices.energy_at(hour) + water / 1000.0 - ratios.reused * prices.heat_per_kwh,
            };
            sum = sum + a_kwh.times(1.0 / 60.0);
            up_to.push(sum);
        }
        Self {
            up_to,
            utc_offset_s,
            measured,
        }
    }

    /// The amounts of `kw` of IT from one wall time to another, ms; nothing where the second is not later.
    pub fn between(&self, kw: f64, from_ms: i64, to_ms: i64) -> Amounts {
        if to_ms <= from_ms {
            return Amounts::default();
        }
        (self.since_epoch(to_ms) - self.since_epoch(from_ms)).times(kw)
    }

    /// Of 1 kW, since local midnight of 1970-01-01.
    fn since_epoch(&self, wall_ms: i64) -> Amounts {
        let local_ms = wall_ms.saturating_add(i64::from(self.utc_offset_s) * 1000);
        let (days, into_ms) = (local_ms.div_euclid(86_400_000), local_ms.rem_euclid(86_400_000));
        let whole_day = self.up_to.last().copied().unwrap_or_default();
        let minute = usize::try_from(into_ms / 60_000).unwrap_or(0);
        let (before, after) = (self.up_to.get(minute), self.up_to.get(minute + 1));
        let before = before.copied().unwrap_or(whole_day);
        let part = (into_ms % 60_000) as f64 / 60_000.0;
        let within = after.map_or_else(Amounts::default, |after| (*after - before).times(part));
        whole_day.times(days as f64) + before + within
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Totals;
    use crate::site::load_embedded;

    const HOUR_MS: i64 = 3_600_000;

    #[test]
    fn a_span_costs_what_its_minutes_cost() {
        let site = load_embedded("demo").unwrap().unwrap();
        let mut profile = Profile::default();
        profile.observe(
            &Totals {
                it_kwh: 100.0,
                cooling_kwh: 5.0,
                site_kwh: 108.0,
                makeup_l: 150.0,
                ..Totals::default()
            },
            3.0,
        );
        let curves = Curves::new(&site, &profile, 3600);
        assert!(curves.measured);
        // 10:00 to 12:00 local is 9:00 to 11:00 UTC: an hour at 0.20 and one at 0.13 a kWh.
        let amounts = curves.between(50.0, 9 * HOUR_MS, 11 * HOUR_MS);
        assert!((amounts.it_kwh - 100.0).abs() < 1e-6 && (amounts.cooling_kwh - 5.0).abs() < 1e-6);
        assert!((amounts.other_kwh - 3.0).abs() < 1e-6 && (amounts.water_l - 150.0).abs() < 1e-6);
        let expected = 54.0 * (0.20 + 0.13) + 0.150 * site.prices.water_per_m3;
        assert!(
            (amounts.cost - expected).abs() < 1e-6,
            "{} is not {expected}",
            amounts.cost
        );
        assert!((amounts.co2e_kg - 54.0 * (0.280 + 0.260)).abs() < 1e-6, "{amounts:?}");
        // Over midnight, and over days.
        let days = curves.between(1.0, 20 * HOUR_MS, 68 * HOUR_MS);
        let day = curves.between(1.0, 0, 24 * HOUR_MS);
        assert!((days.cost - 2.0 * day.cost).abs() < 1e-6 && (days.it_kwh - 48.0).abs() < 1e-6);
        assert_eq!(curves.between(1.0, 5, 5), Amounts::default());
    }

    #[test]
    fn hours_differ_once_they_were_seen() {
        let site = load_embedded("demo").unwrap().unwrap();
        let mut profile = Profile::default();
        assert!(!Curves::new(&site, &profile, 0).measured);
        let totals = |it_kwh: f64, makeup_l: f64| Totals {
            it_kwh,
            site_kwh: it_kwh,
            makeup_l,
            ..Totals::default()
        };
        profile.observe(&totals(100.0, 100.0), 3.0);
        profile.observe(&totals(110.0, 105.0), 3.5);
        profile.observe(&totals(120.0, 125.0), 14.5);
        let curves = Curves::new(&site, &profile, 0);
        let at = |hour: i64| curves.between(1.0, hour * HOUR_MS, (hour + 1) * HOUR_MS).water_l;
        assert!(
            (at(3) - 0.5).abs() < 1e-9 && (at(14) - 2.0).abs() < 1e-9,
            "{} {}",
            at(3),
            at(14)
        );
        assert!((at(20) - 125.0 / 120.0).abs() < 1e-9, "an hour never seen is like all");
    }
}
