//! Reads sources, destinations and their connectors from Airbyte.

use std::collections::HashMap;

use contracts::{ConnectorType, ErrorCode};
use shared::airbyte::ActorKind;
use shared::airbyte::types::{Actor, Definition};
use uuid::Uuid;

use super::{Shown, definitions, find, noun, workspace};
use crate::domain::short_config::{self, type_name};
use crate::domain::source_types;
use crate::flows::Error;
use crate::state::State;

/// Filters a list.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    /// Only those of this connector.
    pub(crate) kind: Option<String>,
    /// Only those with this name.
    pub(crate) name: Option<String>,
}

/// Lists the sources or destinations of the configured workspace, or of all.
pub(crate) async fn list(
    state: State,
    kind: ActorKind,
    filter: Filter,
) -> Result<Vec<Shown>, Error> {
    let actors = state
        .airbyte
        .actor_list(kind, state.default_workspace)
        .await?;
    let mut workspaces: Vec<Uuid> = actors.iter().map(|actor| actor.workspace_id).collect();
    workspaces.sort_unstable();
    workspaces.dedup();
    let mut known: HashMap<Uuid, Definition> = HashMap::new();
    for workspace in workspaces {
        for definition in definitions(&state, kind, workspace).await? {
            known.insert(definition.id, definition);
        }
    }
    let definition_of = |actor: &Actor| known.get(&actor.definition_id?);
    let wanted = match &filter.kind {
        None => None,
        Some(text) => {
            let all: Vec<Definition> = known.values().cloned().collect();
            match source_types::find(&all, text) {
                Ok(found) => Some(found.id),
                // If no workspace has the connector, no actor uses it.
                Err(_) => return Ok(Vec::new()),
            }
        }
    };
    Ok(actors
        .iter()
        .filter(|actor| wanted.is_none() || actor.definition_id == wanted)
        .map(|actor| Shown::listed(&state, actor, definition_of(actor)))
        .filter(|shown| (filter.name.as_ref()).is_none_or(|name| *name == shown.name))
        .collect())
}

/// Returns an actor with its configuration.
pub(crate) async fn get(state: State, kind: ActorKind, id: Uuid) -> Result<Shown, Error> {
    let actor = existing(&state, kind, id).await?;
    let all = definitions(&state, kind, actor.workspace_id).await?;
    let definition = all
        .iter()
        .find(|definition| Some(definition.id) == actor.definition_id);
    let specification = match actor.definition_id {
        None => None,
        Some(id) => {
            let response = (state.airbyte).specification(kind, id, actor.workspace_id);
            response.await?
        }
    };
    Ok(Shown::whole(
        &state,
        kind,
        &actor,
        definition,
        specification.as_ref(),
    ))
}

/// Returns an actor from Airbyte.
pub(super) async fn existing(state: &State, kind: ActorKind, id: Uuid) -> Result<Actor, Error> {
    match state.airbyte.actor_get(kind, id).await {
        Ok(actor) => Ok(actor),
        Err(error) if error.is_not_found() => Err(not_found(kind, &id.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// The error for an unknown source or destination.
pub(crate) fn not_found(kind: ActorKind, id: &str) -> Error {
    let code = kind.either(ErrorCode::DatasourceNotFound, ErrorCode::SinkNotFound);
    let noun = noun(kind);
    Error::refused(code, format!("no {noun} `{id}`; GET /{noun} lists them"))
}

/// Selects connectors and their details.
#[derive(Debug, Default)]
pub(crate) struct TypesFilter {
    /// Only this one.
    pub(crate) kind: Option<String>,
    /// In this workspace, by id or name.
    pub(crate) workspace: Option<String>,
    /// With its JSON schema.
    pub(crate) schema: bool,
}

/// Lists the connectors of that kind, by name.
pub(crate) async fn types(
    state: State,
    kind: ActorKind,
    filter: TypesFilter,
) -> Result<Vec<ConnectorType>, Error> {
    let workspace = workspace(&state, filter.workspace.as_deref()).await?;
    let mut all = definitions(&state, kind, workspace).await?;
    if let Some(text) = &filter.kind {
        let found = find(kind, &all, text)?.clone();
        all = vec![found];
    }
    let mut types: Vec<ConnectorType> = all
        .iter()
        .map(|definition| {
            let name = type_name(definition);
            let fields = short_config::fields(kind, &name);
            ConnectorType {
                title: definition.name.clone(),
                definition_id: definition.id,
                docker_repository: definition.docker_repository.clone(),
                docker_image_tag: definition.docker_image_tag.clone(),
                fields: fields.and_then(|fields| serde_json::to_value(fields).ok()),
                schema: None,
                schema_url: format!("/{}/types?type={name}&schema=true", noun(kind)),
                name,
            }
        })
        .collect();
    types.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.title.cmp(&b.title)));
    if !filter.schema {
        return Ok(types);
    }
    if filter.kind.is_none() {
        let message = "requires `type`: name the connector whose schema is requested";
        return Err(Error::field(ErrorCode::Invalid, "schema", message));
    }
    // Only for a single one: an Airbyte may have to install a connector to know it.
    for of in &mut types {
        let response = (state.airbyte).specification(kind, of.definition_id, workspace);
        of.schema = response.await?;
    }
    Ok(types)
}
