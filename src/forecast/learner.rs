//! The two learners, linfa's elastic net and smartcore's random forest, and the small forms in which their results are
//! kept: plain numbers that are checked when read and predict in a microsecond.

use super::features::{Row, WIDTH};
use linfa::Dataset;
use linfa::traits::Fit;
use linfa_elasticnet::ElasticNet;
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use smartcore::ensemble::random_forest_regressor::{RandomForestRegressor, RandomForestRegressorParameters};
use smartcore::linalg::basic::matrix::DenseMatrix;

/// A fitted function from a job's features to a power.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Regressor {
    /// Linear on centred and scaled features.
    Linear(Linear),
    /// Mean of trees.
    Forest(Forest),
}

impl Regressor {
    /// The same answer whatever the job.
    pub(super) fn constant(value: f64) -> Self {
        Self::Linear(Linear {
            centre: vec![],
            scale: vec![],
            weights: vec![],
            intercept: value,
        })
    }

    pub(super) fn predict(&self, row: &Row) -> f64 {
        match self {
            Self::Linear(linear) => linear.predict(row),
            Self::Forest(forest) => forest.predict(row),
        }
    }

    /// Whether every number and index makes sense: a file may hold anything.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Linear(linear) => linear.check(),
            Self::Forest(forest) => forest.check(),
        }
    }
}

/// A linear function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Linear {
    centre: Vec<f64>,
    scale: Vec<f64>,
    weights: Vec<f64>,
    intercept: f64,
}

/// Weight of the penalty, on a target scaled to unit variance; the best on the last part of the training data is taken.
const PENALTIES: [f64; 4] = [0.1, 0.03, 0.01, 0.003];

impl Linear {
    /// Fits an elastic net. The rows are in order of time.
    pub(super) fn fit(rows: &[Row], targets: &[f64]) -> Result<Self, String> {
        let cut = rows.len() * 4 / 5;
        let (early, late) = (rows.get(..cut).unwrap_or(rows), rows.get(cut..).unwrap_or_default());
        let (early_targets, late_targets) = (
            targets.get(..cut).unwrap_or(targets),
            targets.get(cut..).unwrap_or_default(),
        );
        let mut best = (f64::INFINITY, 0.01);
        for penalty in PENALTIES {
            let linear = Self::fit_with(early, early_targets, penalty)?;
            let error: f64 = late
                .iter()
                .zip(late_targets)
                .map(|(row, target)| (linear.predict(row) - target).abs())
                .sum();
            if error < best.0 {
                best = (error, penalty);
            }
        }
        Self::fit_with(rows, targets, best.1)
    }

    /// linfa's elastic net does not centre the features itself, and its penalty weighs all alike, so both are done here.
    fn fit_with(rows: &[Row], targets: &[f64], penalty: f64) -> Result<Self, String> {
        let n = rows.len() as f64;
        let centre: Vec<f64> = (0..WIDTH)
            .map(|k| rows.iter().map(|row| row[k]).sum::<f64>() / n)
            .collect();
        let spread =
            |k: usize, mean: f64| (rows.iter().map(|row| (row[k] - mean) * (row[k] - mean)).sum::<f64>() / n).sqrt();
        let scale: Vec<f64> = centre
            .iter()
            .enumerate()
            .map(|(k, mean)| unless_zero(spread(k, *mean)))
            .collect();
        let mean = targets.iter().sum::<f64>() / n;
        let unit = unless_zero((targets.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>() / n).sqrt());

        let standard = |(i, k)| {
            let row: &Row = &rows[i];
            (row[k] - centre[k]) / scale[k]
        };
        let x = Array2::from_shape_fn((rows.len(), WIDTH), standard);
        let y = Array1::from_iter(targets.iter().map(|y| (y - mean) / unit));
        let fitted = ElasticNet::params()
            .penalty(penalty)
            .l1_ratio(0.5)
            .fit(&Dataset::new(x, y))
            .map_err(|error| format!("elastic net: {error}"))?;
        let weights = fitted.hyperplane().iter().map(|weight| weight * unit).collect();
        Ok(Self {
            centre,
            scale,
            weights,
            intercept: mean + unit * fitted.intercept(),
        })
    }

