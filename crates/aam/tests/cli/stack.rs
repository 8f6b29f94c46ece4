//! A stack with its commands: onboard, list, sync, heal, credentials, status, doctor; and how it
//! starts and stops.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::given::{Folder, Up, ended, free_port, interrupt, number, sqlite, until};

#[test]
fn onboards_syncs_and_heals_a_connection() {
    let folder = Folder::new();
    let up = Up::start(&folder);
    let sample = folder.path().join(".aam/sample.db");
    let path = format!("path={}", sample.display());

    let none = up.aam(&folder, &["connections"]).success();
    assert!(none.contains("No connections yet"), "{none}");
    let made = up.aam(
        &folder,
        &["onboard", "airports", "-t", "sqlite", "--set", &path],
    );
    let made = made.success();
    assert!(
        made.starts_with("airports is ACTIVE with catalog v1: "),
        "{made}"
    );
    let again = up.aam(
        &folder,
        &[
            "onboard",
            "airports",
            "-t",
            "sqlite",
            "--set",
            "path=other.db",
        ],
    );
    let message = again.failed(1);
    assert!(
        message.contains("code connection_name_taken, request "),
        "{message}"
    );

    let listed = up.aam(&folder, &["connections"]).success();
    let lines: Vec<Vec<&str>> = listed
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0], ["ID", "NAME", "SOURCE", "STATUS", "CATALOG"]);
    assert_eq!(lines[1][1..], ["airports", "SQLite", "ACTIVE", "v1"]);
    assert_eq!(lines.len(), 2);
    let listed = up.aam(&folder, &["connections", "--output", "json"]).json();
    assert_eq!(listed[0]["id"], lines[1][0]);
    assert_eq!(listed[0]["status"], "ACTIVE");

    let synced = up.aam(&folder, &["sync", "airports", "--wait"]).success();
    assert!(
        synced.starts_with("sync job 1 succeeded: 8313 rows, "),
        "{synced}"
    );

    sqlite(
        &sample,
        "ALTER TABLE countries DROP COLUMN wikipedia_link;
         UPDATE countries SET name = 'Türkiye', updated_at = '2026-02-01T00:00:00Z' WHERE code = 'TR'",
    );
    let proposed = up.aam(&folder, &["heal", "airports"]).success();
    assert!(
        proposed.contains("- column wikipedia_link: text"),
        "{proposed}"
    );
    assert!(proposed.contains("Nothing was changed."), "{proposed}");
    assert!(
        proposed.contains("1 change waits for acceptance: aam heal \"airports\" --accept all"),
        "{proposed}"
    );
    let healed = up
        .aam(&folder, &["heal", "airports", "--accept", "all"])
        .success();
    assert!(healed.contains("Accepted 1 change."), "{healed}");
    assert!(
        healed.contains("Healed: catalog v1 -> v2. A sync follows."),
        "{healed}"
    );
    let calm = up
        .aam(&folder, &["heal", "airports", "--output", "json"])
        .json();
    assert_eq!(calm["outcome"], "no_drift");

    up.aam(&folder, &["sync", "airports", "--wait"]).success();
    let warehouse = folder.path().join(".aam/warehouse.db");
    let renamed = "SELECT count(*) FROM countries WHERE name = 'Türkiye'";
    assert_eq!(number(&warehouse, renamed), 1);
    let shown = up.aam(&folder, &["connections", "airports"]).success();
    assert!(
        shown.starts_with("airports (SQLite) is ACTIVE\n"),
        "{shown}"
    );
    for heading in ["CATALOG  ORIGIN", "JOB  TYPE"] {
        assert!(shown.contains(heading), "{shown}");
    }
    assert!(
        shown
            .lines()
            .any(|line| line.starts_with("v2 ") && line.contains("repair")),
        "{shown}"
    );
    let all = up
        .aam(&folder, &["connections", "airports", "--output", "json"])
        .json();
    assert_eq!(all["catalogs"].as_array().unwrap().len(), 2);
    let text = up
        .aam(&folder, &["connections", "airports", "--diff"])
        .success();
    assert!(text.starts_with("airports v1 -> v2\n"), "{text}");
    assert!(text.contains("- column wikipedia_link: text"), "{text}");
    let none = up.aam(&folder, &["connections", "airports", "--diff", "..1"]);
    assert!(none.failed(1).contains("code version_not_found"));
    let back = [
        "connections",
        "airports",
        "--diff",
        "2..1",
        "--output",
        "json",
    ];
    let back = up.aam(&folder, &back).json();
    assert_eq!(back["changes"][0]["kind"], "field_added");
    let wrong = ["connections", "airports", "--diff", "2-1"];
    let wrong = up.aam(&folder, &wrong).failed(2);
    assert!(
        wrong.contains("is not a range of versions such as 1..2"),
        "{wrong}"
    );
}

