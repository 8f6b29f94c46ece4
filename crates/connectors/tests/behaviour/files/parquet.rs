//! `destination-parquet`: what is written, read back by `source-file`.

use std::io::{BufRead as _, BufReader};
use std::process::Child;

use serde_json::{Value, json};

use super::{discover, read};
use crate::given::{Folder, Run, complete, configured, finish, record, state, stream, text, whole};

fn destination(folder: &Folder, seconds: u64, streams: &[Value]) -> Child {
    let config = json!({ "path": "lake", "commit_interval_seconds": seconds });
    folder.file("write.json", &config.to_string());
    folder.file(
        "configured.json",
        &json!({ "streams": streams }).to_string(),
    );
    let args = ["write", "--config=write.json", "--catalog=configured.json"];
    folder
        .command("destination-parquet", &args)
        .spawn()
        .unwrap()
}

fn write(folder: &Folder, streams: &[Value], messages: &[Value]) -> Run {
    let lines: Vec<String> = messages
        .iter()
        .map(|message| format!("{message}\n"))
        .collect();
    finish(destination(folder, 0, streams), &lines.concat())
}

/// What a reader of `lake/STREAM/*.parquet` sees.
fn rows(folder: &Folder, stream: &str) -> Vec<Value> {
    let config = json!({ "path": format!("lake/{stream}/*.parquet") });
    let found = discover(folder, &config);
    read(folder, &config, &[configured(&found[0], json!({}))], None)
        .ok()
        .records()
}

fn ids(folder: &Folder) -> Vec<i64> {
    let rows = rows(folder, "t");
    let mut ids: Vec<i64> = rows.iter().map(|row| row["id"].as_i64().unwrap()).collect();
    ids.sort_unstable();
    ids
}

fn names(folder: &Folder, path: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder.path(path)) else {
        return Vec::new();
    };
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn generation(id: i64, minimum: i64) -> [Value; 1] {
    let settings = json!({ "generation_id": id, "minimum_generation_id": minimum });
    [configured(&stream("t", json!({ "id": whole() })), settings)]
}

fn row(id: i64) -> Value {
    record("t", json!({ "id": id }))
}

fn send(stdin: &mut impl std::io::Write, messages: &[Value]) {
    for message in messages {
        writeln!(stdin, "{message}").unwrap();
    }
    stdin.flush().unwrap();
}

