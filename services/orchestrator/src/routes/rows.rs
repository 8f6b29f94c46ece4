//! Lists of connections, streamed as they are read, so that memory use stays constant.

use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use futures::stream;
use serde::Serialize;
use service_kit::ApiError;
use shared::registry::connections::ConnectionFilter;
use shared::registry::entities::connection;
use shared::registry::status::ConnectionStatus;
use uuid::Uuid;

use super::next_link;
use crate::state::State;

/// Rows read at a time.
const CHUNK: u64 = 500;
const LIMIT_MAX: u64 = 1000;

/// What surrounds a list of rows.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) before: String,
    pub(crate) after: &'static str,
}

impl Envelope {
    /// Only the array.
    pub(crate) const ARRAY: Self = Self {
        before: String::new(),
        after: "",
    };
}

/// Parses a status in a query, in any case.
pub(crate) fn status(text: Option<&str>) -> Result<Option<ConnectionStatus>, ApiError> {
    let Some(text) = text else {
        return Ok(None);
    };
    text.to_uppercase().parse().map(Some).map_err(|()| {
        ApiError::invalid(
            "status",
            "is not one of pending, active, healing, failed, inactive",
        )
    })
}

/// A page of connections, with a response that links to the next one.
pub(crate) async fn page(
    state: &State,
    request: &HttpRequest,
    filter: &ConnectionFilter,
    after: Option<Uuid>,
    limit: u64,
) -> Result<(Vec<connection::Model>, HttpResponseBuilder), ApiError> {
    if !(1..=LIMIT_MAX).contains(&limit) {
        let message = format!("must be 1 to {LIMIT_MAX}");
        return Err(ApiError::invalid("limit", message));
    }
    let rows = state.registry.connection_page(filter, after, limit).await?;
    let mut answer = HttpResponse::Ok();
    if rows.len() as u64 == limit
        && let Some(last) = rows.last()
    {
        let next = next_link(request, "cursor", &last.id.to_string());
        answer.insert_header(("link", next));
    }
    Ok((rows, answer))
}

/// Streams all connections after one, oldest first, formatted by `show` for the configured Airbyte.
pub(crate) async fn all<T: Serialize + 'static>(
    state: &State,
    filter: ConnectionFilter,
    after: Option<Uuid>,
    envelope: Envelope,
    show: fn(&connection::Model, &str) -> T,
) -> Result<HttpResponse, ApiError> {
    // The first chunk is read before the status is sent, so that an unreachable registry is
    // reported.
    let first = state
        .registry
        .connection_page(&filter, after, CHUNK)
        .await?;
    let chunk = move |rows: &[connection::Model], is_first: bool, is_end: bool, instance: &str| {
        let mut text = Vec::with_capacity(rows.len() * 512);
        if is_first {
            text.extend_from_slice(envelope.before.as_bytes());
            text.push(b'[');
        }
        for (index, row) in rows.iter().enumerate() {
            if !(is_first && index == 0) {
                text.push(b',');
            }
            serde_json::to_writer(&mut text, &show(row, instance))
                .expect("a view is strings, numbers and ids");
        }
        if is_end {
            text.push(b']');
            text.extend_from_slice(envelope.after.as_bytes());
        }
        text
    };
    let mut answer = HttpResponse::Ok();
    answer.content_type("application/json");
    if (first.len() as u64) < CHUNK {
        let whole = chunk(&first, true, true, state.airbyte.instance());
        return Ok(answer.body(whole));
    }
    let state = state.clone();
    let chunks = stream::unfold(Some((Some(first), None)), move |step| {
        let (state, filter, chunk) = (state.clone(), filter.clone(), chunk.clone());
        async move {
            let (ready, after): (Option<Vec<_>>, Option<Uuid>) = step?;
            let is_first = ready.is_some();
            let rows = match ready {
                Some(rows) => Ok(rows),
                None => state.registry.connection_page(&filter, after, CHUNK).await,
            };
            Some(match rows {
                Ok(rows) => {
                    let last = rows.last().map(|row| row.id);
                    let is_end = (rows.len() as u64) < CHUNK;
                    let text = chunk(&rows, is_first, is_end, state.airbyte.instance());
                    (Ok(Bytes::from(text)), (!is_end).then_some((None, last)))
                }
                // Break off the body, so that a partial list cannot be taken for a complete one.
                Err(error) => (Err(error), None),
            })
        }
    });
    Ok(answer.streaming(chunks))
}
