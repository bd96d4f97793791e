//! The `OpenAPI` document, made from the table of routes and the types that they answer with.

use super::problem::ProblemView;
use super::rest::describe;
use super::routes::{COMMON_PROBLEMS, Content, Kind, Method, Parameter, ROUTES, Route};
use super::{Shared, shapes};
use crate::site::Site;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

pub(super) async fn openapi(State(shared): State<Shared>) -> Json<Value> {
    Json(document(&shared.site))
}

/// The document of a site's interface.
fn document(site: &Site) -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    // Schemas say what is sent and what comes back; both are what serde writes.
    settings.contract = schemars::generate::Contract::Serialize;
    let mut generator = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let methods = paths.entry(route.path).or_insert_with(|| json!({}));
        methods[name(route.method)] = operation(route, site, &mut generator);
    }
    let problem = generator.subschema_for::<ProblemView>();
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Isotherm",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "What a facility controller sees, does and is asked.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": { "Problem": {
                "description": "Why not, and what to send instead (RFC 9457).",
                "content": { "application/problem+json": { "schema": problem } },
            } },
            "securitySchemes": { "operator": { "type": "http", "scheme": "bearer" } },
        },
    })
}

const fn name(method: Method) -> &'static str {
    match method {
        Method::Get => "get",
        Method::Post => "post",
    }
}

fn operation(route: &Route, site: &Site, generator: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    for (status, about, content) in route.answers {
        let (kind, schema) = match content {
            Content::Json(shape) => ("application/json", shape(generator).to_value()),
            Content::Site => ("application/json", shapes::of_value(&describe(site))),
            Content::Document => ("application/json", json!({ "type": "object" })),
            Content::Text(kind) => (*kind, json!({ "type": "string" })),
        };
        let content = json!({ "description": about, "content": { kind: { "schema": schema } } });
        responses.insert(status.to_string(), content);
    }
    for status in COMMON_PROBLEMS.iter().chain(route.problems) {
        let problem = json!({ "$ref": "#/components/responses/Problem" });
        responses.insert(status.to_string(), problem);
    }
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "parameters": route.parameters.iter().map(|each| parameter(route, each)).collect::<Vec<_>>(),
        "responses": responses,
    });
    if let Some(body) = route.body {
        let schema = body(generator);
        operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    }
    if route.problems.contains(&StatusCode::UNAUTHORIZED.as_u16()) {
        operation["security"] = json!([{ "operator": [] }]);
    }
    operation
}

/// The method and the words of the path, such as `get_state`.
fn operation_id(route: &Route) -> String {
    let path = route.path.trim_start_matches("/api/v1").trim_start_matches('/');
    let words = path.replace(['/', '.', '-'], "_").replace(['{', '}'], "");
    format!("{}_{words}", name(route.method))
}

fn parameter(route: &Route, parameter: &Parameter) -> Value {
    let in_path = route.path.contains(&format!("{{{}}}", parameter.name));
    let schema = match parameter.kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Whole { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
    };
    json!({
        "name": parameter.name,
        "in": if in_path { "path" } else { "query" },
        "required": parameter.required,
        "description": parameter.about,
        "schema": schema,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn demo() -> Value {
        document(&crate::site::load_embedded("demo").unwrap().unwrap())
    }

    #[test]
    fn each_route_is_in_the_document_with_its_parameters_and_answers() {
        let document = demo();
        let mut ids = BTreeSet::new();
        for route in ROUTES {
            let operation = &document["paths"][route.path][name(route.method)];
            assert_eq!(operation["summary"], route.summary, "{}", route.path);
            assert!(ids.insert(operation["operationId"].to_string()), "{operation}");
            let parameters = operation["parameters"].as_array().unwrap();
            assert_eq!(parameters.len(), route.parameters.len());
            let in_path = parameters.iter().filter(|each| each["in"] == "path").count();
            assert_eq!(in_path, route.path.matches('{').count(), "{}", route.path);
            for (status, ..) in route.answers {
                assert!(operation["responses"][status.to_string()]["description"].is_string());
            }
            for status in route.problems {
                let problem = &operation["responses"][status.to_string()]["$ref"];
                assert_eq!(problem, "#/components/responses/Problem");
            }
        }
        let written: usize = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .map(|methods| methods.as_object().unwrap().len())
            .sum();
        assert_eq!(written, ROUTES.len());
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Array(items) => items.iter().for_each(|item| references(item, found)),
                Value::Object(fields) => {
                    found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                    fields.values().for_each(|field| references(field, found));
                }
                _ => {}
            }
        }
        let document = demo();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 20, "{found:?}");
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }
}
