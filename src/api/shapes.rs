//! Schemas of what other rooms define: they know nothing of this interface, so their names and fields are read off
//! their own values here.

use crate::safety::Level;
use crate::site::{Authority, Direction, StrategyKind};
use crate::snapshot::{Guard, HORIZONS, HeatSource, LoadPhase, PlanStatus, Severity};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// A name out of a list, each as the code writes it.
fn one_of<T: Serialize>(values: &[T]) -> Schema {
    let names: Vec<Value> = values
        .iter()
        .filter_map(|value| serde_json::to_value(value).ok())
        .collect();
    schemars::json_schema!({ "type": "string", "enum": names })
}

pub(super) fn authority(_: &mut SchemaGenerator) -> Schema {
    one_of(&[
        Authority::Observe,
        Authority::Advise,
        Authority::Bounded,
        Authority::Full,
    ])
}

pub(super) fn strategy(_: &mut SchemaGenerator) -> Schema {
    one_of(&[StrategyKind::Fixed, StrategyKind::TrimRespond, StrategyKind::Predictive])
}

pub(super) fn level(_: &mut SchemaGenerator) -> Schema {
    one_of(&[Level::Normal, Level::Guarded, Level::Critical, Level::Failsafe])
}

pub(super) fn plan_status(_: &mut SchemaGenerator) -> Schema {
    one_of(&[PlanStatus::Complete, PlanStatus::FellBack])
}

pub(super) fn heat_source(_: &mut SchemaGenerator) -> Schema {
    one_of(&[HeatSource::Queue, HeatSource::RackPower, HeatSource::Feedback])
}

pub(super) fn severity(_: &mut SchemaGenerator) -> Schema {
    one_of(&[Severity::Info, Severity::Warning, Severity::Alarm])
}

pub(super) fn direction(_: &mut SchemaGenerator) -> Schema {
    one_of(&[Direction::Up, Direction::Down, Direction::Neutral])
}

/// The shape of a value of counters and lists, read off its default.
pub(super) fn like<T: Serialize + Default>(_: &mut SchemaGenerator) -> Schema {
    let value = serde_json::to_value(T::default()).unwrap_or_default();
    Schema::try_from(of_value(&value)).unwrap_or_default()
}

/// The shape of a JSON value: its fields and their types. A number may be absent, which is null.
pub(super) fn of_value(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(_) => json!({ "type": "boolean" }),
        Value::Number(_) => json!({ "type": ["number", "null"] }),
        Value::String(_) => json!({ "type": "string" }),
        Value::Array(items) => {
            let items = items.first().map_or(json!({}), of_value);
            json!({ "type": "array", "items": items })
        }
        Value::Object(fields) => {
            let names: Vec<&String> = fields.keys().collect();
            let shapes: Map<String, Value> = fields
                .iter()
                .map(|(name, value)| (name.clone(), of_value(value)))
                .collect();
            json!({ "type": "object", "properties": shapes, "required": names })
        }
    }
}

/// Heat of one rack or CDU into the liquid, kW; null where it is not known.
#[derive(JsonSchema)]
#[expect(dead_code, clippy::struct_field_names, reason = "only its schema is used")]
pub(super) struct HeatBand {
    /// Now.
    now_kw: Option<f64>,
    /// Expected at each horizon.
    mean_kw: [Option<f64>; HORIZONS],
    /// Lower bound of the interval at each horizon.
    lower_kw: [Option<f64>; HORIZONS],
    /// Upper bound of the interval at each horizon.
    upper_kw: [Option<f64>; HORIZONS],
}

/// A guard that keeps the forecast a step down.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct Demotion {
    /// The guard.
    #[schemars(schema_with = "guard")]
    guard: (),
    /// Since when, ms on the controller's monotonic clock.
    since_ms: u64,
    /// A sentence with the evidence.
    why: String,
}

fn guard(_: &mut SchemaGenerator) -> Schema {
    one_of(&Guard::ALL)
}

/// A setpoint that safety refused or changed.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct Change {
    /// Tag of the point.
    tag: String,
    /// What was wanted.
    wanted: Option<f64>,
    /// What was commanded; null where nothing was.
    given: Option<f64>,
    /// The rule that did it.
    why: String,
}

/// Equipment that is not what it should be.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct Finding {
    /// Stable name.
    code: String,
    /// The equipment.
    subject: String,
    /// What is seen and what is done about it.
    text: String,
}

/// How far commissioning has come.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct Commissioning {
    /// The present step test, from 1.
    test: usize,
    /// All of them.
    tests: usize,
    /// Tests that ended early.
    ended_early: u32,
}

fn load_phase(_: &mut SchemaGenerator) -> Schema {
    one_of(&[
        LoadPhase::Announced,
        LoadPhase::Precooling,
        LoadPhase::Holding,
        LoadPhase::Recovering,
        LoadPhase::GivenUp,
    ])
}

/// A load target, as the plan knows it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct LoadReport {
    /// Largest power of cooling, kW.
    target_kw: Option<f64>,
    /// Its start, ms since 1970.
    start_ms: i64,
    /// Its end.
    end_ms: i64,
    /// What is being done about it.
    #[schemars(schema_with = "load_phase")]
    phase: LoadPhase,
    /// Power of cooling now, as metered, kW.
    measured_kw: Option<f64>,
}

/// Bounds and manners of a writable point, in its unit.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct WriteSpec {
    /// Smallest value ever written.
    min: f64,
    /// Largest value ever written.
    max: f64,
    /// The plant as found.
    release: f64,
    /// Which way is more cooling.
    #[schemars(schema_with = "direction")]
    more_cooling: Direction,
    /// Largest rise per minute; null for no limit.
    rise_per_min: Option<f64>,
    /// Largest fall per minute; null for no limit.
    fall_per_min: Option<f64>,
    /// Half-width of the band in bounded authority; null for none.
    bounded_band: Option<f64>,
}
