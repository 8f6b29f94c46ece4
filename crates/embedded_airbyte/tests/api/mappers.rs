//! Mappers: checked when they are written, applied on the way to the destination.

use serde_json::{Value, json};

use crate::harness::{Api, Engine, text};

fn mapper(kind: &str, configuration: Value) -> Value {
    json!({"type": kind, "mapperConfiguration": configuration})
}

fn account(mappers: &[Value]) -> Value {
    json!([{"name": "Account", "syncMode": "incremental_deduped_history", "mappers": mappers}])
}

#[tokio::test(flavor = "multi_thread")]
async fn records_schema_and_key_are_mapped_on_the_way() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let mappers = [
        mapper(
            "hashing",
            json!({"targetField": "Name", "method": "SHA-256", "fieldNameSuffix": "_hashed"}),
        ),
        mapper(
            "field-renaming",
            json!({"originalFieldName": "Id", "newFieldName": "key"}),
        ),
        mapper("field-filtering", json!({"targetField": "IsDeleted"})),
        mapper(
            "row-filtering",
            json!({"conditions": {"type": "NOT", "conditions": [{"type": "EQUAL",
                "fieldName": "AnnualRevenue", "comparisonValue": "2.5"}]}}),
        ),
    ];
    let connection = api.connection("refreshing", account(&mappers)).await;
    let info = api.sync(&connection).await;
    let written = engine.place.written();
    let catalog = &written[0]["catalog"]["streams"][0];
    let columns = catalog["stream"]["json_schema"]["properties"]
        .as_object()
        .unwrap();
    let columns: Vec<&String> = columns.keys().collect();
    assert_eq!(
        columns,
        [
            "key",
            "Name_hashed",
            "Industry",
            "BillingCity",
            "AnnualRevenue",
            "SystemModstamp"
        ]
    );
    assert_eq!(catalog["primary_key"], json!([["key"]]));
    assert_eq!(catalog["cursor_field"], json!(["SystemModstamp"]));
    let records: Vec<&Value> = written
        .iter()
        .filter(|line| line["type"] == "RECORD")
        .map(|line| &line["record"]["data"])
        .collect();
    assert_eq!(records.len(), 2, "the second row is filtered");
    assert_eq!(
        *records[0],
        json!({"key": "Account-00000001", "AnnualRevenue": 1.5,
            "Name_hashed": "2a87aaafd0e7e0bd50a5b3126977d4fecc5a4c14e1d9026c4d1e075935e36091",
            "SystemModstamp": "2024-01-01T00:00:01+00:00"})
    );
    let counted: f64 = written
        .iter()
        .filter(|line| line["type"] == "STATE")
        .map(|line| {
            line["state"]["sourceStats"]["recordCount"]
                .as_f64()
                .unwrap()
        })
        .sum();
    assert!(
        (counted - 2.0).abs() < 0.1,
        "states do not count what was filtered: {counted}"
    );
    let stats = &info["job"]["aggregatedStats"];
    assert_eq!(
        (&stats["recordsEmitted"], &stats["recordsCommitted"]),
        (&json!(3), &json!(2))
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mappers_get_ids_and_go_through_both_apis() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let renaming = mapper(
        "field-renaming",
        json!({"originalFieldName": "Name", "newFieldName": "title"}),
    );
    let connection = api
        .connection("recorder", account(std::slice::from_ref(&renaming)))
        .await;
    let path = format!("/connections/{connection}");
    let (_, read) = api.get(&path).await;
    let mut kept = read["configurations"]["streams"][0]["mappers"].clone();
    let id = text(&kept[0]["id"]);
    assert_eq!(id.len(), 36);
    kept[0].as_object_mut().unwrap().shift_remove("id");
    assert_eq!(kept, json!([renaming]));
    let whole = api
        .config_ok("/connections/get", json!({"connectionId": connection}))
        .await;
    let mut catalog = whole["syncCatalog"].clone();
    assert_eq!(catalog["streams"][0]["config"]["mappers"][0]["id"], id);
    catalog["streams"][0]["config"]["mappers"][0]["mapperConfiguration"]["newFieldName"] =
        json!("Industry");
    let update = json!({"connectionId": connection, "syncCatalog": catalog});
    let (status, problem) = api.config("/connections/update", update.clone()).await;
    assert_eq!(
        (status.as_u16(), &problem["type"]),
        (400, &json!("error:mapper-validation"))
    );
    let mut update = update;
    update["syncCatalog"]["streams"][0]["config"]["mappers"] = json!([]);
    let updated = api.config_ok("/connections/update", update).await;
    assert_eq!(
        updated["syncCatalog"]["streams"][0]["config"]["mappers"],
        json!([])
    );
    engine.stop().await;
}

async fn refusal(api: &Api, source: &str, target: &str, mappers: &[Value]) -> String {
    let body = json!({"sourceId": source, "destinationId": target,
        "configurations": {"streams": account(mappers)}});
    let (status, problem) = api.post("/connections", body).await;
    assert_eq!(status, 400, "{mappers:?} gave {problem}");
    text(&problem["type"])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_applied_is_refused_by_its_kind() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let (source, target) = (api.source().await, api.destination("recorder").await);
    let (invalid, missing, bad) = (
        "error:mapper-validation",
        "error:mapper-validation/missing-required-param",
        "error:mapper-validation/invalid-config",
    );
    for (one, kind) in [
        (json!({"type": "hashing"}), missing),
        (
            mapper(
                "hashing",
                json!({"targetField": "Name", "fieldNameSuffix": "_h"}),
            ),
            missing,
        ),
        (
            mapper(
                "hashing",
                json!({"targetField": "Name", "method": "ROT13", "fieldNameSuffix": "_h"}),
            ),
            bad,
        ),
        (
            mapper("field-filtering", json!({"targetField": "Nobody"})),
            invalid,
        ),
        (
            mapper("field-filtering", json!({"targetField": "Id"})),
            invalid,
        ),
        (mapper("field-filtering", json!({"targetField": 7})), bad),
        (
            mapper("row-filtering", json!({"conditions": {"type": "LIKE"}})),
            bad,
        ),
        (
            mapper(
                "row-filtering",
                json!({"conditions": {"type": "NOT", "conditions": []}}),
            ),
            bad,
        ),
        (mapper("shuffling", json!({})), bad),
        (
            mapper(
                "encryption",
                json!({"algorithm": "RSA", "publicKey": "00", "targetField": "Name",
                    "fieldNameSuffix": "_e"}),
            ),
            invalid,
        ),
    ] {
        assert_eq!(
            refusal(api, &source, &target, std::slice::from_ref(&one)).await,
            kind,
            "{one}"
        );
    }
    // A later mapper sees what an earlier one left.
    let gone = mapper("field-filtering", json!({"targetField": "Name"}));
    assert_eq!(
        refusal(api, &source, &target, &[gone.clone(), gone]).await,
        invalid
    );
    engine.stop().await;
}
