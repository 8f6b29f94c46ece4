//! Consent flows: this Airbyte holds no operator's credentials, so there is none to begin.

use actix_web::{HttpResponse, web};
use http_server::routes::Routes;
use serde::Deserialize;
use uuid::Uuid;

use super::answer;
use crate::api::policy::{BEARER, Policy};
use crate::api::{Shared, body};
use crate::fault::Fault;
use crate::options::ConnectorKind;

pub(super) fn configure(routes: &mut Routes<Policy>) {
    routes
        .post("/source_oauths/get_consent_url", BEARER, refuse)
        .post("/source_oauths/complete_oauth", BEARER, refuse);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    source_definition_id: Uuid,
    workspace_id: Uuid,
}

async fn refuse(engine: Shared, bytes: web::Bytes) -> HttpResponse {
    answer(engine, |engine| async move {
        let asked: Asked = body(&bytes)?;
        let workspace = engine.workspace(asked.workspace_id).await?.id;
        let id = asked.source_definition_id;
        engine.definition_of(ConnectorKind::Source, workspace, id)?;
        Err(Fault::not_found(
            "OAuth parameters of source definition",
            id,
        ))
    })
    .await
}
