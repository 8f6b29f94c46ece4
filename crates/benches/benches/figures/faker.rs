//! `source-faker`, a connector in Python, through the engine and alone.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::engine::Engine;
use crate::table::Table;

/// The faker makes some thousands a second, so it is given fewer.
const PART: u64 = 10;

pub(crate) fn measure(
    table: &mut Table,
    engine: &Engine,
    work: &Path,
    destination: &str,
    count: u64,
) -> anyhow::Result<()> {
    let count = count / PART;
    let configuration = json!({"count": count, "seed": 1, "parallelism": 1});
    let mut asked = configuration.clone();
    asked["sourceType"] = json!("faker");
    let source = match engine.actor("source", asked) {
        Ok(source) => source,
        Err(error) => {
            println!("source-faker is not measured: {error}");
            table.figure("source-faker", "not measured");
            return Ok(());
        }
    };
    let alone = alone(work, &configuration)?;
    let stream = json!({"name": "users", "syncMode": "full_refresh_overwrite"});
    let synced = engine.sync(&source, destination, &stream, "faker_")?;
    let rate = |took: Duration| format!("{:.0} rows/s", count as f64 / took.as_secs_f64());
    table.ratio(
        format!("source-faker, {count} users to dev-null, time beside the connector alone"),
        rate(synced.took),
        format!("connector alone: {}", rate(alone)),
        synced.took.as_secs_f64() / alone.as_secs_f64(),
    );
    Ok(())
}

fn alone(work: &Path, configuration: &Value) -> anyhow::Result<Duration> {
    let program = installed(&work.join("home/connectors"))?;
    std::fs::write(work.join("faker.json"), configuration.to_string())?;
    let found = Command::new(&program)
        .args(["discover", "--config", "faker.json"])
        .current_dir(work)
        .output()?;
    let streams = String::from_utf8(found.stdout)?
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| message["catalog"]["streams"].as_array().cloned());
    let users = streams
        .unwrap_or_default()
        .into_iter()
        .find(|stream| stream["name"] == "users")
        .context("the faker has no users")?;
    let catalog = json!({"streams": [{"stream": users, "sync_mode": "full_refresh",
        "destination_sync_mode": "overwrite"}]});
    std::fs::write(work.join("faker_catalog.json"), catalog.to_string())?;
    let begun = Instant::now();
    let status = Command::new(&program)
        .args([
            "read",
            "--config",
            "faker.json",
            "--catalog",
            "faker_catalog.json",
        ])
        .current_dir(work)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    anyhow::ensure!(status.success(), "the faker alone failed");
    Ok(begun.elapsed())
}

fn installed(connectors: &Path) -> anyhow::Result<PathBuf> {
    let mut entries = std::fs::read_dir(connectors)?.flatten();
    entries
        .find_map(|entry| {
            let program = entry.path().join("bin/source-faker");
            program.exists().then_some(program)
        })
        .context("the faker is not installed")
}
