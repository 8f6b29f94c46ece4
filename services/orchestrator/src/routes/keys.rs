//! `/keys`.

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, Responder};
use chrono::Utc;
use contracts::{ErrorCode, FieldError, KeyCreated, KeyRequest, KeyView, Problem, Role};
use secrecy::ExposeSecret as _;
use service_kit::{ANONYMOUS, API_KEY, ApiError, Body, SecretResponse};
use shared::registry::entities::api_key;
use shared::registry::keys::NewKey;
use uuid::Uuid;

use crate::state::State;

const NAME_LENGTH: usize = 100;
/// Names that the audit log uses for callers without a stored key.
const RESERVED: &[&str] = &[
    API_KEY,
    ANONYMOUS,
    "aam",
    "orchestrator",
    "auth_broker",
    "drift_repair_agent",
];

/// Creates an API key. Only this response ever contains it.
#[utoipa::path(
    post,
    path = "/keys",
    request_body = KeyRequest,
    responses((status = 201, body = KeyCreated), (status = 409, body = Problem), (status = 422, body = Problem))
)]
pub(crate) async fn create(
    state: Data<State>,
    body: Body<KeyRequest>,
) -> Result<impl Responder, ApiError> {
    let new = check(&state, body.0).await?;
    let registry = state.registry.clone();
    let (row, key) = state
        .runtime
        .run(async move { registry.key_create(new).await })
        .await?;
    tracing::info!(key.id = %row.id, "created an API key");
    let answer = KeyCreated {
        key: key.expose_secret().to_owned(),
        view: view(row),
    };
    Ok(SecretResponse(HttpResponse::Created().json(answer)))
}

async fn check(state: &State, request: KeyRequest) -> Result<NewKey, ApiError> {
    let mut errors = Vec::new();
    let mut fault = |field: &str, message: &str| {
        errors.push(FieldError {
            field: field.to_owned(),
            message: message.to_owned(),
        });
    };
    let name = request.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > NAME_LENGTH || name.chars().any(char::is_control) {
        fault("name", "must be 1 to 100 printable characters");
    } else if RESERVED
        .iter()
        .any(|taken| taken.eq_ignore_ascii_case(&name))
    {
        fault("name", "is reserved for other callers in the audit log");
    }
    if request.expires_at.is_some_and(|end| end <= Utc::now()) {
        fault("expires_at", "is in the past");
    }
    // The first key ends anonymous calls, so it must permit creating others.
    let lasts = request.role == Role::Admin && request.expires_at.is_none();
    if !state.has_api_key && !lasts && state.registry.key_list_unrevoked().await?.is_empty() {
        fault(
            "role",
            "the first key must be an admin's and must not expire, because it ends calls without \
             a key; AAM_API_KEY is not set",
        );
    }
    if errors.is_empty() {
        Ok(NewKey {
            name,
            role: request.role,
            expires_at: request.expires_at,
        })
    } else {
        Err(ApiError::of_fields(ErrorCode::Invalid, errors))
    }
}

/// Lists all API keys, including revoked ones, oldest first.
#[utoipa::path(get, path = "/keys", responses((status = 200, body = Vec<KeyView>)))]
pub(crate) async fn list(state: Data<State>) -> Result<impl Responder, ApiError> {
    let rows = state.registry.key_list().await?;
    Ok(Json(rows.into_iter().map(view).collect::<Vec<_>>()))
}

/// Revokes an API key. Services notice within 5 s.
#[utoipa::path(
    delete,
    path = "/keys/{id}",
    params(("id" = String, Path, description = "the key's id, not the key")),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(crate) async fn revoke(
    state: Data<State>,
    id: Path<String>,
) -> Result<impl Responder, ApiError> {
    let unknown = || {
        ApiError::new(
            ErrorCode::KeyNotFound,
            format!("no key has the id `{id}`; GET /keys lists them"),
        )
    };
    let key = Uuid::parse_str(&id).map_err(|_| unknown())?;
    let registry = state.registry.clone();
    let revoked = state
        .runtime
        .run(async move { registry.key_revoke(key).await })
        .await?;
    if !revoked {
        return Err(unknown());
    }
    tracing::info!(key.id = %key, "revoked an API key");
    Ok(HttpResponse::NoContent())
}

fn view(row: api_key::Model) -> KeyView {
    KeyView {
        id: row.id,
        role: row.granted(),
        name: row.name,
        prefix: row.prefix,
        created_by: row.created_by,
        created_at: row.created_at,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
        revoked_at: row.revoked_at,
    }
}
