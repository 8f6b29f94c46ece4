//! Compares two versions of a connection. Changes nothing.

use std::time::Duration;

use catalog::SyncCatalog;
use catalog::destinations::DestinationKind;
use catalog::plan::{Capabilities, Comparison, Style};
use contracts::{CatalogComparison, DriftPolicy, ErrorCode};
use shared::airbyte::ActorKind;
use shared::registry;
use shared::registry::entities::connection;
use uuid::Uuid;

use super::Error;
use crate::state::State;

/// How long to wait for Airbyte to return the destination's kind; without it the comparison
/// proceeds without.
const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) async fn run(
    state: State,
    id: Uuid,
    from: Option<i32>,
    to: Option<i32>,
) -> Result<CatalogComparison, Error> {
    let row = state.connection(id).await?;
    let to = to.unwrap_or(row.current_version);
    let from = from.unwrap_or(to - 1);
    let before = version(&state, &row, from).await?;
    let after = version(&state, &row, to).await?;
    let policy = DriftPolicy::from_stored(&row.drift_policy)
        .policy()
        .map_err(|faults| registry::Error::Document(faults.to_string()))?;
    let capabilities = Capabilities {
        destination: destination_kind(&state, &row).await,
        ..Capabilities::default()
    };
    let compared = Comparison::of(&before, &after, &capabilities, &policy);
    Ok(CatalogComparison {
        connection_id: row.id,
        from,
        to,
        destination: capabilities.destination,
        text: compared.to_text_in(Style::Plain),
        severity: compared.severity,
        changes: compared.changes,
        settings: compared.settings,
        airbyte: compared.airbyte,
    })
}

async fn version(
    state: &State,
    row: &connection::Model,
    number: i32,
) -> Result<SyncCatalog, Error> {
    let found = state.registry.version_get(row.id, number).await?;
    let version = found.ok_or_else(|| {
        let newest = row.current_version;
        let detail = if number < 1 {
            "the first version has no predecessor to compare with".to_owned()
        } else {
            format!("no version {number}; the newest is {newest}")
        };
        Error::refused(ErrorCode::VersionNotFound, detail)
    })?;
    SyncCatalog::parse(&version.document)
        .map_err(|faults| registry::Error::Document(faults.to_string()).into())
}

/// The destination's kind, if its Airbyte is configured and responds.
async fn destination_kind(state: &State, row: &connection::Model) -> DestinationKind {
    let Some(id) = row.destination_id else {
        return DestinationKind::default();
    };
    if row.airbyte_instance != state.airbyte.instance() {
        return DestinationKind::default();
    }
    let response = state.airbyte.actor_get(ActorKind::Destination, id);
    let response = tokio::time::timeout(PATIENCE, response).await;
    match response {
        Ok(Ok(destination)) => destination.destination_kind(),
        Ok(Err(error)) => {
            tracing::info!(%error, "comparing versions without knowing the destination's kind");
            DestinationKind::default()
        }
        Err(_) => {
            tracing::info!("comparing versions without waiting longer for Airbyte");
            DestinationKind::default()
        }
    }
}
