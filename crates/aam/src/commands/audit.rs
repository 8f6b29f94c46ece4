//! `aam audit`.

use std::process::ExitCode;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use contracts::AuditEntry;
use settings::Settings;

use crate::client::Client;
use crate::output::outln;
use crate::output::{self, Format};

/// Shows who changed what, newest first
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only changes of this connection, by id or name
    #[arg(long)]
    connection: Option<String>,
    /// Only actions of this caller, by the name of its key
    #[arg(long)]
    actor: Option<String>,
    /// Only this action, for example `key.create`
    #[arg(long)]
    action: Option<String>,
    /// Only changes since this time (RFC 3339)
    #[arg(long)]
    since: Option<String>,
    /// Maximum number of entries, up to 1,000
    #[arg(long, default_value_t = 50)]
    limit: u64,
}

pub(crate) async fn run(
    settings: &Settings,
    format: Format,
    arguments: Arguments,
) -> anyhow::Result<ExitCode> {
    let client = Client::orchestrator(settings)?;
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &arguments.limit.to_string());
    if let Some(connection) = &arguments.connection {
        let id = match uuid::Uuid::parse_str(connection) {
            // The connection may be deleted; its audit entries remain.
            Ok(id) => id,
            Err(_) => client.connection(connection).await?.id,
        };
        query.append_pair("connection_id", &id.to_string());
    }
    if let Some(since) = &arguments.since {
        let since: DateTime<Utc> = since.parse().with_context(|| {
            format!("--since {since}: expected a time such as 2027-01-01T00:00:00Z")
        })?;
        query.append_pair("since", &since.to_rfc3339());
    }
    for (name, value) in [("actor", &arguments.actor), ("action", &arguments.action)] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let all: Vec<AuditEntry> = client.get(&format!("/audit?{}", query.finish())).await?;
    match format {
        Format::Json => output::json(&all)?,
        Format::Table if all.is_empty() => outln!("No changes."),
        Format::Table => output::table(
            ["TIME", "WHO", "ROLE", "ACTION", "TARGET", "REQUEST"],
            all.into_iter().map(|entry| {
                [
                    output::time(entry.time),
                    entry.actor,
                    entry.role,
                    entry.action,
                    entry.target,
                    entry.request_id.unwrap_or_default(),
                ]
            }),
        ),
    }
    Ok(ExitCode::SUCCESS)
}
