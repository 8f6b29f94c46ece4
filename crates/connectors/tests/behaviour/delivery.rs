//! What `destination-sqlite` has committed for a connection: printed at its start, stored in one
//! transaction with the rows, and only for rows that a state covers.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Child;

use serde_json::{Value, json};

use crate::given::{Folder, complete, configured, finish, record, state, stream, whole};

const CONNECTION: &str = "--connection=4f0b";

fn incremental(name: &str) -> Value {
    let settings = json!({ "sync_mode": "incremental" });
    configured(&stream(name, json!({ "id": whole() })), settings)
}

fn start(folder: &Folder, streams: &[Value]) -> Child {
    folder.file("write.json", r#"{"path": "w.db"}"#);
    folder.file("s.json", &json!({ "streams": streams }).to_string());
    let args = [
        "write",
        "--config=write.json",
        "--catalog=s.json",
        CONNECTION,
    ];
    folder.command("destination-sqlite", &args).spawn().unwrap()
}

fn run(folder: &Folder, streams: &[Value], messages: &[Value]) -> crate::given::Run {
    let lines: Vec<String> = messages.iter().map(|m| format!("{m}\n")).collect();
    finish(start(folder, streams), &lines.concat())
}

fn rows(name: &str, ids: std::ops::Range<i64>) -> Vec<Value> {
    ids.map(|id| record(name, json!({ "id": id }))).collect()
}

fn count(folder: &Folder, table: &str) -> Value {
    folder.cell("w.db", &format!("SELECT count(*) FROM {table}"))
}

#[test]
fn committed_states_are_reported_at_the_next_start() {
    let folder = Folder::new();
    let streams = [incremental("t")];
    let mut first = rows("t", 0..3);
    first.push(state("t", json!({ "upto": 3 })));
    first.extend(rows("t", 3..5));
    let run_first = run(&folder, &streams, &first).ok();
    assert_eq!(run_first.messages[0]["type"], "READY");
    assert_eq!(
        count(&folder, "t"),
        json!(3),
        "no state covers the last two"
    );
    let again = run(&folder, &streams, &[]).ok();
    let types: Vec<&Value> = again.messages.iter().map(|m| &m["type"]).collect();
    assert_eq!(types, ["STATE", "READY"]);
    let told = &again.states()[0]["stream"];
    assert_eq!(told["stream_state"], json!({ "upto": 3 }));
}

#[test]
fn streams_that_take_turns_show_what_their_own_states_cover() {
    let folder = Folder::new();
    let streams = [incremental("a"), incremental("b")];
    let mut child = start(&folder, &streams);
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let mut messages = rows("b", 0..700);
    messages.extend(rows("a", 0..600));
    messages.push(state("a", json!({ "upto": 600 })));
    for message in messages {
        writeln!(stdin, "{message}").unwrap();
    }
    stdin.flush().unwrap();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(count(&folder, "a"), json!(600));
    assert_eq!(count(&folder, "b"), json!(0), "its state has not come");
    let mut messages = rows("b", 700..1500);
    messages.push(state("b", json!({ "upto": 1500 })));
    for message in messages {
        writeln!(stdin, "{message}").unwrap();
    }
    stdin.flush().unwrap();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(
        folder.rows("w.db", "SELECT count(*), count(DISTINCT id) FROM b"),
        [[json!(1500), json!(1500)]]
    );
    child.stdin = Some(stdin);
    finish(child, "");
}

#[test]
fn an_older_attempt_that_still_lives_commits_nothing_more() {
    let folder = Folder::new();
    let streams = [incremental("t")];
    let older = {
        let mut child = start(&folder, &streams);
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        child.stdout = Some(stdout.into_inner());
        child
    };
    let mut messages = rows("t", 0..3);
    messages.push(state("t", json!({ "upto": 3 })));
    run(&folder, &streams, &messages).ok();
    let lines: Vec<String> = messages.iter().map(|m| format!("{m}\n")).collect();
    let ended = finish(older, &lines.concat());
    assert_eq!(ended.code, 1);
    assert_eq!(ended.error()["failure_type"], "transient_error");
    assert!(ended.states().is_empty());
    assert_eq!(count(&folder, "t"), json!(3));
}

#[test]
fn a_full_refresh_is_added_whole_and_once_in_a_sync() {
    let folder = Folder::new();
    let refresh = |generation: i64, sync: i64| {
        let settings = json!({ "generation_id": generation, "sync_id": sync });
        [configured(&stream("t", json!({ "id": whole() })), settings)]
    };
    let mut messages = rows("t", 0..3);
    messages.push(state("t", json!({})));
    run(&folder, &refresh(1, 7), &messages).ok();
    let shown = "SELECT count(*) FROM sqlite_schema WHERE name = 't'";
    assert_eq!(folder.cell("w.db", shown), json!(0), "it did not complete");
    messages.push(complete("t"));
    for (generation, sync, expected) in [(2, 7, 3), (3, 7, 3), (4, 8, 6)] {
        run(&folder, &refresh(generation, sync), &messages).ok();
        assert_eq!(count(&folder, "t"), json!(expected));
    }
}
