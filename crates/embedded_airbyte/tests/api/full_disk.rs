//! A disk that fills up during a sync: the attempt fails clearly, nothing is corrupt, and the sync
//! continues once there is space.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use sqlx::Connection as _;

use crate::harness::{Place, eventually, text};
use crate::restart::Process;
use crate::sqlite::{database, execute, rows};

/// Kilobytes of the disk.
const DISK_KB: u64 = 48 * 1024;

/// Whether this machine permits separate file systems for a process.
fn namespaces_allowed() -> bool {
    std::process::Command::new("unshare")
        .args(["--map-root-user", "--user", "--mount", "true"])
        .status()
        .is_ok_and(|status| status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_fails_the_attempt_and_the_sync_resumes_with_free_space() {
    if !namespaces_allowed() {
        test_support::skip(
            "disk",
            "this user has no mount namespaces, so no small disk",
        );
        return;
    }
    let place = Arc::new(Place::new());
    let source = place.path("source.db");
    let fill = "CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO orders SELECT i, hex(randomblob(100)) FROM n";
    execute(&source, fill).await;
    let engine = Process::start_on_disk(&place, DISK_KB).await;
    let inside = |path: PathBuf| engine.inside(&path);
    // Room for the engine's own files, and for a part of the rows.
    let ballast = inside(place.home().join("ballast"));
    std::fs::write(&ballast, vec![0; 43 * 1024 * 1024]).unwrap();

    let api = &engine.api;
    let streams = json!([{"name": "orders", "syncMode": "incremental_deduped_history",
        "cursorField": ["id"]}]);
    let connection = crate::sqlite::onboard(api, &place, streams).await;
    let job = api.start_sync(&connection).await;
    let said = eventually("an attempt fails", async || {
        let info = api.config_ok("/jobs/get", json!({"id": job})).await;
        let first = &info["attempts"][0]["attempt"];
        match first["status"].as_str() {
            Some("failed") => Ok(text(
                &first["failureSummary"]["failures"][0]["externalMessage"],
            )),
            _ => Err(info.to_string()),
        }
    })
    .await;
    assert!(
        said.contains("full") || said.contains("No space left"),
        "{said}"
    );
    std::fs::remove_file(ballast).unwrap();
    let info = api.ended(job).await;
    assert_eq!(info["job"]["status"], "succeeded", "{info:#}");
    for name in ["warehouse.db", "airbyte.db"] {
        // SQLite would resolve the path of the process and leave its disk.
        for suffix in ["", "-wal"] {
            let name = format!("{name}{suffix}");
            // There is no log when the last connection has folded it in.
            let _ = std::fs::copy(inside(place.home().join(&name)), place.path(&name));
        }
        assert_eq!(integrity(&place.path(name)).await, "ok");
    }
    let counts = "SELECT CAST(count(*) || '/' || count(DISTINCT id) AS TEXT) FROM orders";
    let found = rows(&place.path("warehouse.db"), counts).await;
    assert_eq!(found, ["20000/20000"]);
}

async fn integrity(path: &Path) -> String {
    let mut database = database(path).await;
    let said = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut database)
        .await
        .unwrap();
    database.close().await.unwrap();
    said
}
