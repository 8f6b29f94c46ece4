//! Syncs of the embedded Airbyte alone, beside its connectors alone and bare writers, in one run.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::engine::{Engine, Synced};
use crate::process::binaries;
use crate::table::{Table, megabytes};
use crate::{faker, parquet_files, postgres, rows};

pub(crate) fn measure(table: &mut Table, folder: &Path) -> anyhow::Result<()> {
    let count = rows::count()?;
    let folder = &folder.canonicalize()?;
    let work = folder.join("syncs");
    let records = folder.join("records.jsonl");
    let engine = Engine::start(&work, &records)?;
    let source_db = work.join("events.db");
    rows::made(&source_db, "id INTEGER PRIMARY KEY", count)?;
    let bare = rows::bare_rate(&source_db, &work.join("bare.db"))?;

    let silent = json!({"test_destination_type": "SILENT"});
    let nowhere = engine.actor(
        "destination",
        json!({"destinationType": "dev-null", "test_destination": silent}),
    )?;
    let sqlite = json!({"sourceType": "sqlite", "path": source_db});
    let sqlite = engine.actor("source", sqlite)?;
    let replay = engine.actor("source", json!({"sourceType": "replay"}))?;
    let whole = json!({"name": "events", "syncMode": "full_refresh_overwrite"});
    let dedup = json!({"name": "events", "syncMode": "incremental_deduped_history"});

    let alone = source_alone(&work, &source_db)?;
    let synced = engine.sync(&sqlite, &nowhere, &whole, "a_")?;
    beside_connector(table, "source-sqlite to dev-null", count, &synced, alone);
    let synced = engine.sync(&replay, &nowhere, &whole, "b_")?;
    let rate = count as f64 / synced.took.as_secs_f64();
    table.figure(
        format!("{count} records of JSON Lines to dev-null"),
        format!("{rate:.0} rows/s"),
    );

    let warehouse = work.join("target.db");
    let target = json!({"destinationType": "sqlite", "path": warehouse});
    let target = engine.actor("destination", target)?;
    let alone = destination_alone(&work, &records)?;
    for (stream, what) in [
        (&whole, "full refresh, overwrite"),
        (&dedup, "incremental, append + dedup"),
    ] {
        let prefix = if *stream == whole { "c_" } else { "d_" };
        let synced = engine.sync(&replay, &target, stream, prefix)?;
        let rate = count as f64 / synced.took.as_secs_f64();
        table.ratio(
            format!("{count} records of JSON Lines to SQLite, {what}"),
            format!("{rate:.0} rows/s"),
            format!("bare insert: {bare:.0} rows/s"),
            rate / bare,
        );
        if *stream == whole {
            beside_connector(table, "  the same", count, &synced, alone);
        }
        table.figure(
            "  peak memory of the engine, of the larger connector",
            format!(
                "{}, {}",
                megabytes(synced.engine),
                megabytes(synced.connector)
            ),
        );
    }
    let bare = parquet_files::bare_rate(&records, &work.join("bare.parquet"))?;
    let target = json!({"destinationType": "parquet", "path": work.join("lake")});
    let target = engine.actor("destination", target)?;
    let synced = engine.sync(&replay, &target, &whole, "e_")?;
    let rate = count as f64 / synced.took.as_secs_f64();
    table.ratio(
        format!("{count} records of JSON Lines to Parquet"),
        format!("{rate:.0} rows/s"),
        format!("bare writer: {bare:.0} rows/s"),
        rate / bare,
    );
    faker::measure(table, &engine, &work, &nowhere, count)?;
    match std::env::var("BENCH_POSTGRES_URL") {
        Ok(url) => postgres::measure(table, &engine, &url, count),
        Err(_) => {
            table.figure(
                "PostgreSQL to PostgreSQL",
                "not measured: no BENCH_POSTGRES_URL",
            );
            Ok(())
        }
    }
}

fn beside_connector(table: &mut Table, what: &str, count: u64, synced: &Synced, alone: Duration) {
    let rate = |took: Duration| format!("{:.0} rows/s", count as f64 / took.as_secs_f64());
    table.ratio(
        format!("{what}, time beside the connector alone"),
        rate(synced.took),
        format!("connector alone: {}", rate(alone)),
        synced.took.as_secs_f64() / alone.as_secs_f64(),
    );
}

fn connector(folder: &Path, args: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(binaries()?.join("aam"));
    command.arg("connector").args(args).current_dir(folder);
    Ok(command)
}

fn timed(mut command: Command) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let status = command.stdout(Stdio::null()).status()?;
    anyhow::ensure!(status.success(), "a connector alone failed");
    Ok(begun.elapsed())
}

/// A configured catalog of the one stream, as the engine would write it.
fn catalog(stream: &Value) -> Value {
    json!({"streams": [{"stream": stream, "sync_mode": "full_refresh",
        "destination_sync_mode": "append", "generation_id": 1, "minimum_generation_id": 1,
        "sync_id": 1}]})
}

fn source_alone(folder: &Path, database: &Path) -> anyhow::Result<Duration> {
    std::fs::write(
        folder.join("source.json"),
        json!({"path": database}).to_string(),
    )?;
    let found = connector(
        folder,
        &["source-sqlite", "discover", "--config", "source.json"],
    )?
    .output()?
    .stdout;
    let stream = String::from_utf8(found)?
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| message["catalog"]["streams"].as_array()?.first().cloned());
    let stream = stream.unwrap_or_default();
    std::fs::write(
        folder.join("source_catalog.json"),
        catalog(&stream).to_string(),
    )?;
    timed(connector(
        folder,
        &[
            "source-sqlite",
            "read",
            "--config",
            "source.json",
            "--catalog",
            "source_catalog.json",
        ],
    )?)
}

/// The destination fed from a file, without an engine.
fn destination_alone(folder: &Path, records: &Path) -> anyhow::Result<Duration> {
    let script = Command::new(folder.join("replay"))
        .arg("discover")
        .output()?;
    let discovered: Value = serde_json::from_slice(&script.stdout)?;
    let stream = &discovered["catalog"]["streams"][0];
    std::fs::write(
        folder.join("target_catalog.json"),
        catalog(stream).to_string(),
    )?;
    std::fs::write(
        folder.join("target.json"),
        json!({"path": folder.join("alone.db")}).to_string(),
    )?;
    let mut command = connector(
        folder,
        &[
            "destination-sqlite",
            "write",
            "--config",
            "target.json",
            "--catalog",
            "target_catalog.json",
        ],
    )?;
    command.stdin(File::open(records)?);
    timed(command)
}
