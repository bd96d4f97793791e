//! Commands: what is written to the plant. Nothing outside `safety` can make one.
//!
//! ```compile_fail
//! let forged = isotherm::safety::Commands::seal(1, Vec::new()); // private
//! ```

use crate::site::PointId;
use crate::snapshot::Author;
use serde::Serialize;

/// One value to be written, judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Command {
    point: PointId,
    value: f64,
    author: Author,
}

impl Command {
    /// A judged value.
    pub(super) const fn new(point: PointId, value: f64, author: Author) -> Self {
        Self { point, value, author }
    }
    /// The point.
    pub const fn point(&self) -> PointId {
        self.point
    }
    /// The value, canonical unit, finite and within the point's bounds.
    pub const fn value(&self) -> f64 {
        self.value
    }
    /// Who stands behind it.
    pub const fn author(&self) -> &Author {
        &self.author
    }
}

/// All commands of one cycle. No `Deserialize`, no `Default`, no public constructor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Commands {
    cycle: u64,
    list: Vec<Command>,
}

impl Commands {
    pub(super) const fn seal(cycle: u64, list: Vec<Command>) -> Self {
        Self { cycle, list }
    }
    /// The cycle that made them; a writer refuses an older one than it has seen.
    pub const fn cycle(&self) -> u64 {
        self.cycle
    }
    /// The commands, at most one a point.
    pub fn iter(&self) -> impl Iterator<Item = &Command> {
        self.list.iter()
    }
    /// Their number.
    pub const fn len(&self) -> usize {
        self.list.len()
    }
    /// Whether nothing is to be written.
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}
