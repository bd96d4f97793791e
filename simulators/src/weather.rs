//! Outdoor air over a year: from files, or made up from a climate and a seed.

use crate::plant::WeatherSample;
use crate::random::Random;
use std::sync::Arc;
use thermo::moist_air::clamped::wet_bulb_c;

/// Hours of a year without a leap day.
const HOURS: usize = 8760;

/// Why a weather file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("weather line {line}: {message}")]
pub struct WeatherError {
    /// Line, counted from 1.
    pub line: usize,
    /// What is wrong and what to write instead.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Hour {
    dry_bulb_c: f64,
    rh: f64,
    pressure_kpa: f64,
}

/// A year of hourly weather that starts over at its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Weather {
    /// Shared between copies of a world.
    hours: Arc<[Hour]>,
}

/// What a made-up year is drawn from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Climate {
    /// Mean of the year, degC.
    pub mean_c: f64,
    /// Half the difference of July and January, K; negative south of the equator.
    pub season_k: f64,
    /// Half the difference of afternoon and night, K.
    pub day_k: f64,
    /// Standard deviation of the weather that comes and goes over days, K.
    pub fronts_k: f64,
    /// Relative humidity of the mean day, 0 to 1.
    pub rh: f64,
    /// Barometric pressure, kPa.
    pub pressure_kpa: f64,
}

impl Climate {
    /// An inland site of the middle latitudes.
    pub const TEMPERATE: Self = Self {
        mean_c: 11.0,
        season_k: 13.0,
        day_k: 4.5,
        fronts_k: 4.0,
        rh: 0.68,
        pressure_kpa: 99.0,
    };
    /// A hot desert.
    pub const DESERT: Self = Self {
        mean_c: 21.0,
        season_k: 10.5,
        day_k: 8.0,
        fronts_k: 3.0,
        rh: 0.30,
        pressure_kpa: 92.5,
    };
    /// The wet tropics.
    pub const TROPICAL: Self = Self {
        mean_c: 27.0,
        season_k: 1.5,
        day_k: 4.0,
        fronts_k: 1.0,
        rh: 0.82,
        pressure_kpa: 101.0,
    };
}

impl Weather {
    /// Reads CSV with a header that names at least `dry_bulb_c`, `rh_pct` and `pressure_pa`, one row an hour.
    ///
    /// # Errors
    /// A missing column, a value that is not a number or out of range, or no row at all.
    pub fn from_csv(text: &str) -> Result<Self, WeatherError> {
        let mut lines = text.lines().enumerate();
        let header = lines.next().map_or("", |(_, line)| line);
        let column = |name: &str| {
            header
                .split(',')
                .position(|c| c.trim() == name)
                .ok_or_else(|| WeatherError {
                    line: 1,
                    message: format!("column {name} is missing: the header needs dry_bulb_c, rh_pct and pressure_pa"),
                })
        };
        read(
            lines,
            [column("dry_bulb_c")?, column("rh_pct")?, column("pressure_pa")?],
        )
    }

    /// Reads an `EnergyPlus` weather file (EPW): eight header lines, then one row an hour.
    ///
    /// # Errors
    /// As [`Weather::from_csv`].
    pub fn from_epw(text: &str) -> Result<Self, WeatherError> {
        // Fields N6 dry bulb, N8 relative humidity and N9 pressure of the format's data dictionary.
        read(text.lines().enumerate().skip(8), [6, 8, 9])
    }

    /// Reads either format: an EPW file starts with `LOCATION`.
    ///
    /// # Errors
    /// As [`Weather::from_csv`].
    pub fn parse(text: &str) -> Result<Self, WeatherError> {
        if text.starts_with("LOCATION") {
            Self::from_epw(text)
        } else {
            Self::from_csv(text)
        }
    }

    /// Makes up a year of `climate` from `seed`: seasons, days, and fronts that pass in days.
    pub fn generated(climate: Climate, seed: u64) -> Self {
        let mut random = Random::new(seed, 2);
        let mut front = random.normal();
        let turn = core::f64::consts::TAU;
        let hour = |n: usize| {
            let n = n as f64;
            // A front loses 1.3 % of itself an hour: it lasts about three days.
            front = 0.987 * front + 0.161 * random.normal();
            let season = -libm::cos(turn * (n / 24.0 - 20.0) / 365.0);
            let day = -libm::cos(turn * (n - 4.0) / 24.0);
            let departure = climate.day_k * day + climate.fronts_k * front;
            let dry_bulb_c = climate.mean_c + climate.season_k * season + departure;
            // Vapour hardly changes over a day, so that relative humidity falls by about 4 % of itself per kelvin.
            let rh = (climate.rh * libm::exp(-0.04 * departure) + 0.04 * random.normal()).clamp(0.08, 1.0);
            Hour {
                dry_bulb_c,
                rh,
                pressure_kpa: climate.pressure_kpa - 0.4 * front,
            }
        };
        Self {
            hours: (0..HOURS).map(hour).collect(),
        }
    }

