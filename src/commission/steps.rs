//! The answer of the plant to a step of a setpoint.

use super::{Finding, Mark};

/// A step and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The setpoint's tag.
    pub tag: String,
    /// From and to, canonical unit.
    pub from: f64,
    /// See `from`.
    pub to: f64,
    /// Seconds since the step, the setpoint as the device has it, and the quantity that it is for.
    pub samples: Vec<(f64, Option<f64>, Option<f64>)>,
    /// Why it was broken off.
    pub aborted: Option<String>,
}

/// The tag of the quantity that a setpoint is for, by the vocabulary; `None` where there is none.
pub fn process_tag(tag: &str) -> Option<String> {
    let (equipment, quantity) = tag.split_once('.')?;
    let process = match quantity {
        "supply_temperature_setpoint" => "leaving_temperature",
        "valve_setpoint" => "valve_position",
        other => other.strip_suffix("_setpoint")?,
    };
    Some(format!("{equipment}.{process}"))
}

impl Step {
    /// What the step shows: that the device kept the value, that the plant followed, how late and how far.
    pub fn finding(&self) -> Finding {
        let size = self.to - self.from;
        let told = format!("step from {:.3} to {:.3}", self.from, self.to);
        if let Some(why) = &self.aborted {
            return Finding::new(Mark::Fail, &self.tag, format!("{told}: broken off, {why}"));
        }
        let kept = self.samples.iter().rev().find_map(|(_, setpoint, _)| *setpoint);
        let reached = kept.is_some_and(|kept| (kept - self.to).abs() <= 0.1 * size.abs());
        if !reached {
            let at = kept.map_or("nothing".to_owned(), |kept| format!("{kept:.3}"));
            return Finding::new(Mark::Fail, &self.tag, format!("{told}: the device is at {at}")).because(Some(
                "it does not take the value, holds limits of its own, or somebody else writes it".into(),
            ));
        }
        let Some(answer) = self.answer() else {
            return Finding::new(Mark::Pass, &self.tag, format!("{told}: kept by the device"));
        };
        let figures = format!("{told}: kept, and the plant moved by {:.3}", answer.moved);
        if answer.moved * size < 0.0 && answer.moved.abs() > 0.3 * size.abs() {
            let likely = "the setpoint acts the other way, or the reading is another equipment's";
            return Finding::new(Mark::Fail, &self.tag, figures).because(Some(likely.into()));
        }
        match answer.t63_s {
            Some(t63) => Finding::new(Mark::Pass, &self.tag, format!("{figures}, 63 % of it after {t63:.0} s")),
            None => Finding::new(Mark::Look, &self.tag, figures).because(Some(
                "the plant follows more slowly than the step was held, or another limit holds it".into(),
            )),
        }
    }

    fn answer(&self) -> Option<Answer> {
        let process = || {
            self.samples
                .iter()
                .filter_map(|(at, _, process)| Some((*at, (*process)?)))
        };
        let (_, first) = process().next()?;
        let (_, last) = process().next_back()?;
        let moved = last - first;
        let size = self.to - self.from;
        let followed = moved * size > 0.0 && moved.abs() >= 0.5 * size.abs();
        let t63 = process().find(|(_, value)| (value - first) / moved >= 0.632);
        Some(Answer {
            moved,
            t63_s: t63.filter(|_| followed).map(|(at, _)| at),
        })
    }
}

struct Answer {
    moved: f64,
    /// `None` where the plant did not follow by half of the step.
    t63_s: Option<f64>,
}