    fn predict(&self, row: &Row) -> f64 {
        let terms = row.iter().zip(&self.centre).zip(&self.scale).zip(&self.weights);
        terms.fold(self.intercept, |sum, (((x, centre), scale), weight)| {
            sum + weight * (x - centre) / scale
        })
    }

    fn check(&self) -> Result<(), &'static str> {
        let lengths = [self.centre.len(), self.scale.len(), self.weights.len()];
        if lengths != [WIDTH; 3] && lengths != [0; 3] {
            return Err("a linear model of another number of features");
        }
        let mut all = self.centre.iter().chain(&self.scale).chain(&self.weights);
        let finite = self.intercept.is_finite() && all.all(|number| number.is_finite());
        if finite && self.scale.iter().all(|scale| *scale > 0.0) {
            Ok(())
        } else {
            Err("numbers that are not finite")
        }
    }
}

fn unless_zero(spread: f64) -> f64 {
    if spread > 1e-12 { spread } else { 1.0 }
}

/// A forest of regression trees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Forest {
    trees: Vec<Vec<Node>>,
}

/// A node of a tree; children come after their parent, so every walk ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Node {
    Leaf(f64),
    Split {
        feature: u8,
        threshold: f64,
        low: u16,
        high: u16,
    },
}

/// Size of the forest: about 100 KiB, a microsecond a prediction.
const TREES: usize = 32;
const DEPTH: u16 = 7;
const SMALLEST_LEAF: usize = 5;
/// Features tried at a split, about a third of all as is usual in regression.
const FEATURES_A_SPLIT: usize = 7;

impl Forest {
    /// Grows a random forest; the same rows, targets and seed give the same forest.
    pub(super) fn fit(rows: &[Row], targets: &[f64], seed: u64) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("random forest: {error}");
        let rows: Vec<Vec<f64>> = rows.iter().map(|row| row.to_vec()).collect();
        let x = DenseMatrix::from_2d_vec(&rows).map_err(|error| failed(&error))?;
        let parameters = RandomForestRegressorParameters::default()
            .with_n_trees(TREES)
            .with_max_depth(DEPTH)
            .with_min_samples_leaf(SMALLEST_LEAF)
            .with_m(FEATURES_A_SPLIT)
            .with_seed(seed);
        let grown = RandomForestRegressor::fit(&x, &targets.to_vec(), parameters).map_err(|error| failed(&error))?;
        // smartcore keeps its nodes private but for serde, whose field names are part of its interface.
        let grown = serde_json::to_value(&grown)
            .and_then(serde_json::from_value::<Grown>)
            .map_err(|error| failed(&error))?;
        let trees = grown
            .forest_regressor
            .trees
            .into_iter()
            .map(|tree| tree.nodes.into_iter().map(Node::try_from).collect());
        let forest = Self {
            trees: trees.collect::<Result<_, _>>()?,
        };
        forest.check()?;
        Ok(forest)
    }

    fn predict(&self, row: &Row) -> f64 {
        self.trees.iter().map(|tree| walk(tree, row)).sum::<f64>() / self.trees.len() as f64
    }

    fn check(&self) -> Result<(), &'static str> {
        let sound = |tree: &Vec<Node>| {
            tree.iter().enumerate().all(|(index, node)| match *node {
                Node::Leaf(value) => value.is_finite(),
                Node::Split {
                    feature,
                    threshold,
                    low,
                    high,
                } => {
                    let child = |next: u16| usize::from(next) > index && usize::from(next) < tree.len();
                    usize::from(feature) < WIDTH && threshold.is_finite() && child(low) && child(high)
                }
            })
        };
        let sound = !self.trees.is_empty() && self.trees.iter().all(|tree| !tree.is_empty() && sound(tree));
        if sound { Ok(()) } else { Err("a tree that is not one") }
    }
}

fn walk(tree: &[Node], row: &Row) -> f64 {
    let mut index = 0;
    loop {
        match tree.get(index) {
            Some(Node::Leaf(value)) => return *value,
            Some(Node::Split {
                feature,
                threshold,
                low,
                high,
            }) => {
                let below = row.get(usize::from(*feature)).is_some_and(|x| x <= threshold);
                index = usize::from(if below { *low } else { *high });
            }
            None => return 0.0,
        }
    }
}

