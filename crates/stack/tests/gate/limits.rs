//! Too much of it.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use test_support::{Answer, Api, Database, Stack, StackBuilder, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{holding, make_key};

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers[name].to_str().unwrap()
}

/// The number after `name=` in a structured field.
fn parameter(field: &str, name: &str) -> u32 {
    let found = field
        .split(';')
        .find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    found.unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_asks_too_often_waits_and_others_do_not() {
    let stack = StackBuilder::one_process()
        .with("AAM_RATE_LIMIT", "1/10")
        .start()
        .await;
    let (_, key) = make_key(&stack.api, "eager", "viewer").await;
    let (_, other) = make_key(&stack.api, "patient", "viewer").await;
    let eager = holding(&stack.api, &key);
    let begun = Instant::now();
    let mut left = 10;
    let refused = loop {
        let answer = eager.get("/connections").await;
        assert_eq!(header(&answer, "ratelimit-policy"), "\"default\";q=10;w=10");
        let standing = header(&answer, "ratelimit");
        if answer.status == 429 {
            assert_eq!(parameter(standing, "r"), 0);
            break answer;
        }
        answer.expect(200);
        let now = parameter(standing, "r");
        assert!(now <= left, "{now} after {left}");
        left = now;
        assert!(begun.elapsed() < Duration::from_secs(20), "never refused");
    };
    let wait: u64 = header(&refused, "retry-after").parse().unwrap();
    assert!((1..=2).contains(&wait), "{wait}");
    refused.expect_problem(429, "rate_limited");

    holding(&stack.api, &other)
        .get("/connections")
        .await
        .expect(200);
    for path in ["/health", "/ready", "/metrics"] {
        for _ in 0..15 {
            let answer = eager.get(path).await;
            assert_eq!(answer.status, 200, "{path}");
            assert!(!answer.headers.contains_key("ratelimit"), "{path}");
        }
    }
    eventually(async || match eager.get("/connections").await.status {
        200 => Ok(()),
        status => Err(status),
    })
    .await;

    // Guessing keys is counted by address.
    let guesser = holding(&stack.api, "aam_guess");
    let mut codes = Vec::new();
    for _ in 0..15 {
        codes.push(guesser.get("/connections").await.status);
    }
    assert!(codes.contains(&401) && codes.contains(&429), "{codes:?}");
    holding(&stack.api, &other)
        .get("/connections")
        .await
        .expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_not_counted_and_off_is_off() {
    let stack = StackBuilder::one_process()
        .with("AAM_RATE_LIMIT", "off")
        .start()
        .await;
    for _ in 0..300 {
        let answer = stack.api.get("/connections?limit=1").await;
        assert!(!answer.headers.contains_key("ratelimit"));
        answer.expect(200);
    }
    drop(stack);
    let stack = StackBuilder::one_process()
        .with("AAM_RATE_LIMIT", "3/3")
        .start()
        .await;
    // Each caller stays below the limit, and the orchestrator, who asks the agent for all of them,
    // does not.
    let nobody = "/connections/0190ab00-0000-7000-8000-000000000000/heal";
    for name in ["a", "b", "c", "d"] {
        let (_, key) = eventually(async || {
            let body = json!({"name": name, "role": "operator"});
            let made = stack.api.post("/keys", &body).await;
            match made.status {
                201 => Ok((made.json()["id"].clone(), made.json()["key"].clone())),
                _ => Err(made.text),
            }
        })
        .await;
        let caller = holding(&stack.api, key.as_str().unwrap());
        for _ in 0..3 {
            let answer = caller.post(nobody, &json!({})).await;
            answer.expect_problem(404, "connection_not_found");
        }
    }
}

/// A stack whose Salesforce discovers when it is let.
async fn slow(control: &std::path::Path) -> Stack {
    std::fs::write(control.join("hang_discover"), "").unwrap();
    StackBuilder::four_processes(Database::Sqlite)
        .with("AAM_REQUESTS_MAX", "2")
        .held_salesforce(control)
        .start()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overloaded_service_returns_503_and_stays_alive() {
    let control = tempfile::tempdir().unwrap();
    let stack = slow(control.path()).await;
    let onboard = |name: &str| -> tokio::task::JoinHandle<Answer> {
        let body = json!({"source_type": "salesforce", "connection_name": name, "prefix": name,
            "source_config": {"client_id": "a", "client_secret": "b", "refresh_token": "c",
                "is_sandbox": false, "auth_type": "Client", "start_date": "2024-01-01T00:00:00Z"}});
        let api = stack.api.clone();
        tokio::spawn(async move { api.post("/connections/onboard", &body).await })
    };
    let first = onboard("one");
    let second = onboard("two");
    // Asked of Airbyte: a request to the service could take the place of one of the two.
    eventually(async || match stack.airbyte_objects().await.0 {
        2 => Ok(()),
        sources => Err(sources),
    })
    .await;
    let refused = stack.api.get("/connections").await;
    assert_eq!(header(&refused, "retry-after"), "1");
    refused.expect_problem(503, "overloaded");
    let _: Value = stack.api.anonymous().get("/health").await.expect(200);
    let _: Value = stack.api.anonymous().get("/ready").await.expect(200);
    assert_eq!(stack.api.get("/metrics").await.status, 200);
    std::fs::remove_file(control.path().join("hang_discover")).unwrap();
    first.await.unwrap().expect(201);
    second.await.unwrap().expect(201);
    let all = stack.api.get("/connections").await.expect(200);
    assert_eq!(all.as_array().unwrap().len(), 2);
}

/// Sends the head of a POST with a catalog of so many bytes, and nothing of the catalog.
async fn announce(api: &Api, bytes: usize) -> TcpStream {
    let address = api.base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /repair/plan HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {bytes}\r\n\r\n{{",
        test_support::KEY
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let read = stream.read_to_string(&mut text);
    tokio::time::timeout(Duration::from_secs(30), read)
        .await
        .expect("an answer, and the end of the connection")
        .unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_trickle_neither_fill_the_memory_nor_block_for_ever() {
    let stack = StackBuilder::one_process().start().await;
    let mut trickling = Vec::new();
    for _ in 0..8 {
        trickling.push(announce(&stack.agent_api, 32 * 1024 * 1024).await);
    }
    let nobody = json!({"connection_id": "0190ab00-0000-7000-8000-000000000000"});
    let plan = async || stack.agent_api.post("/repair/plan", &nobody).await;
    let refused = eventually(async || match plan().await {
        full if full.status == 503 => Ok(full),
        other => Err(other.text),
    })
    .await;
    refused.expect_problem(503, "overloaded");
    assert!(
        answer(&mut announce(&stack.agent_api, 33 * 1024 * 1024).await)
            .await
            .starts_with("HTTP/1.1 413")
    );
    let reads = stack.agent_api.request(Method::GET, "/health");
    stack.agent_api.send(reads).await.expect(200);

    for stream in &mut trickling {
        // A byte now and then is not enough.
        let _ = stream.write_all(b" ").await;
        let said = answer(stream).await;
        assert!(said.starts_with("HTTP/1.1 408"), "{said}");
        assert!(said.contains("body_too_slow"), "{said}");
    }
    plan().await.expect_problem(404, "connection_not_found");
}

/// Opens as many connections as a server is not to be kept busy with; those that it closes stay open on
/// this side.
async fn idle_connections(base: &str, count: usize) -> Vec<TcpStream> {
    let address = base.trim_start_matches("http://");
    let mut open = Vec::with_capacity(count);
    while open.len() < count {
        let wave = (0..200.min(count - open.len())).map(|_| TcpStream::connect(address));
        for stream in futures::future::join_all(wave).await {
            open.push(stream.unwrap());
        }
    }
    open
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_connections_block_no_caller() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let wanted = hard.min(65_536).max(soft);
    setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).unwrap();
    // A machine that allows this process fewer files is asked for as many as it allows.
    let count = usize::try_from(wanted.saturating_sub(500))
        .unwrap()
        .min(10_000);
    let stack = StackBuilder::four_processes(Database::Sqlite).start().await;
    for (base, path) in [
        (stack.api.base.clone(), "/connections?limit=1"),
        (stack.broker_api.base.clone(), "/credentials"),
        (stack.agent_api.base.clone(), "/whoami"),
        (stack.airbyte_root.clone(), "/api/v1/health"),
    ] {
        let idle = idle_connections(&base, count).await;
        let api = Api::new(&base, Some(test_support::KEY));
        let begun = Instant::now();
        let answer = api.get(path).await;
        let took = begun.elapsed();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        // Until the idle ones time out it takes 10 s.
        assert!(took < Duration::from_secs(5), "{path}: {took:?}");
        drop(idle);
    }
}
