//! `aam rollback`.

use std::process::ExitCode;

use contracts::{RollbackAnswer, RollbackBody};
use settings::Settings;

use crate::client::Client;
use crate::output::outln;
use crate::output::{self, Format};

/// Rolls a connection back to an earlier catalog version.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A connection's id or name.
    connection: String,
    /// The version to roll back to; `aam connections NAME` lists them.
    #[arg(long)]
    to: i32,
    /// Rolls back only if the connection is at this version.
    #[arg(long)]
    expected_version: Option<i32>,
}

pub(crate) async fn run(
    settings: &Settings,
    format: Format,
    arguments: Arguments,
) -> anyhow::Result<ExitCode> {
    let client = Client::orchestrator(settings)?;
    let connection = client.connection(&arguments.connection).await?;
    let body = RollbackBody {
        version: arguments.to,
        expected_version: arguments.expected_version,
    };
    let path = format!("/connections/{}/rollback", connection.id);
    let answer: RollbackAnswer = client.post(&path, &body).await?;
    match format {
        Format::Json => output::json(&answer)?,
        Format::Table => outln!("{}.", answer.message.trim_end_matches('.')),
    }
    Ok(ExitCode::SUCCESS)
}
