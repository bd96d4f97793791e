//! A grid event in a trial: a cut of the power of cooling, announced some minutes ahead.

use crate::snapshot::{Author, LoadLimit, PlanReport, Request, RequestKind};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Span over which the power of a holding target is also judged, s: the finest that grids settle by.
const WINDOW_S: f64 = 300.0;

/// When the power of cooling is to be cut, and by how much.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GridEvent {
    /// Share of the mean power of the quarter of an hour before the announcement.
    pub cut: f64,
    /// Start, h after the start of the trial.
    pub at_h: f64,
    /// Length, min.
    pub for_min: f64,
    /// Announced this long before the start, min.
    pub notice_min: f64,
}

impl Default for GridEvent {
    fn default() -> Self {
        Self {
            cut: 0.15,
            at_h: 15.0,
            for_min: 30.0,
            notice_min: 15.0,
        }
    }
}

impl FromStr for GridEvent {
    type Err = String;

    /// `cut=0.15,at_h=15,for_min=30,notice_min=15`, each optional.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut event = Self::default();
        for part in text.split(',').filter(|part| !part.trim().is_empty()) {
            let wrong =
                || format!("`{part}` is not a part of a grid event: write cut=0.15,at_h=15,for_min=30,notice_min=15");
            let (name, value) = part.split_once('=').ok_or_else(wrong)?;
            let value: f64 = value.trim().parse().map_err(|_| wrong())?;
            let slot = match name.trim() {
                "cut" => &mut event.cut,
                "at_h" => &mut event.at_h,
                "for_min" => &mut event.for_min,
                "notice_min" => &mut event.notice_min,
                _ => return Err(wrong()),
            };
            *slot = value;
        }
        event.check()?;
        Ok(event)
    }
}

impl GridEvent {
    /// Says what is out of range.
    pub(super) fn check(&self) -> Result<(), String> {
        for (name, value, low, high) in [
            ("cut", self.cut, 0.0, 0.9),
            ("at_h", self.at_h, 0.0, 8760.0),
            ("for_min", self.for_min, 1.0, 1440.0),
            ("notice_min", self.notice_min, 0.0, 1440.0),
        ] {
            if !(low..=high).contains(&value) {
                return Err(format!("{name} of a grid event is out of range: write {low} to {high}"));
            }
        }
        Ok(())
    }
}

/// How far a load target was met, by the plant's true power.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GridScore {
    /// The target, kW.
    pub target_kw: f64,
    /// Mean power of cooling while it held, kW.
    pub mean_kw: f64,
    /// Largest mean of five minutes while it held, kW.
    pub worst_kw: f64,
    /// Mean power in the hour after it, kW.
    pub after_kw: f64,
}

/// A grid event in one run.
#[derive(Debug)]
pub(super) struct Grid {
    event: GridEvent,
    asked: bool,
    target_kw: Option<f64>,
    /// Time from the start and energy of each cycle since the start of the event.
    seen: Vec<(f64, f64)>,
}

impl Grid {
    pub(super) const fn new(event: GridEvent) -> Self {
        Self {
            event,
            asked: false,
            target_kw: None,
            seen: Vec::new(),
        }
    }

    /// The request of this cycle, `elapsed_s` into the trial.
    pub(super) fn requests(&mut self, elapsed_s: f64) -> Vec<Request> {
        let in_s = self.event.at_h * 3600.0 - elapsed_s;
        if self.asked || in_s > self.event.notice_min * 60.0 {
            return Vec::new();
        }
        self.asked = true;
        vec![Request {
            author: Author::Operator("grid".to_owned()),
            kind: RequestKind::SetLoadTarget {
                limit: LoadLimit::Cut(self.event.cut),
                in_s: in_s.max(0.0),
                for_s: self.event.for_min * 60.0,
            },
            why: String::new(),
        }]
    }

    /// Takes up what a cycle recorded, and the energy that cooling took in it.
    pub(super) fn observe(&mut self, elapsed_s: f64, report: Option<&PlanReport>, kwh: f64) {
        if let Some(report) = report.and_then(|report| report.load_target) {
            self.target_kw = Some(report.target_kw);
        }
        let since_s = elapsed_s - self.event.at_h * 3600.0;
        if since_s >= 0.0 && since_s < self.event.for_min * 60.0 + 3600.0 {
            self.seen.push((since_s, kwh));
        }
    }

    /// How far the target was met; `None` where it was never taken.
    pub(super) fn score(&self, cycle_s: f64) -> Option<GridScore> {
        let target_kw = self.target_kw?;
        let for_s = self.event.for_min * 60.0;
        let mean_kw = |from_s: f64, to_s: f64| {
            let span = self
                .seen
                .iter()
                .filter(|(s, _)| *s >= from_s - 1e-6 && *s < to_s - 1e-6);
            let (kwh, count) = span.fold((0.0, 0.0), |(sum, count), (_, kwh)| (sum + kwh, count + 1.0));
            if count > 0.0 {
                kwh * 3600.0 / (count * cycle_s)
            } else {
                0.0
            }
        };
        let starts = self
            .seen
            .iter()
            .map(|(s, _)| *s)
            .filter(|s| s + WINDOW_S <= for_s + 1e-6);
        Some(GridScore {
            target_kw,
            mean_kw: mean_kw(0.0, for_s),
            worst_kw: starts.map(|s| mean_kw(s, s + WINDOW_S)).fold(0.0, f64::max),
            after_kw: mean_kw(for_s, for_s + 3600.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_and_mistakes_say_what_to_write() {
        let event: GridEvent = "cut=0.2, at_h=6".parse().unwrap();
        assert_eq!(
            event,
            GridEvent {
                cut: 0.2,
                at_h: 6.0,
                ..GridEvent::default()
            }
        );
        assert!("cut".parse::<GridEvent>().unwrap_err().contains("write cut=0.15"));
        assert!("cut=2".parse::<GridEvent>().unwrap_err().contains("write 0 to 0.9"));
    }

    #[test]
    fn the_score_is_that_of_the_event_alone() {
        let mut grid = Grid::new(GridEvent {
            at_h: 1.0,
            for_min: 10.0,
            ..GridEvent::default()
        });
        assert!(grid.requests(0.0).is_empty());
        assert_eq!(grid.requests(2700.0).len(), 1);
        assert!(grid.requests(2760.0).is_empty(), "asked once");
        grid.target_kw = Some(100.0);
        for minute in 0..120_u32 {
            let kw = if (60..65).contains(&minute) { 110.0 } else { 90.0 };
            grid.observe(60.0 * f64::from(minute), None, kw / 60.0);
        }
        let score = grid.score(60.0).unwrap();
        assert!((score.mean_kw - 100.0).abs() < 1e-9 && (score.worst_kw - 110.0).abs() < 1e-9);
    }
}
