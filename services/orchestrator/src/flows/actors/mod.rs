//! Sources and destinations that connections share: creates, lists, shows and deletes them.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod read;

use contracts::ErrorCode;
use serde_json::Value;
use shared::airbyte::ActorKind;
use shared::airbyte::types::{Actor, Definition};
use shared::registry;
use uuid::Uuid;

use super::Error;
use crate::domain::short_config::{self, type_name};
use crate::domain::{ownership_tag, source_types};
use crate::state::State;

/// An actor's view.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    /// Its connector's short name.
    pub(crate) kind: String,
    /// Its connector's name in Airbyte's definition.
    pub(crate) title: String,
    pub(crate) workspace_id: Uuid,
    /// In short fields if the connector has them, with masked secrets; null in lists.
    pub(crate) config: Value,
}

impl Shown {
    /// A list entry: without its configuration.
    fn listed(state: &State, actor: &Actor, definition: Option<&Definition>) -> Self {
        let connector = actor.connector.clone().unwrap_or_default();
        Self {
            id: actor.id,
            name: ownership_tag::without(state.installation, &actor.name).to_owned(),
            kind: definition.map_or_else(|| connector.clone(), type_name),
            title: definition.map_or(connector, |definition| definition.name.clone()),
            workspace_id: actor.workspace_id,
            config: Value::Null,
        }
    }

    /// A view with its configuration. Airbyte masks secrets; those that the specification marks are
    /// masked again, so that neither has to be trusted.
    fn whole(
        state: &State,
        kind: ActorKind,
        actor: &Actor,
        definition: Option<&Definition>,
        specification: Option<&Value>,
    ) -> Self {
        let mut shown = Self::listed(state, actor, definition);
        let masked = short_config::mask(kind, &shown.kind, specification, &actor.configuration);
        shown.config = short_config::shorten(kind, &shown.kind, &masked);
        shown
    }
}

/// The connectors of that kind in a workspace.
async fn definitions(
    state: &State,
    kind: ActorKind,
    workspace: Uuid,
) -> Result<Vec<Definition>, Error> {
    let mut all = state.airbyte.definition_list(kind, workspace).await?;
    if kind == ActorKind::Source {
        all.extend(state.airbyte.declarative_source_list(workspace).await?);
    }
    Ok(all)
}

/// Finds the connector that a caller names by `type`.
fn find<'a>(
    kind: ActorKind,
    definitions: &'a [Definition],
    text: &str,
) -> Result<&'a Definition, Error> {
    source_types::find(definitions, text).map_err(|nearest| {
        let code = kind.either(
            ErrorCode::SourceTypeUnknown,
            ErrorCode::DestinationTypeUnknown,
        );
        let message = format!(
            "this Airbyte has no {} connector `{text}`; similar ones are {}; GET /{}/types lists \
             all",
            kind.as_str(),
            nearest.join(", "),
            noun(kind),
        );
        Error::field(code, "type", message)
    })
}

/// Parses the kind of actor in a stored request.
fn kind(stored: &str) -> Result<ActorKind, Error> {
    let both = [ActorKind::Source, ActorKind::Destination];
    let found = both.into_iter().find(|kind| kind.as_str() == stored);
    found.ok_or_else(|| {
        registry::Error::Document(format!("`{stored}` is not a kind of actor")).into()
    })
}

/// The ingestion API's term for one, also used in its paths.
pub(crate) fn noun(kind: ActorKind) -> &'static str {
    kind.either("datasource", "sink")
}

/// Finds the workspace that a caller names, by id or name.
async fn workspace(state: &State, given: Option<&str>) -> Result<Uuid, Error> {
    let given = given.map(str::trim).filter(|given| !given.is_empty());
    if let (None, Some(default)) = (given, state.default_workspace) {
        return Ok(default);
    }
    let all = state.airbyte.workspace_list().await?;
    let named = |name: &str| {
        let by_id = Uuid::parse_str(name).ok();
        let found = all.iter().find(|workspace| {
            by_id == Some(workspace.workspace_id) || (by_id.is_none() && workspace.name == name)
        });
        found.map(|workspace| workspace.workspace_id)
    };
    let found = match (given, all.as_slice()) {
        (Some(name), _) => named(name),
        (None, [only]) => Some(only.workspace_id),
        (None, _) => None,
    };
    found.ok_or_else(|| {
        let list: Vec<_> = all
            .iter()
            .map(|known| format!("{} ({})", known.workspace_id, known.name))
            .collect();
        let (code, message) = match given {
            Some(_) => (ErrorCode::Invalid, "is not a workspace of this Airbyte"),
            None => (ErrorCode::AmbiguousTarget, "names more than one workspace"),
        };
        Error::field(code, "workspace", format!("{message}: {}", list.join(", ")))
    })
}
