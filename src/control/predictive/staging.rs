//! Minimum times between two switchings of heat-rejection units.

use super::choose::CHILLER_LEAST_H;
use super::evaluate::OperatingPoint;
use super::reject::Stages;
use crate::snapshot::Now;
use serde::{Deserialize, Serialize};

/// Time between two changes of the number of cells or dry coolers, s.
const CELLS_S: f64 = 600.0;
/// Time that a number of chillers stays at least: three starts an hour.
const CHILLERS_S: f64 = 3600.0 * CHILLER_LEAST_H;

/// When a loop's units were last switched.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Switched {
    cells_mono_ms: Option<u64>,
    chillers_mono_ms: Option<u64>,
}

impl Switched {
    fn held(at: Option<u64>, least_s: f64, now: Now) -> bool {
        at.is_some_and(|at| now.seconds_since(at) < least_s)
    }

    /// What may run, of `all`, without switching anything too soon.
    pub(super) fn stages(&self, all: &Stages, last: Option<&OperatingPoint>, now: Now) -> Stages {
        let Some(last) = last.map(|last| last.rejecting) else {
            return all.clone();
        };
        let keep = |count: usize, range: &std::ops::RangeInclusive<usize>| {
            let count = count.clamp(*range.start(), *range.end());
            count..=count
        };
        let mut stages = all.clone();
        if Self::held(self.cells_mono_ms, CELLS_S, now) {
            stages.units = keep(last.units, &all.units);
        }
        if Self::held(self.chillers_mono_ms, CHILLERS_S, now) {
            stages.chillers = keep(last.chillers, &all.chillers);
        }
        stages
    }

    /// What may run where limits are at stake: cells as needed, and no compressor stops too soon.
    pub(super) fn starting(&self, all: &Stages, last: Option<&OperatingPoint>, now: Now) -> Stages {
        let mut stages = all.clone();
        if let Some(last) = last
            && Self::held(self.chillers_mono_ms, CHILLERS_S, now)
        {
            stages.chillers = last.rejecting.chillers.min(*all.chillers.end())..=*all.chillers.end();
        }
        stages
    }

    /// Notes what was switched.
    pub(super) fn note(&mut self, last: Option<&OperatingPoint>, point: &OperatingPoint, now: Now) {
        if last.is_none_or(|last| last.rejecting.units != point.rejecting.units) {
            self.cells_mono_ms = Some(now.mono_ms);
        }
        if last.is_none_or(|last| last.rejecting.chillers != point.rejecting.chillers) {
            self.chillers_mono_ms = Some(now.mono_ms);
        }
    }
}
