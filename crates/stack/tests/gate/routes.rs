//! The route tables: what each service declares, and what its OpenAPI document contains.

use std::collections::BTreeSet;

use http_server::routes::Declared;
use serde_json::Value;
use service_kit::policy::{Access, Policy};
use test_support::StackBuilder;

/// Paths that every service has and no document lists.
const COMMON: &[&str] = &[
    "/health",
    "/ready",
    "/metrics",
    "/whoami",
    "/openapi.json",
    "/docs",
    "/docs/{file:.*}",
];

fn lines(table: &[Declared<Policy>]) -> BTreeSet<(String, String)> {
    let own = table
        .iter()
        .filter(|line| !COMMON.contains(&line.pattern.as_str()));
    own.map(|line| {
        let method = line.method.as_ref().map_or("*", |method| method.as_str());
        (method.to_owned(), line.pattern.clone())
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_document_lists_each_route_and_no_other() {
    let stack = StackBuilder::one_process().start().await;
    for (service, table) in [
        (&stack.api, orchestrator::route_table()),
        (&stack.broker_api, auth_broker::route_table()),
        (&stack.agent_api, drift_repair_agent::route_table()),
    ] {
        let document: Value = service.get("/openapi.json").await.expect(200);
        let mut documented = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for method in operations.as_object().unwrap().keys() {
                if method != "parameters" {
                    documented.insert((method.to_uppercase(), path.clone()));
                }
            }
        }
        assert_eq!(lines(&table), documented);
    }
}

#[test]
fn only_probes_and_documentation_are_open_and_no_write_is_for_viewers() {
    for table in [
        orchestrator::route_table(),
        auth_broker::route_table(),
        drift_repair_agent::route_table(),
    ] {
        for line in table {
            let is_open = matches!(line.policy.access, Access::Probe | Access::Public);
            let may_be_open = COMMON.contains(&line.pattern.as_str())
                && !["/metrics", "/whoami"].contains(&line.pattern.as_str());
            assert_eq!(is_open, may_be_open, "{line:?}");
            let reads = line.method.as_ref().is_some_and(|method| method == "GET");
            let for_viewers = line.policy.access == Access::Role(contracts::Role::Viewer);
            assert!(reads || !for_viewers, "{line:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_answered_like_get_and_other_methods_are_refused_with_those_allowed() {
    let stack = StackBuilder::one_process().start().await;
    let head = |path: &'static str| {
        let request = stack.api.request(reqwest::Method::HEAD, path);
        stack.api.send(request)
    };
    for path in [
        "/health",
        "/ready",
        "/connections",
        "/operations",
        "/openapi.json",
        "/docs/",
    ] {
        let answer = head(path).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{path}");
        let whole = stack.api.get(path).await;
        assert_eq!(
            answer.headers.get("content-type"),
            whole.headers.get("content-type"),
            "{path}"
        );
    }
    // It would never end.
    assert_eq!(head("/events").await.status, 200);
    assert_eq!(head("/jobs/no-such-job").await.status, 404);
    let answer = stack
        .api
        .send(stack.api.request(reqwest::Method::PUT, "/keys"))
        .await;
    assert_eq!(answer.headers["allow"], "GET, HEAD, POST");
    answer.expect_problem(405, "method_not_allowed");
}
