//! A period by the site's calendar.

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;

const EPOCH: Date = Date::constant(1970, 1, 1);

/// Days of the site's calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Period {
    /// As asked for.
    pub name: String,
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// Shorter than twelve months.
    pub interim: bool,
}

/// A text that is no period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no period: write a year, month or day, such as 2026, 2026-11 or 2026-11-25, or two days as 2026-11-01..2026-11-25"
)]
pub struct PeriodError(String);

impl Period {
    /// Reads `2026`, `2026-11`, `2026-11-25` or `2026-11-01..2026-11-25`.
    pub fn parse(text: &str) -> Result<Self, PeriodError> {
        let wrong = || PeriodError(text.to_owned());
        let day = |text: &str| text.parse::<Date>().map_err(|_| wrong());
        let (from, to) = if let Some((from, to)) = text.split_once("..") {
            (day(from)?, day(to)?)
        } else {
            match text.len() {
                4 => (day(&format!("{text}-01-01"))?, day(&format!("{text}-12-31"))?),
                7 => {
                    let first = day(&format!("{text}-01"))?;
                    (first, first.last_of_month())
                }
                _ => (day(text)?, day(text)?),
            }
        };
        if to < from {
            return Err(wrong());
        }
        Ok(Self::between(text, from, to))
    }

    /// The days from one to another.
    pub fn between(name: &str, from: Date, to: Date) -> Self {
        let interim = from
            .checked_add(1.year())
            .and_then(|year| year.checked_sub(1.day()))
            .is_ok_and(|last| to < last);
        Self {
            name: name.to_owned(),
            from,
            to,
            interim,
        }
    }

    /// How many days it has.
    pub fn days(&self) -> i32 {
        self.from.until(self.to).map_or(1, |span| span.get_days() + 1)
    }

    /// Whether a local day, counted from 1970-01-01, is in it.
    pub fn has(&self, day: i64) -> bool {
        (self.from..=self.to).contains(&date_of(day))
    }
}

/// The date of a local day counted from 1970-01-01.
pub(super) fn date_of(day: i64) -> Date {
    EPOCH
        .checked_add(day.clamp(-700_000, 2_900_000).days())
        .unwrap_or(EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_months_days_and_spans() {
        for (text, from, to, days, interim) in [
            ("2026", "2026-01-01", "2026-12-31", 365, false),
            ("2028", "2028-01-01", "2028-12-31", 366, false),
            ("2026-11", "2026-11-01", "2026-11-30", 30, true),
            ("2026-11-25", "2026-11-25", "2026-11-25", 1, true),
            ("2025-12-01..2026-11-30", "2025-12-01", "2026-11-30", 365, false),
        ] {
            let period = Period::parse(text).unwrap();
            assert_eq!(
                (period.from.to_string(), period.to.to_string()),
                (from.into(), to.into())
            );
            assert_eq!((period.days(), period.interim), (days, interim), "{text}");
        }
        for text in ["", "26", "2026-13", "2026-02-30", "2026-11-25..2026-11-24", "last year"] {
            let error = Period::parse(text).unwrap_err().to_string();
            assert!(error.contains("write a year"), "{error}");
        }
    }

    #[test]
    fn a_day_is_counted_from_1970() {
        assert_eq!(date_of(20_417).to_string(), "2025-11-25");
        assert!(Period::parse("2025-11").unwrap().has(20_417));
        assert!(!Period::parse("2025-12").unwrap().has(20_417));
    }
}
