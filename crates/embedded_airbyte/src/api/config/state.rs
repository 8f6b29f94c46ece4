//! Saved states.

use actix_web::{HttpResponse, web};
use airbyte_protocol::{GlobalState, StreamDescriptor};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::answer;
use crate::api::{Reply, Shared, body};
use crate::fault::stored;
use crate::store::entities::connection_state;

pub(super) fn configure(services: &mut web::ServiceConfig) {
    services.route("/state/get", web::post().to(get));
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConnectionId {
    connection_id: Uuid,
}

/// `ConnectionState`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConnectionState {
    state_type: &'static str,
    connection_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_state: Option<Vec<StreamState>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    global_state: Option<GlobalRead>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StreamState {
    stream_descriptor: StreamDescriptor,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_state: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct GlobalRead {
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_state: Option<Box<RawValue>>,
    #[serde(rename = "streamStates")]
    stream_states: Vec<StreamState>,
}

async fn get(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: ConnectionId = body(&bytes)?;
        let connection_id = engine.connection(asked.connection_id).await?.id;
        let rows = connection_state::Entity::find()
            .filter(connection_state::Column::ConnectionId.eq(connection_id))
            .order_by_asc(connection_state::Column::Stream)
            .all(engine.store.read())
            .await?;
        let mut read = ConnectionState {
            state_type: "not_set",
            connection_id,
            state: None,
            stream_state: None,
            global_state: None,
        };
        for row in rows {
            match row.kind.as_str() {
                "global" => {
                    let global: GlobalState = stored("state", &row.state)?;
                    let states = global.stream_states.into_iter();
                    read.state_type = "global";
                    read.global_state = Some(GlobalRead {
                        shared_state: global.shared_state,
                        stream_states: states
                            .map(|state| StreamState {
                                stream_descriptor: state.stream_descriptor,
                                stream_state: state.stream_state,
                            })
                            .collect(),
                    });
                }
                "legacy" => {
                    read.state_type = "legacy";
                    read.state = Some(stored("state", &row.state)?);
                }
                _ => {
                    read.state_type = "stream";
                    read.stream_state.get_or_insert_default().push(StreamState {
                        stream_descriptor: stored("stream", &row.stream)?,
                        stream_state: Some(stored("state", &row.state)?),
                    });
                }
            }
        }
        Ok(Reply::json(&read))
    })
    .await
}