#[test]
fn every_type_is_written_as_what_it_is() {
    let folder = Folder::new();
    let typed = |format: &str, airbyte: &str| json!({ "type": ["null", "string"], "format": format, "airbyte_type": airbyte });
    let columns = json!({
        "id": whole(), "name": text(), "price": { "type": "number" }, "paid": { "type": "boolean" },
        "exact": { "type": "number", "x-decimal": { "precision": 30, "scale": 2 } },
        "cents": { "type": "number", "x-decimal": { "precision": 10, "scale": 2 } },
        "big": { "type": "string", "airbyte_type": "big_integer" },
        "day": { "type": "string", "format": "date" }, "clock": typed("time", "time_without_timezone"),
        "at": typed("date-time", "timestamp_without_timezone"), "zoned": typed("date-time", "timestamp_with_timezone"),
        "photo": { "type": "string", "contentEncoding": "base64" },
        "tags": { "type": "array" }, "any": {},
    });
    let streams = [configured(
        &stream("orders", columns),
        json!({ "generation_id": 3 }),
    )];
    let first = json!({
        "id": 1, "name": "é \"x\"\u{0}\n", "price": 2.5, "paid": true, "exact": "1234567890123456789012345678.90", "cents": -0.05,
        "big": "12345678901234567890123456789012345678", "day": "2024-02-29", "clock": "10:00:00.000001",
        "at": "0001-01-01T00:00:00", "zoned": "2024-02-29T12:00:00.5+02:00", "photo": "/wA=", "tags": [1, { "a": null }],
        "any": "7", "unknown": "ignored",
    });
    let mut second = record(
        "orders",
        json!({ "id": 9_223_372_036_854_775_808_u64, "price": "x", "at": "2024-01-01T00:00:00+02:00", "any": null }),
    );
    let given =
        json!({ "field": "name", "change": "TRUNCATED", "reason": "SOURCE_FIELD_SIZE_LIMITATION" });
    second["record"]["meta"] = json!({ "changes": [given] });
    write(
        &folder,
        &streams,
        &[record("orders", first), second, complete("orders")],
    )
    .ok();
    let config = json!({ "path": "lake/orders/*.parquet" });
    let found = discover(&folder, &config);
    let run = read(&folder, &config, &[configured(&found[0], json!({}))], None).ok();
    // As text: values would round it.
    assert!(
        run.text
            .contains("\"exact\":1234567890123456789012345678.90,")
    );
    let rows = run.records();
    let expected = json!({
        "id": 1, "name": "é \"x\"\u{0}\n", "price": 2.5, "paid": true, "cents": -0.05,
        "big": "12345678901234567890123456789012345678", "day": "2024-02-29", "clock": "10:00:00.000001",
        "at": "0001-01-01T00:00:00", "zoned": "2024-02-29T10:00:00.5Z", "photo": "/wA=", "tags": [1, { "a": null }], "any": "7",
        "_airbyte_extracted_at": "2023-11-14T22:13:20Z", "_airbyte_generation_id": 3, "_airbyte_meta": { "sync_id": 7, "changes": [] },
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(rows[0][name], *value, "{name}");
    }
    assert!(rows[0].get("unknown").is_none());
    let nulled = |field: &str| json!({ "field": field, "change": "NULLED", "reason": "DESTINATION_TYPECAST_ERROR" });
    let changes = json!([given, nulled("id"), nulled("price"), nulled("at")]);
    assert_eq!(rows[1]["_airbyte_meta"]["changes"], changes);
    for name in ["id", "price", "at", "any", "tags"] {
        assert_eq!(rows[1][name], Value::Null, "{name}");
    }
    assert_eq!(rows[0]["_airbyte_raw_id"].as_str().unwrap().len(), 36);
    assert_ne!(rows[0]["_airbyte_raw_id"], rows[1]["_airbyte_raw_id"]);
}

#[test]
fn files_survive_the_way_out_and_back_cell_by_cell() {
    let folder = Folder::new();
    let csv: String = (0..3_000)
        .map(|n| format!("{n},{}.{:02},\"name, {n}\",2024-01-{:02},2024-01-01T00:00:{:02}.5Z,{},98765432109876543210{n}\n", n, n % 100, n % 28 + 1, n % 60, n % 2 == 0))
        .collect();
    folder.file("in.csv", &format!("id,price,name,day,at,flag,big\n{csv}"));
    let from = json!({ "path": "in.csv" });
    let found = discover(&folder, &from);
    let first = read(&folder, &from, &[configured(&found[0], json!({}))], None).ok();
    let mut messages = first.of("RECORD", "record");
    for message in &mut messages {
        *message = json!({ "type": "RECORD", "record": message });
    }
    messages.push(complete("in"));
    write(&folder, &[configured(&found[0], json!({}))], &messages).ok();
    let back = rows(&folder, "in");
    let records = first.records();
    assert_eq!(back.len(), records.len());
    for (row, record) in back.iter().zip(&records) {
        for (name, value) in record.as_object().unwrap() {
            // The copy's own file is what these name now.
            if !name.starts_with("_ab_") {
                assert_eq!(row[name], *value, "{name}");
            }
        }
    }
}

#[test]
fn a_new_generation_replaces_the_old_one_when_its_stream_completed() {
    let folder = Folder::new();
    write(&folder, &generation(1, 0), &[row(1), complete("t")]).ok();
    write(&folder, &generation(1, 0), &[row(2), complete("t")]).ok();
    assert_eq!(ids(&folder), [1, 2]);
    folder.file("lake/t/notes.txt", "somebody's");
    // Without completion, the old rows stay and what was acknowledged waits.
    let run = write(
        &folder,
        &generation(2, 2),
        &[row(3), state("t", json!({})), row(4)],
    )
    .ok();
    assert_eq!(run.states().len(), 1);
    assert_eq!(ids(&folder), [1, 2]);
    let staged = names(&folder, "lake/.t.aam/generation-2");
    assert!(
        staged.len() == 1 && !staged[0].ends_with(".parquet"),
        "{staged:?}"
    );
    write(&folder, &generation(2, 2), &[row(5), complete("t")]).ok();
    assert_eq!(ids(&folder), [3, 5]);
    // A kill right after the folders were exchanged leaves the old files in the stage.
    std::fs::create_dir(folder.path("lake/.t.aam/generation-2")).unwrap();
    let old = format!("lake/.t.aam/generation-2/g1_s7_{}.parquet", "0".repeat(32));
    folder.file(&old, "old rows");
    std::fs::rename(
        folder.path("lake/t/notes.txt"),
        folder.path("lake/.t.aam/generation-2/notes.txt"),
    )
    .unwrap();
    // Once more: what the earlier attempt completed does not come again.
    write(&folder, &generation(2, 2), &[row(6), complete("t")]).ok();
    assert_eq!(ids(&folder), [3, 5, 6]);
    // An interrupted generation that the next one overtakes is gone.
    write(&folder, &generation(3, 3), &[row(7), state("t", json!({}))]).ok();
    write(&folder, &generation(4, 4), &[row(8), complete("t")]).ok();
    assert_eq!(ids(&folder), [8]);
    // Clearing.
    write(&folder, &generation(5, 5), &[complete("t")]).ok();
    assert_eq!(names(&folder, "lake/t"), ["notes.txt"]);
    assert_eq!(names(&folder, "lake/.t.aam"), ["lock"]);
}

#[test]
fn rows_that_no_state_covers_wait_for_their_stream_to_complete() {
    let folder = Folder::new();
    let run = write(
        &folder,
        &generation(1, 0),
        &[row(1), state("t", json!({ "n": 1 })), row(2)],
    )
    .ok();
    assert_eq!(run.states()[0]["destinationStats"]["recordCount"], 1.0);
    assert_eq!(ids(&folder), [1]);
    write(&folder, &generation(1, 0), &[row(2), complete("t")]).ok();
    assert_eq!(ids(&folder), [1, 2]);
    // A torn line ends the sync; what was covered before it is there.
    let lines = format!(
        "{}\n{}\n{}\n{{\"type\":\"REC",
        row(3),
        state("t", json!({})),
        row(4)
    );
    let run = finish(destination(&folder, 60, &generation(1, 0)), &lines);
    assert_eq!((run.code, run.states().len()), (1, 1));
    assert_eq!(ids(&folder), [1, 2, 3]);
    assert_eq!(names(&folder, "lake/.t.aam"), ["lock"]);
}

#[test]
fn a_killed_destination_shows_what_it_acknowledged_and_nothing_else() {
    let folder = Folder::new();
    let settings = json!({ "sync_mode": "incremental" });
    let streams = [configured(
        &stream("t", json!({ "id": whole(), "v": text() })),
        settings,
    )];
    let rows = |ids: std::ops::Range<i64>| -> Vec<Value> {
        ids.map(|id| record("t", json!({ "id": id, "v": format!("{id}").repeat(100) })))
            .collect()
    };
    let mut child = destination(&folder, 0, &streams);
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    send(&mut stdin, &rows(0..1500));
    send(&mut stdin, &[state("t", json!({ "upto": 1500 }))]);
    let mut echo = String::new();
    stdout.read_line(&mut echo).unwrap();
    let echo: Value = serde_json::from_str(&echo).unwrap();
    assert_eq!(
        echo["state"]["stream"]["stream_state"],
        json!({ "upto": 1500 })
    );
    assert!(ids(&folder).into_iter().eq(0..1500));
    // Another sync of the same stream fails as transient.
    let second = write(&folder, &streams, &[]);
    assert_eq!(
        (second.code, &second.error()["failure_type"]),
        (1, &json!("transient_error"))
    );
    // More than memory takes, so that the kill finds a file half written.
    let partial = || {
        names(&folder, "lake/.t.aam")
            .iter()
            .any(|name| name.ends_with(".partial"))
    };
    let mut next = 1500;
    while !partial() {
        send(&mut stdin, &rows(next..next + 2_000));
        next += 2_000;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(partial() && ids(&folder).into_iter().eq(0..1500));
    let mut rest = rows(1500..3000);
    rest.extend([state("t", json!({ "upto": 3000 })), complete("t")]);
    write(&folder, &streams, &rest).ok();
    assert!(!partial() && ids(&folder).into_iter().eq(0..3000));
}

#[test]
fn a_waiting_state_is_echoed_while_the_input_is_still() {
    let folder = Folder::new();
    let mut child = destination(&folder, 1, &generation(1, 0));
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    send(&mut stdin, &[row(1), state("t", json!({})), row(2)]);
    let mut echo = String::new();
    stdout.read_line(&mut echo).unwrap();
    assert!(echo.contains("STATE"));
    assert_eq!(ids(&folder), [1]);
    send(&mut stdin, &[complete("t")]);
    drop(stdin);
    assert!(child.wait().unwrap().success());
    assert_eq!(ids(&folder), [1, 2]);
}

#[test]
fn folders_of_others_are_left_alone() {
    let folder = Folder::new();
    write(&folder, &generation(1, 0), &[row(1), complete("t")]).ok();
    folder.file("lake/t/other.parquet", "somebody's");
    let run = write(&folder, &generation(2, 2), &[row(2), complete("t")]);
    assert_eq!(run.code, 1);
    assert!(
        run.error()["message"]
            .as_str()
            .unwrap()
            .contains("other.parquet")
    );
    std::fs::remove_file(folder.path("lake/t/other.parquet")).unwrap();
    assert_eq!(ids(&folder), [1]);
    // A stream's folder is not a namespace, and links are not followed.
    let mut nested = stream("u", json!({ "id": whole() }));
    nested["namespace"] = json!("t");
    assert_eq!(
        write(&folder, &[configured(&nested, json!({}))], &[]).code,
        1
    );
    std::os::unix::fs::symlink(folder.path(""), folder.path("lake/out")).unwrap();
    nested["namespace"] = json!("out");
    assert_eq!(
        write(&folder, &[configured(&nested, json!({}))], &[]).code,
        1
    );
    nested["namespace"] = json!("../up");
    write(&folder, &[configured(&nested, json!({}))], &[]).ok();
    assert_eq!(names(&folder, "lake/%2E.%2Fup/u"), Vec::<String>::new());
    assert!(!folder.path("up").exists());
}

#[test]
fn deduplication_is_rejected_with_the_reason() {
    let folder = Folder::new();
    let settings = json!({ "destination_sync_mode": "append_dedup", "primary_key": [["id"]] });
    let streams = [configured(&stream("t", json!({ "id": whole() })), settings)];
    let run = write(&folder, &streams, &[]);
    assert_eq!(
        (run.code, &run.error()["failure_type"]),
        (1, &json!("config_error"))
    );
    let spec = folder
        .run("destination-parquet", &["spec"])
        .ok()
        .of("SPEC", "spec");
    assert_eq!(
        spec[0]["supported_destination_sync_modes"],
        json!(["append", "overwrite"])
    );
}

#[test]
fn a_check_leaves_nothing_behind() {
    let folder = Folder::new();
    folder.file("c.json", r#"{"path":"lake"}"#);
    let check = || {
        folder
            .run("destination-parquet", &["check", "--config=c.json"])
            .ok()
            .of("CONNECTION_STATUS", "connectionStatus")
            .remove(0)
    };
    assert_eq!(check()["status"], "SUCCEEDED");
    assert!(!folder.path("lake").exists());
    folder.file("lake", "a file");
    assert_eq!(check()["status"], "FAILED");
}
