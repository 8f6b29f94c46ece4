//! Commands that need no stack: comparing catalogs, migrating the registry, creating the sample.

use std::path::Path;

use serde_json::Value;

use crate::given::{Folder, number, sqlite};

/// Saves the output of `discover` for a SQLite file.
fn discovered(folder: &Folder, database: &Path, name: &str) -> String {
    let config = serde_json::json!({ "path": database }).to_string();
    let config = folder.write("config.json", &config);
    let args = ["connector", "source-sqlite", "discover", "--config"];
    let mut args: Vec<&str> = args.to_vec();
    args.push(config.to_str().unwrap());
    let catalog = folder.aam(&args).success();
    folder.write(name, &catalog).to_str().unwrap().to_owned()
}

#[test]
fn compares_two_catalogs_in_three_formats() {
    let folder = Folder::new();
    let database = folder.path().join("shop.db");
    sqlite(
        &database,
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT); CREATE TABLE other (id INTEGER PRIMARY KEY)",
    );
    let old = discovered(&folder, &database, "old.txt");
    sqlite(
        &database,
        "ALTER TABLE orders DROP COLUMN note; ALTER TABLE orders ADD COLUMN total REAL",
    );
    let new = discovered(&folder, &database, "new.txt");
    let diff = |rest: &[&str]| {
        let mut args = vec!["catalog", "diff"];
        args.extend(rest);
        folder.aam(&args)
    };

    let text = diff(&[&old, &new]);
    assert_eq!(text.code, Some(0), "{text:?}");
    assert!(text.out.contains("- column note: text"), "{text:?}");
    assert!(text.out.contains("+ column total: number"), "{text:?}");

    let json = diff(&[&old, &new, "--format", "json", "--exit-code"]);
    assert_eq!(json.code, Some(10), "the table is rewritten");
    let gone = folder.write("gone.json", r#"{"streams": []}"#);
    let gone = diff(&[&old, gone.to_str().unwrap(), "--exit-code"]);
    assert_eq!(gone.code, Some(20), "{gone:?}");
    let markdown = diff(&[&old, &new, "--format", "markdown"]).success();
    assert!(markdown.contains("### orders"), "{markdown}");
    let unknown = diff(&[&old, &new, "--destination", "excel"]).failed(2);
    assert!(unknown.contains("unknown kind of destination"), "{unknown}");
    let plan: Value = serde_json::from_str(&json.out).unwrap();
    let kinds: Vec<&str> = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["field_removed", "field_added"], "{plan}");

    let airbyte = diff(&[&old, &new, "--format", "airbyte"]);
    assert_eq!(airbyte.code, Some(0));
    let airbyte: Value = serde_json::from_str(&airbyte.out).unwrap();
    let transforms = airbyte["transforms"].as_array().unwrap();
    assert_eq!(transforms.len(), 1, "{airbyte}");
    assert_eq!(transforms[0]["transformType"], "update_stream");
    assert_eq!(transforms[0]["streamDescriptor"]["name"], "orders");

    for format in ["text", "json", "airbyte", "markdown"] {
        diff(&[&old, &old, "--format", format, "--exit-code"]).success();
    }
}

#[test]
fn plans_from_two_files() {
    let folder = Folder::new();
    let database = folder.path().join("shop.db");
    let table = "CREATE TABLE orders (id INTEGER PRIMARY KEY, cust_name TEXT, old_thing REAL)";
    sqlite(&database, table);
    let old = discovered(&folder, &database, "old.txt");
    sqlite(
        &database,
        "ALTER TABLE orders RENAME COLUMN cust_name TO customer_name; ALTER TABLE orders DROP COLUMN old_thing",
    );
    let new = discovered(&folder, &database, "new.txt");
    let plan = |rest: &[&str]| {
        let mut args = vec!["--output", "json", "catalog", "plan", &old, &new];
        args.extend(rest);
        let out = folder.aam(&args).success();
        serde_json::from_str::<Value>(&out).unwrap()
    };
    let first = plan(&[]);
    let renamed = &first["changes"][0];
    assert_eq!(renamed["kind"], "field_renamed", "{first:#}");
    assert_eq!(first["decisions"][renamed["id"].as_str().unwrap()], "defer");
    let id = renamed["id"].as_str().unwrap();
    let accepted = plan(&["--accept", id, "--policy", "ignore"]);
    let mappers = &accepted["new_sync_catalog"]["streams"][0]["config"]["mappers"];
    assert_eq!(mappers[0]["type"], "field-renaming", "{accepted:#}");
    assert_eq!(
        accepted["inverse"]["put"]["streams"]
            .as_array()
            .unwrap()
            .len(),
        1
    );

    let text = folder
        .aam(&["catalog", "plan", &old, &new, "--accept", "all"])
        .success();
    for expected in [
        "Decided",
        "Steps",
        "update the definition of orders",
        "Not restored by a rollback",
    ] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
    let args = ["catalog", "plan", &old, &new, "--reject", "123456789abc"];
    let message = folder.aam(&args).failed(2);
    assert!(
        message.contains("the plan has no change 123456789abc"),
        "{message}"
    );
}

