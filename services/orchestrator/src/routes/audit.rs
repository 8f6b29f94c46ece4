//! `/audit`.

use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use contracts::{AuditEntry, ErrorCode, Problem};
use serde::Deserialize;
use service_kit::ApiError;
use shared::registry::audit::AuditFilter;
use shared::registry::entities::audit;
use uuid::Uuid;

use super::next_link;
use crate::state::State;

const LIMIT: u64 = 100;
const LIMIT_MAX: u64 = 1000;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditQuery {
    /// Only changes of this connection.
    connection_id: Option<Uuid>,
    /// Only changes that this caller requested, by the name of its key.
    actor: Option<String>,
    /// Only this action, for example `key.create`.
    action: Option<String>,
    /// Only changes since this time.
    since: Option<DateTime<Utc>>,
    /// Maximum number of entries, up to 1,000; default: 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
    /// Cursor from the previous page's `Link` header.
    cursor: Option<Uuid>,
}

/// Lists who changed what, newest first.
#[utoipa::path(
    get,
    path = "/audit",
    params(AuditQuery),
    responses((status = 200, body = Vec<AuditEntry>), (status = 400, body = Problem), (status = 422, body = Problem))
)]
pub(crate) async fn list(
    state: Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = Query::<AuditQuery>::from_query(request.query_string())
        .map_err(|error| ApiError::new(ErrorCode::Malformed, error.to_string()))?
        .into_inner();
    let limit = query.limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let message = format!("must be 1 to {LIMIT_MAX}");
        return Err(ApiError::invalid("limit", message));
    }
    let filter = AuditFilter {
        connection_id: query.connection_id,
        actor: query.actor,
        action: query.action,
        since: query.since,
    };
    let rows = state
        .registry
        .audit_page(&filter, query.cursor, limit)
        .await?;
    let mut response = HttpResponse::Ok();
    if rows.len() as u64 == limit
        && let Some(last) = rows.last()
    {
        response.insert_header(("link", next_link(&request, "cursor", &last.id.to_string())));
    }
    Ok(response.json(rows.into_iter().map(entry).collect::<Vec<_>>()))
}

fn entry(row: audit::Model) -> AuditEntry {
    let document = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
    AuditEntry {
        id: row.id,
        time: row.created_at,
        service: row.service,
        actor: row.actor,
        role: row.role,
        action: row.action,
        target: row.target,
        connection_id: row.connection_id,
        before: document(row.before),
        after: document(row.after),
        request_id: row.request_id,
    }
}
