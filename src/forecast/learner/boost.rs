//! Histogram boosting of the absolute error: each tree fits the signs of what is left, and its leaves move by the median.
//!
//! Jobs that repeat draw what they drew before; a few differ widely. Squares chase the few, medians keep to the many. The
//! number of trees is that which did best on the last part of the rows by time (Friedman 2001, "Greedy function
//! approximation", `LAD_TreeBoost`, on binned features).

use super::trees::{Node, Trees, small, walk};
use crate::forecast::features::{Row, WIDTH};

/// Where boosting starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// The median of the targets.
    Median,
    /// A feature.
    Feature(usize),
}

/// Thresholds a feature.
const BINS: usize = 64;
const DEPTH: usize = 6;
const RATE: f64 = 0.1;
const MOST_TREES: usize = 500;
/// Share of the rows, the last by time, on which the number of trees is chosen.
const CHOOSING: f64 = 0.25;
/// A tree more must help by this share of the error.
const WORTH: f64 = 0.0005;

/// Fits to rows in order of time.
pub(super) fn fit(rows: &[Row], targets: &[f64], start: Start) -> Result<Trees, String> {
    let cut = rows.len() - whole(rows.len() as f64 * CHOOSING);
    let (early, late) = rows.split_at(cut.min(rows.len()));
    let (early_targets, late_targets) = targets.split_at(cut.min(targets.len()));
    let first = grow(early, early_targets, start, MOST_TREES)?;
    let count = best_count(&first, late, late_targets);
    // More rows bear more trees.
    let count = whole(count as f64 * (rows.len() as f64 / early.len().max(1) as f64).sqrt());
    let trees = grow(rows, targets, start, count.min(MOST_TREES))?;
    trees.check()?;
    Ok(trees)
}

/// The number of trees with the least absolute error on these rows, the smaller where they are about as good.
fn best_count(trees: &Trees, rows: &[Row], targets: &[f64]) -> usize {
    let none = Trees {
        grown: vec![],
        ..trees.clone()
    };
    let mut predicted: Vec<f64> = rows.iter().map(|row| none.predict(row)).collect();
    let error = |predicted: &[f64]| -> f64 { predicted.iter().zip(targets).map(|(p, y)| (p - y).abs()).sum() };
    let mut best = (error(&predicted), 0);
    for (index, tree) in trees.grown.iter().enumerate() {
        for (predicted, row) in predicted.iter_mut().zip(rows) {
            *predicted += trees.weight * walk(tree, row);
        }
        let error = error(&predicted);
        if error < best.0 * (1.0 - WORTH) {
            best = (error, index + 1);
        }
    }
    best.1
}

fn grow(rows: &[Row], targets: &[f64], start: Start, count: usize) -> Result<Trees, String> {
    let mut boosted = match start {
        Start::Median => Trees {
            base: median(&mut targets.to_vec()),
            feature: None,
            weight: RATE,
            grown: vec![],
        },
        Start::Feature(index) => Trees {
            base: 0.0,
            feature: Some(small(index)?),
            weight: RATE,
            grown: vec![],
        },
    };
    let binned = Binned::of(rows);
    let mut left: Vec<f64> = rows
        .iter()
        .zip(targets)
        .map(|(row, y)| y - boosted.predict(row))
        .collect();
    for _ in 0..count {
        let mut tree = Vec::new();
        let all: Vec<usize> = (0..rows.len()).collect();
        grow_node(&mut tree, &binned, &left, all, DEPTH)?;
        for (left, row) in left.iter_mut().zip(rows) {
            *left -= RATE * walk(&tree, row);
        }
        boosted.grown.push(tree);
    }
    Ok(boosted)
}

/// Features as the number of their bin.
struct Binned {
    /// Upper edges of the bins, by feature; a value at the edge is below.
    edges: Vec<Vec<f64>>,
    bins: Vec<[u8; WIDTH]>,
}

impl Binned {
    fn of(rows: &[Row]) -> Self {
        let edges: Vec<Vec<f64>> = (0..WIDTH)
            .map(|feature| {
                let mut values: Vec<f64> = rows.iter().map(|row| row[feature]).collect();
                values.sort_by(f64::total_cmp);
                values.dedup();
                let step = (values.len() as f64 / BINS as f64).max(1.0);
                let places = (1..BINS).map(|bin| whole(bin as f64 * step));
                let mut edges: Vec<f64> = places
                    .filter_map(|place| Some(0.5 * (values.get(place.checked_sub(1)?)? + values.get(place)?)))
                    .collect();
                edges.dedup();
                edges
            })
            .collect();
        let bin = |row: &Row| {
            let mut bins = [0; WIDTH];
            for ((bin, edges), value) in bins.iter_mut().zip(&edges).zip(row) {
                *bin = u8::try_from(edges.partition_point(|edge| edge < value)).unwrap_or(u8::MAX);
            }
            bins
        };
        let bins = rows.iter().map(bin).collect();
        Self { edges, bins }
    }
}

