//! What a plan may do. The only maker of [`Commands`].
//!
//! Written to be read whole. Nothing here knows a forecast, a strategy or a model; the inputs are the site, the
//! readings and the plan. In reading order:
//!
//! | file | subject |
//! |---|---|
//! | `readings` | the last good value of each point, its age, and how bad the truth may be by now |
//! | `doubts`, `votes` | frozen, implausible and outvoted readings, energy balance |
//! | `limits` | three thresholds with hysteresis make a level |
//! | `missing` | lost readings make failsafe, each cause with its strength |
//! | `trouble` | equipment that does not do what it should |
//! | `outlook` | what may be in five minutes, and the room that setpoints leave for what can fail |
//! | `devices` | arming, heartbeats, local control |
//! | `building` | the building system's heartbeat, enable and override |
//! | `surroundings` | leaks and weather |
//! | `dew_point`, `min_flow` | the floor under supply temperature, the floor under pressure |
//! | `demand` | the join: for each setpoint the demand with the most cooling wins |
//! | `facts` | all of the above for one cycle |
//! | `wishes` | which parts of a plan are fit to be considered |
//! | `gate` | what a plan would lead to at the upper bound of the forecast |
//! | `requests` | what people ask for |
//! | `authority` | who may write: demotion and return |
//! | `held` | the setpoints that are ours, and whether the devices took them |
//! | `ruling` | from a wish to a value: band, demands, dew point, bounds, rates |
//! | `asks` | what others are asked for, where no setpoint helps |
//! | `round` | one round over all setpoints, and the heartbeats |
//! | `commands` | the sealed result |
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::wildcard_enum_match_arm,
        clippy::float_cmp,
        clippy::disallowed_methods,
        clippy::disallowed_types
    )
)]

mod asks;
mod authority;
mod building;
mod commands;
mod demand;
mod devices;
mod dew_point;
mod doubts;
mod facts;
mod gate;
mod held;
mod limits;
mod min_flow;
mod missing;
mod notices;
mod outlook;
mod readings;
mod report;
mod requests;
mod round;
mod ruling;
mod state;
mod surroundings;
mod trouble;
mod votes;
mod wishes;

pub use asks::{Ask, AskKind};
pub use commands::{Command, Commands};
pub use facts::Facts;
pub use report::{Change, Held, Level, SafetyReport, ZoneReport};
pub use state::State;

use crate::site::Site;
use crate::snapshot::{Duty, Now, Plan, Request, Snapshot};
use building::Permit;

/// Looks at the plant with safety's own sensors, before any model.
pub fn assess(site: &Site, snapshot: &Snapshot, state: &mut State, now: Now) -> Facts {
    state.fit(site, now);
    facts::find(site, snapshot, state, now)
}

/// Turns a plan and requests into commands.
pub fn judge(
    site: &Site,
    facts: &Facts,
    plan: &Plan,
    requests: &[Request],
    snapshot: &Snapshot,
    state: &mut State,
    now: Now,
) -> (Commands, SafetyReport) {
    state.fit(site, now);
    state.cycle = state.cycle.wrapping_add(1);
    let mut facts = facts.clone();
    let mut wishes = wishes::sift(site, plan, &mut facts.notices);
    gate::pass(site, &mut facts, &mut wishes);
    let facts = &facts;
    let mut notices = facts.notices.clone();
    let stopped = requests::hear(site, requests, state, &mut notices, now) || facts.permit == Permit::Forbidden;
    authority::settle(site, facts, &wishes, state, &mut notices, now);
    let round = if state.duty == Duty::Standby {
        round::stand_by(site, snapshot, state, now);
        round::Round::default()
    } else if stopped {
        round::Round {
            commands: held::hand_back(site, &mut state.held),
            ..round::Round::default()
        }
    } else {
        round::go(site, facts, &wishes, snapshot, state, &mut notices, now)
    };
    let report = SafetyReport {
        zones: authority::report(site, facts, state),
        changes: round.changes,
        events: notices.close(site, &mut state.active),
        asks: asks::list(site, facts),
        overrides: requests::report(site, state, now),
    };
    (Commands::seal(state.cycle, round.commands), report)
}

/// The commands that give every point that is held back to the plant as found: shutdown, a panic and a person's stop
/// take this path. Points that were never written are left alone, and all of them while another controller writes.
pub fn release(site: &Site, state: &mut State, now: Now) -> Commands {
    state.fit(site, now);
    if state.duty == Duty::Standby {
        return Commands::seal(state.cycle, Vec::new());
    }
    Commands::seal(state.cycle, held::hand_back(site, &mut state.held))
}
