//! `/credentials`.

use actix_web::web::{Data, Json, Path, ReqData};
use actix_web::{HttpResponse, Responder};
use contracts::{CredentialMetadata, CredentialRequest, CredentialValues, ErrorCode, Problem};
use service_kit::{ApiError, Body, Principal};

use crate::domain::credential::{self, Credential};
use crate::domain::environment::Found;
use crate::state::State;

/// Lists all credentials, without secrets.
#[utoipa::path(get, path = "/credentials", responses((status = 200, body = Vec<CredentialMetadata>)))]
pub(crate) async fn list(state: Data<State>) -> Result<impl Responder, ApiError> {
    let vault = state.vault.clone();
    let stored = state.runtime.run(async move { vault.list().await }).await?;
    let mut all: Vec<CredentialMetadata> = stored
        .iter()
        .map(|credential| credential.metadata(true))
        .collect();
    if let Some(credential) = state.environment.listed() {
        all.push(credential.metadata(true));
    }
    Ok(Json(all))
}

/// Returns one credential: with masked secrets, or in full to an AAM service.
#[utoipa::path(
    get,
    path = "/credentials/{credential_id}",
    responses((status = 200, body = CredentialMetadata), (status = 404, body = Problem))
)]
pub(crate) async fn get(
    state: Data<State>,
    id: Path<String>,
    principal: ReqData<Principal>,
) -> Result<impl Responder, ApiError> {
    let credential = find(&state, &id).await?;
    let starred = !matches!(*principal, Principal::Service { .. });
    Ok(Json(credential.metadata(starred)))
}

/// Returns the part of a connector's configuration that the credential holds, to AAM services only.
#[utoipa::path(
    get,
    path = "/credentials/{source_type}/{credential_id}",
    responses(
        (status = 200, description = "members of the connector's configuration"),
        (status = 403, body = Problem),
        (status = 404, body = Problem)
    )
)]
pub(crate) async fn fragment(
    state: Data<State>,
    path: Path<(String, String)>,
) -> Result<impl Responder, ApiError> {
    let (source_type, id) = path.into_inner();
    let credential = find(&state, &id).await?;
    if !credential.is_for(&source_type) {
        return Err(ApiError::new(
            ErrorCode::CredentialUnknown,
            format!(
                "credential `{id}` is bound to source type `{}` and cannot be used for `{source_type}`",
                credential.source_type
            ),
        ));
    }
    tracing::info!(credential.id = %id, "returned a credential to a service");
    Ok(Json(CredentialValues {
        configuration: credential.configuration(),
    }))
}

/// Stores a credential, replacing any with the same id.
#[utoipa::path(
    put,
    path = "/credentials/{credential_id}",
    request_body = CredentialRequest,
    responses((status = 200, body = CredentialMetadata), (status = 201, body = CredentialMetadata), (status = 422, body = Problem))
)]
pub(crate) async fn put(
    state: Data<State>,
    id: Path<String>,
    body: Body<CredentialRequest>,
) -> Result<impl Responder, ApiError> {
    let credential = Credential::new(&id, body.0)
        .map_err(|errors| ApiError::of_fields(ErrorCode::Invalid, errors))?;
    let vault = state.vault.clone();
    let (stored, is_new) = state
        .runtime
        .run(async move { vault.put(credential).await })
        .await?;
    let metadata = stored.metadata(true);
    tracing::info!(credential.id = %id, "stored a credential");
    Ok(if is_new {
        HttpResponse::Created().json(metadata)
    } else {
        HttpResponse::Ok().json(metadata)
    })
}

/// Removes a credential.
#[utoipa::path(
    delete,
    path = "/credentials/{credential_id}",
    responses((status = 204), (status = 404, body = Problem))
)]
pub(crate) async fn delete(
    state: Data<State>,
    id: Path<String>,
) -> Result<impl Responder, ApiError> {
    let vault = state.vault.clone();
    let key = id.clone();
    let removed = state
        .runtime
        .run(async move { vault.delete(&key).await })
        .await?;
    if !removed {
        return Err(unknown(&id));
    }
    tracing::info!(credential.id = %id, "removed a credential");
    Ok(HttpResponse::NoContent())
}

/// A stored credential takes precedence over one from the environment.
async fn find(state: &State, id: &str) -> Result<Credential, ApiError> {
    if !credential::is_id(id) {
        return Err(unknown(id));
    }
    let vault = state.vault.clone();
    let key = id.to_owned();
    if let Some(stored) = state
        .runtime
        .run(async move { vault.get(&key).await })
        .await?
    {
        return Ok(stored);
    }
    match state.environment.find(id) {
        Found::Credential(credential) => Ok(credential),
        Found::Missing(variables) => Err(ApiError::new(
            ErrorCode::CredentialUnknown,
            format!(
                "no credential `{id}` is stored, and the environment does not provide it: {} {} not set",
                variables.join(", "),
                if variables.len() == 1 { "is" } else { "are" }
            ),
        )),
        Found::NotOurs => Err(unknown(id)),
    }
}

fn unknown(id: &str) -> ApiError {
    ApiError::new(
        ErrorCode::CredentialUnknown,
        format!("no credential `{id}` is stored; `aam credentials put {id}` stores one"),
    )
}
