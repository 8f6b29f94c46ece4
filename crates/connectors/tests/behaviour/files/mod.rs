//! Files: read as streams, written by streams.

mod parquet;
mod s3;
mod source;

use serde_json::{Value, json};

use crate::given::{Folder, Run};

/// Discovers files: their streams.
pub(crate) fn discover(folder: &Folder, config: &Value) -> Vec<Value> {
    folder.file("config.json", &config.to_string());
    let run = folder.run("source-file", &["discover", "--config=config.json"]);
    let catalogs = run.ok().of("CATALOG", "catalog");
    catalogs[0]["streams"].as_array().unwrap().clone()
}

/// Reads configured streams of files.
pub(crate) fn read(
    folder: &Folder,
    config: &Value,
    streams: &[Value],
    state: Option<&Value>,
) -> Run {
    folder.file("config.json", &config.to_string());
    folder.file("catalog.json", &json!({ "streams": streams }).to_string());
    let mut args = vec!["read", "--config=config.json", "--catalog=catalog.json"];
    if let Some(state) = state {
        folder.file("state.json", &json!([state]).to_string());
        args.push("--state=state.json");
    }
    folder.run("source-file", &args)
}

/// The types of a discovered stream's columns, `format` and `airbyte_type` in the place of `string`.
pub(crate) fn types(stream: &Value) -> Vec<(String, String)> {
    let properties = stream["json_schema"]["properties"].as_object().unwrap();
    let mut types = Vec::new();
    for (name, schema) in properties {
        let kind = ["airbyte_type", "format"]
            .iter()
            .find_map(|member| schema[member].as_str());
        let kind = kind.or_else(|| schema["type"].as_array().map(|t| t[1].as_str().unwrap()));
        if !name.starts_with("_ab_") {
            types.push((name.clone(), kind.unwrap_or("string").to_owned()));
        }
    }
    types
}
