//! Catalogs converted and fingerprinted, without a stack.

use std::path::Path;

use serde_json::{Value, json};

use crate::given::{Folder, Ran, sqlite};

fn configured() -> Value {
    json!({ "streams": [
        { "stream": { "name": "orders", "namespace": "shop", "jsonSchema": { "properties": {
              "id": { "type": "integer" }, "note": { "type": "string", "description": "words" } } },
            "supportedSyncModes": ["full_refresh"], "novel": 1 },
          "config": { "syncMode": "full_refresh", "destinationSyncMode": "overwrite", "selected": true,
            "fieldSelectionEnabled": true, "selectedFields": [{ "fieldPath": ["id"] }] } },
        { "stream": { "name": "left", "jsonSchema": {} },
          "config": { "syncMode": "full_refresh", "destinationSyncMode": "append", "selected": false } },
    ]})
}

fn convert(folder: &Folder, file: &Path, rest: &[&str]) -> Ran {
    let mut args = vec!["catalog", "convert", file.to_str().unwrap()];
    args.extend(rest);
    folder.aam(&args)
}

#[test]
fn converts_a_catalog_and_reports_what_is_lost() {
    let folder = Folder::new();
    let file = folder.write("catalog.json", &configured().to_string());
    let same = convert(&folder, &file, &["--to", "config-api"]);
    assert_eq!(same.err, "");
    let same = same.json();
    assert_eq!(same["streams"][0]["stream"]["novel"], 1);

    let public = convert(&folder, &file, &["--to", "public"]);
    for text in [
        "lost: stream.json_schema of shop.orders: the public API contains neither schemas",
        "lost: stream.novel of shop.orders: unknown to AAM",
        "lost: stream of left: only selected streams are listed",
    ] {
        assert!(public.err.contains(text), "{text}: {}", public.err);
    }
    assert_eq!(
        public.json(),
        json!({ "streams": [{ "name": "orders", "namespace": "shop",
            "syncMode": "full_refresh_overwrite", "selectedFields": [{ "fieldPath": ["id"] }] }] })
    );
    let connector = convert(&folder, &file, &["--to", "configured"]).json();
    let schema = &connector["streams"][0]["stream"]["json_schema"];
    assert_eq!(
        *schema,
        json!({ "properties": { "id": { "type": "integer" } } })
    );
    let many = folder.write("many.json", &{
        let stream = |index| json!({ "stream": { "name": format!("s{index}"), "jsonSchema": {} }, "config": { "selected": false } });
        json!({ "streams": (0..5).map(stream).collect::<Vec<_>>() }).to_string()
    });
    let text = convert(&folder, &many, &["--to", "public"]).err;
    assert_eq!(
        text,
        "lost: stream of s0, s1, s2 and 2 more: only selected streams are listed\n"
    );
}

#[test]
fn finds_a_catalog_in_output_of_connectors_and_airbyte() {
    let folder = Folder::new();
    let database = folder.path().join("shop.db");
    sqlite(&database, "CREATE TABLE orders (id INTEGER PRIMARY KEY)");
    let config = folder.write("config.json", &json!({ "path": database }).to_string());
    let discover = ["connector", "source-sqlite", "discover", "--config"];
    let mut args = discover.to_vec();
    args.push(config.to_str().unwrap());
    let printed = folder.aam(&args).success();
    let printed = folder.write("discovered.txt", &printed);
    let suggested = convert(&folder, &printed, &["--to", "config-api"]).json();
    assert_eq!(suggested["streams"][0]["config"]["selected"], false);

    let connection = json!({ "name": "x", "syncCatalog": configured() });
    let connection = serde_json::to_string_pretty(&connection).unwrap();
    let connection = folder.write("connection.json", &connection);
    let public = convert(&folder, &connection, &["--to", "public"]).json();
    let answered = json!({ "connectionId": "y", "configurations": public });
    let args = [
        "catalog",
        "convert",
        "-",
        "--to",
        "configured",
        "--from",
        "public",
    ];
    let back = folder.aam_with(&args, &[], &answered.to_string()).json();
    assert_eq!(back["streams"][0]["sync_mode"], "full_refresh");
}

#[test]
fn reports_the_location_of_an_invalid_catalog() {
    let folder = Folder::new();
    let file = folder.write("catalog.json", &configured().to_string());
    let message = convert(&folder, &file, &["--to", "sideways"]).failed(2);
    assert!(
        message.contains("[possible values: protocol, configured, config-api, public]"),
        "{message}"
    );
    let message = convert(&folder, &file, &["--to", "public", "--from", "protocol"]).failed(2);
    assert!(
        message.contains("catalog.json is not a catalog"),
        "{message}"
    );
    assert!(message.contains("$.streams[0]"), "{message}");
    let deep = format!(
        "{}{}",
        r#"{"a":"#.repeat(5_000),
        "1".to_owned() + &"}".repeat(5_000)
    );
    let deep = format!(r#"{{"streams":[{{"name":"s","json_schema":{deep}}}]}}"#);
    let none = folder.aam_with(&["catalog", "convert", "-", "--to", "public"], &[], "[]");
    let message = none.failed(2);
    assert!(
        message.contains("standard input is not a catalog"),
        "{message}"
    );
    let deep = folder.write("deep.json", &deep);
    let message = convert(&folder, &deep, &["--to", "public"]).failed(2);
    assert!(
        message.contains("nested deeper than 100 levels"),
        "{message}"
    );
}

#[test]
fn fingerprint_depends_on_meaning_and_not_on_formatting() {
    let folder = Folder::new();
    let mut reworded = configured();
    reworded["streams"].as_array_mut().unwrap().reverse();
    reworded["streams"][1]["stream"]["jsonSchema"]["properties"]["note"] =
        json!({ "description": "others", "type": ["string"] });
    let mut changed = configured();
    changed["streams"][1]["stream"]["jsonSchema"]["properties"] = json!({ "new": {} });
    let print = |catalog: &Value, rest: &[&str]| {
        let file = folder.write("catalog.json", &catalog.to_string());
        let mut args = vec!["catalog", "fingerprint", file.to_str().unwrap()];
        args.extend(rest);
        folder.aam(&args)
    };
    let base = print(&configured(), &[]).success();
    assert_eq!(base.trim().len(), 64, "{base}");
    assert_eq!(print(&reworded, &[]).success(), base);
    assert_ne!(print(&changed, &[]).success(), base);

    let streams = print(&configured(), &["--streams"]).success();
    let lines: Vec<&str> = streams.lines().collect();
    assert_eq!(lines[0], base.trim());
    assert!(
        lines[1].ends_with("  shop.orders") && lines[2].ends_with("  left"),
        "{streams}"
    );
    let now = print(&changed, &["--streams"]).success();
    let now: Vec<&str> = now.lines().collect();
    assert_eq!((lines[1], lines[2] == now[2]), (now[1], false));
    let answer = print(&configured(), &["--streams", "--output", "json"]).json();
    assert_eq!(answer["fingerprint"], base.trim());
    assert_eq!(
        answer["streams"][0]["stream"],
        json!({ "name": "orders", "namespace": "shop" })
    );
    let message = print(&json!({ "streams": [{ "name": "s" }] }), &[]).failed(2);
    assert!(message.contains("stream s has no json_schema"), "{message}");
}
