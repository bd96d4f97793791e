//! The plant under faults: what the controller makes of each, and whether the plant is ever less safe with it than
//! without it.
//!
//! | file | subject |
//! |---|---|
//! | `flight` | one world flown with the controller, or under the plant's local control alone |
//! | `expect` | what the field's practice allows each fault |
//! | `table` | every fault alone, and every pair |
//! | `campaign` | days of faults by chance, over all cores |

mod campaign;
mod expect;
mod flight;
mod table;

pub use campaign::{ByFault, Campaign, Day, campaign};
pub use expect::detect_within_s;
pub use table::{Pair, Row, pairs, singles};
