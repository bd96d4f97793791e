//! Trees as they are kept, and smartcore's ensembles of them.

use crate::forecast::features::{Row, WIDTH};
use serde::{Deserialize, Serialize};
use smartcore::ensemble::extra_trees_regressor::{ExtraTreesRegressor, ExtraTreesRegressorParameters};
use smartcore::ensemble::random_forest_regressor::{RandomForestRegressor, RandomForestRegressorParameters};
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::xgboost::{XGRegressor, XGRegressorParameters};

/// `base`, or a feature, plus `weight` times the sum of the trees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::forecast) struct Trees {
    pub(super) base: f64,
    /// A feature that is added to the base.
    pub(super) feature: Option<u8>,
    pub(super) weight: f64,
    pub(super) grown: Vec<Vec<Node>>,
}

/// A node of a tree; children come after their parent, so every walk ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum Node {
    Leaf(f64),
    Split {
        feature: u8,
        threshold: f64,
        low: u16,
        high: u16,
    },
}

/// Size of the forests: a few hundred KiB, microseconds a prediction.
const TREES: usize = 32;
const DEPTH: u16 = 7;
const SMALLEST_LEAF: usize = 5;
/// Features tried at a split, about a third of all as is usual in regression.
const FEATURES_A_SPLIT: usize = WIDTH / 3;

/// smartcore's boosting searches every threshold, so it is kept small.
const ROUNDS: usize = 100;
const BOOST_DEPTH: u16 = 5;
const RATE: f64 = 0.1;

impl Trees {
    pub(super) fn random_forest(rows: &[Row], targets: &[f64], seed: u64) -> Result<Self, String> {
        let parameters = RandomForestRegressorParameters::default()
            .with_n_trees(TREES)
            .with_max_depth(DEPTH)
            .with_min_samples_leaf(SMALLEST_LEAF)
            .with_m(FEATURES_A_SPLIT)
            .with_seed(seed);
        let grown = RandomForestRegressor::fit(&matrix(rows)?, &targets.to_vec(), parameters);
        Self::mean_of(grown.map_err(|error| format!("random forest: {error}"))?)
    }

    pub(super) fn extra_trees(rows: &[Row], targets: &[f64], seed: u64) -> Result<Self, String> {
        let parameters = ExtraTreesRegressorParameters::default()
            .with_n_trees(TREES)
            .with_max_depth(DEPTH)
            .with_min_samples_leaf(SMALLEST_LEAF)
            .with_m(FEATURES_A_SPLIT)
            .with_seed(seed);
        let grown = ExtraTreesRegressor::fit(&matrix(rows)?, &targets.to_vec(), parameters);
        Self::mean_of(grown.map_err(|error| format!("extra trees: {error}"))?)
    }

    pub(super) fn gradient_boosting(rows: &[Row], targets: &[f64], seed: u64) -> Result<Self, String> {
        let base = targets.iter().sum::<f64>() / targets.len().max(1) as f64;
        let mut parameters = XGRegressorParameters::default()
            .with_n_estimators(ROUNDS)
            .with_max_depth(BOOST_DEPTH)
            .with_learning_rate(RATE)
            .with_min_child_weight(SMALLEST_LEAF)
            .with_base_score(base);
        parameters.seed = seed;
        let grown = XGRegressor::fit(&matrix(rows)?, &targets.to_vec(), parameters);
        let grown: Boosted = through_serde(grown.map_err(|error| format!("gradient boosting: {error}"))?)?;
        let trees = grown.regressors.iter().map(|tree| {
            let mut nodes = Vec::new();
            tree.flatten(&mut nodes).map(|_| nodes)
        });
        let trees = Self {
            base,
            feature: None,
            weight: RATE,
            grown: trees.collect::<Result<_, _>>()?,
        };
        trees.check()?;
        Ok(trees)
    }

    fn mean_of(grown: impl Serialize) -> Result<Self, String> {
        let grown: Grown = through_serde(grown)?;
        let trees = grown
            .forest_regressor
            .trees
            .into_iter()
            .map(|tree| tree.nodes.into_iter().map(Node::try_from).collect());
        let trees: Vec<Vec<Node>> = trees.collect::<Result<_, _>>()?;
        let trees = Self {
            base: 0.0,
            feature: None,
            weight: 1.0 / trees.len().max(1) as f64,
            grown: trees,
        };
        trees.check()?;
        Ok(trees)
    }

    pub(super) fn predict(&self, row: &Row) -> f64 {
        let feature = self.feature.and_then(|feature| row.get(usize::from(feature)));
        let sum: f64 = self.grown.iter().map(|tree| walk(tree, row)).sum();
        self.base + feature.copied().unwrap_or(0.0) + self.weight * sum
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
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
        let numbers = self.base.is_finite() && self.weight.is_finite();
        let feature = self.feature.is_none_or(|feature| usize::from(feature) < WIDTH);
        let sound = self.grown.iter().all(|tree| !tree.is_empty() && sound(tree));
        if numbers && feature && sound {
            Ok(())
        } else {
            Err("a tree that is not one")
        }
    }
}

