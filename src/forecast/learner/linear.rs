//! linfa's elastic net, on centred and scaled features.

use crate::forecast::features::{Row, WIDTH};
use linfa::Dataset;
use linfa::traits::Fit;
use linfa_elasticnet::ElasticNet;
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

/// A linear function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::forecast) struct Linear {
    centre: Vec<f64>,
    scale: Vec<f64>,
    weights: Vec<f64>,
    intercept: f64,
}

/// Weight of the penalty, on a target scaled to unit variance; the best on the last part of the training data is taken.
const PENALTIES: [f64; 4] = [0.1, 0.03, 0.01, 0.003];

impl Linear {
    /// The same answer whatever the job.
    pub(super) fn constant(value: f64) -> Self {
        Self {
            centre: vec![],
            scale: vec![],
            weights: vec![],
            intercept: value,
        }
    }

    /// One of the features, as it is.
    pub(super) fn feature(index: usize) -> Self {
        let mut weights = vec![0.0; WIDTH];
        weights[index.min(WIDTH - 1)] = 1.0;
        Self {
            centre: vec![0.0; WIDTH],
            scale: vec![1.0; WIDTH],
            weights,
            intercept: 0.0,
        }
    }

    /// Fits an elastic net. The rows are in order of time.
    pub(in crate::forecast) fn fit(rows: &[Row], targets: &[f64]) -> Result<Self, String> {
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

    pub(super) fn predict(&self, row: &Row) -> f64 {
        let terms = row.iter().zip(&self.centre).zip(&self.scale).zip(&self.weights);
        terms.fold(self.intercept, |sum, (((x, centre), scale), weight)| {
            sum + weight * (x - centre) / scale
        })
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
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

#[cfg(test)]
mod tests {
    use super::super::trees::tests::rows;
    use super::*;

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
}
