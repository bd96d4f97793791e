//! Energy, water, reused heat, carbon and cost: counters first, ratios last.
//!
//! Each cycle closes its own interval on the monotonic clock: meters' counters are followed through rollover, gaps and
//! resets; where a meter is silent the interval is estimated from powers and flows, said to be so, and put right by the
//! counter once it answers again.

mod close;
mod counter;
mod indicators;
mod totals;

pub use close::{State, close};
pub use indicators::{Indicators, indicators};
pub use totals::{Account, Totals};
