//! `aam schedule`.

use std::process::ExitCode;

use contracts::{ConnectionPatch, ConnectionView, Schedule, ScheduleType};
use reqwest::Method;
use serde_json::Value;
use settings::Settings;

use crate::client::Client;
use crate::output::outln;
use crate::output::{self, Format};

/// Manages sync schedules.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Sets a connection's schedule, replacing its current one.
    Create {
        /// The connection, by id or name.
        #[arg(long)]
        connection: String,
        #[command(flatten)]
        when: When,
        /// The cron expression's time zone, for example `Europe/Berlin`; default: UTC.
        #[arg(long, requires = "cron")]
        time_zone: Option<String>,
    },
    /// Lists the connections with a schedule.
    List {
        /// Only this connection, by id or name, whether it has a schedule or not.
        #[arg(long)]
        connection: Option<String>,
    },
    /// Removes a connection's schedule: it then syncs only on request.
    Delete {
        /// The connection, by id or name.
        #[arg(long)]
        connection: String,
    },
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct When {
    /// Unix cron (`0 6 * * 1-5`, `@daily`) or Quartz (`0 0 6 ? * MON-FRI`).
    #[arg(long)]
    cron: Option<String>,
    /// Interval after the newest job: `30m`, `6h`, `1d`, `2w`.
    #[arg(long)]
    every: Option<String>,
}

pub(crate) async fn run(
    settings: &Settings,
    format: Format,
    command: Command,
) -> anyhow::Result<ExitCode> {
    let client = Client::orchestrator(settings)?;
    match command {
        Command::Create {
            connection,
            when,
            time_zone,
        } => {
            let schedule = Schedule {
                kind: if when.cron.is_some() {
                    ScheduleType::Cron
                } else {
                    ScheduleType::Interval
                },
                cron: when.cron,
                time_zone,
                every: when.every,
            };
            put(&client, format, &connection, schedule).await?;
        }
        Command::Delete { connection } => {
            put(&client, format, &connection, Schedule::default()).await?;
        }
        Command::List { connection } => {
            let found = match connection {
                Some(connection) => vec![client.connection(&connection).await?],
                None => {
                    let all: Vec<ConnectionView> = client.get("/connections").await?;
                    let scheduled =
                        |one: &ConnectionView| one.schedule.kind != ScheduleType::Manual;
                    all.into_iter().filter(scheduled).collect()
                }
            };
            list(&client, format, found).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn put(
    client: &Client,
    format: Format,
    connection: &str,
    schedule: Schedule,
) -> anyhow::Result<()> {
    let id = client.connection(connection).await?.id;
    let patch = ConnectionPatch {
        schedule: Some(schedule),
        ..ConnectionPatch::default()
    };
    let path = format!("/connections/{id}");
    let answer: Value = client.call(Method::PATCH, &path, Some(&patch)).await?;
    if format == Format::Json {
        return output::json(&answer);
    }
    match serde_json::from_value::<ConnectionView>(answer.clone()) {
        Ok(view) => print_summary(&view),
        // Airbyte is unreachable; the operation continues.
        Err(_) => outln!(
            "Airbyte is unreachable; operation {} continues in the background.",
            answer["id"].as_str().unwrap_or_default()
        ),
    }
    Ok(())
}

fn print_summary(view: &ConnectionView) {
    let name = &view.name;
    match view.schedule.kind {
        ScheduleType::Manual => outln!("{name} syncs on request."),
        ScheduleType::Cron | ScheduleType::Interval => {
            outln!("{name} syncs {}.", words(&view.schedule));
            for run in &view.next_runs {
                outln!("  {}", output::time(*run));
            }
        }
    }
}

async fn list(client: &Client, format: Format, found: Vec<ConnectionView>) -> anyhow::Result<()> {
    let mut all = Vec::with_capacity(found.len());
    for one in found {
        // Only the response for a single connection includes its next runs.
        let path = format!("/connections/{}", one.id);
        all.push(client.get::<ConnectionView>(&path).await?);
    }
    if format == Format::Json {
        return output::json(&all);
    }
    if all.is_empty() {
        outln!("No schedules yet; `aam schedule create` creates one.");
        return Ok(());
    }
    output::table(
        ["CONNECTION", "STATUS", "SCHEDULE", "NEXT RUN"],
        all.into_iter().map(|view| {
            let next = view.next_runs.first();
            [
                view.name,
                view.status,
                words(&view.schedule),
                next.copied().map(output::time).unwrap_or_default(),
            ]
        }),
    );
    Ok(())
}

fn words(schedule: &Schedule) -> String {
    let text = |given: &Option<String>| given.clone().unwrap_or_default();
    match schedule.kind {
        ScheduleType::Manual => "on request".to_owned(),
        ScheduleType::Interval => format!("every {}", text(&schedule.every)),
        ScheduleType::Cron => {
            let zone = schedule.time_zone.as_deref().unwrap_or("UTC");
            format!("at {} ({zone})", text(&schedule.cron))
        }
    }
}
