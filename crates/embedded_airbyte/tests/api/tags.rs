//! Tags of the public API and the connections that carry them.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Api, Engine, text};

async fn tag(api: &Api, name: &str) -> Value {
    let body = json!({"name": name, "color": "FF5733", "workspaceId": api.workspace().await});
    let (status, tag) = api.post("/tags", body).await;
    assert_eq!(status, 200, "{tag}");
    tag
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_made_read_changed_and_deleted() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let workspace = api.workspace().await;
    let made = tag(api, "nightly").await;
    assert_eq!(
        made,
        json!({"tagId": made["tagId"], "workspaceId": workspace, "name": "nightly",
            "color": "FF5733"})
    );
    let path = format!("/tags/{}", text(&made["tagId"]));
    assert_eq!(
        api.get(&path).await,
        (reqwest::StatusCode::OK, made.clone())
    );
    let (_, list) = api.get("/tags").await;
    assert_eq!(list, json!({"data": [made]}));
    let (_, none) = api
        .get(&format!("/tags?workspaceIds={}", Uuid::new_v4()))
        .await;
    assert_eq!(none, json!({"data": []}));
    let (status, changed) = api
        .patch(&path, json!({"name": "daily", "color": "00ff00"}))
        .await;
    assert_eq!(status, 200, "{changed}");
    assert_eq!(
        (&changed["name"], &changed["color"]),
        (&json!("daily"), &json!("00ff00"))
    );
    let engine = engine.restart().await;
    let api = &engine.api;
    assert_eq!(api.get(&path).await.1, changed);
    assert_eq!(api.delete(&path).await.0, 204);
    let (status, problem) = api.get(&path).await;
    assert_eq!(status, 404);
    assert_eq!(problem["data"]["resourceType"], "tag");
    assert_eq!(api.delete(&path).await.0, 404);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_that_break_a_rule_are_refused_by_name() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let workspace = api.workspace().await;
    tag(api, "taken").await;
    let other = tag(api, "other").await;
    let of =
        |name: &str, color: &str| json!({"name": name, "color": color, "workspaceId": workspace});
    for (body, status, kind) in [
        (of("taken", "000000"), 409, "error:tag-already-exists"),
        (of("x", "#00000"), 400, "error:tag-invalid-hex-color"),
        (of("x", "blue"), 400, "error:tag-invalid-hex-color"),
        (
            of(&"x".repeat(31), "000000"),
            400,
            "error:tag-name-too-long",
        ),
    ] {
        let (got, problem) = api.post("/tags", body.clone()).await;
        assert_eq!(got, status, "{body} gave {problem}");
        assert_eq!(problem["type"], kind);
        assert_eq!(problem["status"], status);
    }
    let path = format!("/tags/{}", text(&other["tagId"]));
    let (status, problem) = api
        .patch(&path, json!({"name": "taken", "color": "000000"}))
        .await;
    assert_eq!(
        (status.as_u16(), &problem["type"]),
        (409, &json!("error:tag-already-exists"))
    );
    for index in 2..100 {
        tag(api, &format!("tag {index}")).await;
    }
    let (status, problem) = api.post("/tags", of("one too many", "000000")).await;
    assert_eq!(status, 400);
    assert_eq!(problem["type"], "error:tag-limit-for-workspace-reached");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_carry_tags_and_are_found_by_them() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let (nightly, sales) = (tag(api, "nightly").await, tag(api, "sales").await);
    let first = api.accounts("recorder").await;
    let second = api
        .connection("refreshing", json!([{"name": "Contact"}]))
        .await;
    let path = format!("/connections/{first}");
    let (status, tagged) = api.patch(&path, json!({"tags": [nightly, sales]})).await;
    assert_eq!(status, 200, "{tagged}");
    assert_eq!(tagged["tags"], json!([nightly, sales]));
    let update = json!({"connectionId": second, "tags": [sales]});
    let updated = api.config_ok("/connections/update", update).await;
    assert_eq!(updated["tags"], json!([sales]));

    let found = async |query: &str| -> Vec<String> {
        let (status, list) = api.get(&format!("/connections?{query}")).await;
        assert_eq!(status, 200, "{list}");
        let data = list["data"].as_array().unwrap();
        data.iter().map(|one| text(&one["connectionId"])).collect()
    };
    let (one, two) = (text(&nightly["tagId"]), text(&sales["tagId"]));
    assert_eq!(found(&format!("tagIds={one}")).await, [first.as_str()]);
    assert_eq!(found(&format!("tagIds={two}")).await.len(), 2);
    assert_eq!(found(&format!("tagIds={one},{two}")).await.len(), 2);
    assert_eq!(found(&format!("tagIds={one}&tagIds={two}")).await.len(), 2);
    let (_, page) = api.get(&format!("/connections?tagIds={one}&limit=1")).await;
    assert!(
        !text(&page["next"]).contains("tagIds"),
        "the server's links forget them"
    );

    api.patch(
        &format!("/tags/{two}"),
        json!({"name": "crm", "color": "000000"}),
    )
    .await;
    let (_, read) = api.get(&path).await;
    assert_eq!(read["tags"][1]["name"], "crm");
    api.delete(&format!("/tags/{one}")).await;
    let read = api
        .config_ok("/connections/get", json!({"connectionId": first}))
        .await;
    assert_eq!(read["tags"].as_array().unwrap().len(), 1);
    let (_, cleared) = api.patch(&path, json!({"tags": []})).await;
    assert_eq!(cleared["tags"], json!([]));

    let (_, elsewhere) = api.post("/workspaces", json!({"name": "elsewhere"})).await;
    let body = json!({"name": "x", "color": "000000", "workspaceId": elsewhere["workspaceId"]});
    let (_, foreign) = api.post("/tags", body).await;
    let (status, problem) = api.patch(&path, json!({"tags": [foreign]})).await;
    assert_eq!(status, 400, "{problem}");
    let mut unknown = foreign;
    unknown["tagId"] = json!(Uuid::new_v4());
    assert_eq!(api.patch(&path, json!({"tags": [unknown]})).await.0, 404);
    assert_eq!(api.get(&path).await.1["tags"], json!([]));
    engine.stop().await;
}
