//! Carbon intensity and electricity prices that change with time: series from files, with a feed over them.

use super::Site;
use super::findings::Findings;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;

/// Largest file that is read, bytes: ten years of quarter hours are a tenth of it.
const FILE_MAX: u64 = 64 << 20;
const HOUR_MS: i64 = 3_600_000;
/// Length of a typical year, ms.
const YEAR_MS: i64 = 8760 * HOUR_MS;

/// `[grid]`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridSettings {
    /// CSV of carbon intensity; empty for none.
    pub carbon_file: String,
    /// CSV of the price of electricity; empty for none.
    pub price_file: String,
    /// Carbon intensity of the electricity by contract, g/kWh, where no file or feed tells; `None`: not stated.
    pub market_g_per_kwh: Option<f64>,
    /// Carbon intensity of a change in demand, g/kWh, where no file or feed tells; `None`: not stated.
    pub marginal_g_per_kwh: Option<f64>,
    /// Water that the generation of a kWh takes (energy water intensity factor), L/kWh; `None`: not stated.
    pub source_water_l_per_kwh: Option<f64>,
    /// Who states these factors; printed beside them.
    pub source: String,
}

/// Carbon and prices that change with time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Grid {
    /// As configured.
    pub settings: GridSettings,
    /// Average intensity of the grid, g/kWh.
    pub location: Option<TimeSeries>,
    /// Intensity by contract, g/kWh.
    pub market: Option<TimeSeries>,
    /// Intensity of a change in demand, g/kWh.
    pub marginal: Option<TimeSeries>,
    /// Price of electricity, per kWh.
    pub price: Option<TimeSeries>,
}

/// Values in equal steps, each from its time until the next.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeSeries {
    start_ms: i64,
    step_ms: i64,
    values: Vec<f64>,
}

/// A value of a series at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// The value.
    pub value: f64,
    /// It is that of a typical year's same hour, not of this moment.
    pub typical: bool,
}

impl TimeSeries {
    /// The value at a wall time. A series of a year or more stands for other years too, by the hour of its first 8760.
    pub fn at(&self, wall_ms: i64) -> Option<Moment> {
        let span_ms = self.step_ms * i64::try_from(self.values.len()).ok()?;
        let after = wall_ms - self.start_ms;
        let typical = !(0..span_ms).contains(&after);
        if typical && span_ms < YEAR_MS {
            return None;
        }
        let place = if typical { after.rem_euclid(YEAR_MS) } else { after } / self.step_ms;
        let value = *self.values.get(usize::try_from(place).ok()?)?;
        Some(Moment { value, typical })
    }

    /// Reads the columns of a CSV whose first column is the time in RFC 3339; `None` for a column that is not there.
    fn read<const N: usize>(text: &str, columns: [(&[&str], f64); N]) -> Result<[Option<Self>; N], String> {
        let mut lines = text.lines().enumerate();
        let (_, header) = lines.next().ok_or("is empty; write a header and one line a step")?;
        let names: Vec<_> = header.split(',').map(str::trim).collect();
        let places = columns.map(|(known, _)| names.iter().position(|name| known.contains(name)));
        if places.iter().all(Option::is_none) {
            let known: Vec<_> = columns.iter().flat_map(|(known, _)| known.iter().copied()).collect();
            return Err(format!(
                "has none of the columns {}; name one so in its header",
                known.join(", ")
            ));
        }
        let mut times = Vec::new();
        let mut values: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
        for (index, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            let fields: Vec<_> = line.split(',').map(str::trim).collect();
            let number = index + 1;
            let time = fields.first().copied().unwrap_or_default();
            times.push(
                time_ms(time)
                    .ok_or_else(|| format!("line {number}: `{time}` is no time; write 2026-01-31T13:00:00Z"))?,
            );
            for ((list, place), (_, scale)) in values.iter_mut().zip(places).zip(columns) {
                let Some(place) = place else { continue };
                let field = fields.get(place).copied().unwrap_or_default();
                let value = field.parse::<f64>().ok().filter(|value| value.abs() < 1e6);
                list.push(
                    scale * value.ok_or_else(|| format!("line {number}: `{field}` is no number of this column"))?,
                );
            }
        }
        let [first, second, ..] = times[..] else {
            return Err("has fewer than two lines of values".into());
        };
        let step_ms = second - first;
        if step_ms <= 0 {
            return Err("line 3: its time is not after that of line 2; sort the lines by time".into());
        }
        let uneven = times.windows(2).position(|pair| pair[1] - pair[0] != step_ms);
        if let Some(place) = uneven {
            return Err(format!(
                "line {}: is not one step of {} s after the line before; write every step once",
                place + 3,
                step_ms / 1000
            ));
        }
        let mut values = values.into_iter();
        Ok(places.map(|place| {
            let values = values.next().unwrap_or_default();
            place.map(|_| Self {
                start_ms: first,
                step_ms,
                values,
            })
        }))
    }
}

/// RFC 3339, also with a space for the `T`.
fn time_ms(text: &str) -> Option<i64> {
    let time: Timestamp = text.parse().ok()?;
    Some(time.as_millisecond())
}

