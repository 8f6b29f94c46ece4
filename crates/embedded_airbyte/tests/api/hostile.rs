//! The engine as it is when it is hard to live with.

use reqwest::Method;
use serde_json::{Value, json};
use settings::AirbyteMode;

use crate::harness::{Api, CLIENT_ID, CLIENT_SECRET, Engine, eventually, text};

const TOKEN: &str = "/api/public/v1/applications/token";

async fn start(mode: AirbyteMode) -> Engine {
    Engine::start_with(|options| options.mode = mode).await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_lenient_engine_reads_forms() {
    for (mode, expected) in [
        (AirbyteMode::Lenient, 200),
        (AirbyteMode::Strict, 400),
        (AirbyteMode::Hostile, 400),
    ] {
        let engine = start(mode).await;
        let form = [("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
        for path in [TOKEN, "/api/v1/applications/token"] {
            let request = engine.api.request(Method::POST, path).form(&form);
            assert_eq!(request.send().await.unwrap().status(), expected, "{mode:?}");
        }
        engine.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_answers_hide_lifetimes_and_hosts_and_know_every_path() {
    let engine = start(AirbyteMode::Hostile).await;
    let api = &engine.api;
    let body = json!({"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET});
    let (_, token) = api.send(Method::POST, TOKEN, Some(body)).await;
    assert!(token["access_token"].is_string() && token.get("expires_in").is_none());
    let (_, list) = api.get("/workspaces").await;
    let next = text(&list["next"]);
    assert!(
        next.starts_with("http://airbyte-abctl-airbyte-server-svc:8001/"),
        "{next}"
    );
    let request = api.request(Method::GET, "/api/public/v2/workspaces");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    engine.stop().await;
}

/// Makes something; a time-out is answered by looking for it.
async fn made(api: &Api, path: &str, body: Value) -> (u16, Value) {
    let name = body["name"].clone();
    let (status, answer) = api.post(path, body).await;
    if status != 504 {
        return (status.as_u16(), answer);
    }
    let (_, before) = api.get(path).await;
    let find = |list: &Value| {
        let all = list["data"].as_array().unwrap().clone();
        all.into_iter().find(|entry| entry["name"] == name)
    };
    assert!(find(&before).is_none(), "it is not there yet");
    let found = eventually("it lands", async || {
        let (_, list) = api.get(path).await;
        find(&list).ok_or_else(|| list.to_string())
    })
    .await;
    (504, found)
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_creates_land_late_discovers_fail_once_and_triggers_are_put_off() {
    let engine = start(AirbyteMode::Hostile).await;
    let api = &engine.api;
    let workspace = api.workspace().await;
    let source = json!({"name": "late", "workspaceId": workspace,
        "configuration": Api::salesforce()});
    let (status, source) = made(api, "/sources", source).await;
    assert_eq!(status, 504);
    let target = json!({"name": "target", "workspaceId": workspace,
        "configuration": {"destinationType": "recorder", "token": "t"}});
    let (status, target) = made(api, "/destinations", target).await;
    assert_eq!(status, 200, "every other one");

    let asked = json!({"sourceId": source["sourceId"], "disable_cache": true});
    let failed = api
        .config_ok("/sources/discover_schema", asked.clone())
        .await;
    assert_eq!(failed["jobInfo"]["succeeded"], false);
    assert_eq!(
        failed["jobInfo"]["failureReason"]["failureType"],
        "transient_error"
    );
    assert!(failed.get("catalog").is_none());
    let found = api.config_ok("/sources/discover_schema", asked).await;
    assert!(found["catalog"].is_object());

    let connection = json!({"name": "both", "sourceId": source["sourceId"],
        "destinationId": target["destinationId"]});
    let (_, connection) = made(api, "/connections", connection).await;
    let body = json!({"connectionId": connection["connectionId"], "jobType": "sync"});
    let (status, refused) = api.post("/jobs", body.clone()).await;
    assert_eq!(status, 409);
    assert!(text(&refused["type"]).ends_with("try-again-later"));
    let (status, _) = api.post("/jobs", body).await;
    assert_eq!(status, 504);
    let path = format!("/jobs?connectionId={}", text(&connection["connectionId"]));
    eventually("the sync lands and ends", async || {
        let (_, jobs) = api.get(&path).await;
        match jobs["data"][0]["status"].as_str() {
            Some("succeeded") => Ok(()),
            _ => Err(jobs.to_string()),
        }
    })
    .await;
    engine.stop().await;
}
