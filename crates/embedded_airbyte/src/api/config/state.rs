//! Saved states.

use actix_web::{HttpResponse, web};
use airbyte_protocol::{GlobalState, StreamDescriptor};
use http_server::routes::Routes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::answer;
use crate::api::policy::{BEARER, LARGE, Policy};
use crate::api::{Reply, Shared, body};
use crate::engine::Engine;
use crate::fault::{Fault, stored};
use crate::states::NewState;

pub(super) fn configure(routes: &mut Routes<Policy>) {
    routes
        .post("/state/get", BEARER, get)
        .post("/state/create_or_update", LARGE, |engine, bytes| {
            write(false, engine, bytes)
        })
        .post("/state/create_or_update_safe", LARGE, |engine, bytes| {
            write(true, engine, bytes)
        });
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConnectionId {
    connection_id: Uuid,
}

/// `ConnectionState`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConnectionState {
    state_type: String,
    connection_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_state: Option<Vec<StreamState>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    global_state: Option<GlobalRead>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StreamState {
    stream_descriptor: StreamDescriptor,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_state: Option<Box<RawValue>>,
}

#[derive(Serialize, Deserialize)]
struct GlobalRead {
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_state: Option<Box<RawValue>>,
    #[serde(rename = "streamStates", default)]
    stream_states: Vec<StreamState>,
}

async fn get(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: ConnectionId = body(&bytes)?;
        Ok(Reply::json(&read(&engine, asked.connection_id).await?))
    })
    .await
}

async fn read(engine: &Engine, connection: Uuid) -> Result<ConnectionState, Fault> {
    let connection_id = engine.connection(connection).await?.id;
    let mut read = ConnectionState {
        state_type: "not_set".to_owned(),
        connection_id,
        state: None,
        stream_state: None,
        global_state: None,
    };
    for row in engine.saved_states(connection_id).await? {
        match row.kind.as_str() {
            "global" => {
                let global: GlobalState = stored("state", &row.state)?;
                let states = global.stream_states.into_iter();
                read.state_type = "global".to_owned();
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
                read.state_type = "legacy".to_owned();
                read.state = Some(stored("state", &row.state)?);
            }
            _ => {
                read.state_type = "stream".to_owned();
                read.stream_state.get_or_insert_default().push(StreamState {
                    stream_descriptor: stored("stream", &row.stream)?,
                    stream_state: Some(stored("state", &row.state)?),
                });
            }
        }
    }
    Ok(read)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Write {
    connection_id: Uuid,
    connection_state: ConnectionState,
}

/// Writes what was sent. `safe` refuses while a sync could overwrite it or be led astray.
async fn write(safe: bool, engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, move |engine| async move {
        let asked: Write = body(&bytes)?;
        let id = asked.connection_id;
        engine
            .state_write(id, new_state(asked.connection_state)?, safe)
            .await?;
        Ok(Reply::json(&read(&engine, id).await?))
    })
    .await
}

fn new_state(sent: ConnectionState) -> Result<NewState, Fault> {
    let missing = |what: &str| {
        Fault::Unprocessable(format!("a state of type {} needs {what}", sent.state_type))
    };
    Ok(match sent.state_type.as_str() {
        "stream" => {
            let streams = sent.stream_state.ok_or_else(|| missing("streamState"))?;
            NewState::Streams(
                streams
                    .into_iter()
                    .map(|state| (state.stream_descriptor, state.stream_state))
                    .collect(),
            )
        }
        "global" => {
            let global = sent.global_state.ok_or_else(|| missing("globalState"))?;
            let streams = global.stream_states.into_iter();
            NewState::Global(GlobalState {
                shared_state: global.shared_state,
                stream_states: streams
                    .map(|state| airbyte_protocol::StreamState {
                        stream_descriptor: state.stream_descriptor,
                        stream_state: state.stream_state,
                    })
                    .collect(),
            })
        }
        "legacy" => NewState::Legacy(sent.state.ok_or_else(|| missing("state"))?),
        "not_set" => NewState::Nothing,
        other => {
            return Err(Fault::Unprocessable(format!(
                "{other} is not a stateType: global, stream, legacy or not_set"
            )));
        }
    })
}
