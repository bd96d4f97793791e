//! What a site can trade: `predictive` under other prices of water and carbon, judged at the site's own.

use super::contender::Contender;
use super::matrix::{Cell, MatrixError, run_cells};
use super::run::Options;
use super::score::Trial;
use crate::site::{Site, StrategyKind};
use serde::Serialize;
use std::str::FromStr;

/// Factors on the price of water.
const WATER: [f64; 7] = [0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0];
/// Factors on the price of carbon.
const CARBON: [f64; 3] = [0.0, 1.0, 10.0];
/// Prices that the factors hold for where the site states none: per m3 and per kg.
const USUAL: (f64, f64) = (2.0, 0.05);

/// What may be traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Cooling energy, kWh.
    Energy,
    /// Make-up water, L.
    Water,
    /// Carbon of the site's electricity, kg of CO2 equivalent.
    Carbon,
    /// Cost of cooling at the site's own prices.
    Cost,
}

impl Axis {
    const ALL: [Self; 4] = [Self::Energy, Self::Water, Self::Carbon, Self::Cost];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Energy => "energy",
            Self::Water => "water",
            Self::Carbon => "carbon",
            Self::Cost => "cost",
        }
    }

    /// The unit; empty for money, whose currency is the site's.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Energy => "kWh",
            Self::Water => "L",
            Self::Carbon => "kg",
            Self::Cost => "",
        }
    }
}

impl FromStr for Axis {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|axis| axis.name() == name);
        found.ok_or_else(|| format!("`{name}` cannot be traded: write energy, water, carbon or cost"))
    }
}

/// One choice of prices and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice {
    /// Price of water that control was given, per m3.
    pub water_per_m3: f64,
    /// Price of carbon that control was given, per kg.
    pub carbon_per_kg: f64,
    /// Cooling energy, kWh.
    pub energy_kwh: f64,
    /// Make-up water, L.
    pub water_l: f64,
    /// Make-up water over IT energy, L/kWh.
    pub wue_l_per_kwh: f64,
    /// Carbon of the site's electricity, kg of CO2 equivalent.
    pub co2e_kg: f64,
    /// Cost of cooling at the site's own prices.
    pub cost: f64,
    /// Degree-minutes beyond limits, K min.
    pub limit_k_min: f64,
    /// No other choice is as good on every axis and better on one.
    pub on_front: bool,
}

impl Choice {
    /// Its value on an axis.
    pub fn on(&self, axis: Axis) -> f64 {
        match axis {
            Axis::Energy => self.energy_kwh,
            Axis::Water => self.water_l,
            Axis::Carbon => self.co2e_kg,
            Axis::Cost => self.cost,
        }
    }

    fn dominates(&self, other: &Self, axes: &[Axis]) -> bool {
        axes.iter().all(|axis| self.on(*axis) <= other.on(*axis))
            && axes.iter().any(|axis| self.on(*axis) < other.on(*axis))
    }
}

/// Runs `predictive` under every choice of prices; `progress` hears how many are done, of how many.
pub fn tradeoff(
    site: &Site,
    options: &Options,
    axes: &[Axis],
    mut progress: impl FnMut(usize, usize),
) -> Result<Vec<Choice>, MatrixError> {
    let own = &site.prices;
    let or = |price: f64, usual: f64| if price > 0.0 { price } else { usual };
    let (water, carbon) = (or(own.water_per_m3, USUAL.0), or(own.carbon_per_kg, USUAL.1));
    let prices: Vec<(f64, f64)> = CARBON
        .iter()
        .flat_map(|c| WATER.map(|w| (w * water, c * carbon)))
        .collect();
    let sites: Vec<Site> = prices
        .iter()
        .map(|(water_per_m3, carbon_per_kg)| {
            let mut site = site.clone();
            (site.prices.water_per_m3, site.prices.carbon_per_kg) = (*water_per_m3, *carbon_per_kg);
            site
        })
        .collect();
    let options = Options {
        strategies: vec![Contender::Strategy(StrategyKind::Predictive)],
        ..options.clone()
    };
    let cells: Vec<Cell> = (0..sites.len())
        .map(|site| Cell {
            site,
            options: options.clone(),
        })
        .collect();
    let trials = run_cells(&sites, &cells, |done| progress(done, cells.len()))?;
    let choices = prices
        .iter()
        .zip(&trials)
        .filter_map(|(prices, trial)| choice(*prices, trial, own.water_per_m3));
    let mut choices: Vec<Choice> = choices.collect();
    mark_front(&mut choices, axes);
    Ok(choices)
}

fn choice((water_per_m3, carbon_per_kg): (f64, f64), trial: &Trial, own_water_per_m3: f64) -> Option<Choice> {
    let run = trial.runs.first()?;
    Some(Choice {
        water_per_m3,
        carbon_per_kg,
        energy_kwh: run.cooling_kwh,
        water_l: run.water_l,
        wue_l_per_kwh: run.wue_l_per_kwh,
        co2e_kg: run.co2e_kg,
        cost: run.cost - run.water_l / 1000.0 * (water_per_m3 - own_water_per_m3),
        limit_k_min: run.limit_k_min,
        on_front: false,
    })
}

fn mark_front(choices: &mut [Choice], axes: &[Axis]) {
    let all = choices.to_vec();
    for choice in choices {
        choice.on_front = !all.iter().any(|other| other.dominates(choice, axes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(energy_kwh: f64, water_l: f64) -> Choice {
        Choice {
            water_per_m3: 0.0,
            carbon_per_kg: 0.0,
            energy_kwh,
            water_l,
            wue_l_per_kwh: 0.0,
            co2e_kg: 0.0,
            cost: 0.0,
            limit_k_min: 0.0,
            on_front: false,
        }
    }

    #[test]
    fn the_front_holds_what_nothing_else_beats() {
        let mut choices = [at(1.0, 9.0), at(2.0, 5.0), at(3.0, 6.0), at(4.0, 1.0)];
        mark_front(&mut choices, &[Axis::Energy, Axis::Water]);
        assert_eq!(
            choices.each_ref().map(|choice| choice.on_front),
            [true, true, false, true]
        );
        mark_front(&mut choices, &[Axis::Energy]);
        assert_eq!(
            choices.each_ref().map(|choice| choice.on_front),
            [true, false, false, false]
        );
    }
}