/// smartcore's serialised forest, as far as it is needed.
#[derive(Deserialize)]
struct Grown {
    forest_regressor: GrownTrees,
}

#[derive(Deserialize)]
struct GrownTrees {
    trees: Vec<GrownTree>,
}

#[derive(Deserialize)]
struct GrownTree {
    nodes: Vec<GrownNode>,
}

#[derive(Deserialize)]
struct GrownNode {
    output: f64,
    split_feature: usize,
    split_value: Option<f64>,
    true_child: Option<usize>,
    false_child: Option<usize>,
}

impl TryFrom<GrownNode> for Node {
    type Error = String;

    fn try_from(node: GrownNode) -> Result<Self, String> {
        let (Some(threshold), Some(low), Some(high)) = (node.split_value, node.true_child, node.false_child) else {
            return Ok(Self::Leaf(node.output));
        };
        let small = |index: usize| u16::try_from(index).map_err(|_| "random forest: a tree too large".to_owned());
        let feature = u8::try_from(node.split_feature).map_err(|_| "random forest: too many features".to_owned())?;
        Ok(Self::Split {
            feature,
            threshold,
            low: small(low)?,
            high: small(high)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> (Vec<Row>, Vec<f64>) {
        let row = |i: u32| {
            let mut row = [0.0; WIDTH];
            for (k, x) in row.iter_mut().enumerate() {
                *x = f64::from((i * 37 + u32::try_from(k).unwrap() * 101 + i * i % 53) % 97);
            }
            row
        };
        let rows: Vec<Row> = (0..300).map(row).collect();
        let targets = rows
            .iter()
            .map(|row| 100.0 + 3.0 * row[0] - row[5] + if row[9] > 50.0 { 80.0 } else { 0.0 })
            .collect();
        (rows, targets)
    }

    #[test]
    fn the_kept_trees_answer_as_the_grown_forest_does() {
        let (rows, targets) = rows();
        let forest = Forest::fit(&rows, &targets, 7).unwrap();
        assert_eq!(
            forest,
            Forest::fit(&rows, &targets, 7).unwrap(),
            "the same seed grows the same forest"
        );
        let matrix = DenseMatrix::from_2d_vec(&rows.iter().map(|row| row.to_vec()).collect::<Vec<_>>()).unwrap();
        let parameters = RandomForestRegressorParameters::default()
            .with_n_trees(TREES)
            .with_max_depth(DEPTH)
            .with_min_samples_leaf(SMALLEST_LEAF)
            .with_m(FEATURES_A_SPLIT)
            .with_seed(7);
        let grown = RandomForestRegressor::fit(&matrix, &targets, parameters).unwrap();
        let expected: Vec<f64> = grown.predict(&matrix).unwrap();
        for (row, expected) in rows.iter().zip(expected) {
            assert!((forest.predict(row) - expected).abs() < 1e-9);
        }
    }

    #[test]
    fn the_elastic_net_finds_a_line_far_from_the_origin() {
        let (mut rows, _) = rows();
        for row in &mut rows {
            row[0] += 10_000.0;
        }
        let targets: Vec<f64> = rows.iter().map(|row| 500.0 + 2.0 * (row[0] - 10_000.0)).collect();
        let linear = Linear::fit(&rows, &targets).unwrap();
        for (row, target) in rows.iter().zip(&targets) {
            assert!(
                (linear.predict(row) - target).abs() < 5.0,
                "{} for {target}",
                linear.predict(row)
            );
        }
    }

    #[test]
    fn trees_that_would_not_end_are_refused() {
        let split = |low, high| Node::Split {
            feature: 0,
            threshold: 1.0,
            low,
            high,
        };
        let forest = |tree| Regressor::Forest(Forest { trees: vec![tree] }).check();
        assert!(forest(vec![split(1, 2), Node::Leaf(1.0), Node::Leaf(2.0)]).is_ok());
        assert!(forest(vec![split(0, 1), Node::Leaf(1.0)]).is_err());
        assert!(forest(vec![split(1, 9), Node::Leaf(1.0)]).is_err());
        assert!(forest(vec![Node::Leaf(f64::NAN)]).is_err());
        assert!(forest(vec![]).is_err());
    }
}
