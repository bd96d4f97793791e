//! The points of a small hall on the bus.

use serde_json::{Value, json};

/// What a point is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// The BMS publishes this value.
    Value(f64),
    /// An integration may ask here for the value of the point with the given index; smallest and largest that is taken.
    Request {
        /// Index of the point that follows.
        follows: usize,
        /// Smallest value that is taken.
        min: f64,
        /// Largest value that is taken.
        max: f64,
        /// The BMS's own value, when nobody asks.
        own: f64,
    },
    /// The BMS's heartbeat.
    Beat,
    /// The integration's heartbeat, echoed by the BMS.
    Echo,
    /// Something else that the integration publishes.
    Theirs,
    /// Whether the integration is enabled.
    Enabled,
    /// Whether it is kicked out.
    KickedOut,
}

/// A point of the bus.
#[derive(Debug, Clone, PartialEq)]
pub struct BmsPoint {
    /// `objectType/pointType/tagPath`.
    pub tail: String,
    /// Its metadata.
    pub metadata: Value,
    /// What it is.
    pub kind: Kind,
}

/// Two racks, a CDU and the points between the BMS and the integration of this name.
pub fn hall(integration: &str) -> Vec<BmsPoint> {
    let mut points = Vec::new();
    for (rack, kw) in [("A01", 96.0), ("A02", 88.0)] {
        let mut add = |kind: &str, unit: &str, value: f64| {
            points.push(BmsPoint {
                tail: format!("Rack/{kind}/hall1/rowA/{rack}"),
                metadata: json!({ "objectType": "Rack", "pointType": kind, "rackLocationName": rack,
                    "rackLocationId": format!("hall1-{rack}"), "engUnit": unit }),
                kind: Kind::Value(value),
            });
        };
        add("RackPower", "kW", kw);
        add("RackLiquidSupplyTemperature", "C", 30.0);
        add("RackLiquidReturnTemperature", "C", 40.0);
        add("RackLiquidFlow", "LPM", 130.0);
        points.push(BmsPoint {
            tail: format!("Rack/RackLeakDetect/hall1/rowA/{rack}"),
            metadata: json!({ "objectType": "Rack", "pointType": "RackLeakDetect", "rackLocationName": rack,
                "rackLocationId": format!("hall1-{rack}"),
                "stateText": [{ "value": 0, "text": "NoLeak" }, { "value": 1, "text": "Leak" }] }),
            kind: Kind::Value(0.0),
        });
    }
    cdu(&mut points, integration);
    system(&mut points, integration);
    points
}

#[expect(clippy::too_many_lines, reason = "a table of points")]
fn cdu(points: &mut Vec<BmsPoint>, integration: &str) {
    let mut add = |kind: &str, path: &str, areas: &[&str], unit: &str, setpoint: bool, what: Kind| {
        let mut metadata = json!({ "objectType": "CDU", "pointType": kind, "objectName": "CDU 1", "objectId": "cdu1",
            "processArea": areas, "engUnit": unit });
        if setpoint {
            metadata["isSetpoint"] = true.into();
        }
        if matches!(what, Kind::Request { .. }) {
            metadata["integration"] = integration.into();
        }
        points.push(BmsPoint {
            tail: format!("CDU/{kind}/hall1/{path}"),
            metadata,
            kind: what,
        });
        points.len() - 1
    };
    add(
        "LiquidTemperature",
        "cdu1/primary/inlet",
        &["Primary", "Inlet"],
        "C",
        false,
        Kind::Value(24.0),
    );
    add(
        "LiquidTemperature",
        "cdu1/primary/outlet",
        &["Primary", "Outlet"],
        "C",
        false,
        Kind::Value(33.0),
    );
    add(
        "LiquidTemperature",
        "cdu1/secondary/return",
        &["Secondary", "Return"],
        "C",
        false,
        Kind::Value(40.0),
    );
    add(
        "LiquidFlow",
        "cdu1/secondary/flow",
        &["Secondary"],
        "LPM",
        false,
        Kind::Value(260.0),
    );
    add(
        "LiquidFlow",
        "cdu1/primary/flow",
        &["Primary"],
        "LPM",
        false,
        Kind::Value(290.0),
    );
    add(
        "LiquidDifferentialPressure",
        "cdu1/secondary/dp",
        &["Secondary"],
        "kPa",
        false,
        Kind::Value(140.0),
    );
    add(
        "LiquidTemperature",
        "cdu1/secondary/supply",
        &["Secondary", "Supply"],
        "C",
        false,
        Kind::Value(30.0),
    );
    // How long the BMS waits for the integration's heartbeat before it takes its own value back.
    add(
        "GenericPoint",
        "cdu1/comms_timeout",
        &["CommsTimeout"],
        "s",
        false,
        Kind::Value(30.0),
    );
    let setpoint = add(
        "LiquidTemperature",
        "cdu1/secondary/supply_sp",
        &["Secondary", "Supply"],
        "C",
        true,
        Kind::Value(30.0),
    );
    let request = Kind::Request {
        follows: setpoint,
        min: 20.0,
        max: 40.0,
        own: 30.0,
    };
    add(
        "LiquidTemperatureSpRequest",
        "cdu1/secondary/supply_sp_req",
        &[],
        "C",
        false,
        request,
    );
}

fn system(points: &mut Vec<BmsPoint>, integration: &str) {
    let mut add = |kind: &str, path: &str, object: &str, areas: &[&str], theirs: bool, what: Kind| {
        let mut metadata =
            json!({ "objectType": "System", "pointType": kind, "objectName": object, "objectId": object });
        if !areas.is_empty() {
            metadata["processArea"] = json!(areas);
        }
        if matches!(kind, "Status" | "Available") {
            metadata["stateText"] = json!([{ "value": 0, "text": "No" }, { "value": 1, "text": "Yes" }]);
        }
        if theirs {
            metadata["integration"] = integration.into();
        }
        points.push(BmsPoint {
            tail: format!("System/{kind}/hall1/{path}"),
            metadata,
            kind: what,
        });
    };
    add("HeartbeatTimestampBms", "bms/beat", "BMS", &[], false, Kind::Beat);
    add("HeartbeatEchoBms", "bms/echo", integration, &[], false, Kind::Echo);
    add(
        "HeartbeatTimestampIntegration",
        "ai/beat",
        integration,
        &[],
        true,
        Kind::Theirs,
    );
    add("HeartbeatEchoIntegration", "ai/echo", "BMS", &[], true, Kind::Theirs);
    add("Status", "ai/status", integration, &[], true, Kind::Theirs);
    add("Available", "ai/available", integration, &[], true, Kind::Theirs);
    add("GenericPoint", "ai/ready", integration, &["Ready"], true, Kind::Theirs);
    add(
        "GenericPoint",
        "ai/enabled",
        integration,
        &["Enabled"],
        false,
        Kind::Enabled,
    );
    add(
        "GenericPoint",
        "ai/kicked_out",
        integration,
        &["KickedOut"],
        false,
        Kind::KickedOut,
    );
}
