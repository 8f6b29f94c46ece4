//! API keys and roles.

use serde_json::{Value, json};
use test_support::{Database, Stack, eventually};

use crate::{holding, make_key, without_a_key};

async fn a_key_may_do_what_its_role_allows(stack: Stack) {
    let credential = json!({"source_type": "sqlite", "kind": "raw", "secret": {"password": "x"}});
    let heal = json!({"connection_id": "0190ab00-0000-7000-8000-000000000000"});
    for (role, writes, rules) in [
        ("viewer", false, false),
        ("operator", true, false),
        ("admin", true, true),
    ] {
        let (_, key) = make_key(&stack.api, &format!("a {role}"), role).await;
        let api = holding(&stack.api, &key);
        api.get("/connections").await.expect(200);
        let refused = |may: bool, needs: &str, answer: test_support::Answer| {
            if may {
                assert_ne!(answer.status, 403, "{role}: {}", answer.text);
                return;
            }
            let problem = answer.expect_problem(403, "forbidden");
            assert_eq!(problem["required_role"], needs, "{problem}");
        };
        let nobody = "/connections/0190ab00-0000-7000-8000-000000000000";
        refused(
            writes,
            "operator",
            api.post_empty(&format!("{nobody}/sync")).await,
        );
        refused(
            writes,
            "operator",
            api.post("/connections/onboard", &json!({})).await,
        );
        refused(rules, "admin", api.get("/keys").await);
        refused(rules, "admin", api.get("/audit").await);
        let nowhere = api.post("/no/such/path", &json!({})).await;
        nowhere.expect_problem(404, "not_found");
        let agent = holding(&stack.agent_api, &key);
        refused(writes, "operator", agent.post("/repair/heal", &heal).await);
        let broker = holding(&stack.broker_api, &key);
        broker.get("/credentials").await.expect(200);
        refused(
            rules,
            "admin",
            broker.put("/credentials/c", &credential).await,
        );
        refused(rules, "admin", broker.delete("/credentials/c").await);
    }
}
test_support::on_both!(a_key_may_do_what_its_role_allows);

async fn a_revoked_or_unknown_key_opens_nothing(stack: Stack) {
    let (id, key) = make_key(&stack.api, "ci", "admin").await;
    let services = [&stack.api, &stack.broker_api, &stack.agent_api];
    for service in services {
        // Made a moment ago on another service, it works at once.
        assert_eq!(holding(service, &key).get("/metrics").await.status, 200);
        let mut other = key.clone();
        other.replace_range(key.len() - 1.., if key.ends_with('0') { "1" } else { "0" });
        let answer = holding(service, &other).get("/metrics").await;
        answer.expect_problem(401, "unauthenticated");
    }
    assert_eq!(stack.api.delete(&format!("/keys/{id}")).await.status, 204);
    for service in services {
        let holder = holding(service, &key);
        eventually(async || match holder.get("/metrics").await.status {
            401 => Ok(()),
            status => Err(status),
        })
        .await;
    }
    assert_eq!(
        stack.api.delete(&format!("/keys/{id}")).await.status,
        204,
        "revoking twice is revoking"
    );
    let unknown = stack.api.delete("/keys/nothing").await;
    unknown.expect_problem(404, "key_not_found");
    make_key(&stack.api, "ci", "viewer").await;
}
test_support::on_both!(a_revoked_or_unknown_key_opens_nothing);

async fn a_key_is_shown_once_and_kept_as_a_digest(stack: Stack) {
    let (id, key) = make_key(&stack.api, "dana", "viewer").await;
    assert!(key.starts_with("aam_") && key.len() == 68, "{key}");
    holding(&stack.api, &key)
        .get("/connections")
        .await
        .expect(200);
    let used = eventually(async || {
        let all = stack.api.get("/keys").await;
        assert!(!all.text.contains(&key), "the key is shown again");
        let all = all.expect(200);
        let found = all
            .as_array()
            .unwrap()
            .iter()
            .find(|view| view["id"] == *id);
        match found {
            Some(view) if view["last_used_at"].is_string() => Ok(view.clone()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert_eq!(used["role"], "viewer");
    assert_eq!(used["created_by"], "AAM_API_KEY");
    assert!(key.starts_with(used["prefix"].as_str().unwrap()));
    let taken = stack
        .api
        .post("/keys", &json!({"name": "dana", "role": "admin"}))
        .await;
    taken.expect_problem(409, "key_name_taken");
    for (body, field) in [
        (json!({"name": " ", "role": "viewer"}), "name"),
        (json!({"name": "aam_api_key", "role": "viewer"}), "name"),
        (json!({"name": "x", "role": "king"}), "role"),
        (
            json!({"name": "x", "role": "viewer", "expires_at": "2001-01-01T00:00:00Z"}),
            "expires_at",
        ),
    ] {
        let problem = stack.api.post("/keys", &body).await;
        let problem = problem.expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
}
test_support::on_both!(a_key_is_shown_once_and_kept_as_a_digest);

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_key_opens_nothing() {
    let stack = test_support::StackBuilder::one_process().start().await;
    let end = chrono::Utc::now() + chrono::TimeDelta::seconds(2);
    let body = json!({"name": "short", "role": "viewer", "expires_at": end});
    let made = stack.api.post("/keys", &body).await.expect(201);
    let holder = holding(&stack.api, made["key"].as_str().unwrap());
    holder.get("/connections").await.expect(200);
    eventually(async || match holder.get("/connections").await.status {
        401 => Ok(()),
        status => Err(status),
    })
    .await;
    assert!(chrono::Utc::now() >= end, "it ended too early");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_stored_key_ends_anonymous_calls_on_every_service() {
    let stack = without_a_key(Database::postgres().await).await;
    let open = stack.api.anonymous();
    open.get("/connections").await.expect(200);
    let locked_out = open
        .post("/keys", &json!({"name": "eve", "role": "viewer"}))
        .await;
    let problem = locked_out.expect_problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["field"], "role", "{problem}");
    let (id, key) = make_key(&open, "root", "admin").await;
    for service in [&stack.api, &stack.broker_api, &stack.agent_api] {
        let nobody = service.anonymous();
        eventually(async || match nobody.get("/metrics").await.status {
            401 => Ok(()),
            status => Err(status),
        })
        .await;
        let _: Value = nobody.get("/health").await.expect(200);
    }
    let holder = holding(&stack.api, &key);
    assert_eq!(holder.delete(&format!("/keys/{id}")).await.status, 204);
    eventually(async || match open.get("/connections").await.status {
        200 => Ok(()),
        status => Err(status),
    })
    .await;
}
