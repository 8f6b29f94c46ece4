//! The computed metrics of `/metrics`: leader leases, the outbox, the database, and how fresh each
//! connection's data is.

use std::fmt::Write as _;
use std::time::Duration;

use chrono::{DateTime, Utc};
use context::error_chain;
use shared::registry;
use shared::registry::connections::ConnectionFilter;
use shared::registry::entities::connection;
use shared::registry::leases::{REDIS, RELAY};
use uuid::Uuid;

use crate::state::State;

/// With more connections than this, their metrics are only on `/metrics/connections`, which is
/// streamed.
const CONNECTIONS_MAX: u64 = 1000;
const PAGE: u64 = 500;

const INFO: &str = "# HELP aam_connection_info What a connection is; joins names to ids.\n# TYPE aam_connection_info gauge\n";
const SUCCESS: &str = "# HELP aam_connection_last_success_timestamp_seconds End of a connection's \
                       newest successful sync or refresh.\n# TYPE \
                       aam_connection_last_success_timestamp_seconds gauge\n";

/// Updates gauges and writes the metrics of single connections.
pub(crate) async fn scrape(state: State) -> String {
    for (pool, open, idle) in state.registry.pools() {
        service_kit::metrics::database_pool(pool, open, idle);
    }
    match read(&state).await {
        Ok(text) => text,
        Err(error) => {
            tracing::debug!(error = %error_chain(&error), "metrics lack the registry's values");
            String::new()
        }
    }
}

async fn read(state: &State) -> Result<String, registry::Error> {
    let now = registry::now();
    let since = |at: DateTime<Utc>| (now - at).to_std().unwrap_or_default();
    let (leases, at) = state.registry.leader_list().await?;
    for lease in &leases {
        let age = (at - lease.updated_at).to_std().unwrap_or_default();
        service_kit::metrics::lease_age(&lease.name, age);
    }
    let position = |name: &str| {
        let lease = leases.iter().find(|lease| lease.name == name)?;
        Some(lease.position)
    };
    let waiting = state.registry.event_waiting_since().await?;
    let redis =
        position(REDIS).map(|position_of_redis| position(RELAY).unwrap_or(0) - position_of_redis);
    service_kit::metrics::outbox_lag(waiting.map_or(Duration::ZERO, since), redis);

    let everything = ConnectionFilter::default();
    let rows = state
        .registry
        .connection_page(&everything, None, CONNECTIONS_MAX + 1)
        .await?;
    if rows.len() as u64 > CONNECTIONS_MAX {
        return Ok(
            "# See /metrics/connections: there are more than 1,000 connections.\n".to_owned(),
        );
    }
    Ok(format!(
        "{INFO}{}{SUCCESS}{}",
        infos(&rows),
        successes(&rows)
    ))
}

/// The connections' metrics for any number of connections, a page at a time: all infos, then all
/// times, since the lines of a metric must be together.
pub(crate) struct Pages {
    state: State,
    part: Part,
    after: Option<Uuid>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Info,
    Success,
    Done,
}

impl Pages {
    pub(crate) fn new(state: State) -> Self {
        Self {
            state,
            part: Part::Info,
            after: None,
        }
    }

    /// The next lines; `None` at the end.
    ///
    /// # Errors
    /// Returns an error if the registry fails.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, registry::Error> {
        if self.part == Part::Done {
            return Ok(None);
        }
        let rows = self
            .state
            .registry
            .connection_page(&ConnectionFilter::default(), self.after, PAGE)
            .await?;
        let is_first = self.after.is_none();
        self.after = rows.last().map(|row| row.id);
        let (heading, lines) = match self.part {
            Part::Info => (INFO, infos(&rows)),
            _ => (SUCCESS, successes(&rows)),
        };
        if (rows.len() as u64) < PAGE {
            self.after = None;
            self.part = match self.part {
                Part::Info => Part::Success,
                _ => Part::Done,
            };
        }
        let heading = if is_first { heading } else { "" };
        Ok(Some(format!("{heading}{lines}")))
    }
}

fn infos(rows: &[connection::Model]) -> String {
    let mut text = String::new();
    for row in rows {
        let _ = writeln!(
            text,
            "aam_connection_info{{connection_id=\"{}\",name=\"{}\",source_type=\"{}\",status=\"{}\"}} 1",
            row.id,
            escaped(&row.name),
            escaped(&row.source_type),
            row.status.as_str()
        );
    }
    text
}

fn successes(rows: &[connection::Model]) -> String {
    let mut text = String::new();
    for row in rows {
        if let Some(at) = row.last_synced_at {
            let _ = writeln!(
                text,
                "aam_connection_last_success_timestamp_seconds{{connection_id=\"{}\"}} {}",
                row.id,
                at.timestamp()
            );
        }
    }
    text
}

/// Escapes a label's value for the text format.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
