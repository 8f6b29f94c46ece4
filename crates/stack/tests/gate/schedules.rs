//! Schedules as people give them, as Airbyte has them, and when they are due.

use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};
use test_support::{Answer, Stack, StackBuilder, binary};

async fn shop(stack: &Stack) -> String {
    stack
        .sqlite(
            "shop.db",
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT)",
        )
        .await;
    stack.onboard_sqlite("shop", "shop.db").await
}

async fn patch(stack: &Stack, id: &str, schedule: &Value) -> Answer {
    let request = stack
        .api
        .request(Method::PATCH, &format!("/connections/{id}"));
    let body = json!({"schedule": schedule});
    stack.api.send(request.json(&body)).await
}

/// The connection's schedule in Airbyte.
async fn in_airbyte(stack: &Stack, view: &Value) -> Value {
    let airbyte = stack.airbyte_api().await;
    let body = json!({"connectionId": view["airbyte_connection_id"]});
    let connection = airbyte.post("/api/v1/connections/get", &body).await;
    let connection = connection.expect(200);
    json!([connection["scheduleType"], connection["scheduleData"]])
}

async fn a_schedule_is_given_back_as_it_was_written(stack: Stack) {
    let id = shop(&stack).await;
    let cron = |expression: &str, zone: &str| json!(["cron", {"cron": {"cronExpression": expression, "cronTimeZone": zone}}]);
    for (given, expected) in [
        (
            json!({"type": "cron", "cron": " 30 2 * *  1-5", "time_zone": "Europe/Berlin"}),
            cron("0 30 2 ? * MON-FRI", "Europe/Berlin"),
        ),
        (
            json!({"type": "cron", "cron": "@daily"}),
            cron("0 0 0 * * ?", "UTC"),
        ),
        (
            json!({"type": "cron", "cron": "0 15 4 L * ?"}),
            cron("0 15 4 L * ?", "UTC"),
        ),
        (
            json!({"type": "interval", "every": "6h"}),
            json!(["basic", {"basicSchedule": {"units": 6, "timeUnit": "hours"}}]),
        ),
    ] {
        let view = patch(&stack, &id, &given).await.expect(200);
        assert_eq!(view["schedule"], given);
        assert_eq!(in_airbyte(&stack, &view).await, expected);
        let runs = view["next_runs"].as_array().unwrap();
        assert_eq!(runs.len(), 3, "{view}");
        let times: Vec<chrono::DateTime<chrono::Utc>> = runs
            .iter()
            .map(|run| run.as_str().unwrap().parse().unwrap())
            .collect();
        assert!(times.is_sorted(), "{runs:?}");
        let read = stack.api.get(&format!("/connections/{id}")).await;
        assert_eq!(read.expect(200)["schedule"], given);
    }
    let manual = patch(&stack, &id, &json!({"type": "manual"})).await;
    let view = manual.expect(200);
    assert!(view["next_runs"].is_null(), "{view}");
    assert_eq!(in_airbyte(&stack, &view).await[0], "manual");

    for (given, field, reason) in [
        (
            json!({"type": "cron", "cron": "0 0 13 * 5"}),
            "schedule.cron",
            "either",
        ),
        (
            json!({"type": "cron", "cron": "0 0 * * *", "time_zone": "Mars/Base"}),
            "schedule.time_zone",
            "IANA",
        ),
        (json!({"type": "cron"}), "schedule.cron", "is required"),
        (
            json!({"type": "interval", "every": "30s"}),
            "schedule.every",
            "minutes",
        ),
    ] {
        let refused = patch(&stack, &id, &given).await;
        let problem = refused.expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
        let message = problem["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains(reason), "{message}");
    }
    let unchanged = stack.api.get(&format!("/connections/{id}")).await;
    assert_eq!(unchanged.expect(200)["schedule"]["type"], "manual");
}
test_support::on_both!(a_schedule_is_given_back_as_it_was_written);

/// Runs `aam` against a stack; returns its exit code and what it printed.
fn aam(stack: &Stack, args: &[&str]) -> (i32, String) {
    let mut command = Command::new(binary("aam"));
    command.args(args).env_clear();
    for (name, value) in stack.variables() {
        command.env(name, value);
    }
    command.env("ORCHESTRATOR_URL", &stack.api.base);
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(text).unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_makes_lists_and_removes_schedules() {
    let stack = StackBuilder::one_process().start().await;
    shop(&stack).await;
    let (_, none) = aam(&stack, &["schedule", "list"]);
    assert!(none.contains("No schedules yet"), "{none}");
    let create = ["schedule", "create", "--connection", "shop"];
    let with = |more: &[&'static str]| [&create[..], more].concat();
    let (code, made) = aam(
        &stack,
        &with(&["--cron", "0 0 * * *", "--time-zone", "Asia/Tokyo"]),
    );
    assert_eq!(code, 0, "{made}");
    assert!(
        made.contains("shop syncs at 0 0 * * * (Asia/Tokyo)."),
        "{made}"
    );
    assert_eq!(made.matches("T15:00:00Z").count(), 3, "{made}");
    let (_, listed) = aam(&stack, &["schedule", "list"]);
    assert!(listed.contains("0 0 * * * (Asia/Tokyo)"), "{listed}");
    let (code, refused) = aam(&stack, &with(&["--cron", "0 0 1 * 1"]));
    assert_eq!(code, 1, "{refused}");
    assert!(refused.contains("Quartz"), "{refused}");
    assert_eq!(aam(&stack, &with(&[])).0, 2, "neither --cron nor --every");
    let (code, made) = aam(&stack, &with(&["--every", "6h", "--output", "json"]));
    assert_eq!(code, 0, "{made}");
    let view: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(view["schedule"], json!({"type": "interval", "every": "6h"}));
    let (code, gone) = aam(&stack, &["schedule", "delete", "--connection", "shop"]);
    assert_eq!((code, gone.trim()), (0, "shop syncs on request."));
}
