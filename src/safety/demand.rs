//! What safety asks of one point: a join, in which the most cooling wins whatever the order.

use crate::site::{Direction, WriteSpec};

/// A bound on one point's value, with the rule behind it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Demand {
    /// At least this much cooling.
    pub value: f64,
    /// Whether it may be reached at once, past the ramp.
    pub at_once: bool,
    /// The rule.
    pub why: &'static str,
}

/// Applies demands to a wanted value: the result cools at least as much as each of them. Answers the value and the rule
/// that bound it, if any.
pub(super) fn join<'a>(
    write: &WriteSpec,
    wanted: f64,
    demands: impl IntoIterator<Item = &'a Demand>,
) -> (f64, Option<&'static str>) {
    let mut result = (wanted, None);
    for demand in demands {
        let value = demand.value.clamp(write.min, write.max);
        if more_cooling(write, result.0, value) {
            result = (value, Some(demand.why));
        }
    }
    result
}

/// Whether `b` cools more than `a`.
pub(super) fn more_cooling(write: &WriteSpec, a: f64, b: f64) -> bool {
    match write.more_cooling {
        Direction::Up => b > a,
        Direction::Down => b < a,
        Direction::Neutral => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(more_cooling: Direction) -> WriteSpec {
        WriteSpec {
            min: 0.0,
            max: 100.0,
            release: 50.0,
            more_cooling,
            rise_per_min: 1.0,
            fall_per_min: 1.0,
            bounded_band: 5.0,
        }
    }

    fn demands() -> impl Strategy<Value = Vec<Demand>> {
        proptest::collection::vec((-20.0..120.0f64, any::<bool>()), 0..6)
            .prop_map(|all| all.into_iter().map(|(value, at_once)| Demand { value, at_once, why: "rule" }).collect())
    }

    proptest! {
        #[test]
        fn the_join_is_independent_of_order_idempotent_and_never_cools_less(wanted in 0.0..100.0f64, all in demands(), up: bool) {
            let write = write(if up { Direction::Up } else { Direction::Down });
            let (value, _) = join(&write, wanted, &all);
            let reversed: Vec<Demand> = all.iter().rev().copied().collect();
            prop_assert!((join(&write, wanted, &reversed).0 - value).abs() < 1e-12);
            prop_assert!((join(&write, value, &all).0 - value).abs() < 1e-12);
            prop_assert!(!more_cooling(&write, value, wanted), "{wanted} cools more than {value}");
            for demand in &all {
                prop_assert!(!more_cooling(&write, value, demand.value.clamp(0.0, 100.0)));
            }
        }
    }
}
