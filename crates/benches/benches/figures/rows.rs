//! Rows from SQLite to SQLite through the embedded Airbyte, beside a bare multi-row insert of the
//! same rows in a separate process: 500 rows per statement, one transaction per 10,000.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _, SqliteConnection};

use crate::process::{binaries, children, memory};
use crate::starts::Services;
use crate::table::{Table, megabytes};

const ROWS: u64 = 1_000_000;
const ROWS_PER_STATEMENT: usize = 500;
const ROWS_PER_TRANSACTION: i64 = 10_000;
const COLUMNS: &str = "id, name, email, age, score, active, country, created_at, updated_at, note";

pub(crate) fn measure(table: &mut Table, folder: &Path, services: Services) -> anyhow::Result<()> {
    let rows = count()?;
    let folder = folder.join("four");
    for (name, declared) in [("plain", "id INTEGER"), ("keyed", "id INTEGER PRIMARY KEY")] {
        made(&folder.join(format!("{name}.db")), declared, rows)?;
    }
    let source = folder.join("plain.db");
    let bare = bare_rate(&source, &folder.join("bare.db"))?;
    for (name, what) in [
        ("plain", "full refresh, overwrite"),
        ("keyed", "incremental, append + dedup"),
    ] {
        let moved = sync(&services, &folder, name, rows)?;
        let rate = rows as f64 / moved.took.as_secs_f64();
        table.ratio(
            format!("{rows} rows, {what}"),
            format!("{rate:.0} rows/s"),
            format!("bare insert: {bare:.0} rows/s"),
            rate / bare,
        );
        table.figure(
            "  peak memory of engine, source, destination",
            format!(
                "{}, {}, {}",
                megabytes(moved.engine),
                megabytes(moved.source),
                megabytes(moved.destination)
            ),
        );
    }
    Ok(())
}

/// How many rows are copied.
pub(crate) fn count() -> anyhow::Result<u64> {
    Ok(std::env::var("ROWS").map_or(Ok(ROWS), |text| text.parse())?)
}

/// A database with a table `events` of ten columns, its first one declared so.
pub(crate) fn made(path: &Path, id: &str, rows: u64) -> anyhow::Result<()> {
    block_on(make(path, id, rows))
}

/// A table `events` of ten columns.
async fn make(path: &Path, id: &str, rows: u64) -> anyhow::Result<()> {
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Off)
        .connect()
        .await?;
    let statements = format!(
        "CREATE TABLE events ({id}, name TEXT, email TEXT, age INTEGER, score REAL, active BOOLEAN, \
         country TEXT, created_at TIMESTAMP, updated_at TIMESTAMP, note TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO events SELECT i, 'User ' || i, 'user' || i || '@example.com', 18 + i * 7919 % 72,
         (i * 7919 % 10000000) / 10000.0, i & 1, substr('DEFRUSJP', 1 + 2 * (i % 4), 2),
         strftime('%Y-%m-%dT%H:%M:%SZ', 1704067200 + i * 7919 % 31536000, 'unixepoch'),
         strftime('%Y-%m-%dT%H:%M:%SZ', 1717200000 + i, 'unixepoch'),
         printf('%032x', i * 2654435761) FROM n"
    );
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(&mut connection)
        .await?;
    connection.close().await?;
    Ok(())
}

/// What a sync took.
struct Moved {
    took: Duration,
    engine: u64,
    source: u64,
    destination: u64,
}