    /// The air at `year_s` seconds after the start of a year, between two hours in proportion. Row `n` of a file is the
    /// end of its hour, as its format says.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a remainder within the year"
    )]
    pub fn at(&self, year_s: f64) -> WeatherSample {
        let count = self.hours.len();
        let place = (year_s / 3600.0 - 1.0).rem_euclid(count as f64);
        let first = (place as usize).min(count - 1);
        let part = place - first as f64;
        let (a, b) = (self.hours[first], self.hours[(first + 1) % count]);
        let between = |a: f64, b: f64| a + part * (b - a);
        let (dry_bulb_c, rh) = (between(a.dry_bulb_c, b.dry_bulb_c), between(a.rh, b.rh));
        let pressure_kpa = between(a.pressure_kpa, b.pressure_kpa);
        WeatherSample {
            dry_bulb_c,
            rh,
            pressure_kpa,
            wet_bulb_c: wet_bulb_c(dry_bulb_c, rh, 1000.0 * pressure_kpa),
        }
    }
}

fn read<'a>(lines: impl Iterator<Item = (usize, &'a str)>, columns: [usize; 3]) -> Result<Weather, WeatherError> {
    let mut hours = Vec::with_capacity(HOURS);
    for (line, text) in lines.filter(|(_, text)| !text.trim().is_empty()) {
        let fields: Vec<&str> = text.split(',').collect();
        let number = |column: usize, what: &str, low: f64, high: f64| {
            let field = fields.get(column).map_or("", |field| field.trim());
            field
                .parse()
                .ok()
                .filter(|value: &f64| (low..=high).contains(value))
                .ok_or_else(|| WeatherError {
                    line: line + 1,
                    message: format!("{what} is {field:?}: write a number from {low} to {high}"),
                })
        };
        hours.push(Hour {
            dry_bulb_c: number(columns[0], "dry bulb", -70.0, 60.0)?,
            rh: number(columns[1], "relative humidity", 0.0, 110.0)?.min(100.0) / 100.0,
            pressure_kpa: number(columns[2], "pressure", 50_000.0, 110_000.0)? / 1000.0,
        });
    }
    if hours.is_empty() {
        return Err(WeatherError {
            line: 1,
            message: "there is no data row: write one row an hour".to_owned(),
        });
    }
    Ok(Weather { hours: hours.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = "month,day,hour,dry_bulb_c,dew_point_c,rh_pct,pressure_pa,wind_m_s,wet_bulb_c\n\
                       1,1,1,10.0,0,50,100000,1,0\n1,1,2,20.0,0,70,100000,1,0\n";

    #[test]
    fn hours_are_joined_by_lines_and_start_over() {
        let weather = Weather::parse(CSV).unwrap();
        assert!((weather.at(3600.0).dry_bulb_c - 10.0).abs() < 1e-9);
        let half = weather.at(1.5 * 3600.0);
        assert!((half.dry_bulb_c - 15.0).abs() < 1e-9 && (half.rh - 0.6).abs() < 1e-9);
        assert_eq!(weather.at(3600.0), weather.at(3.0 * 3600.0));
        assert!(half.wet_bulb_c < half.dry_bulb_c && half.wet_bulb_c > 9.0);
    }

    #[test]
    fn an_epw_file_reads_alike() {
        let mut text = "LOCATION,Somewhere\n".to_owned() + &"HEADER\n".repeat(7);
        text += "2020,1,1,1,0,?9?9,10.0,0.5,50,100000,0\n2020,1,1,2,0,?9?9,20.0,0.5,70,100000,0\n";
        assert_eq!(Weather::parse(&text).unwrap(), Weather::parse(CSV).unwrap());
    }

    #[test]
    fn mistakes_say_where() {
        let bad = CSV.replace("20.0", "warm");
        let error = Weather::parse(&bad).unwrap_err();
        assert!(error.line == 3 && error.message.contains("warm"), "{error}");
        assert!(Weather::parse("a,b\n1,2\n").unwrap_err().message.contains("dry_bulb_c"));
        assert!(Weather::parse(CSV.lines().next().unwrap()).is_err());
    }

    #[test]
    fn a_made_up_year_has_its_climate() {
        let weather = Weather::generated(Climate::TEMPERATE, 5);
        let mean = |from: usize, days: usize| {
            (from * 24..(from + days) * 24)
                .map(|h| weather.at(h as f64 * 3600.0).dry_bulb_c)
                .sum::<f64>()
                / (days * 24) as f64
        };
        assert!((mean(0, 365) - 11.0).abs() < 1.5);
        assert!(mean(185, 30) - mean(5, 30) > 18.0);
        assert_eq!(weather, Weather::generated(Climate::TEMPERATE, 5));
        assert_ne!(weather, Weather::generated(Climate::TEMPERATE, 6));
    }
}
