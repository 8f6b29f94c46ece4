//! `aam operations`, and following an operation until it ends.

use std::process::ExitCode;
use std::time::Duration;

use contracts::{ConnectionView, OperationView};
use settings::Settings;
use uuid::Uuid;

use crate::client::{Client, path_to};
use crate::output::outln;
use crate::output::{self, Format};

const POLL: Duration = Duration::from_millis(300);

/// Shows running and finished operations, step by step.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// An operation's id, or a connection's id or name; without it, the running operations.
    of: Option<String>,
    /// Waits for the operation to end and prints each step as it completes.
    #[arg(long, requires = "of")]
    watch: bool,
}

pub(crate) async fn run(
    settings: &Settings,
    format: Format,
    arguments: Arguments,
) -> anyhow::Result<ExitCode> {
    let client = Client::orchestrator(settings)?;
    let Some(of) = &arguments.of else {
        let open: Vec<OperationView> = client.get("/operations").await?;
        if open.is_empty() && format == Format::Table {
            outln!("No operation is running.");
            return Ok(ExitCode::SUCCESS);
        }
        return list(format, open);
    };
    let operation: Option<OperationView> = match Uuid::parse_str(of) {
        Ok(_) => client.get(&path_to("operations", of)).await.ok(),
        Err(_) => None,
    };
    if let Some(operation) = operation {
        if arguments.watch {
            return watch(&client, format, operation.id).await;
        }
        match format {
            Format::Json => output::json(&operation)?,
            Format::Table => {
                for line in lines(&operation) {
                    outln!("{line}");
                }
                outln!("{}", ending(&operation));
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    // A deleted connection's operations are still available under its id.
    let id = match Uuid::parse_str(of) {
        Ok(id) => id,
        Err(_) => client.connection(of).await?.id,
    };
    list(
        format,
        client.get(&format!("/connections/{id}/operations")).await?,
    )
}

fn list(format: Format, all: Vec<OperationView>) -> anyhow::Result<ExitCode> {
    match format {
        Format::Json => output::json(&all)?,
        Format::Table => output::table(
            ["OPERATION", "KIND", "STATUS", "BEGAN", "ERROR"],
            all.into_iter().map(|one| {
                let error = one.error.unwrap_or_default();
                let began = output::time(one.created_at);
                [one.id.to_string(), one.kind, one.status, began, error]
            }),
        ),
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints an operation's steps as they complete, until the operation ends.
pub(crate) async fn watch(client: &Client, format: Format, id: Uuid) -> anyhow::Result<ExitCode> {
    let mut printed = 0;
    let operation = loop {
        let operation: OperationView = client.get(&format!("/operations/{id}")).await?;
        let has_ended = has_ended(&operation);
        if format == Format::Table {
            let lines = lines(&operation);
            let ended = operation
                .steps
                .iter()
                .take_while(|step| step.status != "intended");
            let until = if has_ended {
                lines.len()
            } else {
                ended.count()
            };
            for line in lines.iter().take(until).skip(printed) {
                outln!("{line}");
            }
            printed = printed.max(until);
        }
        if has_ended {
            break operation;
        }
        tokio::time::sleep(POLL).await;
    };
    match format {
        Format::Json => output::json(&operation)?,
        Format::Table => outln!("{}", ending(&operation)),
    }
    Ok(match operation.error {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::FAILURE,
    })
}

/// Prints the connection that an onboarding created.
pub(crate) async fn made(client: &Client, operation: Uuid) -> anyhow::Result<ConnectionView> {
    let operation: OperationView = client.get(&format!("/operations/{operation}")).await?;
    client
        .get(&format!("/connections/{}", operation.connection_id))
        .await
}

/// A settling operation already has its result.
fn has_ended(operation: &OperationView) -> bool {
    !matches!(operation.status.as_str(), "pending" | "running")
}

fn lines(operation: &OperationView) -> Vec<String> {
    let line = |step: &contracts::StepView| {
        let took = (step.updated_at - step.created_at).num_milliseconds();
        let made = step.external_ref.as_deref().unwrap_or_default();
        let line = format!("{:<18} {:<9} {took:>6} ms  {made}", step.step, step.status);
        match &step.error {
            Some(error) => format!("{}  {error}", line.trim_end()),
            None => line.trim_end().to_owned(),
        }
    };
    operation.steps.iter().map(line).collect()
}

fn ending(operation: &OperationView) -> String {
    let line = format!("{} {} {}", operation.kind, operation.id, operation.status);
    match &operation.error {
        Some(error) => format!("{line}: {error}"),
        None => line,
    }
}
