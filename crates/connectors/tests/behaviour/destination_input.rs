//! Writing: states, names, and input that is wrong or large.

use serde_json::{Value, json};

use crate::given::{Folder, complete, configured, record, state, stream, text, whole};

#[test]
fn states_are_echoed_in_order_with_counts_and_all_their_members() {
    let folder = Folder::new();
    let streams = [
        configured(&stream("a", json!({ "id": whole() })), json!({})),
        configured(&stream("b", json!({ "id": whole() })), json!({})),
    ];
    let row = |name: &str| record(name, json!({ "id": 1 }));
    let global = json!({ "type": "STATE", "state": { "type": "GLOBAL", "global": { "shared_state": { "lsn": 0.1 }, "stream_states": [] } } });
    let run = folder
        .write(
            "w.db",
            &streams,
            &[
                row("a"),
                row("b"),
                row("a"),
                state("a", json!({ "n": 1 })),
                state("b", json!({ "n": 12_345_678_901_234_567_890_u64 })),
                row("a"),
                row("b"),
                global,
                state("a", json!({})),
            ],
        )
        .ok();
    let states = run.states();
    let counts: Vec<f64> = states
        .iter()
        .map(|s| s["destinationStats"]["recordCount"].as_f64().unwrap())
        .collect();
    assert_eq!(counts, [2.0, 1.0, 2.0, 0.0]);
    assert_eq!(states[0]["id"], 1);
    assert_eq!(states[0]["stream"]["stream_state"], json!({ "n": 1 }));
    assert_eq!(
        states[1]["stream"]["stream_state"],
        json!({ "n": 12_345_678_901_234_567_890_u64 })
    );
    assert_eq!(states[2]["global"]["shared_state"], json!({ "lsn": 0.1 }));
}

#[test]
fn namespaces_are_prefixes_and_tables_are_never_shared() {
    let folder = Folder::new();
    let mut named = stream("orders", json!({ "id": whole() }));
    named["namespace"] = json!("shop");
    let plain = stream("orders", json!({ "id": whole() }));
    let streams = [configured(&named, json!({})), configured(&plain, json!({}))];
    let mut message = record("orders", json!({ "id": 1 }));
    message["record"]["namespace"] = json!("shop");
    folder
        .write(
            "w.db",
            &streams,
            &[message, record("orders", json!({ "id": 2 }))],
        )
        .ok();
    assert_eq!(
        folder.rows("w.db", "SELECT id FROM shop__orders"),
        [[json!(1)]]
    );
    assert_eq!(folder.rows("w.db", "SELECT id FROM orders"), [[json!(2)]]);
    let refused = |names: &[&str], expected: &str| {
        let streams: Vec<Value> = names
            .iter()
            .map(|name| configured(&stream(name, json!({ "id": whole() })), json!({})))
            .collect();
        let run = folder.write("w.db", &streams, &[]);
        let error = run.error();
        assert_eq!(
            (run.code, &error["failure_type"]),
            (1, &json!("config_error"))
        );
        assert!(
            error["message"].as_str().unwrap().contains(expected),
            "{error}"
        );
    };
    refused(&["orders", "ORDERS"], "share the table");
    refused(&["sqlite_x"], "cannot be the name");
    refused(&["_airbyte_new__t"], "cannot be the name");
    folder.sql(
        "w.db",
        "CREATE TABLE mine (id INTEGER); CREATE VIEW seen AS SELECT 1",
    );
    refused(&["mine"], "not written by this destination");
    refused(&["seen"], "not written by this destination");
    assert_eq!(folder.cell("w.db", "SELECT count(*) FROM mine"), json!(0));
}

#[test]
fn what_the_platform_never_sends_is_refused() {
    let folder = Folder::new();
    let base = stream("t", json!({ "id": whole() }));
    for settings in [
        json!({ "destination_sync_mode": "update" }),
        json!({ "destination_sync_mode": "append_dedup" }),
        json!({ "destination_sync_mode": "append_dedup", "primary_key": [["gone"]] }),
        json!({ "generation_id": 5, "minimum_generation_id": 3 }),
    ] {
        let run = folder.write("w.db", &[configured(&base, settings.clone())], &[]);
        assert_eq!(
            (run.code, &run.error()["failure_type"]),
            (1, &json!("config_error")),
            "{settings}"
        );
    }
}

#[test]
fn garbage_in_the_input_rolls_back_what_no_state_covers() {
    let folder = Folder::new();
    let streams = [configured(
        &stream("t", json!({ "id": whole() })),
        json!({}),
    )];
    let row = |id: i64| record("t", json!({ "id": id })).to_string();
    for garbage in [
        "not json",
        r#"{"type":"RECORD","record":{"stream":"other","data":{"a":1},"emitted_at":1}}"#,
    ] {
        let input = [
            row(1),
            state("t", json!({})).to_string(),
            row(2),
            garbage.to_owned(),
            row(3),
        ]
        .join("\n");
        let run = crate::given::finish(folder.destination("w.db", &streams), &input);
        assert_eq!((run.code, run.states().len()), (1, 1));
        assert_eq!(run.error()["failure_type"], "system_error");
    }
    assert_eq!(
        folder.rows("w.db", "SELECT id FROM t"),
        [[json!(1)], [json!(1)]]
    );
}

#[test]
fn many_rows_and_wide_rows_arrive_whole() {
    let folder = Folder::new();
    let properties: serde_json::Map<String, Value> =
        (0..300).map(|i| (format!("c{i}"), whole())).collect();
    let streams = [
        configured(&stream("wide", Value::Object(properties)), json!({})),
        configured(
            &stream("long", json!({ "id": whole(), "t": text() })),
            json!({}),
        ),
    ];
    let mut messages: Vec<Value> = (0..1234)
        .map(|i| record("long", json!({ "id": i, "t": "x".repeat(5000) })))
        .collect();
    messages.extend((0..321).map(|i| record("wide", json!({ "c299": i, "c0": -i }))));
    messages.push(complete("wide"));
    folder.write("w.db", &streams, &messages).ok();
    assert_eq!(
        folder.rows("w.db", "SELECT count(*), sum(id), sum(length(t)) FROM long"),
        [[json!(1234), json!(760_761), json!(6_170_000)]]
    );
    assert_eq!(
        folder.rows("w.db", "SELECT count(*), sum(c0 + c299) FROM wide"),
        [[json!(321), json!(0)]]
    );
}
