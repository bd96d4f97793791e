//! Which values an integration may publish.
//!
//! The published schema is an `AsyncAPI` document in YAML. Of it only the channels count whose address begins with
//! `BMS/v1/{integration}/Value/`, each with the enumeration of its point types: these lines are read as they stand in the
//! document, which is written by a tool and regular. Where the document is not there, the same is restated here.

use std::collections::{BTreeMap, BTreeSet};

/// Point types by object type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// Where it is from.
    pub source: String,
    /// What an integration may publish: object types with their point types.
    pub integration: BTreeMap<String, BTreeSet<String>>,
}

const ADDRESS: &str = "    address: 'BMS/v1/{integration}/Value/";

/// Object types on which an integration publishes generic points alone.
const GENERIC: &[&str] = &[
    "PowerMeter",
    "CoolingTower",
    "HX",
    "CRAH",
    "CRAC",
    "AHU",
    "Chiller",
    "Valve",
    "Pump",
    "Fan",
    "Damper",
    "Sensor",
    "Tank",
    "BESS",
    "UPS",
    "ATS",
    "Generator",
    "Shunt",
    "Breaker",
];

impl Schema {
    /// As the published document says.
    ///
    /// # Errors
    /// Where the document has no such channels.
    pub fn published(source: &str, yaml: &str) -> Result<Self, String> {
        let mut integration = BTreeMap::new();
        let mut lines = yaml.lines();
        while let Some(line) = lines.next() {
            let Some(rest) = line.strip_prefix(ADDRESS) else {
                continue;
            };
            let Some(object_type) = rest.split('/').next() else {
                continue;
            };
            let mut types = BTreeSet::new();
            let own = lines.by_ref().skip_while(|line| line.trim() != "pointType:");
            for line in own.skip(2) {
                match line.trim().strip_prefix("- ") {
                    Some(name) => drop(types.insert(name.to_owned())),
                    None => break,
                }
            }
            integration.insert(object_type.to_owned(), types);
        }
        if integration.is_empty() {
            return Err(format!(
                "{source} has no channels that an integration publishes on: is it bms.yaml?"
            ));
        }
        Ok(Self {
            source: source.to_owned(),
            integration,
        })
    }

    /// As restated here from NVIDIA/dsx-exchange at c24771c.
    pub fn restated() -> Self {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mut integration = BTreeMap::from([
            (
                "Rack".to_owned(),
                set(&[
                    "RackLeakDetectTray",
                    "RackLiquidIsolationRequest",
                    "RackElectricalIsolationRequest",
                ]),
            ),
            ("CDU".to_owned(), set(&["LiquidTemperatureSpRequest", "GenericPoint"])),
            (
                "GenericObject".to_owned(),
                set(&["LiquidTemperatureSpRequest", "GenericPoint"]),
            ),
            (
                "System".to_owned(),
                set(&[
                    "HeartbeatTimestampIntegration",
                    "HeartbeatEchoIntegration",
                    "Status",
                    "Available",
                    "GenericPoint",
                ]),
            ),
        ]);
        for object_type in GENERIC {
            integration.insert((*object_type).to_owned(), set(&["GenericPoint"]));
        }
        Self {
            source: "restated from NVIDIA/dsx-exchange at c24771c".to_owned(),
            integration,
        }
    }
}
