//! `aam onboard`.

use std::path::Path;
use std::process::ExitCode;

use contracts::ConnectionView;
use serde_json::{Value, json};
use settings::Settings;
use settings::drift_policy;
use uuid::Uuid;

use super::operations;
use crate::client::{Client, Early};
use crate::commands::configuration::Configuration;
use crate::output::outln;
use crate::output::{self, Format};

/// Creates a connection: source, schema, connection, version 1.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The connection's name, unique.
    name: String,
    /// The source's type, for example `sqlite` or `Salesforce`.
    #[arg(long = "source-type", short = 't')]
    source_type: String,
    /// Id of a credential in the auth broker.
    #[arg(long)]
    credential: Option<String>,
    #[command(flatten)]
    config: Configuration,
    /// The streams to sync; default: all.
    #[arg(long = "stream")]
    streams: Vec<String>,
    /// The Airbyte destination; default: the only one.
    #[arg(long)]
    destination: Option<Uuid>,
    /// The Airbyte workspace; default: the only one.
    #[arg(long)]
    workspace: Option<Uuid>,
    /// Prefix of all table names.
    #[arg(long)]
    prefix: Option<String>,
    /// The drift policy: a keyword, for example `auto`, or a JSON file with rules; default: the
    /// installation's.
    #[arg(long, value_name = "WORD|FILE")]
    drift_policy: Option<String>,
    /// Prints each step as it completes.
    #[arg(long)]
    watch: bool,
}

pub(crate) async fn run(
    settings: &Settings,
    format: Format,
    arguments: Arguments,
) -> anyhow::Result<ExitCode> {
    let config = arguments.config.read()?;
    let policy = arguments.drift_policy.as_deref();
    let policy = policy.map(|given| drift_policy::read(given, Path::new("")));
    let policy = policy.transpose()?;
    let mut body = json!({
        "source_type": arguments.source_type,
        "connection_name": arguments.name,
    });
    let mut member = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body[name] = value;
        }
    };
    member("credential_id", arguments.credential.map(Value::from));
    member(
        "source_config",
        (!config.is_empty()).then(|| Value::from(config)),
    );
    member(
        "streams",
        (!arguments.streams.is_empty()).then(|| json!(arguments.streams)),
    );
    member("destination_id", arguments.destination.map(|id| json!(id)));
    member("workspace_id", arguments.workspace.map(|id| json!(id)));
    member("prefix", arguments.prefix.map(Value::from));
    member("drift_policy", policy.map(|policy| json!(policy)));
    let client = Client::orchestrator(settings)?;
    let made: ConnectionView = if arguments.watch {
        match client.post_early("/connections/onboard", &body).await? {
            Early::InProgress(operation) => {
                let ended = operations::watch(&client, Format::Table, operation.id).await?;
                if ended != ExitCode::SUCCESS {
                    return Ok(ended);
                }
                operations::made(&client, operation.id).await?
            }
            Early::Done(made) => made,
        }
    } else {
        client.post("/connections/onboard", &body).await?
    };
    match format {
        Format::Json => output::json(&made)?,
        Format::Table => outln!(
            "{name} is {} with catalog v{}: {}\nNext: aam sync {name:?} --wait",
            made.status,
            made.catalog_version,
            made.id,
            name = made.name
        ),
    }
    Ok(ExitCode::SUCCESS)
}
