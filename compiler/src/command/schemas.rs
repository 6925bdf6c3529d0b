//! The JSON Schemas of what capc prints for programs: made from the very types, and compared with those that are checked in.

use super::generations::GenerationsAnswer;
use super::show::ManifestAnswer;
use super::status::StatusAnswer;
use crate::emit::diagnostics::Document;
use crate::emit::graph::GraphDocument;
use crate::query::{DiffAnswer, OrderAnswer, WhatAnswer, WhoAnswer, WhyAnswer};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;
use std::path::Path;

/// Returns the schema of a document, in which every object has the fields that it has and no others.
fn schema<T: JsonSchema>(format: &str) -> String {
    let schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
    let mut schema = schema.to_value();
    schema["title"] = format.into();
    schema["properties"]["format"] = serde_json::json!({ "const": format });
    let mut waiting = vec![&mut schema];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Object(map) => {
                if map.get("type").is_some_and(|kind| kind == "object") && map.contains_key("properties") {
                    map.insert("additionalProperties".to_owned(), false.into());
                }
                waiting.extend(map.values_mut());
            }
            Value::Array(values) => waiting.extend(values.iter_mut()),
            _ => {}
        }
    }
    serde_json::to_string_pretty(&schema).unwrap() + "\n"
}

#[test]
fn the_schemas_that_are_checked_in_are_those_of_the_types() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/json");
    let made = [
        ("diagnostics", schema::<Document<'static>>("capc/diagnostics/1")),
        ("graph", schema::<GraphDocument>("capc/graph/1")),
        ("order", schema::<OrderAnswer>("capc/order/1")),
        ("who", schema::<WhoAnswer>("capc/who/1")),
        ("what", schema::<WhatAnswer>("capc/what/1")),
        ("why", schema::<WhyAnswer>("capc/why/1")),
        ("diff", schema::<DiffAnswer>("capc/diff/1")),
        ("generations", schema::<GenerationsAnswer>("capc/generations/1")),
        ("status", schema::<StatusAnswer>("capc/status/1")),
        ("manifest", schema::<ManifestAnswer>("capc/manifest/1")),
    ];
    for (name, made) in &made {
        let path = directory.join(format!("{name}.json"));
        if std::env::var_os("INSTA_UPDATE").is_some_and(|update| update == "always") {
            std::fs::write(&path, made).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == *made,
            "{} is not that of the type: run this test with INSTA_UPDATE=always",
            path.display()
        );
    }
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), made.len());
}
