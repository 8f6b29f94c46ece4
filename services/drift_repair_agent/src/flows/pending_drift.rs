//! Handles drift that is not applied: acknowledges it in Airbyte, leaves it pending, or stops the
//! connection.

use catalog::drift::{Change, Decision};
use catalog::plan::{Applied, Decisions};
use contracts::{Event, HealAnswer, HealOutcome};
use shared::airbyte::ConnectionUpdate;
use shared::airbyte::types::ConnectionRead;
use shared::registry::operations::{Ending, Lease};
use shared::registry::status::ConnectionStatus;

use super::observe::Offer;
use super::{Error, Repairable, change};
use crate::state::State;

/// The warning before the next sync, which Airbyte will cancel.
const NEXT_SYNC_CANCELLED: &str = "Airbyte's own diff rates a pending change as breaking: it will \
                                   cancel the next sync and deactivate the connection until the \
                                   change is accepted";

/// The discovered catalog to record as accepted. If Airbyte's own diff is breaking and the proposal
/// is still pending, it stays unchanged: the difference must remain visible.
pub(super) fn accepted_catalog(
    offer: &Offer,
    applied: &Applied,
    decisions: &Decisions,
) -> Option<uuid::Uuid> {
    let waits = applied
        .pending
        .iter()
        .any(|change| is_awaited(change) && !decisions.defer.contains(&change.id));
    if waits { None } else { offer.catalog_id }
}

/// Whether Airbyte will stop because of a change that a person has yet to decide about.
fn is_awaited(change: &Change) -> bool {
    change.breaking_for_airbyte && change.decision == Decision::NeedsAcceptance
}

/// If no change applies, acknowledges the discovered catalog in Airbyte, so that it does not
/// deactivate the connection.
pub(super) async fn acknowledge(
    state: &State,
    lease: &Lease,
    target: &Repairable,
    read: &ConnectionRead,
    catalog_id: Option<uuid::Uuid>,
) -> Result<(), Error> {
    let paused = change::is_paused(target);
    let activate = paused || change::deactivated_by_drift(read, target);
    let behind = read.source_catalog_id != catalog_id || read.breaking_change || activate;
    if paused || (behind && catalog_id.is_some()) {
        state
            .airbyte
            .connection_update(&ConnectionUpdate {
                source_catalog_id: catalog_id,
                breaking_change: catalog_id.map(|_| false),
                status: activate.then_some("active"),
                ..ConnectionUpdate::of(target.connection_id)
            })
            .await?;
    }
    // A version that is confirmed in Airbyte ends any uncertainty about it.
    state
        .registry
        .connection_set_status(lease, ConnectionStatus::Active, None, catalog_id, None)
        .await?;
    Ok(())
}

/// Stops the connection, in Airbyte first: in the other order a sync could still start.
pub(super) async fn pause(
    state: &State,
    lease: &Lease,
    target: &Repairable,
    pausing: &[&Change],
    answer: &mut HealAnswer,
) -> Result<(), Error> {
    state
        .airbyte
        .connection_update(&ConnectionUpdate {
            status: Some("inactive"),
            ..ConnectionUpdate::of(target.connection_id)
        })
        .await?;
    let event = Event::ConnectionPaused {
        changes: pausing.iter().map(|change| change.id.clone()).collect(),
    };
    state
        .registry
        .connection_set_status(
            lease,
            ConnectionStatus::Inactive,
            Some(change::PAUSED),
            None,
            Some(&event),
        )
        .await?;
    state
        .registry
        .operation_finish(lease, Ending::succeeded(None))
        .await?;
    answer.outcome = HealOutcome::Paused;
    let notes = pausing.iter().map(|change| {
        format!(
            "{}: {} stopped the connection; accept or defer it as {}",
            change.stream,
            change.headline(),
            change.id
        )
    });
    answer.notes.extend(notes);
    Ok(())
}

/// The warnings about the next sync.
pub(super) fn warnings(applied: &Applied) -> Vec<String> {
    if applied.pending.iter().any(is_awaited) {
        vec![NEXT_SYNC_CANCELLED.to_owned()]
    } else {
        Vec::new()
    }
}
