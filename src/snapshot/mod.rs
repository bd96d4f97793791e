//! The vocabulary of the walls: what one room hands to another. No behaviour but ageing.

mod duty;
mod event;
mod forecast;
mod jobs;
mod plan;
mod reading;
mod request;
mod shadow;
mod time;

pub use duty::Duty;
pub use event::{Event, Severity};
pub use forecast::{Demotion, Guard, HORIZONS, HORIZONS_S, HeatBand, HeatForecast, HeatSource};
pub use jobs::{FinishedJob, Job, JobQueue, JobState};
pub use plan::{Author, Commissioning, Finding, LoadPhase, LoadReport, Plan, PlanReport, PlanStatus, Setpoint};
pub use reading::{Quality, Reading, Snapshot};
pub use request::{LoadLimit, Request, RequestKind};
pub use shadow::Shadow;
pub use time::Now;
