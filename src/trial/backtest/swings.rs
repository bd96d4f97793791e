//! Swings: changes of a CDU's heat by more than 15 % of its rating within 5 min. Which were seen coming, and how early?
//!
//! A swing is at the moment when the change over the last 5 min first exceeds the threshold; until it has fallen back and
//! another 5 min have passed, further change in the same direction belongs to it. An alarm at a horizon is a forecast that
//! differs from the present by more than [`ALARM`] of the threshold. A swing counts as seen where an alarm of its direction
//! stood within the horizon (and a minute) before it; its lead is the time from the first of the unbroken alarms before
//! it. An alarm is right where such a swing comes within the horizon and a minute.

/// A swing, as a share of the rating.
const SWING: f64 = 0.15;
/// Window, s.
const WINDOW_S: f64 = 300.0;
/// An expected change counts as an alarm from this share of the threshold on: means are drawn in by doubt.
const ALARM: f64 = 0.8;
/// Tolerance of times, s.
const GRACE_S: f64 = 60.0;

/// Counts of swings and alarms.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Swings {
    /// Swings that came, and those that were seen.
    pub(super) came: usize,
    pub(super) seen: usize,
    /// Alarms, and those that were right.
    pub(super) alarms: usize,
    pub(super) right: usize,
    /// Leads of the swings that were seen, s.
    pub(super) leads_s: Vec<f64>,
}

impl Swings {
    pub(super) fn add(&mut self, other: Self) {
        self.came += other.came;
        self.seen += other.seen;
        self.alarms += other.alarms;
        self.right += other.right;
        self.leads_s.extend(other.leads_s);
    }

    pub(super) fn recall(&self) -> Option<f64> {
        (self.came > 0).then(|| self.seen as f64 / self.came as f64)
    }

    pub(super) fn precision(&self) -> Option<f64> {
        (self.alarms > 0).then(|| self.right as f64 / self.alarms as f64)
    }

    pub(super) fn median_lead_s(&self) -> Option<f64> {
        let mut leads = self.leads_s.clone();
        leads.sort_by(f64::total_cmp);
        leads.get(leads.len() / 2).copied()
    }
}

/// A swing: its step and direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Swing {
    pub(super) step: usize,
    pub(super) up: bool,
}

/// The swings of a series with a rating.
pub(super) fn swings(series: &[f32], rating_kw: f64, step_s: f64) -> Vec<Swing> {
    let window = whole(WINDOW_S / step_s).max(1);
    let mut found: Vec<Swing> = Vec::new();
    // For down and up: the last step over the threshold.
    let mut over: [Option<usize>; 2] = [None, None];
    for step in 1..series.len() {
        let from = step.saturating_sub(window);
        let now = f64::from(series[step]);
        let (low, high) = series[from..step]
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), kw| {
                (low.min(f64::from(*kw)), high.max(f64::from(*kw)))
            });
        for (index, change) in [(0, high - now), (1, now - low)] {
            if change <= SWING * rating_kw {
                continue;
            }
            let fresh = over[index].is_none_or(|last| step - last > window);
            over[index] = Some(step);
            if fresh {
                found.push(Swing { step, up: index == 1 });
            }
        }
    }
    found
}

/// Judges the alarms of one CDU at one horizon. `expected` is the forecast at each step; steps before `first` are not
/// judged. `counted` says which swings are.
pub(super) fn judge(
    series: &[f32],
    expected: impl Fn(usize) -> f32,
    (rating_kw, step_s, horizon_s): (f64, f64, f64),
    first: usize,
    counted: impl Fn(&Swing) -> bool,
) -> Swings {
    let all = swings(series, rating_kw, step_s);
    let reach = whole((horizon_s + GRACE_S) / step_s);
    let gap = whole(GRACE_S / step_s).max(1);
    let mut result = Swings::default();
    for up in [false, true] {
        let alarm = |step: usize| {
            let change = f64::from(expected(step)) - f64::from(series[step]);
            let change = if up { change } else { -change };
            change > ALARM * SWING * rating_kw
        };
        let alarms: Vec<bool> = (0..series.len()).map(|step| step >= first && alarm(step)).collect();
        let of_direction: Vec<&Swing> = all
            .iter()
            .filter(|swing| swing.up == up && swing.step >= first + reach)
            .collect();
        for swing in of_direction.iter().filter(|swing| counted(swing)) {
            result.came += 1;
            // Back from the swing through the alarms before it.
            let mut earliest = None;
            let mut quiet = 0;
            for step in (swing.step.saturating_sub(reach)..swing.step).rev() {
                if alarms[step] {
                    earliest = Some(step);
                    quiet = 0;
                } else {
                    quiet += 1;
                    if earliest.is_some() && quiet > gap {
                        break;
                    }
                }
            }
            if let Some(earliest) = earliest {
                result.seen += 1;
                result.leads_s.push((swing.step - earliest) as f64 * step_s);
            }
        }
        // Runs of alarms; each is judged once.
        let mut step = first;
        while step < alarms.len() {
            if !alarms[step] {
                step += 1;
                continue;
            }
            let begin = step;
            let mut last = step;
            while step < alarms.len() && step - last <= gap {
                if alarms[step] {
                    last = step;
                }
                step += 1;
            }
            if last + reach >= alarms.len() {
                break;
            }
            result.alarms += 1;
            let right = |swing: &Swing| swing.up == up && swing.step > begin && swing.step <= last + reach;
            result.right += usize::from(all.iter().any(right));
        }
    }
    result
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of steps"
)]
fn whole(steps: f64) -> usize {
    steps.max(0.0).round() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A step up by 40 kW at step 100 and down at step 300, of a rating of 100 kW, every 10 s.
    fn series() -> Vec<f32> {
        (0..500)
            .map(|step| if (100..300).contains(&step) { 60.0 } else { 20.0 })
            .collect()
    }

    #[test]
    fn steps_are_found_once_with_their_direction() {
        let found = swings(&series(), 100.0, 10.0);
        assert_eq!(found, [Swing { step: 100, up: true }, Swing { step: 300, up: false }]);
    }

    #[test]
    fn an_alarm_in_time_is_seen_and_a_false_one_counts_against() {
        let series = series();
        // Says the step up 50 s ahead, says nothing of the step down, and cries once for nothing.
        let expected = |step: usize| {
            if (95..100).contains(&step) || step == 200 {
                series[step] + 40.0
            } else {
                series[step]
            }
        };
        let result = judge(&series, expected, (100.0, 10.0, 60.0), 0, |_| true);
        assert_eq!((result.came, result.seen, result.alarms, result.right), (2, 1, 2, 1));
        assert_eq!(result.leads_s, [50.0]);
    }
}