#[test]
fn accepting_a_change_by_id_accepts_only_that_change() {
    let folder = Folder::new();
    let up = Up::start(&folder);
    let shop = folder.path().join("shop.db");
    sqlite(
        &shop,
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, a TEXT, b TEXT)",
    );
    let config = folder.write("config.json", r#"{"path": "shop.db"}"#);
    let config = format!("@{}", config.display());
    // A relative path depends on the connector's working directory; an absolute one does not.
    let path = format!("path={}", shop.display());
    let both = [
        "onboard", "shop", "-t", "sqlite", "--config", &config, "--set", &path,
    ];
    up.aam(&folder, &both).success();
    sqlite(
        &shop,
        "ALTER TABLE orders DROP COLUMN a; ALTER TABLE orders DROP COLUMN b",
    );
    let proposed = up
        .aam(&folder, &["heal", "shop", "--output", "json"])
        .json();
    let pending = proposed["pending"].as_array().unwrap();
    assert_eq!(pending.len(), 2, "{proposed}");
    let (first, second) = (pending[0].as_str().unwrap(), pending[1].as_str().unwrap());
    let healed = up
        .aam(&folder, &["heal", "shop", "--accept", first])
        .success();
    assert!(healed.contains(&format!("--accept {second})")), "{healed}");
    assert!(healed.contains("Healed: catalog v1 -> v2."), "{healed}");
    let unknown = up
        .aam(&folder, &["heal", "shop", "--accept", "000000000000"])
        .failed(1);
    assert!(unknown.contains("000000000000"), "{unknown}");
}

#[test]
fn interrupting_a_waiting_sync_detaches_and_leaves_the_job_running() {
    let folder = Folder::new();
    let up = Up::start(&folder);
    let large = folder.path().join("large.db");
    sqlite(
        &large,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT);
         INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000)
         SELECT i, 'some text that takes its time ' || i FROM n",
    );
    let path = format!("path={}", large.display());
    up.aam(
        &folder,
        &["onboard", "large", "-t", "sqlite", "--set", &path],
    )
    .success();
    let mut command = folder.command(Path::new(env!("CARGO_BIN_EXE_aam")), &up.addresses());
    let mut waiting = command
        .args(["sync", "large", "--wait"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let job = || -> Value {
        let shown = up
            .aam(&folder, &["connections", "large", "--output", "json"])
            .json();
        shown["jobs"][0].clone()
    };
    until("the job runs", || {
        (job()["status"] == "running").then_some(())
    });
    interrupt(&waiting);
    assert_eq!(ended(&mut waiting), Some(0));
    let message = std::io::read_to_string(waiting.stderr.take().unwrap()).unwrap();
    assert!(message.contains("Detached; job 1 continues."), "{message}");
    let end = until("the job ends", || {
        Some(job()).filter(|job| job["status"] != "running" && job["status"] != "pending")
    });
    assert_eq!(end["status"], "succeeded", "{end}");
    assert_eq!(end["rows_synced"], 400_000);
}

#[test]
fn stores_lists_uses_and_removes_credentials_without_printing_them() {
    let folder = Folder::new();
    let up = Up::start(&folder);
    let shop = folder.path().join("shop.db");
    sqlite(&shop, "CREATE TABLE orders (id INTEGER PRIMARY KEY)");
    let secret = serde_json::json!({ "path": shop }).to_string();
    let put = ["credentials", "put", "shop", "-t", "sqlite"];
    let list = ["credentials", "list"];
    let mut printed = up.aam(&folder, &list).success();
    assert!(printed.contains("No credentials yet"), "{printed}");
    printed += &folder.aam_with(&put, &up.addresses(), &secret).success();
    printed += &up.aam(&folder, &list).success();
    assert!(printed.contains("path"), "members are named: {printed}");
    let listed = up
        .aam(&folder, &["credentials", "list", "--output", "json"])
        .success();
    let value: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(value[0]["credential_id"], "shop");
    let onboard = ["onboard", "shop", "-t", "sqlite", "--credential", "shop"];
    printed += &up.aam(&folder, &onboard).success();
    printed += &up.aam(&folder, &["credentials", "rm", "shop"]).success();
    assert!(printed.contains("Removed credential shop."), "{printed}");
    let gone = up.aam(&folder, &["credentials", "rm", "shop"]).failed(1);
    assert!(gone.contains("code credential_unknown"), "{gone}");
    let hidden = shop.to_str().unwrap();
    for text in [&printed, &listed, &up.log()] {
        assert!(!text.contains(hidden), "a secret was printed: {text}");
    }
}

#[test]
fn status_and_doctor_report_a_healthy_stack() {
    let folder = Folder::new();
    let up = Up::start(&folder);
    let shown = up.aam(&folder, &["status"]).success();
    let heading: Vec<&str> = shown.lines().next().unwrap().split_whitespace().collect();
    let columns = ["SERVICE", "ADDRESS", "DEPENDENCY", "STATE", "MS", "ERROR"];
    assert_eq!(heading, columns, "{shown}");
    for (_, url) in up
        .variables
        .iter()
        .filter(|(name, _)| name.ends_with("_URL"))
    {
        assert!(shown.contains(url), "{url} is missing: {shown}");
    }
    assert!(!shown.contains("NOT READY"), "{shown}");
    let status = up.aam(&folder, &["status", "--output", "json"]).json();
    let services: Vec<&str> = status
        .as_array()
        .unwrap()
        .iter()
        .map(|service| service["service"].as_str().unwrap())
        .collect();
    assert_eq!(
        services,
        ["orchestrator", "auth_broker", "drift_repair_agent"]
    );
    let looked = up.aam(&folder, &["doctor", "--output", "json"]).json();
    let checks: Vec<&str> = looked
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["check"].as_str().unwrap())
        .collect();
    assert_eq!(
        checks,
        [
            "settings",
            "keys",
            "registry",
            "secret key",
            "disk",
            "airbyte",
            "airbyte credentials",
            "orchestrator",
            "auth_broker",
            "drift_repair_agent"
        ],
        "{looked}"
    );
}

