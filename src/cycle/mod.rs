//! The one step, the memory that survives it, and the record of it.

mod mind;
mod record;
mod step;

pub use mind::Mind;
pub use record::{Commanded, CycleRecord};
pub use step::{Basis, Core, Inputs, Outcome, step};
