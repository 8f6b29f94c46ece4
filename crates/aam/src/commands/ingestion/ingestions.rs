//! `aam ingestion`.

use std::process::ExitCode;

use contracts::{
    Ingestion, IngestionSchedule, IngestionScheduleType, IngestionStatus, Ingestions, OperationView,
};
use reqwest::Method;
use serde_json::{Map, Value, json};
use settings::Settings;

use super::endpoint::{self, Noun};
use crate::client::Client;
use crate::commands::{delete, sync};
use crate::output::outln;
use crate::output::{self, Format};

/// Creates, lists, changes, syncs and deletes ingestions.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Creates an ingestion from a datasource and a sink.
    Create {
        /// The datasource, by id or name.
        #[arg(long)]
        source: String,
        /// The sink, by id or name.
        #[arg(long)]
        sink: String,
        /// Its name, unique; default: derived from datasource and sink.
        #[arg(long)]
        name: Option<String>,
        /// The streams to sync; default: all.
        #[arg(long = "stream")]
        streams: Vec<String>,
        #[command(flatten)]
        schedule: When,
        /// Creates it inactive.
        #[arg(long)]
        inactive: bool,
    },
    /// Lists all ingestions; every connection is an ingestion.
    List,
    /// Shows an ingestion's status: last sync, next sync, newest job.
    Status {
        /// Its id or name.
        ingestion: String,
    },
    /// Changes name, schedule or status.
    Update {
        /// Its id or name.
        ingestion: String,
        /// Its new name.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        schedule: When,
        /// Whether it syncs at all.
        #[arg(long)]
        status: Option<Switch>,
    },
    /// Starts a sync, or attaches to the running one.
    Sync(sync::Arguments),
    /// Deletes an ingestion; its datasource, its sink and the synced data stay.
    Delete(delete::Arguments),
}

/// An ingestion's schedule.
#[derive(Debug, clap::Args)]
#[group(multiple = true)]
pub(crate) struct When {
    /// Unix cron (`0 2 * * *`) or Quartz (`0 0 2 * * ?`).
    #[arg(long, conflicts_with_all = ["every", "manual"])]
    cron: Option<String>,
    /// The cron expression's time zone, for example `Europe/Berlin`; default: UTC.
    #[arg(long, requires = "cron")]
    time_zone: Option<String>,
    /// An interval after the newest job, for example `24 hours`.
    #[arg(long, value_names = ["UNITS", "UNIT"], num_args = 2, conflicts_with = "manual")]
    every: Option<Vec<String>>,
    /// Syncs only on request.
    #[arg(long)]
    manual: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Switch {
    Active,
    Inactive,
}

impl When {
    fn to_json(&self) -> Option<Value> {
        if let Some(cron) = &self.cron {
            let mut schedule = json!({"scheduleType": "cron", "cronExpression": cron});
            if let Some(zone) = &self.time_zone {
                schedule["cronTimeZone"] = zone.clone().into();
            }
            return Some(schedule);
        }
        if let Some([units, unit]) = self.every.as_deref() {
            // The service reports a malformed number, naming the field.
            let units = units
                .parse()
                .map_or_else(|_| json!(units), |n: u32| json!(n));
            return Some(json!({"scheduleType": "basic", "units": units, "timeUnit": unit}));
        }
        self.manual.then(|| json!({"scheduleType": "manual"}))
    }
}

pub(crate) async fn run(
    settings: &Settings,
    format: Format,
    command: Command,
) -> anyhow::Result<ExitCode> {
    let client = Client::orchestrator(settings)?;
    match command {
        Command::Create {
            source,
            sink,
            name,
            streams,
            schedule,
            inactive,
        } => {
            let mut body = Map::new();
            let source = endpoint::find(&client, Noun::Datasource, &source).await?;
            let sink = endpoint::find(&client, Noun::Sink, &sink).await?;
            body.insert("sourceId".to_owned(), json!(source));
            body.insert("destinationId".to_owned(), json!(sink));
            for (member, value) in [
                ("name", name.map(Value::from)),
                ("streams", (!streams.is_empty()).then(|| json!(streams))),
                ("schedule", schedule.to_json()),
                ("status", inactive.then(|| json!("inactive"))),
            ] {
                if let Some(value) = value {
                    body.insert(member.to_owned(), value);
                }
            }
            let made: Ingestion = client.post("/ingestion", &body).await?;
            print_summary(format, &made)?;
        }
        Command::List => list(format, client.get("/ingestion").await?)?,
        Command::Status { ingestion } => {
            let id = client.connection(&ingestion).await?.id;
            let path = format!("/ingestion/{id}/status");
            status(format, &client.get(&path).await?)?;
        }
        Command::Update {
            ingestion,
            name,
            schedule,
            status,
        } => {
            let id = client.connection(&ingestion).await?.id;
            let mut body = Map::new();
            let status = status.map(|status| match status {
                Switch::Active => json!("active"),
                Switch::Inactive => json!("inactive"),
            });
            for (member, value) in [
                ("name", name.map(Value::from)),
                ("schedule", schedule.to_json()),
                ("status", status),
            ] {
                if let Some(value) = value {
                    body.insert(member.to_owned(), value);
                }
            }
            let path = format!("/ingestion/{id}");
            let answer: Value = client.call(Method::PATCH, &path, Some(&body)).await?;
            match serde_json::from_value::<Ingestion>(answer.clone()) {
                Ok(changed) => print_summary(format, &changed)?,
                // Airbyte is unreachable; the operation continues.
                Err(_) => {
                    let operation: OperationView = serde_json::from_value(answer)?;
                    outln!(
                        "Airbyte is unreachable; operation {} continues in the background.",
                        operation.id
                    );
                }
            }
        }
        Command::Sync(arguments) => return sync::run(settings, format, arguments).await,
        Command::Delete(arguments) => return delete::run(settings, format, arguments).await,
    }
    Ok(ExitCode::SUCCESS)
}

fn print_summary(format: Format, ingestion: &Ingestion) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(ingestion);
    }
    outln!(
        "{} is {} and syncs {}: {}",
        ingestion.name,
        ingestion.status,
        words(&ingestion.schedule),
        ingestion.connection_id
    );
    Ok(())
}

