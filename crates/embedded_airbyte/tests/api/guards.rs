//! Tokens, unknown paths, and requests that a lured browser could send.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use embedded_airbyte::{Application, Error};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use crate::harness::{Api, CLIENT_ID, CLIENT_SECRET, Engine, Place, eventually};

const TOKENS: [&str; 4] = [
    "/api/public/v1/applications/token",
    "/api/public/applications/token",
    "/applications/token",
    "/api/v1/applications/token",
];

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_issued_for_json_and_forms_in_both_spellings() {
    let engine = Engine::start().await;
    let root = &engine.api.root;
    let client = &engine.api.client;
    for path in TOKENS {
        for grant in ["grant-type", "grant_type"] {
            let fields = json!({"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
                grant: "client_credentials"});
            for form in [false, true] {
                let request = client.post(format!("{root}{path}"));
                let request = if form {
                    request.form(&fields)
                } else {
                    request.json(&fields)
                };
                let response = request.send().await.unwrap();
                assert_eq!(response.status(), 200, "{path} {grant} form: {form}");
                let answer: Value = response.json().await.unwrap();
                let token = answer["access_token"].as_str().unwrap();
                if path == "/api/v1/applications/token" {
                    assert_eq!(answer.as_object().unwrap().len(), 1);
                } else {
                    assert_eq!(answer["token_type"], "Bearer");
                    assert_eq!(answer["expires_in"], 900);
                }
                for api in ["/api/public/v1/workspaces", "/api/public/v1/sources"] {
                    let request = client.get(format!("{root}{api}")).bearer_auth(token);
                    assert_eq!(request.send().await.unwrap().status(), 200);
                }
            }
        }
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_secrets_and_missing_or_foreign_tokens_are_refused_as_airbyte_refuses() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let body = json!({"client_id": CLIENT_ID, "client_secret": "wrong"});
    let (status, answer) = api.send(Method::POST, TOKENS[0], Some(body)).await;
    assert_eq!(status, 400);
    assert_eq!(
        answer["_embedded"]["errors"][0]["message"],
        "Invalid client id or token"
    );
    assert_eq!(answer["_links"]["self"]["href"], TOKENS[0]);
    for token in [None, Some("nonsense"), Some("eyJhbGciOiJub25lIn0.e30.")] {
        let mut request = api
            .client
            .get(format!("{}/api/public/v1/sources", api.root));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401, "{token:?}");
        let answer: Value = response.json().await.unwrap();
        assert_eq!(answer["message"], "Unauthorized");
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_with_its_lifetime_and_outlives_a_restart() {
    let engine = Engine::start().await;
    let old = engine.api.clone();
    let engine = engine.restart().await;
    let kept = Api {
        root: engine.api.root.clone(),
        ..old
    };
    assert_eq!(kept.get("/sources").await.0, 200);
    let place = engine.stop().await;
    let engine = Engine::start_at(place, |options| {
        options.token_lifetime = Duration::from_secs(1)
    })
    .await;
    eventually("the token ends", async || {
        match engine.api.get("/sources").await.0.as_u16() {
            401 => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_needs_no_token_and_unknown_paths_answer_like_airbyte() {
    let engine = Engine::start().await;
    let (client, root) = (&engine.api.client, &engine.api.root);
    let health = client
        .get(format!("{root}/api/public/v1/health"))
        .send()
        .await
        .unwrap();
    assert_eq!(health.status(), 200);
    assert_eq!(health.text().await.unwrap(), "Successful operation");
    let health = client
        .get(format!("{root}/api/v1/health"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        health.json::<Value>().await.unwrap(),
        json!({"available": true})
    );
    for path in ["/", "/v1/sources", "/workspaces/x"] {
        let page = client.get(format!("{root}{path}")).send().await.unwrap();
        assert_eq!(page.status(), 200, "{path}");
        assert!(
            page.headers()["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/html")
        );
    }
    for path in ["/api/public/v1/nothing", "/api/v1/nothing", "/api/other"] {
        let (status, answer) = engine.api.send(Method::GET, path, None).await;
        assert_eq!(status, 404, "{path}");
        assert_eq!(answer["message"], "Not Found", "{path}");
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_hosts_origins_and_bodies_are_refused_but_health_is_not() {
    let engine =
        Engine::start_with(|options| options.allowed_hosts = vec!["airbyte".to_owned()]).await;
    let api = &engine.api;
    let ask = async |method: Method, path: &str, headers: &[(&str, &str)]| {
        let mut request = api.request(method, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body("{}").send().await.unwrap().status().as_u16()
    };
    let (get, post) = (Method::GET, Method::POST);
    let list = "/api/public/v1/sources";
    let json = ("content-type", "application/json");
    assert_eq!(
        ask(get.clone(), list, &[("host", "evil.example")]).await,
        421
    );
    assert_eq!(
        ask(get.clone(), list, &[("host", "airbyte:8000")]).await,
        200
    );
    let health = "/api/v1/health";
    assert_eq!(
        ask(get.clone(), health, &[("host", "10.0.0.1:8000")]).await,
        200
    );
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        assert_eq!(
            ask(post.clone(), list, &[json, (name, value)]).await,
            403,
            "{name} {value}"
        );
        assert_eq!(
            ask(get.clone(), list, &[(name, value)]).await,
            200,
            "{name} {value}"
        );
    }
    assert_eq!(
        ask(
            post.clone(),
            list,
            &[json, ("origin", "http://localhost:3000")]
        )
        .await,
        422
    );
    assert_eq!(
        ask(post.clone(), list, &[("content-type", "text/plain")]).await,
        415
    );
    // An undeclared body is parsed as JSON, as in Airbyte.
    assert_eq!(ask(post, list, &[]).await, 422);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_not_json_have_another_shape_or_are_too_large_are_refused() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let send = async |path: &str, body: String| {
        let request = api
            .request(Method::POST, path)
            .header("content-type", "application/json")
            .body(body);
        request.send().await.unwrap().status().as_u16()
    };
    for (path, expected) in [
        ("/api/public/v1/sources", 422),
        ("/api/v1/connections/get", 422),
    ] {
        assert_eq!(send(path, "{".into()).await, 400, "{path}");
        assert_eq!(send(path, "{}".into()).await, expected, "{path}");
        assert_eq!(send(path, "[1]".into()).await, expected, "{path}");
        let large = format!("\"{}\"", "x".repeat(33 * 1024 * 1024));
        assert_eq!(send(path, large).await, 413, "{path}");
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_it_listens_on_loopback_alone() {
    let place = Place::new();
    let beyond = |has_key: bool| {
        let mut options = place.options();
        options.bind = ("0.0.0.0".to_owned(), 0);
        options.has_key = has_key;
        Application::build(options)
    };
    let refused = beyond(false).await.unwrap_err();
    assert!(matches!(refused, Error::Open(_)), "{refused:?}");
    let said = refused.to_string();
    for name in ["BIND_ADDRESS", "AIRBYTE_CLIENT_SECRET", "AAM_API_KEY"] {
        assert!(said.contains(name), "{said}");
    }
    beyond(true).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_list_of_hosts_refuses_the_start() {
    let place = Place::new();
    let mut options = place.options();
    options.connector_hosts = Some("db.example.com, http://db".to_owned());
    let refused = Application::build(options).await.unwrap_err();
    assert!(matches!(refused, Error::ConnectorHosts(_)), "{refused:?}");
    let message = refused.to_string();
    assert!(message.contains("\"http://db\""), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connectors_get_the_list_of_allowed_hosts() {
    let engine =
        Engine::start_with(|options| options.connector_hosts = Some("*.example.com".to_owned()))
            .await;
    let api = &engine.api;
    let body = json!({"name": "elsewhere", "workspaceId": api.workspace().await,
        "configuration": {"destinationType": "postgres", "host": "127.0.0.1", "port": 1,
            "database": "d", "username": "u", "schema": "public"}});
    let (status, made) = api.post("/destinations", body).await;
    assert_eq!(status, 200, "{made}");
    let check = json!({"destinationId": made["destinationId"]});
    let check = api.config_ok("/destinations/check_connection", check).await;
    assert_eq!(check["status"], "failed", "{check}");
    let message = check["message"].as_str().unwrap();
    assert!(message.contains("AAM_CONNECTOR_HOSTS"), "{message}");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_bodies_time_out_and_too_many_bytes_are_rejected_beforehand() {
    let engine = Engine::start().await;
    let address = engine.api.root.trim_start_matches("http://").to_owned();
    let announce = async |path: &str, token: &str, bytes: usize| {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {bytes}\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    };
    let answer = async |mut stream: TcpStream| {
        let mut text = String::new();
        let read = stream.read_to_string(&mut text);
        let limit = Duration::from_secs(30);
        tokio::time::timeout(limit, read).await.unwrap().unwrap();
        text
    };
    let token = engine.api.token.clone();
    // This one requires no token and accepts only small bodies.
    let large = announce(TOKENS[0], "", 17 * 1024).await;
    assert!(answer(large).await.starts_with("HTTP/1.1 413"));
    // Four fit. One more each time: the request that asks may have held the bytes that one needed.
    let held = Mutex::new(Vec::new());
    eventually("the bytes of all bodies are taken", async || {
        let body = announce("/api/v1/connections/update", &token, 32 * 1024 * 1024).await;
        held.lock().await.push(body);
        let asked = json!({"id": 1});
        let (status, _) = engine.api.config("/jobs/get", asked).await;
        match status.as_u16() {
            503 => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
    drop(held);
    let slow = announce(TOKENS[0], "", 100).await;
    assert!(answer(slow).await.starts_with("HTTP/1.1 408"));
    engine.stop().await;
}
