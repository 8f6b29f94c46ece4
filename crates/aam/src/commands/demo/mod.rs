//! `aam demo`: the product in a minute, on real data, in a separate folder.
//!
//! OurAirports' tables become a SQLite database. AAM onboards and syncs it; real DDL changes the
//! source; AAM plans the repair, heals and syncs again; then source and destination are compared
//! cell by cell.

mod compare;
mod drift;
mod sketches;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use catalog::drift::{ChangeKind, Role};
use catalog::renames::Grade;
use contracts::{
    CatalogVersionDetail, ConnectionView, HealAnswer, HealOutcome, JobView, OperationView,
    PlanAnswer, SyncTriggered,
};
use serde_json::json;
use settings::{Settings, Source, variables};
use stack::{Options, Stack};
use url::Url;

use super::sync::{follow, summary};
use crate::client::{Client, place};
use crate::output::Format;
use crate::output::{out, outln};

const CONNECTION: &str = "airports";
const PATIENCE: Duration = Duration::from_secs(120);

/// Onboards, syncs, drifts, heals and compares in a separate folder; can be run again.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The folder, which is emptied first if an earlier demo created it.
    #[arg(long, default_value = "aam-demo")]
    dir: PathBuf,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let folder = prepare(&arguments.dir)?;
    let source_db = folder.join("airports.db");
    step(
        "A source",
        "OurAirports' countries, regions and navaids as a SQLite database",
    );
    stack::sample::ensure(&source_db).await?;
    outln!("{}", source_db.display());

    step(
        "The stack",
        "orchestrator, auth broker, drift-repair agent and an embedded Airbyte, in this process",
    );
    let settings = settings(&folder)?;
    let mut log = settings.log.clone();
    if log.filter == "info" {
        log.filter = "error".to_owned();
    }
    telemetry::init(&log)?;
    let started = Instant::now();
    let stack = Stack::start(settings, Options::default()).await?;
    outln!(
        "ready after {:.2} s at {}",
        started.elapsed().as_secs_f64(),
        place(&stack.addresses().orchestrator)
    );

    let result = run_demo(&stack, &source_db).await;
    // Connections store Airbyte's address, so it must return at the same one.
    let airbyte_port = Url::parse(&stack.addresses().airbyte)?.port_or_known_default();
    stack.stop().await?;
    let differences = result?;
    step(
        "Result",
        &format!("after {:.1} s", begun.elapsed().as_secs_f64()),
    );
    if differences > 0 {
        outln!("{differences} cells differ between source and destination.");
        return Ok(ExitCode::FAILURE);
    }
    outln!("Source and destination are equal, cell by cell.");
    next_commands(&folder, airbyte_port.unwrap_or_default());
    Ok(ExitCode::SUCCESS)
}

fn step(name: &str, what: &str) {
    outln!("\n== {name}: {what}");
}

/// Creates an empty folder, or empties that of an earlier demo.
fn prepare(path: &Path) -> anyhow::Result<PathBuf> {
    let marker = path.join(".aam-demo");
    if path.exists() {
        let is_empty = std::fs::read_dir(path)?.next().is_none();
        anyhow::ensure!(
            is_empty || marker.exists(),
            "{} is not a folder of an earlier demo; choose another with --dir",
            path.display()
        );
        if !is_empty {
            std::fs::remove_dir_all(path)
                .with_context(|| format!("emptying {}", path.display()))?;
        }
    }
    std::fs::create_dir_all(path)?;
    std::fs::write(
        &marker,
        "created by `aam demo`, which may empty this folder\n",
    )?;
    Ok(path.canonicalize()?)
}

/// Separate settings: only the logging variables are taken from the environment.
fn settings(folder: &Path) -> anyhow::Result<Settings> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut values = vec![
        (variables::AAM_HOME.to_owned(), text(&folder.join(".aam"))),
        (variables::AAM_DATA_ROOTS.to_owned(), text(folder)),
    ];
    for port in [
        variables::SERVICE_PORT_ORCHESTRATOR,
        variables::SERVICE_PORT_AUTH_BROKER,
        variables::SERVICE_PORT_DRIFT_REPAIR,
        variables::SERVICE_PORT_EMBEDDED_AIRBYTE,
    ] {
        values.push((port.to_owned(), "0".to_owned()));
    }
    let process = Source::process()?;
    for name in [
        variables::RUST_LOG,
        variables::LOG_LEVEL,
        variables::LOG_FORMAT,
    ] {
        if let Some(value) = process.get(name) {
            values.push((name.to_owned(), value.to_owned()));
        }
    }
    Ok(Settings::from_source(&Source::of(
        values,
        folder.to_owned(),
    ))?)
}

