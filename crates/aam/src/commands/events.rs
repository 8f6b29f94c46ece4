//! `aam events`.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use contracts::EventView;
use futures::StreamExt as _;
use serde_json::Value;
use settings::Settings;

use crate::client::Client;
use crate::output::{self, Format};

/// Longer than the services' heartbeat interval: a stream that is silent for so long is dead.
const SILENCE: Duration = Duration::from_secs(45);
const RECONNECT: Duration = Duration::from_secs(2);
const PAGE: usize = 1000;

/// Shows past events or follows new ones.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Prints new events as they happen; Ctrl-C stops.
    #[arg(long)]
    follow: bool,
    /// Starts after the event with this sequence number; default: with the oldest event that is
    /// kept, or with new events if `--follow` is set.
    #[arg(long, value_name = "SEQUENCE")]
    after: Option<i64>,
    /// Only events of these kinds, separated by commas, for example `sync.failed`.
    #[arg(long = "type", value_name = "NAMES")]
    kind: Option<String>,
    /// Only events of this connection, by id or name.
    #[arg(long)]
    connection: Option<String>,
}

pub(crate) async fn run(
    settings: &Settings,
    format: Format,
    arguments: Arguments,
) -> anyhow::Result<ExitCode> {
    let client = Client::orchestrator(settings)?;
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if let Some(kind) = &arguments.kind {
        query.append_pair("type", kind);
    }
    if let Some(connection) = &arguments.connection {
        let connection = client.connection(connection).await?;
        query.append_pair("connection_id", &connection.id.to_string());
    }
    let query = query.finish();
    if arguments.follow {
        return follow(&client, format, &query, arguments.after).await;
    }
    let mut after = arguments.after.unwrap_or(0);
    loop {
        let path = format!("/events?{query}&limit={PAGE}&after={after}");
        let page: Vec<EventView> = client.get(path.replace("?&", "?").as_str()).await?;
        for event in &page {
            if !show(format, event)? {
                return Ok(ExitCode::SUCCESS);
            }
            after = event.sequence;
        }
        if page.len() < PAGE {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// Listens until interrupted; resumes after the last event if the stream breaks.
async fn follow(
    client: &Client,
    format: Format,
    query: &str,
    mut after: Option<i64>,
) -> anyhow::Result<ExitCode> {
    let mut is_first = true;
    loop {
        let position = after.map_or_else(String::new, |after| format!("&after={after}"));
        let path = format!("/events?{query}{position}").replace("?&", "?");
        match client.stream(&path, "text/event-stream").await {
            Ok(answer) => {
                is_first = false;
                if !listen(answer, format, &mut after).await? {
                    return Ok(ExitCode::SUCCESS);
                }
            }
            // Retries while a service restarts, but not after a rejection.
            Err(error) if is_first || error.is::<crate::client::Refused>() => return Err(error),
            Err(_) => {}
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

/// Prints events until the stream ends or falls silent; returns whether stdout is still open.
async fn listen(
    answer: reqwest::Response,
    format: Format,
    after: &mut Option<i64>,
) -> anyhow::Result<bool> {
    let mut bytes = answer.bytes_stream();
    let mut buffer = Vec::new();
    while let Ok(Some(Ok(chunk))) = tokio::time::timeout(SILENCE, bytes.next()).await {
        buffer.extend_from_slice(&chunk);
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = buffer.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            if let Some(data) = line.strip_prefix("data: ") {
                let event: EventView = serde_json::from_str(data).context("reading an event")?;
                if !show(format, &event)? {
                    return Ok(false);
                }
                *after = Some(event.sequence);
            }
        }
    }
    Ok(true)
}

/// Prints an event; returns false if stdout is closed, for example by `head`.
fn show(format: Format, event: &EventView) -> anyhow::Result<bool> {
    let written = serde_json::to_value(event)?;
    let line = match format {
        // One document per line: a stream has no end at which to close a list.
        Format::Json => written.to_string(),
        Format::Table => {
            let connection = event
                .connection_id
                .map_or_else(|| "-".to_owned(), |id| id.to_string());
            format!(
                "{:>6}  {}  {connection}  {:<22}  {}",
                event.sequence,
                output::time(event.time),
                event.event.name(),
                details(&written["data"])
            )
        }
    };
    Ok(writeln!(std::io::stdout(), "{line}").is_ok())
}

/// A payload on one line.
fn details(data: &Value) -> String {
    let Some(members) = data.as_object() else {
        return String::new();
    };
    members
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| match value.as_str() {
            Some(text) => format!("{name}={text}"),
            None => format!("{name}={value}"),
        })
        .collect::<Vec<_>>()
        .join(" ")
}
