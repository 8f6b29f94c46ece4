//! Every call of both APIs is there, and none is answered without a token.

use std::str::FromStr;

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::harness::{Api, Engine};

/// Paths of the public API and their methods.
const PUBLIC: &str = "\
/applications GET POST
/applications/{id} GET DELETE
/jobs GET POST
/jobs/{job} GET DELETE
/regions GET POST
/regions/{id} GET PATCH DELETE
/dataplanes GET POST
/dataplanes/{id} GET PATCH DELETE
/connector_definitions GET
/workspaces/{id}/definitions/declarative_sources GET POST
/workspaces/{id}/definitions/declarative_sources/{id} GET PUT DELETE
/workspaces/{id}/definitions/sources GET POST
/workspaces/{id}/definitions/sources/{id} GET PUT DELETE
/workspaces/{id}/definitions/destinations GET POST
/workspaces/{id}/definitions/destinations/{id} GET PUT DELETE
/sources GET POST
/sources/{id} GET PUT PATCH DELETE
/destinations GET POST
/destinations/{id} GET PUT PATCH DELETE
/oauth/callback GET
/sources/initiateOAuth POST
/connections GET POST
/connections/{id} GET PATCH DELETE
/streams GET
/workspaces GET POST
/workspaces/{id} GET PATCH DELETE
/workspaces/{id}/oauthCredentials PUT
/workspaces/{id}/oauthCredentials/{id}/{id} DELETE
/permissions/{id} GET PATCH DELETE
/permissions GET POST
/organizations GET
/organizations/{id}/oauthCredentials PUT
/organizations/{id}/oauthCredentials/{id}/{id} DELETE
/users GET
/groups GET POST
/groups/{id} GET PATCH DELETE
/groups/{id}/members GET POST
/groups/{id}/members/{id} DELETE
/groups/{id}/permissions GET POST
/groups/{id}/permissions/{id} DELETE
/tags GET POST
/tags/{id} GET PATCH DELETE
/embedded/widget_token POST
/embedded/scoped_token POST
/embedded/organizations GET";

/// Paths of the Config API, all POST.
const CONFIG: &str = "\
/sources/discover_schema
/sources/apply_schema_changes
/sources/check_connection
/sources/get
/sources/most_recent_source_actor_catalog
/connections/get
/connections/list
/connections/update
/connections/update_with_reason
/connections/apply_schema_changes
/connections/postprocess_discovered_catalog
/connections/sync
/connections/refresh
/connections/clear
/connections/clear/stream
/connections/reset
/connections/reset/stream
/connections/status
/web_backend/connections/get
/web_backend/connections/update
/jobs/get
/jobs/list
/jobs/get_debug_info
/jobs/get_without_logs
/jobs/get_light
/jobs/cancel
/attempt/get_for_job
/attempt/get_combined_stats
/state/get
/state/create_or_update
/state/create_or_update_safe
/source_definitions/list_for_workspace
/source_definition_specifications/get
/catalogs/diff
/source_oauths/get_consent_url
/source_oauths/complete_oauth
/connections/apply_schema_change
/destinations/check_connection
/destination_definition_specifications/get
/destination_definitions/list_for_workspace
/actor_definition_versions/get_for_destination";

fn calls() -> Vec<(Method, String)> {
    let fill = |path: &str| {
        let id = Uuid::new_v4().to_string();
        path.replace("{id}", &id).replace("{job}", "1")
    };
    let mut calls = Vec::new();
    for line in PUBLIC.lines() {
        let (path, methods) = line.split_once(' ').unwrap();
        for method in methods.split(' ') {
            let method = Method::from_str(method).unwrap();
            calls.push((method, format!("/api/public/v1{}", fill(path))));
        }
    }
    for path in CONFIG.lines() {
        calls.push((Method::POST, format!("/api/v1{path}")));
    }
    calls
}

async fn call(api: &Api, method: &Method, path: &str) -> (u16, String) {
    let mut request = api.request(method.clone(), path);
    if [Method::POST, Method::PUT, Method::PATCH].contains(method) {
        request = request.json(&json!({}));
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_exists_and_requires_a_token() {
    let engine = Engine::start().await;
    let stranger = Api {
        token: String::new(),
        ..engine.api.clone()
    };
    let calls = calls();
    assert_eq!(calls.len(), 130);
    for (method, path) in calls {
        let (status, text) = call(&stranger, &method, &path).await;
        assert_eq!(status, 401, "{method} {path}: {text}");
        let (status, text) = call(&engine.api, &method, &path).await;
        assert!(
            status != 405 && !text.contains("Page Not Found"),
            "{method} {path} is not there: {status} {text}"
        );
    }
    engine.stop().await;
}
