//! The series that no device measures, under tags like the points': `<equipment>.<quantity>`, `hall` for the whole site.
//! Each is a figure of `/metrics`, which the record keeps like a point.

use crate::site::Site;

/// The horizon whose forecasts are shown beside what came: in labels, and in tags.
const HORIZON: (&str, &str) = ("300", "300s");

/// One sample of a series: wall ms and value.
pub type Sample = (i64, f64);

/// Where a tag's series is in the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Series {
    pub family: &'static str,
    pub labels: Vec<(&'static str, String)>,
    pub unit: &'static str,
}

/// The series of the hall: quantity, unit, family.
const HALL: [(&str, &str, &str); 6] = [
    ("it_power", "kW", "it_power_kilowatts"),
    ("cooling_power", "kW", "cooling_power_kilowatts"),
    ("reused_heat", "kW", "reused_heat_kilowatts"),
    ("co2e_rate", "kg/h", "co2e_kilograms_per_hour"),
    ("chip_margin", "K", "hall_chip_margin_kelvin"),
    ("warmest_supply", "degC", "hall_warmest_supply_celsius"),
];

/// The series of a tag; `None` for an unknown one.
pub(super) fn find(site: &Site, tag: &str) -> Option<Series> {
    let series = |family, unit, labels| Series { family, labels, unit };
    if let Some(point) = site.point(tag) {
        let unit = site.spec(point).unit.symbol();
        return Some(series(
            "point",
            unit,
            vec![("tag", tag.to_owned()), ("unit", unit.to_owned())],
        ));
    }
    let (equipment, quantity) = tag.split_once('.')?;
    if equipment == "hall" {
        if let Some((_, unit, family)) = HALL.iter().find(|(known, ..)| *known == quantity) {
            return Some(series(family, unit, vec![]));
        }
        if quantity == "cost_rate" {
            let currency = ("currency", site.currency.clone());
            return Some(series("cost_per_hour", "1/h", vec![currency]));
        }
    }
    let (kind, horizon) = match quantity.rsplit_once('_') {
        Some((kind, horizon)) if horizon == HORIZON.1 => (kind, Some(("horizon_s", HORIZON.0.to_owned()))),
        _ => (quantity, None),
    };
    let of_cdu = site.cdus.iter().any(|cdu| cdu.name == equipment);
    let (family, label) = match (equipment, kind, horizon.is_some()) {
        ("hall", "heat", false) => ("hall_heat_kilowatts", None),
        ("hall", "heat_mean", true) => ("hall_heat_forecast_mean_kilowatts", None),
        ("hall", "heat_upper", true) => ("hall_heat_forecast_upper_kilowatts", None),
        (_, "heat", false) if of_cdu => ("heat_kilowatts", Some(equipment)),
        (_, "heat_mean", true) if of_cdu => ("heat_forecast_mean_kilowatts", Some(equipment)),
        (_, "heat_upper", true) if of_cdu => ("heat_forecast_upper_kilowatts", Some(equipment)),
        _ => return None,
    };
    let labels = label.map(|equipment| ("equipment", equipment.to_owned()));
    Some(series(family, "kW", labels.into_iter().chain(horizon).collect()))
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

    #[test]
    fn tags_lead_to_the_families_of_the_metrics() {
        let site = crate::site::load_embedded("demo").unwrap().unwrap();
        let labels = |tag: &str| find(&site, tag).map(|found| (found.family, found.labels.len()));
        assert_eq!(labels("cdu1.secondary_flow"), Some(("point", 2)));
        assert_eq!(labels("hall.it_power"), Some(("it_power_kilowatts", 0)));
        assert_eq!(labels("hall.cost_rate"), Some(("cost_per_hour", 1)));
        assert_eq!(labels("cdu1.heat"), Some(("heat_kilowatts", 1)));
        assert_eq!(labels("cdu1.heat_mean_300s"), Some(("heat_forecast_mean_kilowatts", 2)));
        assert_eq!(
            labels("hall.heat_upper_300s"),
            Some(("hall_heat_forecast_upper_kilowatts", 1))
        );
        for unknown in [
            "cdu9.heat",
            "cdu1.heat_mean",
            "cdu1.heat_300s",
            "hall.nothing",
            "nothing",
        ] {
            assert_eq!(labels(unknown), None, "{unknown}");
        }
    }
}