fn list(format: Format, all: Ingestions) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(&all);
    }
    if all.connections.is_empty() {
        outln!("No ingestions yet; `aam ingestion create` creates one.");
        return Ok(());
    }
    output::table(
        ["ID", "NAME", "STATUS", "SYNCS"],
        all.connections.into_iter().map(|ingestion| {
            [
                ingestion.connection_id.to_string(),
                ingestion.name,
                ingestion.status,
                words(&ingestion.schedule),
            ]
        }),
    );
    Ok(())
}

fn status(format: Format, status: &IngestionStatus) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(status);
    }
    let time = |at: Option<_>, else_: &str| at.map_or_else(|| else_.to_owned(), output::time);
    outln!("status     {}", status.status);
    outln!("last sync  {}", time(status.last_sync, "never"));
    outln!("next sync  {}", time(status.next_sync, "on request"));
    if let Some(job) = &status.last_job {
        let rows = job.rows.unwrap_or(0);
        let error = job.error.as_ref().map(|error| format!("; {error}"));
        outln!(
            "last job   {} {}: {rows} rows{}",
            job.id,
            job.status,
            error.unwrap_or_default()
        );
    }
    Ok(())
}

fn words(schedule: &IngestionSchedule) -> String {
    let text = |given: &Option<String>| given.clone().unwrap_or_default();
    match schedule.schedule_type {
        IngestionScheduleType::Manual => "on request".to_owned(),
        IngestionScheduleType::Basic => {
            let unit = serde_json::to_value(schedule.time_unit).unwrap_or_default();
            format!(
                "every {} {}",
                schedule.units.unwrap_or_default(),
                unit.as_str().unwrap_or_default()
            )
        }
        IngestionScheduleType::Cron => {
            let zone = schedule.cron_time_zone.as_deref().unwrap_or("UTC");
            format!("at {} ({zone})", text(&schedule.cron_expression))
        }
    }
}
