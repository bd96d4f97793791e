//! What safety asks of others, because no setpoint does it: to isolate what leaks, to start no jobs there, and to draw less
//! power where the heat cannot be taken away. Who is asked decides and acts; an ask stands while its reason does.

use super::facts::Facts;
use super::surroundings::Severity;
use crate::site::{Rack, Site};
use serde::{Deserialize, Serialize};

/// Kinds of asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskKind {
    /// Shut the liquid off: the building system.
    LiquidIsolation,
    /// Switch the power off: the building system.
    ElectricalIsolation,
    /// Start no jobs there and switch nothing on: the scheduler.
    NoNewJobs,
    /// Draw no more than so much: the scheduler or the power manager.
    PowerCap,
}

/// One thing that is asked of others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// What.
    pub kind: AskKind,
    /// Name of the rack or CDU.
    pub of: String,
    /// The cap, kW, where it is one.
    pub kw: Option<f64>,
    /// The reason.
    pub why: String,
}

/// Everything that this cycle's facts ask for.
pub(super) fn list(site: &Site, facts: &Facts) -> Vec<Ask> {
    let mut asks = Vec::new();
    for (cdu, index) in site.cdus.iter().zip(0..) {
        let racks: Vec<&Rack> = cdu.racks.iter().filter_map(|rack| site.racks.get(rack.0)).collect();
        let mut ask = |kind: AskKind, of: &str, kw: Option<f64>, why: &str| {
            asks.push(Ask {
                kind,
                of: of.to_owned(),
                kw,
                why: why.to_owned(),
            });
        };
        let leak = facts.leaks.get(index).copied().flatten();
        let leaking = |rack: &Rack| facts.leaking_racks.contains(&rack.name);
        match leak {
            None => {}
            Some(Severity::Minor) => {
                for rack in racks.iter().filter(|rack| leaking(rack)) {
                    ask(AskKind::LiquidIsolation, &rack.name, None, "it leaks");
                    ask(AskKind::NoNewJobs, &rack.name, None, "it leaks");
                }
            }
            Some(Severity::Major) => {
                for rack in racks.iter().filter(|rack| leaking(rack)) {
                    ask(AskKind::LiquidIsolation, &rack.name, None, "it leaks");
                    ask(
                        AskKind::ElectricalIsolation,
                        &rack.name,
                        None,
                        "it leaks, and not alone",
                    );
                }
                for rack in &racks {
                    ask(AskKind::NoNewJobs, &rack.name, None, "its loop leaks");
                }
            }
            Some(Severity::Critical) => {
                ask(
                    AskKind::LiquidIsolation,
                    &cdu.name,
                    None,
                    "it leaks and its pressure falls",
                );
                for rack in &racks {
                    ask(AskKind::ElectricalIsolation, &rack.name, None, "its loop loses coolant");
                    ask(AskKind::NoNewJobs, &rack.name, None, "its loop loses coolant");
                }
            }
        }
        if let Some(Some(cap_kw)) = facts.cap_kw.get(index) {
            let all_kw: f64 = racks
                .iter()
                .map(|rack| rack.nameplate.rated_kw * rack.nameplate.liquid_fraction)
                .sum();
            for rack in &racks {
                // Each rack's share of the heat, as electric power.
                let kw = cap_kw * rack.nameplate.rated_kw / all_kw.max(f64::MIN_POSITIVE);
                ask(AskKind::PowerCap, &rack.name, Some(kw), "its CDU has no facility water");
                ask(AskKind::NoNewJobs, &rack.name, None, "its CDU has no facility water");
            }
        }
    }
    asks
}
