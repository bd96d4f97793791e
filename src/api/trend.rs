//! Short series of figures that no device measures: powers and rates of the books, heat and its forecast.
//! Their tags follow the points' pattern, `<equipment>.<quantity>`; `hall` is the whole site.

use super::view::View;
use crate::site::Site;
use std::collections::VecDeque;

/// Least plant time between two samples, ms.
const STEP_MS: i64 = 10_000;
/// Samples kept: four hours.
const SAMPLES: usize = 1440;
/// The horizon whose forecasts are kept beside what came: its index and its name in tags.
const HORIZON: (usize, &str) = (1, "300s");

/// One sample of a series: wall ms and value.
pub type Sample = (i64, f64);

/// A derived series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Series {
    pub tag: String,
    pub unit: &'static str,
}

/// The ring of the derived series.
#[derive(Debug)]
pub(super) struct Trend {
    series: Vec<Series>,
    samples: VecDeque<(i64, Vec<f64>)>,
}

impl Trend {
    pub(super) fn new(site: &Site) -> Self {
        let hall = [
            ("it_power", "kW"),
            ("cooling_power", "kW"),
            ("reused_heat", "kW"),
            ("cost_rate", "1/h"),
        ];
        let hall = hall
            .into_iter()
            .chain([("co2e_rate", "kg/h"), ("chip_margin", "K"), ("warmest_supply", "degC")]);
        let mut series: Vec<Series> = hall
            .map(|(quantity, unit)| Series {
                tag: format!("hall.{quantity}"),
                unit,
            })
            .collect();
        for equipment in std::iter::once("hall").chain(site.cdus.iter().map(|cdu| cdu.name.as_str())) {
            let horizon = HORIZON.1;
            for quantity in [
                "heat".to_owned(),
                format!("heat_mean_{horizon}"),
                format!("heat_upper_{horizon}"),
            ] {
                series.push(Series {
                    tag: format!("{equipment}.{quantity}"),
                    unit: "kW",
                });
            }
        }
        Self {
            series,
            samples: VecDeque::new(),
        }
    }

    /// The derived series.
    pub(super) fn series(&self) -> &[Series] {
        &self.series
    }

    /// Adds a view, where enough time has passed since the last sample.
    pub(super) fn push(&mut self, view: &View) {
        if self
            .samples
            .back()
            .is_some_and(|(at, _)| (0..STEP_MS).contains(&view.wall_ms.saturating_sub(*at)))
        {
            return;
        }
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back((view.wall_ms, values(view)));
    }

    /// The samples of a series in a span of wall time, thinned to at most `max_points` by the mean of neighbours;
    /// `None` for an unknown tag.
    pub(super) fn read(&self, tag: &str, from_ms: i64, to_ms: i64, max_points: usize) -> Option<Vec<Sample>> {
        let index = self.series.iter().position(|series| series.tag == tag)?;
        let samples = self.samples.iter().filter(|(at, _)| (from_ms..=to_ms).contains(at));
        let samples = samples.filter_map(|(at, values)| Some((*at, *values.get(index)?)));
        Some(thin(
            samples.filter(|(_, value)| value.is_finite()).collect(),
            max_points,
        ))
    }
}

/// In the order of [`Trend::new`].
fn values(view: &View) -> Vec<f64> {
    let account = &view.books.account;
    let supplies = view
        .cdus
        .iter()
        .filter_map(|cdu| cdu.equipment.good("secondary_supply_temperature"));
    let margins = view.cdus.iter().filter_map(|cdu| cdu.worst_margin_k);
    let mut values = vec![
        account.it_kw,
        account.cooling_kw,
        account.reused_kw,
        account.cost_per_h,
        account.co2e_kg_per_h,
        margins.min_by(f64::total_cmp).unwrap_or(f64::NAN),
        supplies.max_by(f64::total_cmp).unwrap_or(f64::NAN),
    ];
    let cdu = |cdu: &super::view::CduView| {
        let at = |horizons: &[f64]| horizons.get(HORIZON.0).copied().unwrap_or(f64::NAN);
        [cdu.heat.now_kw, at(&cdu.heat.mean_kw), at(&cdu.heat.upper_kw)]
    };
    let sum = view
        .cdus
        .iter()
        .map(cdu)
        .reduce(|[a, b, c], [x, y, z]| [a + x, b + y, c + z]);
    values.extend(sum.unwrap_or([f64::NAN; 3]));
    values.extend(view.cdus.iter().flat_map(cdu));
    values
}

/// Thins samples to at most `max_points` by the mean of neighbours.
pub(super) fn thin(samples: Vec<Sample>, max_points: usize) -> Vec<Sample> {
    let group = samples.len().div_ceil(max_points.max(1));
    if group <= 1 {
        return samples;
    }
    let mean = |group: &[Sample]| {
        let last = group.last().map_or(0, |(at, _)| *at);
        (
            last,
            group.iter().map(|(_, value)| value).sum::<f64>() / group.len() as f64,
        )
    };
    samples.chunks(group).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_the_mean_and_the_limit() {
        let samples: Vec<Sample> = (0..1000_i32).map(|i| (i64::from(i), f64::from(i))).collect();
        let thinned = thin(samples.clone(), 120);
        assert!(thinned.len() <= 120 && thinned.len() > 100, "{}", thinned.len());
        assert_eq!(thinned.first(), Some(&(8, 4.0)));
        assert_eq!(thin(samples.clone(), 1000), samples);
        assert_eq!(thin(samples, 0).len(), 1);
    }
}
