//! `/events`: server-sent events, or a page of them as JSON.

use actix_web::http::header::{ACCEPT, ContentEncoding};
use actix_web::web::{Bytes, Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use contracts::{ErrorCode, Event, EventView, Problem};
use futures::{StreamExt as _, stream};
use serde::Deserialize;
use service_kit::ApiError;
use shared::registry::events::EventFilter;
use uuid::Uuid;

use crate::feed::FeedItem;
use crate::state::State;

const LIMIT: u64 = 100;
const LIMIT_MAX: u64 = 1000;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventQuery {
    /// Events after the one with this sequence number; 0 for all stored events.
    after: Option<i64>,
    /// Only events of these kinds, separated by commas.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Only events of this connection.
    connection_id: Option<Uuid>,
    /// Maximum number of events in a JSON page, up to 1,000; default: 100.
    limit: Option<u64>,
}

/// Streams events as they happen as server-sent events, or returns a page of them if JSON is
/// requested.
///
/// The id of an event is its sequence number. A listener that reconnects with `Last-Event-ID`, or
/// with `after`, resumes after it; without either it receives new events only. A page starts with
/// the oldest stored event.
#[utoipa::path(
    get,
    path = "/events",
    params(
        EventQuery,
        ("Last-Event-ID" = Option<i64>, Header, description = "the id of the last received event")
    ),
    responses(
        (status = 200, description = "one event per message, or a page", content(
            (String = "text/event-stream"),
            (Vec<EventView> = "application/json")
        )),
        (status = 400, body = Problem),
        (status = 410, body = Problem),
        (status = 422, body = Problem)
    )
)]
pub(crate) async fn listen(
    state: Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = Query::<EventQuery>::from_query(request.query_string())
        .map_err(|error| ApiError::new(ErrorCode::Malformed, error.to_string()))?
        .into_inner();
    let filter = filter(&query)?;
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let seen = match header("last-event-id").map(str::trim) {
        Some(text) if !text.is_empty() => Some(text.parse::<i64>().map_err(|_| {
            ApiError::invalid("Last-Event-ID", "must be the id of an event, a number")
        })?),
        _ => query.after,
    };
    if seen.is_some_and(|seen| seen < 0) {
        return Err(ApiError::invalid(
            "after",
            "must be 0 or the id of an event",
        ));
    }
    let range = state.registry.event_range().await?;
    let is_gone = |seen: i64| {
        // The relay may have stopped right after the last event was deleted.
        let oldest = range.oldest.unwrap_or(range.newest + 1);
        (seen > 0 && seen + 1 < oldest) || seen > range.newest
    };
    if let Some(seen) = seen.filter(|seen| is_gone(*seen)) {
        return Err(ApiError::new(
            ErrorCode::EventsGone,
            format!(
                "event {seen} is no longer stored; read the current state again and listen \
                 without a position"
            ),
        ));
    }
    let wants =
        |kind: &str| header(ACCEPT.as_str()).is_some_and(|accepted| accepted.contains(kind));
    if wants("application/json") && !wants("text/event-stream") {
        return page(&state, &request, seen.unwrap_or(0), &filter, query.limit).await;
    }
    let listener = state.feed.listen(
        state.registry.clone(),
        state.runtime.stopping().clone(),
        seen.unwrap_or(range.newest),
        filter,
    );
    let first = stream::once(async { Ok(Bytes::from_static(b"retry: 2000\n\n")) });
    let items = stream::unfold(listener, async |mut listener| {
        let heard = listener.next().await?;
        Some((Ok::<_, ApiError>(message(heard)), listener))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("cache-control", "no-store"))
        // Some proxies buffer responses until they are complete.
        .insert_header(("x-accel-buffering", "no"))
        // With compression, an event would wait for the next one to fill a block.
        .insert_header(ContentEncoding::Identity)
        .streaming(first.chain(items)))
}

async fn page(
    state: &State,
    request: &HttpRequest,
    after: i64,
    filter: &EventFilter,
    limit: Option<u64>,
) -> Result<HttpResponse, ApiError> {
    let limit = limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(ApiError::invalid(
            "limit",
            format!("must be 1 to {LIMIT_MAX}"),
        ));
    }
    let events = state.registry.event_page(after, filter, limit).await?;
    let mut response = HttpResponse::Ok();
    if events.len() as u64 == limit
        && let Some(last) = events.last()
    {
        let link = super::next_link(request, "after", &last.sequence.to_string());
        response.insert_header(("link", link));
    }
    let documents: Vec<&str> = events.iter().map(|event| event.json.as_str()).collect();
    Ok(response
        .content_type("application/json")
        .body(format!("[{}]", documents.join(","))))
}

fn filter(query: &EventQuery) -> Result<EventFilter, ApiError> {
    let mut kinds = Vec::new();
    for kind in query.kind.iter().flat_map(|kinds| kinds.split(',')) {
        if !Event::NAMES.contains(&kind) {
            let known = Event::NAMES.join(", ");
            return Err(ApiError::invalid("type", format!("is not one of {known}")));
        }
        kinds.push(kind.to_owned());
    }
    Ok(EventFilter {
        kinds,
        connection_id: query.connection_id,
    })
}

fn message(heard: FeedItem) -> Bytes {
    match heard {
        FeedItem::Event(event) => Bytes::from(format!(
            "id: {}\nevent: {}\ndata: {}\n\n",
            event.sequence, event.kind, event.json
        )),
        FeedItem::Heartbeat => Bytes::from_static(b": nothing\n\n"),
    }
}
