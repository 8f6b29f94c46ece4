//! Discovers what a source offers for an onboarding, and checks whether another connection already
//! writes the same tables.

use catalog::SyncCatalog;
use contracts::{ErrorCode, FieldError, OnboardRequest};
use operations::destination_streams::{Naming, refuse_taken};
use shared::airbyte::types::{Connection, destination_modes};
use shared::airbyte::{self, ErrorKind};
use uuid::Uuid;

use super::Error;
use super::prepare::Prepared;
use crate::domain::ownership_tag;
use crate::state::State;

/// What a source offers, with the requested streams selected.
pub(crate) struct Offer {
    pub(crate) catalog: SyncCatalog,
    pub(crate) catalog_id: Option<Uuid>,
}

/// Discovers the schema and selects the requested streams.
pub(crate) async fn offer(
    state: &State,
    request: &OnboardRequest,
    prepared: &Prepared,
    source_id: Uuid,
) -> Result<Offer, Error> {
    let discovered = state
        .airbyte
        .discover(source_id)
        .await
        .map_err(|error| match error.kind {
            ErrorKind::Connector { ref message, .. } => {
                Error::refused(ErrorCode::DiscoverFailed, message.clone())
            }
            _ => error.into(),
        })?;
    let catalog = SyncCatalog::parse(&discovered.catalog).map_err(Error::Catalog)?;
    if catalog.streams.is_empty() {
        return Err(Error::refused(
            ErrorCode::DiscoverFailed,
            "the source has no streams to sync; check its configuration",
        ));
    }
    let streams = state
        .airbyte
        .stream_list(source_id, prepared.destination_id)
        .await
        .map_err(|error| deleted_meanwhile(error, "destination_id"))?;
    let modes = destination_modes(&streams);
    let selected = catalog::select::select(&catalog, request.streams.as_deref(), &modes).map_err(
        |faults| {
            let fields = faults
                .0
                .into_iter()
                .map(|fault| FieldError {
                    field: fault.path,
                    message: fault.message,
                })
                .collect();
            Error::fields(ErrorCode::Invalid, fields)
        },
    )?;
    Ok(Offer {
        catalog: selected,
        catalog_id: discovered.catalog_id,
    })
}

/// Converts a "not found" from Airbyte: an object that the onboarding needs may have been deleted
/// there since it was looked up.
pub(crate) fn deleted_meanwhile(error: airbyte::Error, field: &str) -> Error {
    if error.is_not_found() {
        let message = "was deleted from Airbyte in the meantime";
        return Error::field(ErrorCode::Invalid, field, message);
    }
    error.into()
}

/// How the request names tables at the destination.
pub(crate) fn naming(request: &OnboardRequest) -> Naming {
    Naming {
        definition: request.namespace_definition.unwrap_or_default(),
        format: request.namespace_format.clone(),
        prefix: request.prefix.clone().unwrap_or_default(),
    }
}

/// Rejects tables that another connection writes. With `made`, the connection just created, only
/// connections created before it count: of two created at the same time, one stays.
pub(crate) async fn refuse_conflicts(
    state: &State,
    request: &OnboardRequest,
    prepared: &Prepared,
    catalog: &SyncCatalog,
    made: Option<Uuid>,
    is_ours: impl Fn(&Connection) -> bool,
) -> Result<(), Error> {
    let mine = naming(request).targets(catalog);
    let all = state.airbyte.connection_list(prepared.workspace_id).await?;
    let age = |connection: &Connection| (connection.created_at, connection.connection_id);
    let mine_since = all
        .iter()
        .find(|connection| Some(connection.connection_id) == made)
        .map(age);
    let others = all.iter().filter(|other| {
        other.destination_id == prepared.destination_id
            && other.status != "deprecated"
            // A leftover of an earlier attempt at this connection does not count.
            && !is_ours(other)
            && mine_since.is_none_or(|mine| age(other) < mine)
    });
    refuse_taken(&mine, others, |other| {
        ownership_tag::without(state.installation, &other.name)
    })
}
