//! Isotherm: predictive, auditable cooling control for liquid-cooled AI data centres.
//!
//! The rooms, in the order in which a control cycle walks through them:
//!
//! - [`site`]: what the facility is, read from TOML and checked.
//! - [`snapshot`]: the vocabulary of the walls between rooms.
//! - [`forecast`], [`control`], [`safety`], [`ledger`]: the pure core.
//! - [`alarms`]: which conditions stand, who has seen them; [`advice`]: what a person could do. Both pure.
//! - [`cycle`]: the one step through the core, its memory and its record.
//! - [`jobs`]: what each job draws, will draw and costs; beside the cycle, never in it.
//! - [`field`], [`workload`], [`store`], [`api`]: the edges, which do the I/O and decide nothing about cooling.
//! - [`commission`]: whether the point map is right: readings, heat balances, steps.
//! - [`connect`]: how the edges reach other machines: TCP, TLS, MQTT.
//! - [`service`]: wires the rooms and keeps time; `trial` (feature `sim`) does so against a simulated plant.
//! - [`cli`]: one file a subcommand.

pub mod advice;
pub mod alarms;
pub mod api;
pub mod cli;
pub mod commission;
pub mod connect;
pub mod control;
pub mod cycle;
pub mod field;
pub mod forecast;
#[doc(hidden)]
pub mod fuzzing;
pub mod jobs;
pub mod ledger;
pub mod pair;
pub mod report;
pub mod safety;
pub mod service;
pub mod shadow;
pub mod site;
pub mod snapshot;
pub mod store;
#[cfg(feature = "sim")]
pub mod trial;
pub mod workload;