fn sync(services: &Services, folder: &Path, name: &str, rows: u64) -> anyhow::Result<Moved> {
    let aam = |args: &[&str]| {
        let mut command = Command::new(binaries().unwrap_or_default().join("aam"));
        command
            .args(args)
            .args(["--output", "json"])
            .env("AAM_HOME", folder.join("home"))
            .env("ORCHESTRATOR_URL", &services.orchestrator_url)
            .current_dir(folder);
        command
    };
    let path = format!("path={}", folder.join(format!("{name}.db")).display());
    let prefix = format!("{name}_");
    let onboard = [
        "onboard", name, "-t", "sqlite", "--set", &path, "--prefix", &prefix,
    ];
    let made = aam(&onboard).output()?;
    anyhow::ensure!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let engine = services.airbyte.id();
    let begun = Instant::now();
    let mut waiting = aam(&["sync", name, "--wait"])
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    // The time is from the request until the last connector has ended: later calls are not part of
    // the copying.
    let mut moved = Moved {
        took: Duration::ZERO,
        engine: 0,
        source: 0,
        destination: 0,
    };
    let ended = loop {
        let sources = children(engine, &["source-sqlite", "read"]);
        let destinations = children(engine, &["destination-sqlite", "write"]);
        if !sources.is_empty() || !destinations.is_empty() {
            moved.took = begun.elapsed();
        }
        let peak = |processes: &[u32]| processes.iter().filter_map(|id| memory(*id, "VmHWM")).max();
        moved.source = moved.source.max(peak(&sources).unwrap_or_default());
        moved.destination = moved
            .destination
            .max(peak(&destinations).unwrap_or_default());
        if let Some(ended) = waiting.try_wait()? {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let report = std::io::read_to_string(waiting.stdout.take().context("no stdout")?)?;
    anyhow::ensure!(ended.success(), "the sync failed: {report}");
    let job: serde_json::Value = serde_json::from_str(&report)?;
    anyhow::ensure!(job["rows_synced"] == rows, "rows are missing: {job}");
    moved.engine = memory(engine, "VmHWM").context("the engine ended")?;
    Ok(moved)
}

/// Rows per second of a bare insert, measured in a separate process.
pub(crate) fn bare_rate(source: &Path, destination: &Path) -> anyhow::Result<f64> {
    let output = Command::new(std::env::current_exe()?)
        .arg("bare-insert")
        .args([source, destination])
        .output()?;
    anyhow::ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// Copies the rows with nothing around the insert, and prints how many a second. Reading is not
/// part of the time.
pub(crate) fn bare(source: &Path, destination: &Path) -> anyhow::Result<()> {
    let rate = block_on(copy(source, destination))?;
    println!("{rate}");
    Ok(())
}

async fn copy(source: &Path, destination: &Path) -> anyhow::Result<f64> {
    let mut source = SqliteConnectOptions::new()
        .filename(source)
        .read_only(true)
        .connect()
        .await?;
    let mut destination = SqliteConnectOptions::new()
        .filename(destination)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .connect()
        .await?;
    let create = format!("CREATE TABLE events ({COLUMNS})");
    sqlx::raw_sql(AssertSqlSafe(create))
        .execute(&mut destination)
        .await?;
    let mut took = Duration::ZERO;
    let mut copied = 0_i64;
    loop {
        let read = format!(
            "SELECT {COLUMNS} FROM events WHERE rowid > {copied} ORDER BY rowid LIMIT {ROWS_PER_TRANSACTION}"
        );
        let rows = sqlx::query(AssertSqlSafe(read))
            .fetch_all(&mut source)
            .await?;
        if rows.is_empty() {
            break;
        }
        copied += rows.len() as i64;
        let begun = Instant::now();
        insert(&mut destination, &rows).await?;
        took += begun.elapsed();
    }
    Ok(copied as f64 / took.as_secs_f64())
}

async fn insert(connection: &mut SqliteConnection, rows: &[SqliteRow]) -> anyhow::Result<()> {
    let mut transaction = connection.begin().await?;
    for chunk in rows.chunks(ROWS_PER_STATEMENT) {
        let mut insert = sqlx::QueryBuilder::new(format!("INSERT INTO events ({COLUMNS}) "));
        insert.push_values(chunk, |mut values, row| {
            values
                .push_bind(row.get::<i64, _>(0))
                .push_bind(row.get::<String, _>(1))
                .push_bind(row.get::<String, _>(2))
                .push_bind(row.get::<i64, _>(3))
                .push_bind(row.get::<f64, _>(4))
                .push_bind(row.get::<bool, _>(5))
                .push_bind(row.get::<String, _>(6))
                .push_bind(row.get::<String, _>(7))
                .push_bind(row.get::<String, _>(8))
                .push_bind(row.get::<String, _>(9));
        });
        insert.build().execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime without limits starts")
        .block_on(work)
}
