//! `aam connectors`: using a connector before there is a connection.

use crate::given::{Folder, sqlite};

fn with_a_source() -> (Folder, String) {
    let folder = Folder::new();
    let path = folder.path().join("shop.db");
    sqlite(
        &path,
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL, updated_at TEXT);
         INSERT INTO orders VALUES (1, 'tea', '2026-01-01'), (2, 'coffee', '2026-01-02'), (3, 'water', '2026-01-03');
         CREATE TABLE notes (body TEXT);",
    );
    let set = format!("path={}", path.display());
    (folder, set)
}

#[test]
fn list_distinguishes_native_connectors_from_packages() {
    let folder = Folder::new();
    let all = folder
        .aam(&["connectors", "list", "--output", "json"])
        .json();
    let find = |name: &str| {
        let all = all.as_array().unwrap();
        let found = all.iter().find(|info| info["connector"] == name);
        found.unwrap_or_else(|| panic!("{name} is missing"))
    };
    assert_eq!(find("source-sqlite")["made"], "native");
    assert_eq!(find("source-sqlite")["installed"], true);
    assert_eq!(find("destination-sqlite")["kind"], "destination");
    let faker = find("source-faker");
    assert_eq!(
        (&faker["made"], &faker["installed"]),
        (&"python".into(), &false.into())
    );
    // Airbyte's own id, so that these objects mean the same on a real Airbyte.
    assert_eq!(
        faker["definition_id"],
        "dfd88b22-b603-4c3d-aad7-3701784586b1"
    );
    let table = folder.aam(&["connectors", "list"]).success();
    assert!(table.contains("Sample Data (Faker)"), "{table}");
}

#[test]
fn checks_discovers_and_reads_a_source_without_a_connection() {
    let (folder, set) = with_a_source();
    let on = |command: &str| folder.aam(&["connectors", command, "source-sqlite", "--set", &set]);
    assert!(on("check").success().contains("works"));
    let streams = on("discover").success();
    assert!(
        streams.contains("orders") && streams.contains("updated_at"),
        "{streams}"
    );
    let shown = on("read").success();
    assert!(
        shown.contains("coffee") && shown.contains("notes: 0 records"),
        "{shown}"
    );
    let read = folder.aam(&[
        "connectors",
        "read",
        "source-sqlite",
        "--set",
        &set,
        "--stream",
        "orders",
        "--limit",
        "1",
        "--output",
        "json",
    ]);
    let read = read.json();
    assert_eq!(read.as_array().unwrap().len(), 1);
    assert_eq!(read[0]["records"][0]["item"], "tea");
    assert_eq!(read[0]["records"].as_array().unwrap().len(), 1);
    let spec = folder.aam(&["connectors", "spec", "source-sqlite"]).json();
    assert!(spec["connectionSpecification"]["properties"]["path"].is_object());
}

#[test]
fn an_unsupported_use_names_the_supported_ones() {
    let (folder, set) = with_a_source();
    let message = folder
        .aam(&[
            "connectors",
            "check",
            "source-sqlite",
            "--set",
            "path=/nowhere.db",
        ])
        .failed(1);
    assert_eq!(
        message, "",
        "a configuration that does not work is an answer"
    );
    let message = folder
        .aam(&[
            "connectors",
            "read",
            "source-sqlite",
            "--set",
            &set,
            "--stream",
            "odrers",
        ])
        .failed(1);
    assert!(
        message.contains("\"odrers\"") && message.contains("notes, orders"),
        "{message}"
    );
    let message = folder
        .aam(&["connectors", "spec", "source-oracle"])
        .failed(1);
    assert!(message.contains("aam connectors list"), "{message}");
    let message = folder
        .aam(&["connectors", "discover", "destination-sqlite"])
        .failed(1);
    assert!(message.contains("it is a destination"), "{message}");
}

#[test]
fn a_package_without_python_reports_what_is_missing() {
    let folder = Folder::new();
    let nothing = folder.path().display().to_string();
    let install = ["connectors", "install", "source-faker"];
    let message = folder
        .aam_with(&install, &[("PATH", &nothing)], "")
        .failed(1);
    assert!(message.contains("needs Python 3.10 or newer"), "{message}");
    assert!(
        message.contains("there is no Python on the PATH"),
        "{message}"
    );
}
