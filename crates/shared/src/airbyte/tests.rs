//! The client against the behavior of Airbyte and of proxies in front of it.

use std::time::Duration;

use serde_json::json;
use uuid::Uuid;
use wiremock::matchers::{body_partial_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::ActorKind;
use super::*;
use settings::AirbyteUrls;

async fn airbyte(server: &MockServer) -> Airbyte {
    local::install_tls_provider();
    let urls = AirbyteUrls::of_instance(&server.uri().parse().unwrap());
    let client = Some(("id".to_owned(), "secret".to_owned().into()));
    Airbyte::new(urls, client, http_client::build().unwrap())
}

async fn give_token(server: &MockServer, token: &str, expires_in: u64, times: u64) {
    Mock::given(method("POST"))
        .and(path("/api/public/v1/applications/token"))
        .and(body_partial_json(json!({
            "client_id": "id", "client_secret": "secret",
            "grant-type": "client_credentials", "grant_type": "client_credentials"
        })))
        .respond_with(
            ResponseTemplate::new(200)
                .set_body_json(json!({
                    "access_token": token, "token_type": "Bearer", "expires_in": expires_in
                }))
                .set_delay(Duration::from_millis(50)),
        )
        .up_to_n_times(times)
        .mount(server)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_share_one_token_and_lists_are_read_to_the_end() {
    let server = MockServer::start().await;
    give_token(&server, "t1", 900, 1).await;
    let workspace = |n: usize| json!({"workspaceId": Uuid::from_u128(n as u128), "name": "w"});
    for (offset, count) in [(0, 100), (100, 3)] {
        let data: Vec<_> = (offset..offset + count).map(workspace).collect();
        Mock::given(method("GET"))
            .and(path("/api/public/v1/workspaces"))
            .and(query_param("offset", offset.to_string()))
            .and(header("authorization", "Bearer t1"))
            .respond_with(ResponseTemplate::new(200).set_body_json(
                json!({"data": data, "next": "http://internal:8001/never", "previous": ""}),
            ))
            .mount(&server)
            .await;
    }
    let airbyte = airbyte(&server).await;
    let lists = futures::future::join_all((0..10).map(|_| airbyte.workspace_list())).await;
    assert!(lists.into_iter().all(|list| list.unwrap().len() == 103));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_token_is_replaced_once() {
    let server = MockServer::start().await;
    give_token(&server, "old", 900, 1).await;
    give_token(&server, "new", 900, 1).await;
    Mock::given(method("GET"))
        .and(header("authorization", "Bearer old"))
        .respond_with(ResponseTemplate::new(401).set_body_json(json!({"message": "Unauthorized"})))
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(header("authorization", "Bearer new"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": []})))
        .mount(&server)
        .await;
    assert_eq!(
        airbyte(&server).await.workspace_list().await.unwrap().len(),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_reported_with_a_remedy() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/api/public/v1/applications/token"))
        .respond_with(ResponseTemplate::new(400).set_body_json(json!({
            "message": "Bad Request",
            "_embedded": {"errors": [{"message": "Invalid client id or token"}]}
        })))
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path("/api/public/v1/health"))
        .respond_with(ResponseTemplate::new(200).set_body_string("Successful operation"))
        .mount(&server)
        .await;
    let airbyte = airbyte(&server).await;
    airbyte.health().await.unwrap();
    let listed = airbyte.workspace_list().await.unwrap_err().to_string();
    let ready = airbyte.ready().await.unwrap_err().to_string();
    for error in [listed, ready] {
        assert!(error.contains("Invalid client id or token"), "{error}");
        assert!(error.contains("abctl local credentials"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_page_is_not_airbyte() {
    let server = MockServer::start().await;
    give_token(&server, "t", 900, 9).await;
    Mock::given(method("GET"))
        .respond_with(
            ResponseTemplate::new(200).set_body_raw("<!doctype html>", "text/html; charset=utf-8"),
        )
        .mount(&server)
        .await;
    let airbyte = airbyte(&server).await;
    for error in [
        airbyte.workspace_list().await.unwrap_err(),
        airbyte.health().await.unwrap_err(),
    ] {
        assert!(
            matches!(error.kind, ErrorKind::NotAirbyte { .. }),
            "{error}"
        );
        assert!(!error.is_transient());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_inside_a_200_are_failures() {
    let server = MockServer::start().await;
    give_token(&server, "t", 900, 9).await;
    let job = json!({"succeeded": false, "failureReason": {
        "failureOrigin": "source", "externalMessage": "no such host", "timestamp": 0}});
    Mock::given(path("/api/v1/sources/discover_schema"))
        .and(body_partial_json(json!({"disable_cache": true})))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"jobInfo": job})))
        .mount(&server)
        .await;
    Mock::given(path("/api/v1/sources/check_connection"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"jobInfo": job})))
        .mount(&server)
        .await;
    let airbyte = airbyte(&server).await;
    for error in [
        airbyte.discover(Uuid::nil()).await.unwrap_err(),
        airbyte
            .actor_check(ActorKind::Source, Uuid::nil())
            .await
            .unwrap_err(),
    ] {
        assert!(
            error.to_string().contains("source: no such host"),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_is_repeated_and_a_create_is_not() {
    let server = MockServer::start().await;
    give_token(&server, "t", 900, 9).await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(503))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": []})))
        .mount(&server)
        .await;
    Mock::given(path("/api/public/v1/sources"))
        .and(method("POST"))
        .respond_with(ResponseTemplate::new(503))
        .expect(1)
        .mount(&server)
        .await;
    let airbyte = airbyte(&server).await;
    airbyte.workspace_list().await.unwrap();
    let error = airbyte
        .actor_create(ActorKind::Source, "s", Uuid::nil(), Uuid::nil(), &json!({}))
        .await
        .unwrap_err();
    assert!(error.is_ambiguous() && error.is_transient());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_server_is_reported_as_such() {
    local::install_tls_provider();
    let urls = AirbyteUrls::of_instance(&"http://127.0.0.1:1".parse().unwrap());
    let airbyte = Airbyte::new(urls, None, http_client::build().unwrap());
    let error = airbyte.workspace_list().await.unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Unreachable { .. }));
    assert!(!error.is_ambiguous());
}
