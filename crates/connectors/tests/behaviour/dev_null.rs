//! The destination that keeps nothing.

use serde_json::{Value, json};

use crate::given::{Folder, Run, configured, finish, record, state, stream, whole};

fn write(folder: &Folder, messages: &[Value]) -> Run {
    let args = ["write", "--config=config.json", "--catalog", "catalog.json"];
    let child = folder.command("destination-dev-null", &args).spawn();
    let lines: Vec<String> = messages.iter().map(|line| format!("{line}\n")).collect();
    finish(child.unwrap(), &lines.concat())
}

#[test]
fn records_are_counted_and_states_echoed_and_nothing_is_left() {
    let folder = Folder::new();
    let streams = [configured(
        &stream("a", json!({ "id": whole() })),
        json!({}),
    )];
    folder.file("catalog.json", &json!({ "streams": streams }).to_string());
    let silent = json!({"test_destination": {"test_destination_type": "SILENT"}});
    folder.file("config.json", &silent.to_string());
    let input = [
        record("a", json!({ "id": 1 })),
        record("a", json!({ "id": 2 })),
        state("a", json!({ "n": 2 })),
    ];
    let run = write(&folder, &input).ok();
    let states = run.states();
    assert_eq!(states.len(), 1);
    assert_eq!(states[0]["stream"]["stream_state"], json!({ "n": 2 }));
    assert_eq!(states[0]["destinationStats"]["recordCount"], 2.0);
    let left = std::fs::read_dir(folder.path("")).unwrap().count();
    assert_eq!(left, 2, "the two files of this test");

    let stranger = [record("b", json!({ "id": 1 }))];
    let run = write(&folder, &stranger);
    assert_eq!(run.code, 1);
    folder.file("config.json", "{}");
    let run = folder.run(
        "destination-dev-null",
        &["check", "--config", "config.json"],
    );
    let verdict = &run.of("CONNECTION_STATUS", "connectionStatus")[0];
    assert_eq!(verdict["status"], "FAILED");
    assert!(verdict["message"].as_str().unwrap().contains("SILENT"));
}
