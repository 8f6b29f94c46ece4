//! What a source offers an onboarding, and whether another connection already writes it.

use std::collections::HashMap;

use catalog::SyncCatalog;
use contracts::{ErrorCode, FieldError, NamespaceDefinition, OnboardRequest};
use shared::airbyte::types::{Connection, destination_modes};
use shared::airbyte::{self, ErrorKind};
use uuid::Uuid;

use super::Error;
use super::prepare::Prepared;
use crate::domain::conflicts::Naming;
use crate::domain::mark;
use crate::state::State;

/// What a source offers, with the streams that were asked for selected.
pub(crate) struct Offer {
    pub(crate) catalog: SyncCatalog,
    pub(crate) catalog_id: Option<Uuid>,
}

/// Discovers anew and selects what was asked for.
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
            ErrorKind::Connector { ref said, .. } => {
                Error::refused(ErrorCode::DiscoverFailed, said.clone())
            }
            _ => error.into(),
        })?;
    let catalog = SyncCatalog::parse(&discovered.catalog).map_err(Error::Catalog)?;
    if catalog.streams.is_empty() {
        return Err(Error::refused(
            ErrorCode::DiscoverFailed,
            "the source has no streams to sync: check what its configuration points at",
        ));
    }
    let streams = state
        .airbyte
        .stream_list(source_id, prepared.destination_id)
        .await
        .map_err(|error| gone(error, "destination_id"))?;
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

/// What an onboarding is made of may have been removed in Airbyte since it was looked for.
pub(crate) fn gone(error: airbyte::Error, field: &str) -> Error {
    if error.is_not_found() {
        let message = "was removed from Airbyte meanwhile";
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

/// Airbyte lets two connections write one table unless a flag is set; AAM does not.
pub(crate) async fn refuse_conflicts(
    state: &State,
    request: &OnboardRequest,
    prepared: &Prepared,
    catalog: &SyncCatalog,
    is_ours: impl Fn(&Connection) -> bool,
) -> Result<(), Error> {
    let mine = naming(request).targets(catalog);
    let others = state.airbyte.connection_list(prepared.workspace_id).await?;
    let mut taken: HashMap<_, _> = HashMap::new();
    for other in others.iter().filter(|other| {
        other.destination_id == prepared.destination_id
            && other.status != "deprecated"
            // What an earlier attempt made of this very connection is no other one.
            && !is_ours(other)
    }) {
        let naming = Naming {
            definition: match other.namespace_definition.as_deref() {
                Some("source") => NamespaceDefinition::Source,
                Some("custom_format") => NamespaceDefinition::CustomFormat,
                _ => NamespaceDefinition::Destination,
            },
            format: other.namespace_format.clone(),
            prefix: other.prefix.clone().unwrap_or_default(),
        };
        for stream in &other.configurations.streams {
            taken.insert(
                naming.target(&stream.name, stream.namespace.as_deref()),
                mark::without(state.installation, &other.name),
            );
        }
    }
    let mut conflicts: Vec<String> = mine
        .iter()
        .filter_map(|target| {
            let other = taken.get(target)?;
            Some(format!("`{}` (by connection `{other}`)", target.1))
        })
        .collect();
    if conflicts.is_empty() {
        return Ok(());
    }
    conflicts.sort();
    Err(stream_conflict(&conflicts.join(", ")))
}

/// Two connections must not write one table.
pub(crate) fn stream_conflict(which: &str) -> Error {
    Error::refused(
        ErrorCode::DestinationStreamConflict,
        format!(
            "the destination's tables are already written: {which}; give this connection a `prefix` or a destination of its own, or leave those streams out"
        ),
    )
}
