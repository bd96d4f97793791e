//! What a kWh of IT brings with it from a week ago to two weeks from now, added up so that any span is two look-ups.

use super::profile::{Profile, Ratios};
use crate::site::Site;
use crate::snapshot::Now;
use serde::Serialize;
use std::ops::{Add, Sub};

/// Resolution, ms.
const STEP_MS: i64 = 5 * 60_000;
/// How far back and ahead, ms.
const PAST_MS: i64 = 7 * 86_400_000;
const FUTURE_MS: i64 = 15 * 86_400_000;

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

/// The site's prices, carbon and measured overheads over some weeks, integrated.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    from_ms: i64,
    /// Amounts of 1 kW of IT from the beginning up to each step.
    up_to: Vec<Amounts>,
    /// Whether cooling and water are measured; without a measurement they are left at nothing.
    pub measured: bool,
}

impl Curves {
    /// The curves of a site from a week ago to two weeks from now: prices and carbon as the site's files and constants have
    /// them. Local time is taken as it is now, beyond the next change of the clocks too.
    pub fn new(site: &Site, profile: &Profile, now: Now) -> Self {
        let from_ms = (now.wall_ms - PAST_MS).div_euclid(STEP_MS) * STEP_MS;
        let steps = (PAST_MS + FUTURE_MS) / STEP_MS;
        let mut up_to = Vec::with_capacity(usize::try_from(steps).unwrap_or(0) + 1);
        let mut sum = Amounts::default();
        let mut measured = true;
        up_to.push(sum);
        for step in 0..steps {
            let at = Now {
                wall_ms: from_ms + step * STEP_MS,
                ..now
            };
            let hour = at.local_hour();
            let ratios = profile.at(hour).unwrap_or_else(|| {
                measured = false;
                Ratios::default()
            });
            sum = sum + of_a_kwh(site, &ratios, at.wall_ms, hour).times(STEP_MS as f64 / 3_600_000.0);
            up_to.push(sum);
        }
        Self {
            from_ms,
            up_to,
            measured,
        }
    }

    /// The amounts of `kw` of IT from one wall time to another, ms; nothing where the second is not later. Beyond the
    /// curves' ends every hour is like their mean.
    pub fn between(&self, kw: f64, from_ms: i64, to_ms: i64) -> Amounts {
        if to_ms <= from_ms {
            return Amounts::default();
        }
        (self.up_to(to_ms) - self.up_to(from_ms)).times(kw)
    }

    /// Of 1 kW, since the beginning.
    fn up_to(&self, wall_ms: i64) -> Amounts {
        let all = self.up_to.last().copied().unwrap_or_default();
        let length_ms = (self.up_to.len().saturating_sub(1)) as f64 * STEP_MS as f64;
        let into_ms = wall_ms.saturating_sub(self.from_ms) as f64;
        if into_ms < 0.0 || into_ms >= length_ms {
            return all.times(into_ms / length_ms.max(1.0));
        }
        let step = into_ms / STEP_MS as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the list")]
        let index = step as usize;
        let before = self.up_to.get(index).copied().unwrap_or_default();
        let after = self.up_to.get(index + 1).copied().unwrap_or(all);
        before + (after - before).times(step - step.floor())
    }
}

fn of_a_kwh(site: &Site, ratios: &Ratios, wall_ms: i64, hour: f64) -> Amounts {
    let prices = &site.prices;
    let site_kwh = 1.0 + ratios.cooling + ratios.other;
    let water = ratios.makeup_l * prices.water_per_m3 + ratios.blowdown_l * prices.sewer_per_m3;
    Amounts {
        it_kwh: 1.0,
        cooling_kwh: ratios.cooling,
        other_kwh: ratios.other,
        water_l: ratios.makeup_l,
        co2e_kg: site_kwh * site.carbon_g_per_kwh(wall_ms, hour) / 1000.0,
        cost: site_kwh * site.energy_price(wall_ms, hour) + water / 1000.0 - ratios.reused * prices.heat_per_kwh,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Totals;
    use crate::site::load_embedded;

    const HOUR_MS: i64 = 3_600_000;

    fn now(utc_offset_s: i32) -> Now {
        Now {
            mono_ms: 0,
            wall_ms: 12 * HOUR_MS,
            utc_offset_s,
        }
    }

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
        let curves = Curves::new(&site, &profile, now(3600));
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
        // Beyond the ends it goes on like the mean.
        let far = curves.between(1.0, -1000 * HOUR_MS, 1000 * HOUR_MS);
        assert!((far.it_kwh - 2000.0).abs() < 1e-6, "{far:?}");
        assert!(
            (far.cost / 2000.0 - day.cost / 24.0).abs() < 0.01 * day.cost / 24.0,
            "{far:?}"
        );
    }

    #[test]
    fn hours_differ_once_they_were_seen() {
        let site = load_embedded("demo").unwrap().unwrap();
        let mut profile = Profile::default();
        assert!(!Curves::new(&site, &profile, now(0)).measured);
        let totals = |it_kwh: f64, makeup_l: f64| Totals {
            it_kwh,
            site_kwh: it_kwh,
            makeup_l,
            ..Totals::default()
        };
        profile.observe(&totals(100.0, 100.0), 3.0);
        profile.observe(&totals(110.0, 105.0), 3.5);
        profile.observe(&totals(120.0, 125.0), 14.5);
        let curves = Curves::new(&site, &profile, now(0));
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
