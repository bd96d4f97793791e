//! The vocabulary of the walls: what one room hands to another. No behaviour but ageing.

mod event;
mod forecast;
mod jobs;
mod plan;
mod reading;
mod request;
mod time;

pub use event::{Event, Severity};
pub use forecast::{Demotion, Guard, HORIZONS, HORIZONS_S, HeatBand, HeatForecast, HeatSource};
pub use jobs::{FinishedJob, Job, JobQueue, JobState};
pub use plan::{Author, Plan, PlanReport, PlanStatus, Setpoint};
pub use reading::{Quality, Reading, Snapshot};
pub use request::{Request, RequestKind};
pub use time::Now;