#[test]
fn ignores_the_removal_of_an_unconfigured_stream() {
    let folder = Folder::new();
    let database = folder.path().join("shop.db");
    sqlite(
        &database,
        "CREATE TABLE orders (id INTEGER PRIMARY KEY); CREATE TABLE other (id INTEGER PRIMARY KEY)",
    );
    let old = discovered(&folder, &database, "old.txt");
    sqlite(&database, "DROP TABLE other");
    let new = discovered(&folder, &database, "new.txt");
    let plain = folder.aam(&["catalog", "diff", &old, &new]);
    assert!(plain.out.contains("to be accepted"), "{plain:?}");
    let configured = folder.aam(&["catalog", "diff", &old, &new, "--configured", &new]);
    assert!(
        !configured.out.contains("to be accepted as"),
        "{configured:?}"
    );
}

#[test]
fn distinguishes_a_catalog_error_from_a_difference() {
    let folder = Folder::new();
    let broken = folder.write("broken.json", "{");
    let broken = broken.to_str().unwrap();
    let message = folder.aam(&["catalog", "diff", broken, broken]).failed(2);
    assert!(
        message.contains("broken.json is not a catalog"),
        "{message}"
    );
    let message = folder
        .aam(&["catalog", "diff", "nowhere.json", broken])
        .failed(2);
    assert!(message.contains("reading nowhere.json"), "{message}");
}

#[test]
fn migrates_the_registry_once() {
    let folder = Folder::new();
    let states = folder
        .aam(&["migrate", "status", "--output", "json"])
        .json();
    let count = states.as_array().unwrap().len();
    assert!(count > 0);
    assert!(
        states
            .as_array()
            .unwrap()
            .iter()
            .all(|state| state["applied"] == false)
    );
    let first = folder.aam(&["migrate", "up", "--output", "json"]).json();
    assert_eq!(first["applied"], count);
    assert_eq!(
        folder.aam(&["migrate", "up"]).success(),
        "The registry is already up to date.\n"
    );
    let shown = folder.aam(&["migrate", "status"]).success();
    assert!(shown.starts_with("MIGRATION "), "{shown}");
    assert!(!shown.contains("missing"), "{shown}");
}

#[test]
fn adds_a_new_migration_at_the_end_of_the_list() {
    let folder = Folder::new();
    let source = test_support::workspace_root().join("migrations/src");
    let copy = folder.path().join("migrations/src");
    std::fs::create_dir_all(&copy).unwrap();
    for entry in std::fs::read_dir(&source).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    let list = || std::fs::read_to_string(copy.join("lib.rs")).unwrap();
    let before = list();
    let mut modules = Vec::new();
    for name in ["add_notes", "add_more_notes"] {
        let text = folder.aam(&["migrate", "new", name]).success();
        let path = text.split_whitespace().nth(1).unwrap().to_owned();
        assert!(path.ends_with(&format!("_{name}.rs")), "{text}");
        let made = std::fs::read_to_string(folder.path().join(&path)).unwrap();
        assert!(made.starts_with("//! "), "{made}");
        modules.push(
            Path::new(&path)
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned(),
        );
    }
    let after = list();
    let entries: Vec<&str> = after
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Box::new("))
        .collect();
    let known = before.matches("::Migration)").count();
    assert_eq!(entries.len(), known + 2, "{after}");
    for (module, entry) in modules.iter().zip(&entries[known..]) {
        assert_eq!(*entry, format!("{module}::Migration),"));
        assert!(after.contains(&format!("\nmod {module};\n")), "{after}");
    }

    let message = folder.aam(&["migrate", "new", "Add Notes"]).failed(1);
    assert!(message.contains("is not a snake_case name"), "{message}");
    let elsewhere = Folder::new();
    let message = elsewhere.aam(&["migrate", "new", "add_notes"]).failed(1);
    assert!(
        message.contains("run this at the top of a checkout"),
        "{message}"
    );
}

#[test]
fn creates_the_sample_once_and_keeps_it_afterwards() {
    let folder = Folder::new();
    let printed = folder.aam(&["sample", "airports.db"]).success();
    assert_eq!(printed, "airports.db\n");
    let path = folder.path().join("airports.db");
    assert_eq!(number(&path, "SELECT count(*) FROM countries"), 249);
    assert_eq!(number(&path, "SELECT count(*) FROM regions"), 3987);
    assert_eq!(number(&path, "SELECT count(*) FROM navaids"), 4077);
    sqlite(&path, "DELETE FROM countries");
    folder.aam(&["sample", "airports.db"]).success();
    assert_eq!(number(&path, "SELECT count(*) FROM countries"), 0);
    let message = folder
        .aam(&["sample", "no/such/folder/airports.db"])
        .failed(1);
    assert!(
        message.contains("making no/such/folder/airports.db"),
        "{message}"
    );
}

#[test]
fn a_command_ends_quietly_when_nothing_reads_its_output() {
    let folder = Folder::new();
    for args in [
        &["connectors", "list"][..],
        &["connectors", "list", "--output", "json"],
        &["catalog", "fingerprint", "catalog.json"],
    ] {
        folder.write("catalog.json", r#"{"streams": [{"name": "orders", "json_schema": {}, "supported_sync_modes": ["full_refresh"]}]}"#);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = folder
            .command(Path::new(env!("CARGO_BIN_EXE_aam")), &[])
            .args(args)
            .stdout(writer)
            .stderr(std::process::Stdio::piped())
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*errors), (Some(0), ""), "{args:?}");
    }
}