impl Site {
    /// Price of electricity per kWh.
    pub fn energy_price(&self, wall_ms: i64, local_hour: f64) -> f64 {
        let series = self.grid.price.as_ref().and_then(|series| series.at(wall_ms));
        series.map_or_else(|| self.prices.energy_at(local_hour), |moment| moment.value)
    }

    /// Average carbon intensity of the grid, g/kWh.
    pub fn carbon_g_per_kwh(&self, wall_ms: i64, local_hour: f64) -> f64 {
        let series = self.grid.location.as_ref().and_then(|series| series.at(wall_ms));
        series.map_or_else(|| self.prices.carbon_g_per_kwh_at(local_hour), |moment| moment.value)
    }
}

/// Reads the files that `[grid]` names, and folds them into the site's hash.
pub(super) fn read_files(site: &mut Site, findings: &Findings<'_>) {
    let settings = site.grid.settings.clone();
    if let Some(text) = text(&settings.carbon_file, "grid.carbon_file", site, findings) {
        let columns: [(&[&str], f64); 3] = [
            (&["location_g_per_kwh", "avg_CI"], 1.0),
            (&["market_g_per_kwh"], 1.0),
            (&["marginal_g_per_kwh"], 1.0),
        ];
        match TimeSeries::read(&text, columns) {
            Ok([location, market, marginal]) => {
                site.grid.location = location;
                site.grid.market = market;
                site.grid.marginal = marginal;
            }
            Err(message) => findings.add("grid.carbon_file", format!("`{}` {message}", settings.carbon_file)),
        }
    }
    if let Some(text) = text(&settings.price_file, "grid.price_file", site, findings) {
        let per_kwh: [(&[&str], f64); 2] = [(&["price_per_kwh"], 1.0), (&["price_per_mwh"], 0.001)];
        match TimeSeries::read(&text, per_kwh) {
            Ok([kwh, mwh]) => site.grid.price = kwh.or(mwh),
            Err(message) => findings.add("grid.price_file", format!("`{}` {message}", settings.price_file)),
        }
    }
}

fn text(path: &str, key: &str, site: &mut Site, findings: &Findings<'_>) -> Option<String> {
    if path.is_empty() {
        return None;
    }
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(FILE_MAX).read_to_string(&mut text));
    if let Err(error) = read {
        findings.add(key, format!("`{path}` cannot be read: {error}"));
        return None;
    }
    let mut digest = Sha256::new();
    digest.update(&site.hash);
    digest.update(&text);
    site.hash = digest
        .finalize()
        .iter()
        .fold(String::with_capacity(64), |hex, byte| hex + &format!("{byte:02x}"));
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [(&[&str], f64); 2] = [(&["price_per_kwh"], 1.0), (&["price_per_mwh"], 0.001)];

    #[test]
    fn quarter_hours_with_a_negative_price() {
        let text =
            "time,price_per_mwh\n2026-03-29T00:00:00Z,80\n2026-03-29T00:15:00Z,-12.5\n2026-03-29 00:30:00+00:00,40\n";
        let [none, series] = TimeSeries::read(text, COLUMNS).unwrap();
        assert!(none.is_none());
        let series = series.unwrap();
        let at = |minute: i64| series.at(series.start_ms + minute * 60_000).map(|moment| moment.value);
        assert_eq!(at(14), Some(0.08));
        assert_eq!(at(15), Some(-0.0125));
        assert_eq!(at(44), Some(0.04));
        assert_eq!(at(45), None, "less than a year stands for nothing else");
        assert_eq!(at(-1), None);
    }

    #[test]
    fn a_year_stands_for_other_years_and_says_so() {
        let series = TimeSeries {
            start_ms: 0,
            step_ms: HOUR_MS,
            values: (0..8760).map(f64::from).collect(),
        };
        assert_eq!(
            series.at(HOUR_MS * 5),
            Some(Moment {
                value: 5.0,
                typical: false
            })
        );
        assert_eq!(
            series.at(YEAR_MS + HOUR_MS),
            Some(Moment {
                value: 1.0,
                typical: true
            })
        );
        assert_eq!(
            series.at(-HOUR_MS),
            Some(Moment {
                value: 8759.0,
                typical: true
            })
        );
    }

    #[test]
    fn what_is_wrong_is_told_by_its_line() {
        for (text, part) in [
            ("", "is empty"),
            ("time,a\n", "none of the columns"),
            ("time,price_per_kwh\n2026-01-01T00:00:00Z,1\n", "fewer than two"),
            ("time,price_per_kwh\n1 May,1\n", "line 2"),
            ("time,price_per_kwh\n2026-01-01T00:00:00Z,x\n", "line 2"),
            (
                "time,price_per_kwh\n2026-01-01T00:00:00Z,1\n2026-01-01T01:00:00Z,1\n2026-01-01T03:00:00Z,1\n",
                "line 4",
            ),
        ] {
            let error = TimeSeries::read(text, COLUMNS).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