#[test]
fn doctor_reports_stopped_services_and_a_rejected_key() {
    let folder = Folder::new();
    let nothing = folder.aam(&["doctor"]);
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
    for service in [
        "orchestrator",
        "auth_broker",
        "drift_repair_agent",
        "airbyte",
    ] {
        let line = nothing.out.lines().find(|line| line.starts_with(service));
        let line = line.unwrap_or_else(|| panic!("{service} is missing: {nothing:?}"));
        assert!(
            line.contains("PROBLEM") && line.contains("aam up"),
            "{line}"
        );
    }
    let up = Up::start_with(&folder, &[("AAM_API_KEY", "aam_the_right_key_0123")]);
    let with_key = |key| {
        let mut variables = up.addresses();
        variables.push(("AAM_API_KEY", key));
        folder.aam_with(&["doctor"], &variables, "")
    };
    assert!(
        with_key("aam_the_right_key_0123")
            .success()
            .contains("AAM_API_KEY")
    );
    let refused = with_key("aam_a_wrong_key_012345");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.out.contains("rejects the key"), "{refused:?}");
}

#[test]
fn doctor_names_a_key_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    drop(Up::start(&folder));
    assert!(
        folder
            .aam(&["doctor"])
            .out
            .contains("readable by their owner only")
    );
    let key = folder.path().join(".aam/keys/secret_key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let looked = folder.aam(&["doctor"]);
    assert_eq!(looked.code, Some(1), "{looked:?}");
    assert!(looked.out.contains("PROBLEM"), "{looked:?}");
    assert!(looked.out.contains("keys/secret_key"), "{looked:?}");
}

#[test]
fn starts_quietly_and_stops_on_ctrl_c() {
    let folder = Folder::new();
    let up = Up::start(&folder);
    assert!(
        up.greeting.starts_with("AAM is up after "),
        "{}",
        up.greeting
    );
    let home = folder.path().join(".aam");
    assert!(
        up.greeting.contains(home.to_str().unwrap()),
        "{}",
        up.greeting
    );
    assert_eq!(up.log(), "", "a healthy stack logs nothing");
    let (code, took) = up.interrupt();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn data_survives_a_restart() {
    let folder = Folder::new();
    let port = free_port();
    let fixed = [("SERVICE_PORT_EMBEDDED_AIRBYTE", port.as_str())];
    let path = format!("path={}", folder.path().join(".aam/sample.db").display());
    let up = Up::start_with(&folder, &fixed);
    up.aam(
        &folder,
        &["onboard", "airports", "-t", "sqlite", "--set", &path],
    )
    .success();
    assert_eq!(up.interrupt().0, Some(0));
    let up = Up::start_with(&folder, &fixed);
    let synced = up
        .aam(&folder, &["sync", "airports", "--wait", "--output", "json"])
        .json();
    assert_eq!(synced["status"], "succeeded");
    assert_eq!(synced["rows_synced"], 8313);
}
