//! What a change of the plant itself would have brought on the load, weather and prices of the record.

use crate::site::{RejectionId, Site};
use serde::Deserialize;

/// A change of the plant, as a person writes it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retrofit {
    /// What it is, for the report.
    pub name: String,
    /// What it costs, in the site's currency; above 0.
    pub cost: f64,
    /// More heat-rejection units.
    #[serde(default)]
    pub cells: Vec<Cells>,
    /// Larger exchangers of CDUs.
    #[serde(default)]
    pub exchanger: Vec<LargerExchanger>,
    /// Larger heat-reuse exchangers.
    #[serde(default)]
    pub reuse: Vec<LargerReuse>,
}

/// More heat-rejection units on a loop, like its first.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cells {
    /// The loop.
    pub r#loop: String,
    /// How many more, 1 to 20.
    pub add: usize,
}

/// Another exchanger in a CDU.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LargerExchanger {
    /// The CDU.
    pub cdu: String,
    /// Its approach at the rated point, 0.5 to 20 K.
    pub approach_k: f64,
}

/// Another heat-reuse exchanger.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LargerReuse {
    /// The exchanger.
    pub id: String,
    /// Rated heat, kW, above 0.
    pub rated_kw: f64,
    /// Approach at the rated point, 0.5 to 20 K.
    pub approach_k: f64,
}

const APPROACH_K: std::ops::RangeInclusive<f64> = 0.5..=20.0;

impl Retrofit {
    /// The site after the change; the error says what to write instead.
    pub fn apply(&self, before: &Site) -> Result<Site, String> {
        if !(self.cost > 0.0 && self.cost.is_finite()) {
            return Err(format!("cost = {}: write what the change costs, above 0", self.cost));
        }
        if self.cells.is_empty() && self.exchanger.is_empty() && self.reuse.is_empty() {
            return Err("nothing is changed: write [[cells]], [[exchanger]] or [[reuse]]".into());
        }
        let mut site = before.clone();
        for change in &self.cells {
            let names: Vec<&str> = before.loops.iter().map(|unit| unit.name.as_str()).collect();
            let unit = site.loops.iter_mut().find(|unit| unit.name == change.r#loop);
            let unit = unit.ok_or_else(|| unknown("loop", &change.r#loop, &names))?;
            if !(1..=20).contains(&change.add) {
                return Err(format!("add = {}: write 1 to 20 more units", change.add));
            }
            let first = unit.rejection.first().and_then(|id| site.rejection.get(id.0)).cloned();
            let first = first.ok_or_else(|| format!("{} has no heat rejection to add to", change.r#loop))?;
            for _ in 0..change.add {
                unit.rejection.push(RejectionId(site.rejection.len()));
                site.rejection.push(first.clone());
            }
        }
        for change in &self.exchanger {
            let names: Vec<&str> = before.cdus.iter().map(|unit| unit.name.as_str()).collect();
            let unit = site.cdus.iter_mut().find(|unit| unit.name == change.cdu);
            unit.ok_or_else(|| unknown("cdu", &change.cdu, &names))?
                .nameplate
                .approach_k = approach(change.approach_k)?;
        }
        for change in &self.reuse {
            let names: Vec<&str> = before.reuse.iter().map(|unit| unit.name.as_str()).collect();
            let unit = site.reuse.iter_mut().find(|unit| unit.name == change.id);
            let plate = &mut unit.ok_or_else(|| unknown("id", &change.id, &names))?.nameplate;
            if !(change.rated_kw > 0.0 && change.rated_kw.is_finite()) {
                return Err(format!("rated_kw = {}: write a heat above 0 kW", change.rated_kw));
            }
            (plate.rated_kw, plate.approach_k) = (change.rated_kw, approach(change.approach_k)?);
        }
        Ok(site)
    }
}

fn approach(k: f64) -> Result<f64, String> {
    if APPROACH_K.contains(&k) {
        return Ok(k);
    }
    Err(format!(
        "approach_k = {k}: write {} to {} K",
        APPROACH_K.start(),
        APPROACH_K.end()
    ))
}

fn unknown(key: &str, name: &str, known: &[&str]) -> String {
    format!(
        "{key} = \"{name}\": the site has no such thing; write one of {}",
        known.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        crate::site::load_embedded("demo").unwrap().unwrap()
    }

    fn parse(text: &str) -> Result<Retrofit, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_change_is_applied_and_nothing_else() {
        let retrofit = parse(
            "name = \"more\"\ncost = 1e5\n[[cells]]\nloop = \"loop1\"\nadd = 2\n[[exchanger]]\ncdu = \"cdu2\"\napproach_k = 2.5",
        )
        .unwrap();
        let (before, after) = (site(), retrofit.apply(&site()).unwrap());
        assert_eq!(after.rejection.len(), before.rejection.len() + 2);
        assert_eq!(after.loops[0].rejection.len(), before.loops[0].rejection.len() + 2);
        assert!((after.cdus[1].nameplate.approach_k - 2.5).abs() < 1e-12);
        assert_eq!(after.cdus[0].nameplate, before.cdus[0].nameplate);
    }

    #[test]
    fn every_mistake_says_what_to_write() {
        for (text, about) in [
            (
                "name = \"x\"\ncost = 0\n[[cells]]\nloop = \"loop1\"\nadd = 1",
                "above 0",
            ),
            ("name = \"x\"\ncost = 1", "[[cells]]"),
            ("name = \"x\"\ncost = 1\n[[cells]]\nloop = \"attic\"\nadd = 1", "loop1"),
            (
                "name = \"x\"\ncost = 1\n[[cells]]\nloop = \"loop1\"\nadd = 0",
                "1 to 20",
            ),
            (
                "name = \"x\"\ncost = 1\n[[exchanger]]\ncdu = \"cdu1\"\napproach_k = nan",
                "0.5 to 20",
            ),
            (
                "name = \"x\"\ncost = 1\n[[reuse]]\nid = \"reuse1\"\nrated_kw = -1.0\napproach_k = 2.0",
                "above 0",
            ),
        ] {
            let error = parse(text).unwrap().apply(&site()).unwrap_err();
            assert!(error.contains(about), "{error}");
        }
        assert!(
            parse("name = \"x\"\ncost = 1\n[[heat_pump]]\nid = \"p\"")
                .unwrap_err()
                .contains("cells")
        );
    }
}
