//! What differs between the versions of a connection.

use serde_json::{Value, json};
use test_support::{Database, Stack, StackBuilder};

use super::{follow_up, heal, shop_with, version};

async fn compare(stack: &Stack, id: &str, query: &str) -> Value {
    let path = format!("/connections/{id}/catalogs/diff{query}");
    stack.api.get(&path).await.expect(200)
}

/// A connection with two versions: the source lost `note` and got `qty`.
async fn healed(builder: StackBuilder) -> (Stack, String) {
    let stack = builder.start().await;
    let id = shop_with(&stack, json!("propose")).await;
    stack
        .sqlite(
            "shop.db",
            "ALTER TABLE orders DROP COLUMN note; ALTER TABLE orders ADD COLUMN qty INTEGER",
        )
        .await;
    let healed = heal(&stack, &id, json!({"accept": "all"})).await;
    follow_up(&stack, &healed).await;
    assert_eq!(version(&stack, &id).await, 2);
    (stack, id)
}

async fn tells(builder: StackBuilder) -> (Stack, String) {
    let (stack, id) = healed(builder).await;
    let diff = compare(&stack, &id, "").await;
    assert_eq!(
        (&diff["connection_id"], &diff["from"], &diff["to"]),
        (&json!(id), &json!(1), &json!(2))
    );
    assert_eq!(diff["destination"], "sqlite");
    assert_eq!(diff["severity"], "warning", "{diff:#}");
    let kinds = |diff: &Value| {
        let changes = diff["changes"].as_array().unwrap().iter();
        let kinds = changes.map(|one| (one["kind"].to_string(), one["path"].to_string()));
        let mut kinds: Vec<_> = kinds.collect();
        kinds.sort();
        kinds
    };
    let pairs = |pairs: [(&str, &str); 2]| {
        pairs.map(|(kind, path)| (json!(kind).to_string(), json!([path]).to_string()))
    };
    assert_eq!(
        kinds(&diff),
        pairs([("field_added", "qty"), ("field_removed", "note")])
    );
    assert_eq!(diff["settings"], json!([]));
    let transforms = diff["airbyte"]["transforms"][0]["updateStream"]["fieldTransforms"].clone();
    assert_eq!(transforms.as_array().unwrap().len(), 2, "{diff:#}");
    let back = compare(&stack, &id, "?from=2&to=1").await;
    assert_eq!(
        kinds(&back),
        pairs([("field_added", "note"), ("field_removed", "qty")])
    );
    let same = compare(&stack, &id, "?from=2&to=2").await;
    assert_eq!(same["changes"], json!([]));
    assert_eq!(same.get("severity"), None);
    assert_eq!(same["text"], "Both versions are equivalent.\n");
    (stack, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_compared_on_sqlite() {
    let (stack, id) = tells(StackBuilder::one_process()).await;

    let path = format!("/connections/{id}/catalogs/diff?format=");
    let text = stack.api.get(&format!("{path}text")).await;
    assert_eq!(text.headers["content-type"], "text/plain; charset=utf-8");
    assert!(text.text.contains("\n  - column note: text"), "{text:?}");
    let markdown = stack.api.get(&format!("{path}markdown")).await;
    assert_eq!(
        markdown.headers["content-type"],
        "text/markdown; charset=utf-8"
    );
    assert!(markdown.text.contains("`- column note: text"));
    let document = stack.api.get("/openapi.json").await.expect(200);
    let described = &document["paths"]["/connections/{id}/catalogs/diff"]["get"]["parameters"];
    let described = described.as_array().unwrap().iter();
    let optional = described.filter(|one| one["in"] == "query" && one["required"] != true);
    assert_eq!(optional.count(), 3, "{}", document["paths"]);
    let airbyte = stack.api.get(&format!("{path}airbyte")).await.expect(200);
    let whole = compare(&stack, &id, "").await;
    assert_eq!(airbyte, whole["airbyte"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_compared_on_postgresql() {
    let database = Database::postgres().await;
    tells(StackBuilder::four_processes(database)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_requests_name_their_faults() {
    let stack = StackBuilder::one_process().start().await;
    let id = shop_with(&stack, json!("propose")).await;
    let path = format!("/connections/{id}/catalogs/diff");
    let ask = async |query: &str| stack.api.get(&format!("{path}?{query}")).await;
    for (query, fields) in [
        ("from=0", vec!["from"]),
        ("to=-1", vec!["to"]),
        (
            "from=one&to=2147483648&format=xml",
            vec!["from", "to", "format"],
        ),
        ("from=", vec!["from"]),
    ] {
        let problem = ask(query).await.expect_problem(422, "invalid_request");
        let errors = problem["errors"].as_array().unwrap().iter();
        let named: Vec<_> = errors.map(|one| one["field"].as_str().unwrap()).collect();
        assert_eq!(named, fields, "{query}");
    }
    ask("form=1").await.expect_problem(400, "malformed_request");
    for query in ["", "from=1&to=2", "from=7&to=1", "to=1"] {
        ask(query).await.expect_problem(404, "version_not_found");
    }
    let unknown = "/connections/00000000-0000-4000-8000-000000000000/catalogs/diff";
    let unknown = stack.api.get(unknown).await;
    unknown.expect_problem(404, "connection_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_compared_carefully_while_airbyte_is_down() {
    let (mut stack, id) = healed(StackBuilder::four_processes(Database::Sqlite)).await;
    let known = compare(&stack, &id, "").await;
    stack.airbyte.as_mut().unwrap().kill();
    let guessed = compare(&stack, &id, "").await;
    assert_eq!(guessed["destination"], "unknown");
    let ids = |diff: &Value| -> Vec<String> {
        let changes = diff["changes"].as_array().unwrap().iter();
        changes.map(|one| one["id"].to_string()).collect()
    };
    assert_eq!(ids(&guessed), ids(&known), "the same differences");
}
