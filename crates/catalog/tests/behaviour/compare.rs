//! Two versions of one connection, compared.

use catalog::SyncCatalog;
use catalog::destinations::DestinationKind;
use catalog::plan::{Action, Capabilities, Comparison, Severity, Style};
use catalog::policy::Word;
use serde_json::{Value, json};

fn stream(name: &str, columns: &[&str], config: &Value) -> Value {
    let properties: serde_json::Map<String, Value> = columns
        .iter()
        .map(|name| ((*name).to_owned(), json!({"type": "string"})))
        .collect();
    json!({
        "stream": {"name": name, "jsonSchema": {"type": "object", "properties": properties},
                   "supportedSyncModes": ["full_refresh", "incremental"]},
        "config": config,
    })
}

fn config(cursor: &str, selected: bool) -> Value {
    json!({"syncMode": "incremental", "destinationSyncMode": "append_dedup", "selected": selected,
           "cursorField": [cursor], "primaryKey": [["id"]]})
}

fn version(streams: &[Value]) -> SyncCatalog {
    SyncCatalog::parse(&json!({ "streams": streams }).to_string()).unwrap()
}

fn compared(from: &SyncCatalog, to: &SyncCatalog) -> Comparison {
    let policy = Word::Propose.policy();
    let capabilities = Capabilities {
        destination: DestinationKind::Sqlite,
        ..Capabilities::default()
    };
    Comparison::of(from, to, &capabilities, &policy)
}

fn steps(compared: &Comparison) -> Vec<String> {
    compared.settings.iter().map(Action::to_string).collect()
}

#[test]
fn equivalent_versions_do_not_differ() {
    let one = version(&[stream("a", &["id", "at"], &config("at", true))]);
    let other = version(&[stream("a", &["at", "id"], &config("at", true))]);
    let same = compared(&one, &other);
    assert!(same.is_empty() && same.airbyte.is_empty(), "{same:?}");
    assert_eq!(same.severity, None);
    assert_eq!(
        same.to_text_in(Style::Plain),
        "Both versions are equivalent.\n"
    );
}

#[test]
fn distinguishes_changed_settings_from_changes_of_the_source() {
    let columns = ["id", "at", "seen"];
    let from = version(&[
        stream("a", &columns, &config("at", true)),
        stream("b", &columns, &config("at", true)),
        stream("c", &columns, &config("at", false)),
        stream("d", &columns, &config("at", false)),
    ]);
    let mut other = config("seen", true);
    other["primaryKey"] = json!([["at"]]);
    other["destinationSyncMode"] = json!("append");
    other["fieldSelectionEnabled"] = json!(true);
    other["selectedFields"] = json!([{"fieldPath": ["id"]}, {"fieldPath": ["seen"]}]);
    let to = version(&[
        stream("a", &columns, &other),
        stream("b", &columns, &config("at", false)),
        stream("c", &columns, &config("seen", true)),
        stream("d", &columns, &config("seen", false)),
    ]);
    let compared = compared(&from, &to);
    assert_eq!(compared.changes, []);
    assert_eq!(compared.severity, None);
    assert_eq!(
        steps(&compared),
        [
            "read a by incremental, write it with append",
            "read a by cursor seen",
            "key a by at",
            "sync only these columns of a: id, seen",
            "stop syncing b",
            "sync c from now on"
        ],
        "d is synced in neither version, so it is not reported"
    );
    assert_eq!(
        compared.to_text_in(Style::Markdown).lines().next(),
        Some("**The source offers the same**")
    );
}

#[test]
fn the_severity_of_a_lost_column_depends_on_the_old_versions_settings() {
    let lost = |cursor: &str| {
        let from = version(&[stream("a", &["id", "at", "seen"], &config(cursor, true))]);
        let to = version(&[stream("a", &["id", "at"], &config("at", true))]);
        compared(&from, &to)
    };
    let (used, unused) = (lost("seen"), lost("at"));
    assert_eq!(used.severity, Some(Severity::Breaking));
    assert!(used.airbyte.is_breaking());
    assert_eq!(steps(&used), ["read a by cursor at"]);
    assert!(unused.severity < used.severity && unused.severity.is_some());
    assert!(!unused.airbyte.is_breaking());
    assert_eq!(steps(&unused), Vec::<String>::new());
    let text = unused.to_text_in(Style::Plain);
    assert!(
        text.starts_with("The source offers something different\n\na\n  - column seen: text\n"),
        "{text}"
    );
    assert!(!text.contains("accepted"), "nothing is decided: {text}");
}

#[test]
fn a_renamed_stream_continues() {
    let columns = ["id", "at", "total", "currency", "customer"];
    let from = version(&[stream("orders", &columns, &config("at", true))]);
    let to = version(&[stream("order", &columns, &config("at", true))]);
    let compared = compared(&from, &to);
    assert_eq!(steps(&compared), ["continue orders as order"]);
    let rejected = version(&[stream("order", &columns, &config("at", false))]);
    assert_eq!(
        steps(&self::compared(&from, &rejected)),
        ["stop syncing orders"]
    );
}
