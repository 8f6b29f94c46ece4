//! Commands, their exit codes, and which files may be touched.

use serde_json::json;

use crate::given::{Folder, finish};

const OF_SQLITE: [&str; 2] = ["source-sqlite", "destination-sqlite"];

#[test]
fn connectors_say_what_they_are() {
    let folder = Folder::new();
    for name in connectors::NAMES {
        let run = folder.run(name, &["spec"]).ok();
        let spec = run.of("SPEC", "spec").remove(0);
        let required = match name {
            "destination-dev-null" => json!(["test_destination"]),
            "source-local-files" | "destination-parquet" => json!(["path"]),
            "destination-s3" => json!([
                "s3_bucket_name",
                "s3_bucket_path",
                "s3_bucket_region",
                "format"
            ]),
            sqlite if OF_SQLITE.contains(&sqlite) => json!(["path"]),
            _ => json!(["host", "port", "database", "username"]),
        };
        assert_eq!(spec["connectionSpecification"]["required"], required);
        assert_eq!(spec["supportsIncremental"], true);
    }
    let spec = folder
        .run("destination-sqlite", &["spec"])
        .of("SPEC", "spec")
        .remove(0);
    assert_eq!(
        spec["supported_destination_sync_modes"],
        json!(["append", "overwrite", "append_dedup"])
    );
}

#[test]
fn a_failed_check_gives_its_reason_and_exits_successfully() {
    let folder = Folder::new();
    folder.sql("shop.db", "CREATE TABLE t (id INTEGER)");
    folder.file(
        "text.db",
        "this is not a database, but long enough to be looked at",
    );
    folder.file("taken", "");
    let verdict = |connector: &str, config: &str| {
        folder.file("c.json", config);
        let run = folder.run(connector, &["check", "--config=c.json"]).ok();
        let status = run.of("CONNECTION_STATUS", "connectionStatus").remove(0);
        let message = status["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            status["status"] == "SUCCEEDED",
            message.is_empty(),
            "{status}"
        );
        message
    };
    assert_eq!(verdict("source-sqlite", r#"{"path":"shop.db"}"#), "");
    assert!(verdict("source-sqlite", r#"{"path":"missing.db"}"#).contains("does not exist"));
    assert!(!folder.path("missing.db").exists());
    assert!(verdict("source-sqlite", r#"{"path":"text.db"}"#).contains("not a SQLite database"));
    assert!(verdict("source-sqlite", r#"{"path":"."}"#).contains("folder"));
    assert!(verdict("source-sqlite", "{}").contains("\"path\""));
    assert_eq!(verdict("destination-sqlite", r#"{"path":"new.db"}"#), "");
    assert!(!folder.path("new.db").exists());
    assert_eq!(verdict("destination-sqlite", r#"{"path":"shop.db"}"#), "");
    assert!(verdict("destination-sqlite", r#"{"path":"no/such/new.db"}"#).contains("folder"));
    assert!(
        verdict("destination-sqlite", r#"{"path":"text.db"}"#).contains("not a SQLite database")
    );
}

#[test]
fn a_bad_configuration_is_reported_by_the_protocol() {
    let folder = Folder::new();
    folder.file("c.json", "{}");
    folder.file("k.json", r#"{"streams":[]}"#);
    let cases: [(&str, &[&str]); 8] = [
        ("source-sqlite", &["discover", "--config", "c.json"]),
        (
            "source-sqlite",
            &["read", "--config", "c.json", "--catalog", "k.json"],
        ),
        (
            "destination-sqlite",
            &["write", "--config", "c.json", "--catalog", "k.json"],
        ),
        ("source-sqlite", &["discover"]),
        ("source-sqlite", &["discover", "--config", "missing.json"]),
        (
            "source-sqlite",
            &["write", "--config", "c.json", "--catalog", "k.json"],
        ),
        ("source-sqlite", &["explode"]),
        ("source-oracle", &["spec"]),
    ];
    for (connector, args) in cases {
        let run = folder.run(connector, args);
        assert_eq!(run.code, 1, "{args:?}");
        assert_eq!(run.of("LOG", "log")[0]["level"], "FATAL", "{args:?}");
        assert_eq!(run.error()["failure_type"], "config_error", "{args:?}");
    }
}

#[test]
fn files_outside_of_the_roots_are_rejected_with_the_reason() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("data")).unwrap();
    std::fs::create_dir(folder.path("home")).unwrap();
    for name in [
        "data/ok.db",
        "home/sample.db",
        "home/registry.db",
        "outside.db",
    ] {
        folder.sql(name, "CREATE TABLE t (id INTEGER)");
    }
    std::os::unix::fs::symlink(folder.path("outside.db"), folder.path("data/link.db")).unwrap();
    let message = |connector: &str, path: &str| {
        folder.file("c.json", &json!({ "path": path }).to_string());
        let mut command = folder.command(connector, &["check", "--config", "c.json"]);
        command
            .env("AAM_DATA_ROOTS", folder.path("data"))
            .env("AAM_HOME", folder.path("home"));
        command.env("AAM_HOME_FILES", folder.path("home/sample.db"));
        let run = finish(command.spawn().unwrap(), "").ok();
        let status = run.of("CONNECTION_STATUS", "connectionStatus").remove(0);
        status["message"].as_str().unwrap_or_default().to_owned()
    };
    let whole = |path: &str| folder.path(path).to_string_lossy().into_owned();
    for connector in OF_SQLITE {
        // A relative path starts from the first root, wherever the connector runs.
        assert_eq!(message(connector, "ok.db"), "");
        assert!(message(connector, "../outside.db").contains("AAM_DATA_ROOTS"));
        let message = |connector, path| message(connector, &whole(path));
        assert_eq!(message(connector, "data/ok.db"), "");
        assert_eq!(message(connector, "home/sample.db"), "");
        assert!(message(connector, "home/registry.db").contains("AAM's own files"));
        assert!(message(connector, "outside.db").contains("AAM_DATA_ROOTS"));
        assert!(message(connector, "data/link.db").contains("AAM_DATA_ROOTS"));
        assert!(message(connector, "data/../outside.db").contains("AAM_DATA_ROOTS"));
    }
}