/// Fewest rows in a leaf: few where there are few rows at all.
fn smallest_leaf(rows: usize) -> usize {
    (rows / 200).clamp(3, 20)
}

fn grow_node(
    tree: &mut Vec<Node>,
    binned: &Binned,
    left: &[f64],
    chosen: Vec<usize>,
    depth: usize,
) -> Result<u16, String> {
    let place = tree.len();
    let best = if depth == 0 {
        None
    } else {
        best_split(binned, left, &chosen)
    };
    let Some((feature, bin)) = best else {
        let mut values: Vec<f64> = chosen.iter().map(|row| left[*row]).collect();
        tree.push(Node::Leaf(median(&mut values)));
        return small(place);
    };
    tree.push(Node::Leaf(0.0));
    let (low, high): (Vec<usize>, Vec<usize>) = chosen
        .into_iter()
        .partition(|row| usize::from(binned.bins[*row][feature]) <= bin);
    let low = grow_node(tree, binned, left, low, depth - 1)?;
    let high = grow_node(tree, binned, left, high, depth - 1)?;
    tree[place] = Node::Split {
        feature: small(feature)?,
        threshold: binned.edges[feature][bin],
        low,
        high,
    };
    small(place)
}

/// The split (feature, last bin of the low side) that brings the signs of what is left apart the most.
fn best_split(binned: &Binned, left: &[f64], chosen: &[usize]) -> Option<(usize, usize)> {
    let smallest = smallest_leaf(left.len());
    if chosen.len() < 2 * smallest {
        return None;
    }
    let sign = |row: usize| if left[row] == 0.0 { 0.0 } else { left[row].signum() };
    let (count, sum) = (chosen.len() as f64, chosen.iter().map(|row| sign(*row)).sum::<f64>());
    let mut best = (sum * sum / count + 1e-6 * count, None);
    for (feature, edges) in binned.edges.iter().enumerate() {
        let mut bins = [(0.0_f64, 0.0_f64); BINS];
        for row in chosen {
            let (count, sum) = &mut bins[usize::from(binned.bins[*row][feature])];
            *count += 1.0;
            *sum += sign(*row);
        }
        let (mut low_count, mut low_sum) = (0.0, 0.0);
        for (bin, (bin_count, bin_sum)) in bins.iter().enumerate().take(edges.len()) {
            low_count += bin_count;
            low_sum += bin_sum;
            let (high_count, high_sum) = (count - low_count, sum - low_sum);
            if low_count < smallest as f64 || high_count < smallest as f64 {
                continue;
            }
            let gain = low_sum * low_sum / low_count + high_sum * high_sum / high_count;
            if gain > best.0 {
                best = (gain, Some((feature, bin)));
            }
        }
    }
    best.1
}

fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    let (_, median, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    *median
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a length"
)]
fn whole(share: f64) -> usize {
    share as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Power by two features, with a few wild jobs.
    fn jobs(count: usize) -> (Vec<Row>, Vec<f64>) {
        let mut random = 7_u64;
        let mut draw = move || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 40) as f64 / f64::from(1 << 24)
        };
        let rows: Vec<Row> = (0..count).map(|_| [(); WIDTH].map(|()| draw())).collect();
        let target = |row: &Row| {
            let power = if row[3] > 0.5 { 300.0 } else { 100.0 } + 200.0 * row[5];
            if row[9] > 0.95 { 5.0 * power } else { power }
        };
        let targets = rows.iter().map(target).collect();
        (rows, targets)
    }

    #[test]
    fn it_finds_a_step_and_a_slope_through_wild_jobs() {
        let (rows, targets) = jobs(800);
        let trees = fit(&rows, &targets, Start::Median).unwrap();
        let mut errors: Vec<f64> = rows
            .iter()
            .zip(&targets)
            .map(|(row, y)| (trees.predict(row) - y).abs())
            .collect();
        assert!(median(&mut errors) < 15.0, "{}", median(&mut errors));
    }

    #[test]
    fn with_nothing_to_learn_it_stays_where_it_starts() {
        let (mut rows, _) = jobs(400);
        let targets: Vec<f64> = (0..400).map(|index| f64::from(100 + index % 7)).collect();
        for (row, target) in rows.iter_mut().zip(&targets) {
            row[13] = *target;
        }
        let trees = fit(&rows, &targets, Start::Feature(13)).unwrap();
        assert!(trees.grown.is_empty());
        assert!(
            rows.iter()
                .zip(&targets)
                .all(|(row, y)| (trees.predict(row) - y).abs() < 1e-9)
        );
    }

    #[test]
    fn the_same_rows_give_the_same_trees() {
        let (rows, targets) = jobs(200);
        assert_eq!(fit(&rows, &targets, Start::Median), fit(&rows, &targets, Start::Median));
    }
}
