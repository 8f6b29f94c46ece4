//! A destination that is killed: what was acknowledged is there, and a resumed sync is whole.

use std::io::{BufRead as _, BufReader};

use serde_json::{Value, json};

use crate::given::{Folder, complete, configured, finish, record, state, stream, text, whole};

fn send(stdin: &mut impl std::io::Write, messages: &[Value]) {
    for message in messages {
        writeln!(stdin, "{message}").unwrap();
    }
    stdin.flush().unwrap();
}

#[test]
fn a_killed_destination_has_what_it_acknowledged_and_resumes() {
    let folder = Folder::new();
    let settings = json!({ "sync_mode": "incremental" });
    let streams = [configured(
        &stream("t", json!({ "id": whole(), "v": text() })),
        settings,
    )];
    let rows = |ids: std::ops::Range<i64>| -> Vec<Value> {
        ids.map(|id| record("t", json!({ "id": id, "v": "x".repeat(200) })))
            .collect()
    };
    let mut child = folder.destination("w.db", &streams);
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
    // Before any more is sent, what was acknowledged can be read by others.
    assert_eq!(folder.cell("w.db", "SELECT count(*) FROM t"), json!(1500));
    send(&mut stdin, &rows(1500..2600));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(folder.cell("w.db", "SELECT count(*) FROM t"), json!(1500));
    assert_eq!(folder.cell("w.db", "PRAGMA integrity_check"), json!("ok"));
    let mut rest = rows(1500..3000);
    rest.extend([state("t", json!({ "upto": 3000 })), complete("t")]);
    let run = folder.write("w.db", &streams, &rest).ok();
    assert_eq!(run.states().len(), 1);
    assert_eq!(
        folder.rows("w.db", "SELECT count(*), count(DISTINCT id) FROM t"),
        [[json!(3000), json!(3000)]]
    );
}

#[test]
fn a_killed_replacement_leaves_the_old_rows() {
    let folder = Folder::new();
    let generation = |id: i64| {
        let settings = json!({ "generation_id": id, "minimum_generation_id": id });
        [configured(&stream("t", json!({ "id": whole() })), settings)]
    };
    folder
        .write(
            "w.db",
            &generation(1),
            &[record("t", json!({ "id": 1 })), complete("t")],
        )
        .ok();
    let mut child = folder.destination("w.db", &generation(2));
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    send(
        &mut stdin,
        &[
            record("t", json!({ "id": 2 })),
            state("t", json!({})),
            complete("t"),
        ],
    );
    let mut echo = String::new();
    stdout.read_line(&mut echo).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(folder.rows("w.db", "SELECT id FROM t"), [[json!(1)]]);
    folder
        .write(
            "w.db",
            &generation(3),
            &[record("t", json!({ "id": 3 })), complete("t")],
        )
        .ok();
    assert_eq!(folder.rows("w.db", "SELECT id FROM t"), [[json!(3)]]);
}

#[test]
fn an_idle_writer_lets_others_write() {
    let folder = Folder::new();
    let named = |name: &str| {
        [configured(
            &stream(name, json!({ "id": whole() })),
            json!({}),
        )]
    };
    let mut slow = folder.destination("w.db", &named("slow"));
    let mut stdin = slow.stdin.take().unwrap();
    // More than one statement, so that a transaction is open while nothing more comes.
    let rows: Vec<Value> = (0..700)
        .map(|id| record("slow", json!({ "id": id })))
        .collect();
    send(&mut stdin, &rows);
    folder
        .write(
            "w.db",
            &named("fast"),
            &[record("fast", json!({ "id": 1 }))],
        )
        .ok();
    assert_eq!(folder.cell("w.db", "SELECT count(*) FROM fast"), json!(1));
    slow.stdin = Some(stdin);
    finish(slow, "").ok();
    assert_eq!(folder.cell("w.db", "SELECT count(*) FROM slow"), json!(700));
}