/// Runs the demo and returns the number of cells that differ at the end.
async fn run_demo(stack: &Stack, source_db: &Path) -> anyhow::Result<u64> {
    let client = Client::orchestrator(stack.settings())?;
    let agent = Client::drift_repair(stack.settings())?;
    let warehouse = stack.settings().home.warehouse_db();

    step(
        "Onboard",
        "one call: source, check, schema, connection, version 1",
    );
    let connection: ConnectionView = client
        .post(
            "/connections/onboard",
            &json!({
                "source_type": "sqlite",
                "connection_name": CONNECTION,
                "source_config": {"path": source_db},
            }),
        )
        .await?;
    outln!(
        "{} is {} with catalog v{}: {}",
        connection.name,
        connection.status,
        connection.catalog_version,
        connection.id
    );

    step("Sync", "the first one, every row");
    let job = sync(&client, &connection).await?;
    outln!("{}", summary(&job));
    counts(&client, &connection, source_db, &warehouse).await?;

    step("Drift", "an administrator changes the source");
    for statement in drift::apply(source_db).await? {
        outln!("{statement}");
    }

    step("Plan", "what changed, what it means, and the evidence");
    let before = version(&client, &connection).await?;
    let sketches = sketches::of(&before, source_db, &warehouse).await?;
    let plan: PlanAnswer = agent
        .post(
            "/repair/plan",
            &json!({"connection_id": connection.id, "sketches": sketches}),
        )
        .await?;
    anyhow::ensure!(!plan.plan.is_empty(), "the drift was not detected");
    out!("{}", plan.text);

    let renamed_key = plan.plan.changes.iter().find(|change| {
        change.kind == ChangeKind::FieldRenamed && change.roles.contains(&Role::PrimaryKey)
    });
    let evidence = renamed_key.and_then(|change| change.evidence.as_ref());
    anyhow::ensure!(
        evidence.is_some_and(|evidence| evidence.grade == Grade::Strong),
        "the renamed key was not recognized"
    );

    step(
        "Heal",
        "exactly this plan, every change accepted, the renames among them by their ids",
    );
    let accept: Vec<&str> = plan
        .plan
        .changes
        .iter()
        .map(|change| change.id.as_str())
        .collect();
    let healed: HealAnswer = client
        .post(
            &format!("/connections/{}/heal", connection.id),
            &json!({"plan_hash": plan.plan_hash, "accept": accept, "sketches": sketches}),
        )
        .await?;
    anyhow::ensure!(
        healed.outcome == HealOutcome::Healed,
        "the heal ended as {:?}",
        healed.outcome
    );
    for note in &healed.notes {
        outln!("{note}");
    }
    outln!(
        "catalog v{} -> v{}",
        healed.previous_version.unwrap_or_default(),
        healed.new_version.unwrap_or_default()
    );

    step(
        "Sync",
        "the refresh that the new columns need, then everything else",
    );
    if let Some(operation) = healed.sync_operation_id {
        let job_id = started_by(&client, &operation.to_string()).await?;
        let job = succeeded(follow(&client, &job_id, Format::Json).await?)?;
        outln!("{}", summary(&job));
    }
    let job = sync(&client, &connection).await?;
    outln!("{}", summary(&job));

    step(
        "Compare",
        "source and destination, cell by cell, every selected stream",
    );
    let catalog = version(&client, &connection).await?;
    let mut differences = 0;
    for compared in compare::all(&catalog, source_db, &warehouse).await? {
        outln!("{compared}");
        differences += compared.differences;
    }
    Ok(differences)
}

async fn sync(client: &Client, connection: &ConnectionView) -> anyhow::Result<JobView> {
    let started: SyncTriggered = client
        .post(&format!("/connections/{}/sync", connection.id), &json!({}))
        .await?;
    succeeded(follow(client, &started.job_id, Format::Json).await?)
}

fn succeeded(job: JobView) -> anyhow::Result<JobView> {
    anyhow::ensure!(job.status == "succeeded", "{}", summary(&job));
    Ok(job)
}

/// Returns the job that an operation started.
async fn started_by(client: &Client, operation: &str) -> anyhow::Result<String> {
    let begun = Instant::now();
    loop {
        let now: OperationView = client.get(&format!("/operations/{operation}")).await?;
        match now.status.as_str() {
            "succeeded" => {
                let job = now
                    .result
                    .as_ref()
                    .and_then(|result| result.get("job_id")?.as_str());
                return job
                    .map(str::to_owned)
                    .context("the operation reports no job");
            }
            "failed" => anyhow::bail!(
                now.error
                    .unwrap_or_else(|| "the sync did not start".to_owned())
            ),
            _ if begun.elapsed() > PATIENCE => {
                anyhow::bail!("the sync did not start within {PATIENCE:?}")
            }
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn version(
    client: &Client,
    connection: &ConnectionView,
) -> anyhow::Result<catalog::SyncCatalog> {
    let now: ConnectionView = client
        .get(&format!("/connections/{}", connection.id))
        .await?;
    let version: CatalogVersionDetail = client
        .get(&format!(
            "/connections/{}/catalogs/{}",
            connection.id, now.catalog_version
        ))
        .await?;
    Ok(catalog::SyncCatalog::parse(version.sync_catalog.get())?)
}

async fn counts(
    client: &Client,
    connection: &ConnectionView,
    source_db: &Path,
    warehouse: &Path,
) -> anyhow::Result<()> {
    let catalog = version(client, connection).await?;
    for (stream, source, destination) in compare::counts(&catalog, source_db, warehouse).await? {
        outln!("{stream:<12} {source:>6} rows in the source, {destination:>6} in the destination");
    }
    Ok(())
}

fn next_commands(folder: &Path, airbyte_port: u16) {
    let program = std::env::args().next().unwrap_or_else(|| "aam".to_owned());
    let home = folder.join(".aam");
    let home = home.display();
    let folder = folder.display();
    outln!("\nContinue from here; the connection is kept:");
    outln!(
        "  {}={airbyte_port} {}={folder} {program} --home {home} up",
        variables::SERVICE_PORT_EMBEDDED_AIRBYTE,
        variables::AAM_DATA_ROOTS,
    );
    outln!("and in another terminal:");
    outln!("  {program} --home {home} connections {CONNECTION}");
    outln!("  {program} --home {home} sync {CONNECTION} --wait");
    outln!("  sqlite3 {folder}/airports.db 'ALTER TABLE countries ADD COLUMN capital TEXT'");
    outln!("  {program} --home {home} heal {CONNECTION}");
}