pub(super) fn walk(tree: &[Node], row: &Row) -> f64 {
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

fn matrix(rows: &[Row]) -> Result<DenseMatrix<f64>, String> {
    let rows: Vec<Vec<f64>> = rows.iter().map(|row| row.to_vec()).collect();
    DenseMatrix::from_2d_vec(&rows).map_err(|error| format!("training rows: {error}"))
}

/// smartcore keeps its nodes private but for serde, whose field names are part of its interface.
fn through_serde<T: for<'a> Deserialize<'a>>(grown: impl Serialize) -> Result<T, String> {
    serde_json::to_value(&grown)
        .and_then(serde_json::from_value)
        .map_err(|error| format!("smartcore's trees: {error}"))
}

/// smartcore's serialised forests, as far as they are needed.
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
        Ok(Self::Split {
            feature: small(node.split_feature)?,
            threshold,
            low: small(low)?,
            high: small(high)?,
        })
    }
}

pub(super) fn small<T: TryFrom<usize>>(index: usize) -> Result<T, String> {
    T::try_from(index).map_err(|_| "a tree too large".to_owned())
}

/// smartcore's serialised boosting, as far as it is needed.
#[derive(Deserialize)]
struct Boosted {
    regressors: Vec<BoostedNode>,
}

#[derive(Deserialize)]
struct BoostedNode {
    left: Option<Box<BoostedNode>>,
    right: Option<Box<BoostedNode>>,
    value: f64,
    threshold: f64,
    split_feature_idx: usize,
}

impl BoostedNode {
    /// Appends the tree below this node and answers the node's place.
    fn flatten(&self, nodes: &mut Vec<Node>) -> Result<u16, String> {
        let place = nodes.len();
        nodes.push(Node::Leaf(self.value));
        if let (Some(left), Some(right)) = (&self.left, &self.right) {
            let (low, high) = (left.flatten(nodes)?, right.flatten(nodes)?);
            nodes[place] = Node::Split {
                feature: small(self.split_feature_idx)?,
                threshold: self.threshold,
                low,
                high,
            };
        }
        small(place)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::forecast::learner) fn rows() -> (Vec<Row>, Vec<f64>) {
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
    fn our_trees_predict_as_smartcores() {
        let (rows, targets) = rows();
        let x = matrix(&rows).unwrap();
        let close = |ours: &Trees, theirs: Vec<f64>| {
            for (row, expected) in rows.iter().zip(theirs) {
                assert!((ours.predict(row) - expected).abs() < 1e-9);
            }
        };
        let parameters = RandomForestRegressorParameters::default()
            .with_n_trees(TREES)
            .with_max_depth(DEPTH)
            .with_min_samples_leaf(SMALLEST_LEAF)
            .with_m(FEATURES_A_SPLIT)
            .with_seed(7);
        let grown = RandomForestRegressor::fit(&x, &targets, parameters).unwrap();
        close(
            &Trees::random_forest(&rows, &targets, 7).unwrap(),
            grown.predict(&x).unwrap(),
        );

        let parameters = ExtraTreesRegressorParameters::default()
            .with_n_trees(TREES)
            .with_max_depth(DEPTH)
            .with_min_samples_leaf(SMALLEST_LEAF)
            .with_m(FEATURES_A_SPLIT)
            .with_seed(7);
        let grown = ExtraTreesRegressor::fit(&x, &targets, parameters).unwrap();
        close(
            &Trees::extra_trees(&rows, &targets, 7).unwrap(),
            grown.predict(&x).unwrap(),
        );

        let ours = Trees::gradient_boosting(&rows, &targets, 7).unwrap();
        let mut parameters = XGRegressorParameters::default()
            .with_n_estimators(ROUNDS)
            .with_max_depth(BOOST_DEPTH)
            .with_learning_rate(RATE)
            .with_min_child_weight(SMALLEST_LEAF)
            .with_base_score(ours.base);
        parameters.seed = 7;
        let grown = XGRegressor::fit(&x, &targets, parameters).unwrap();
        close(&ours, grown.predict(&x).unwrap());
    }

    #[test]
    fn trees_that_would_not_end_are_refused() {
        let split = |low, high| Node::Split {
            feature: 0,
            threshold: 1.0,
            low,
            high,
        };
        let check = |tree| {
            Trees {
                base: 0.0,
                feature: None,
                weight: 1.0,
                grown: vec![tree],
            }
            .check()
        };
        assert!(check(vec![split(1, 2), Node::Leaf(1.0), Node::Leaf(2.0)]).is_ok());
        assert!(check(vec![split(0, 1), Node::Leaf(1.0)]).is_err());
        assert!(check(vec![split(1, 9), Node::Leaf(1.0)]).is_err());
        assert!(check(vec![Node::Leaf(f64::NAN)]).is_err());
        assert!(check(vec![]).is_err());
    }
}
