//! `aam delete`.

use std::process::ExitCode;

use contracts::OperationView;
use reqwest::Method;
use settings::Settings;

use super::operations;
use crate::client::Client;
use crate::output::outln;
use crate::output::{self, Format};

/// Deletes a connection and its Airbyte objects; the destination's data stays.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A connection's id or name.
    connection: String,
    /// Waits for the deletion to complete, even if Airbyte is unreachable now.
    #[arg(long)]
    wait: bool,
}

pub(crate) async fn run(
    settings: &Settings,
    format: Format,
    arguments: Arguments,
) -> anyhow::Result<ExitCode> {
    let client = Client::orchestrator(settings)?;
    let connection = client.connection(&arguments.connection).await?;
    let path = format!("/connections/{}", connection.id);
    let goes_on: Option<OperationView> = client.call(Method::DELETE, &path, None::<&()>).await?;
    match goes_on {
        Some(operation) if arguments.wait => {
            return operations::watch(&client, format, operation.id).await;
        }
        Some(operation) => match format {
            Format::Json => output::json(&operation)?,
            Format::Table => outln!(
                "Airbyte cannot be reached; the deletion continues in the background: aam \
                 operations {} --watch",
                operation.id
            ),
        },
        None if format == Format::Table => outln!("Deleted {}.", connection.name),
        None => {}
    }
    Ok(ExitCode::SUCCESS)
}
