//! `aam policy`, and every example in its documentation.

use std::collections::BTreeMap;

use catalog::drift::{ChangeKind, Severity};
use catalog::policy::{Action, Word};
use serde::Serialize;
use serde_json::Value;

use crate::given::Folder;

fn page() -> String {
    std::fs::read_to_string(test_support::workspace_root().join("docs/policy.md")).unwrap()
}

/// The examples of the page: files by name, and commands with their output.
fn examples(page: &str) -> (BTreeMap<String, String>, Vec<(String, String)>) {
    let mut files = BTreeMap::new();
    let mut commands = Vec::new();
    for part in page.split("\n```json\n").skip(1) {
        let body = part.split("\n```").next().unwrap();
        let before = &page[..page.find(part).unwrap()];
        let marker = before.rsplit("<!-- file: ").next().unwrap();
        let (name, between) = marker.split_once(" -->").unwrap();
        assert_eq!(between, "\n```json\n", "a file without a name");
        files.insert(name.to_owned(), body.to_owned());
    }
    for part in page.split("\n```console\n$ ").skip(1) {
        let body = part.split("\n```").next().unwrap();
        let (command, printed) = body.split_once('\n').unwrap();
        commands.push((command.to_owned(), format!("{printed}\n")));
    }
    (files, commands)
}

#[test]
fn the_examples_in_the_documentation_work() {
    let folder = Folder::new();
    let (files, commands) = examples(&page());
    assert!(
        files.len() >= 4 && commands.len() >= 5,
        "{files:?} {commands:?}"
    );
    for (name, text) in &files {
        folder.write(name, text);
    }
    for (command, printed) in &commands {
        let args: Vec<&str> = command.split(' ').collect();
        assert_eq!(args[..2], ["aam", "policy"]);
        let ran = folder.aam(&args[1..]);
        assert_eq!(&ran.out, printed, "{command}");
        let refused = printed.contains("is invalid");
        assert_eq!(ran.code, Some(i32::from(refused)), "{command}");
    }
}

#[test]
fn the_documentation_covers_every_keyword() {
    fn word(value: &impl Serialize) -> String {
        serde_json::to_value(value)
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned()
    }
    let page = page();
    let mut words: Vec<String> = Word::ALL.iter().map(|word| word.to_string()).collect();
    words.extend(Severity::ALL.iter().map(word));
    words.extend(ChangeKind::ALL.iter().map(word));
    words.extend(Action::ALL.iter().map(word));
    for word in words {
        assert!(page.contains(&format!("`{word}`")), "{word} is missing");
    }
}

#[test]
fn prints_json_on_request() {
    let folder = Folder::new();
    folder.write("bad.json", r#"{"rules": [{}], "x": 1}"#);
    let ran = folder.aam(&["policy", "check", "bad.json", "--output", "json"]);
    assert_eq!(ran.code, Some(1));
    let answer: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(answer["ok"], false);
    let paths: Vec<&str> = (answer["faults"].as_array().unwrap().iter())
        .map(|fault| fault["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["x", "rules[0].then"]);

    let explained = folder
        .aam(&["policy", "explain", "auto", "--output", "json"])
        .json();
    assert_eq!(explained["policy"]["rules"][0]["kind"][0], "stream_added");
    folder.write("auto.json", &explained["policy"].to_string());
    folder.aam(&["policy", "check", "auto.json"]).success();
    for word in Word::ALL {
        folder.aam(&["policy", "check", word.as_str()]).success();
    }
}

#[test]
fn reports_an_argument_that_is_neither_a_keyword_nor_a_file() {
    let folder = Folder::new();
    let message = folder.aam(&["policy", "check", "reckless"]).failed(1);
    assert!(
        message.contains("`reckless` is neither one of propose, auto, pause")
            && message.contains("nor a readable file"),
        "{message}"
    );
    folder.write("broken.json", "{");
    let ran = folder.aam(&["policy", "check", "broken.json"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.starts_with("is not JSON: EOF"), "{ran:?}");
    let message = folder.aam(&["policy", "explain", "broken.json"]).failed(1);
    assert!(
        message.contains("broken.json is invalid: is not JSON"),
        "{message}"
    );
    folder.write("list.json", "[]");
    let message = folder
        .aam(&["policy", "explain", "auto", "--plan", "list.json"])
        .failed(1);
    assert!(
        message.contains("list.json is not a plan: it has no `changes`"),
        "{message}"
    );
}

/// Explains the plan that `aam catalog diff` prints, unmodified.
#[test]
fn explains_the_plan_of_a_diff() {
    let folder = Folder::new();
    let stream = |columns: Value| {
        let schema = serde_json::json!({"type": "object", "properties": columns});
        let stream = serde_json::json!({"name": "orders", "json_schema": schema, "supported_sync_modes": ["full_refresh"]});
        serde_json::json!({ "streams": [stream] }).to_string()
    };
    let text = serde_json::json!({"type": ["null", "string"]});
    folder.write(
        "old.json",
        &stream(serde_json::json!({"id": text, "note": text})),
    );
    folder.write(
        "new.json",
        &stream(serde_json::json!({"id": text, "total": text})),
    );
    let plan = folder.aam(&[
        "catalog", "diff", "old.json", "new.json", "--format", "json",
    ]);
    folder.write("plan.json", &plan.out);
    let explained = folder.aam(&[
        "policy",
        "explain",
        "auto",
        "--plan",
        "plan.json",
        "--output",
        "json",
    ]);
    let changes = explained.json()["changes"].clone();
    let decided: Vec<(&str, &str)> = (changes.as_array().unwrap().iter())
        .map(|change| {
            (
                change["kind"].as_str().unwrap(),
                change["action"].as_str().unwrap(),
            )
        })
        .collect();
    assert!(decided.contains(&("field_added", "apply")), "{decided:?}");
    assert!(decided.contains(&("field_removed", "apply")), "{decided:?}");
}

/// As in a plan, under any policy.
#[test]
fn an_inexact_rename_waits_for_approval() {
    let folder = Folder::new();
    let renamed = |id: &str, grade: &str| {
        serde_json::json!({
            "id": id, "kind": "field_renamed", "stream": {"name": "orders"}, "path": ["note"],
            "severity": "warning", "roles": ["selected"],
            "evidence": {"grade": grade, "confidence": 0.9, "facts": []},
            "breaking_for_airbyte": false, "remedy": "choice", "decision": "needs_acceptance",
            "reason": "it is called notes now",
        })
    };
    let changes = [renamed("a", "exact"), renamed("b", "strong")];
    folder.write(
        "plan.json",
        &serde_json::json!({"plan": {"changes": changes}}).to_string(),
    );
    let args = ["policy", "explain", "auto", "--plan", "plan.json"];
    let text = folder.aam(&args).success();
    assert!(
        text.contains("apply    orders note, field_renamed, warning: rule 5 (exact renames): "),
        "{text}"
    );
    assert!(
        text.contains("rule 5 (exact renames), and the rename is not exact: "),
        "{text}"
    );
    let json = folder
        .aam(&[&args[..], &["--output", "json"]].concat())
        .json();
    assert_eq!(json["changes"][0]["action"], "apply");
    assert_eq!(json["changes"][1]["action"], "propose");
}
