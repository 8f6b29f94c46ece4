//! What a connector may use: memory, and the files of the machine.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Engine, text};

/// The table of packages, for the faker's line.
const PACKAGES: &str = include_str!("../../src/connector/python/packages.json");

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_exceeds_its_memory_fails_with_the_reason() {
    let engine = Engine::start_with(|options| {
        options.connector_memory = Some(256 << 20);
        options.retry.complete_in_a_row = 1;
    })
    .await;
    let connection = engine.api.accounts("recorder").await;
    engine.place.set("eat_memory", "");
    let info = engine
        .api
        .ended(engine.api.start_sync(&connection).await)
        .await;
    assert_eq!(info["job"]["status"], "failed");
    let attempt = &info["attempts"][0];
    let failure = &attempt["attempt"]["failureSummary"]["failures"][0];
    assert_eq!(failure["failureOrigin"], "source");
    assert_eq!(
        failure["externalMessage"],
        "the source was ended by SIGABRT"
    );
    let log = attempt["logs"]["logLines"].to_string();
    assert!(
        log.contains("memory allocation of 16777216 bytes failed"),
        "{log}"
    );
    engine.place.unset("eat_memory");
    engine.api.sync(&connection).await;
    engine.stop().await;
}

/// Puts a script in the place of an installed package.
fn install(home: &Path, package: &str, script: &str) -> Value {
    let packages: Vec<Value> = serde_json::from_str(PACKAGES).unwrap();
    let entry = packages
        .into_iter()
        .find(|entry| entry["package"] == package)
        .unwrap();
    let folder = format!("{package}-{}", entry["version"].as_str().unwrap());
    let environment = home.canonicalize().unwrap().join("connectors").join(folder);
    let bin = environment.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let program = bin.join(package.strip_prefix("airbyte-").unwrap());
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("/bin/sh", bin.join("python")).unwrap();
    std::fs::write(environment.join("installed"), environment.to_str().unwrap()).unwrap();
    entry["definition_id"].clone()
}

/// Its check reports which files it can use.
const CURIOUS: &str = r#"#!/bin/sh
if [ "$1" = spec ]; then
  echo '{"type":"SPEC","spec":{"connectionSpecification":{"type":"object","properties":{}}}}'
  exit
fi
said=
look() { if cat "$2" > /dev/null 2>&1; then said="$said $1=yes"; else said="$said $1=no"; fi; }
look database "$AAM_HOME/airbyte.db"
look warehouse "$AAM_HOME/warehouse.db"
look config "$3"
look root "$AAM_DATA_ROOTS/control/records"
look system /etc/passwd
leave() { if (: > "$2") 2> /dev/null; then said="$said $1=yes"; else said="$said $1=no"; fi; }
leave into_home "$AAM_HOME/left"
leave into_root "$AAM_DATA_ROOTS/left"
leave into_run "$HOME/left"
if kill -0 "$PPID" 2> /dev/null; then said="$said engine=yes"; else said="$said engine=no"; fi
echo "{\"type\":\"CONNECTION_STATUS\",\"connectionStatus\":{\"status\":\"FAILED\",\"message\":\"$said\"}}"
"#;

/// Asks the kernel on a separate thread, so that only this thread is confined.
fn kernel_confines() -> bool {
    use landlock::{ABI, Access as _, AccessFs, Ruleset, RulesetAttr as _, RulesetStatus, Scope};
    let asked = std::thread::spawn(|| {
        let rules = Ruleset::default()
            .handle_access(AccessFs::from_all(ABI::V6))?
            .scope(Scope::from_all(ABI::V6))?;
        rules.create()?.restrict_self()
    });
    let status = asked.join().unwrap();
    status.is_ok_and(|status| status.ruleset == RulesetStatus::FullyEnforced)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_of_others_may_use_the_data_roots_and_its_own_files_only() {
    let engine = Engine::start().await;
    let definition = install(&engine.place.home(), "airbyte-source-faker", CURIOUS);
    std::fs::write(engine.place.warehouse(), "rows").unwrap();
    engine.place.set("records", "1");
    let api = &engine.api;
    let body = json!({"name": "curious", "workspaceId": api.workspace().await,
        "definitionId": definition, "configuration": {}});
    let (status, source) = api.post("/sources", body).await;
    assert_eq!(status, 200, "{source}");
    let check = json!({"sourceId": source["sourceId"]});
    let check = api.config_ok("/sources/check_connection", check).await;
    let said = text(&check["message"]);
    let expected = if kernel_confines() {
        "database=no warehouse=no config=yes root=yes system=yes into_home=no into_root=no \
         into_run=yes engine=no"
    } else {
        engine.stop().await;
        test_support::skip("landlock", "this kernel has no Landlock, or an old one");
        return;
    };
    assert_eq!(said.trim(), expected);
    engine.stop().await;
}
