//! `aam update`.

use std::path::Path;
use std::process::ExitCode;

use contracts::{ConnectionPatch, ConnectionView, DesiredStatus};
use reqwest::Method;
use settings::Settings;
use settings::drift_policy;

use crate::client::Client;
use crate::output::outln;
use crate::output::{self, Format};

/// Changes a connection's name, drift policy or status.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// A connection's id or name.
    connection: String,
    /// Its new name.
    #[arg(long)]
    name: Option<String>,
    /// The drift policy: a keyword, for example `auto`, or a JSON file with rules.
    #[arg(long, value_name = "WORD|FILE")]
    drift_policy: Option<String>,
    /// Whether the connection syncs and heals at all.
    #[arg(long)]
    status: Option<Status>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Status {
    Active,
    Inactive,
}

pub(crate) async fn run(
    settings: &Settings,
    format: Format,
    arguments: Arguments,
) -> anyhow::Result<ExitCode> {
    let policy = arguments.drift_policy.as_deref();
    let policy = policy.map(|given| drift_policy::read(given, Path::new("")));
    let patch = ConnectionPatch {
        name: arguments.name,
        drift_policy: policy.transpose()?,
        status: arguments.status.map(|status| match status {
            Status::Active => DesiredStatus::Active,
            Status::Inactive => DesiredStatus::Inactive,
        }),
        ..ConnectionPatch::default()
    };
    let client = Client::orchestrator(settings)?;
    let connection = client.connection(&arguments.connection).await?;
    let path = format!("/connections/{}", connection.id);
    let changed: ConnectionView = client.call(Method::PATCH, &path, Some(&patch)).await?;
    match format {
        Format::Json => output::json(&changed)?,
        Format::Table => outln!("{} is {}.", changed.name, changed.status),
    }
    Ok(ExitCode::SUCCESS)
}
