//! Commissioning: bounded step tests, from which the model learns a plant in three hours.
//!
//! Each test moves setpoints for ten minutes away from the plan, always towards more cooling, so that a test never brings a
//! limit nearer; the safety room's bounds and ramps hold as ever. A test ends at once when a rack, the coolant or a room
//! leaves its target; after a few such ends commissioning stops with an alarm.

use super::need::coldest_coolant_c;
use crate::control::{View, value};
use crate::snapshot::{Commissioning as Report, Event, Now, Severity};
use serde::{Deserialize, Serialize};

/// Length of a test, s.
const TEST_S: f64 = 600.0;
/// Tests that may end early before commissioning stops.
const ENDS: u32 = 5;

/// How a plan is bent in a test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bend {
    /// Facility water colder, K.
    pub water_k: f64,
    /// Header pressure, as a factor.
    pub header: f64,
    /// CDUs' pressure, as a factor, and coolant colder, K; for even and odd CDUs.
    pub pressure: [f64; 2],
    pub coolant_k: [f64; 2],
    /// Fans of air units, as a factor.
    pub air: f64,
}

impl Bend {
    pub(super) const NONE: Self = Self {
        water_k: 0.0,
        header: 1.0,
        pressure: [1.0, 1.0],
        coolant_k: [0.0, 0.0],
        air: 1.0,
    };

    /// Coolant setpoint of a CDU in the test, never near the dew point, degC.
    pub(super) fn coolant_c(&self, view: &View<'_>, cdu: usize, planned_c: f64) -> f64 {
        (planned_c - self.coolant_k[cdu % 2]).max(coldest_coolant_c(view).min(planned_c))
    }
}

/// The tests, one after the other, with rests between those of one kind.
const TESTS: [Bend; 18] = [
    Bend::NONE,
    Bend {
        coolant_k: [4.0, 0.0],
        ..Bend::NONE
    },
    Bend {
        coolant_k: [0.0, 4.0],
        ..Bend::NONE
    },
    Bend {
        pressure: [1.6, 1.0],
        ..Bend::NONE
    },
    Bend {
        pressure: [1.0, 1.6],
        ..Bend::NONE
    },
    Bend {
        header: 1.5,
        ..Bend::NONE
    },
    Bend {
        water_k: 2.0,
        ..Bend::NONE
    },
    Bend {
        water_k: 4.0,
        ..Bend::NONE
    },
    Bend { air: 1.4, ..Bend::NONE },
    Bend::NONE,
    Bend {
        coolant_k: [7.0, 0.0],
        ..Bend::NONE
    },
    Bend {
        coolant_k: [0.0, 7.0],
        ..Bend::NONE
    },
    Bend {
        pressure: [2.2, 2.2],
        ..Bend::NONE
    },
    Bend {
        header: 2.2,
        ..Bend::NONE
    },
    Bend {
        water_k: 3.0,
        header: 1.5,
        ..Bend::NONE
    },
    Bend {
        water_k: 1.0,
        ..Bend::NONE
    },
    Bend { air: 1.8, ..Bend::NONE },
    Bend::NONE,
];

/// A run of tests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Commissioning {
    test: usize,
    since_ms: u64,
    /// The present test has ended early: its time passes at rest.
    ended: bool,
    ends: u32,
}

impl Commissioning {
    pub(super) const fn begin(now: Now) -> Self {
        Self {
            test: 0,
            since_ms: now.mono_ms,
            ended: false,
            ends: 0,
        }
    }

    /// How the plan of this cycle is bent; `None` when all is over, with what is to be said.
    pub(super) fn bend(&mut self, view: &View<'_>, news: &mut Vec<Event>) -> Option<Bend> {
        if view.now.seconds_since(self.since_ms) >= TEST_S {
            self.test += 1;
            self.since_ms = view.now.mono_ms;
            self.ended = false;
        }
        let Some(bend) = TESTS.get(self.test) else {
            news.push(event(
                Severity::Info,
                "commissioning_done",
                "every step test is done".to_owned(),
            ));
            return None;
        };
        if !self.ended
            && *bend != Bend::NONE
            && let Some(why) = beyond_target(view)
        {
            self.ended = true;
            self.ends += 1;
            let text = format!("step test {} of {} ended early: {why}", self.test + 1, TESTS.len());
            news.push(event(Severity::Warning, "step_test_ended", text));
            if self.ends >= ENDS {
                let text =
                    format!("{ENDS} step tests ended early: the plant is too close to its targets to be tested now");
                news.push(event(Severity::Alarm, "commissioning_stopped", text));
                return None;
            }
        }
        Some(if self.ended { Bend::NONE } else { *bend })
    }

    pub(super) const fn report(&self) -> Report {
        Report {
            test: self.test + 1,
            tests: TESTS.len(),
            ended_early: self.ends,
        }
    }
}

/// What has left its target.
fn beyond_target(view: &View<'_>) -> Option<String> {
    let (site, limits) = (view.site, &view.site.limits);
    for rack in &site.racks {
        if value(view, rack.points.chip_margin).is_some_and(|k| k < limits.chip_margin_k.target) {
            return Some(format!("the chip margin of {} is below its target", rack.name));
        }
        if value(view, rack.points.liquid_return_temperature).is_some_and(|c| c > limits.rack_return_c.target) {
            return Some(format!("the return of {} is above its target", rack.name));
        }
    }
    for cdu in &site.cdus {
        if value(view, cdu.points.secondary_supply_temperature).is_some_and(|c| c > limits.secondary_supply_c.target) {
            return Some(format!("the supply of {} is above its target", cdu.name));
        }
    }
    let room = site
        .air_units
        .iter()
        .find(|unit| value(view, unit.points.room_temperature).is_some_and(|c| c > limits.room_c.target));
    room.map(|unit| format!("the room of {} is above its target", unit.name))
}

fn event(severity: Severity, code: &str, text: String) -> Event {
    Event {
        severity,
        code: code.to_owned(),
        subject: "control".to_owned(),
        text,
    }
}
