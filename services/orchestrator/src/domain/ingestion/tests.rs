//! Request bodies as callers write them.

use contracts::{IngestionScheduleType, Schedule, ScheduleType, TimeUnit};
use serde_json::json;

use super::*;

const SOURCE: &str = "0190a5c1-0000-7000-8000-000000000001";
const SINK: &str = "0190a5c1-0000-7000-8000-000000000002";

fn body(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn fields(faults: Vec<FieldError>) -> Vec<String> {
    faults.into_iter().map(|fault| fault.field).collect()
}

fn scheduled(schedule: Value) -> Result<NewIngestion, Vec<String>> {
    let written = json!({"sourceId": SOURCE, "sinkId": SINK, "schedule": schedule});
    new_ingestion(body(written)).map_err(fields)
}

#[test]
fn accepts_all_previously_valid_bodies() {
    for written in [
        json!({"sourceId": SOURCE, "sinkId": SINK, "created": "2024-01-01T00:00:00Z", "updated": "2024-01-01T00:00:00Z"}),
        json!({"name": "postgres-to-s3-daily", "sourceId": SOURCE, "destinationId": SINK,
            "schedule": {"scheduleType": "cron", "cronExpression": "0 2 * * *"}, "status": "active"}),
        json!({"name": "simple-connection", "sourceId": SOURCE, "destinationId": SINK, "whatever": [1]}),
        json!({"sourceId": SOURCE, "destinationId": SINK, "sinkId": SINK, "name": null, "schedule": null, "status": null}),
    ] {
        let read = new_ingestion(body(written)).unwrap();
        assert_eq!(
            read.destination_id.or(read.sink_id).unwrap().to_string(),
            SINK
        );
    }
    let written = json!({"name": "n", "type": "mysql", "config": {"host": "h"}, "unknown": 1});
    assert_eq!(new_endpoint(body(written)).unwrap().kind, "mysql");
}

#[test]
fn names_every_member_of_a_wrong_type() {
    let written = json!({"name": 1, "sourceId": "x", "schedule": {"scheduleType": "hourly", "units": "1"},
        "status": "ACTIVE", "streams": [{"name": "orders", "syncMode": "fast"}, 7], "created": "yesterday"});
    let expected = [
        "name",
        "sourceId",
        "schedule.scheduleType",
        "schedule.units",
        "status",
        "streams[0]",
        "streams[1]",
        "created",
        "destinationId",
    ];
    assert_eq!(fields(new_ingestion(body(written)).unwrap_err()), expected);
    let written = json!({"name": " ", "type": 5, "config": "host=h", "workspace": {}});
    assert_eq!(
        fields(new_endpoint(body(written)).unwrap_err()),
        ["type", "config", "workspace", "name"]
    );
    let written = json!({"name": [], "streams": [], "sinkId": SINK, "status": true});
    assert_eq!(
        fields(patch(body(written)).unwrap_err()),
        ["sinkId", "streams", "name", "status"]
    );
}

#[test]
fn rejects_two_sinks() {
    let written = json!({"sourceId": SOURCE, "destinationId": SOURCE, "sinkId": SINK});
    assert_eq!(
        fields(new_ingestion(body(written)).unwrap_err()),
        ["sinkId"]
    );
}

#[test]
fn parses_streams_in_both_spellings() {
    let written = json!({"sourceId": SOURCE, "sinkId": SINK, "streams": ["a",
        {"name": "b", "syncMode": "incremental", "destination_sync_mode": "append_dedup",
         "cursorField": ["at"], "primaryKey": [["id"]], "selectedFields": ["id", "at"], "unknown": 1}]});
    let streams = new_ingestion(body(written)).unwrap().streams.unwrap();
    assert_eq!(streams[0].name, "a");
    assert_eq!(
        streams[1].cursor_field.as_deref(),
        Some(&["at".to_owned()][..])
    );
    assert!(streams[1].destination_sync_mode.is_some() && streams[1].selected_fields.is_some());
}

#[test]
fn basic_without_units_means_every_day_and_is_shown_so() {
    let schedule = scheduled(json!({"scheduleType": "basic"}))
        .unwrap()
        .schedule
        .unwrap();
    assert_eq!(
        (schedule.units, schedule.time_unit),
        (Some(24), Some(TimeUnit::Hours))
    );
    assert_eq!(to_connection(&schedule).every.as_deref(), Some("24h"));
}

#[test]
fn an_incomplete_schedule_names_what_is_missing() {
    for (schedule, wrong) in [
        (json!({"scheduleType": "cron"}), "schedule.cronExpression"),
        (
            json!({"scheduleType": "cron", "cronExpression": " "}),
            "schedule.cronExpression",
        ),
        (
            json!({"scheduleType": "cron", "cronExpression": 5}),
            "schedule.cronExpression",
        ),
        (
            json!({"scheduleType": "basic", "units": 5}),
            "schedule.timeUnit",
        ),
        (
            json!({"scheduleType": "basic", "timeUnit": "hours"}),
            "schedule.units",
        ),
        (
            json!({"scheduleType": "basic", "units": 1, "timeUnit": "months"}),
            "schedule.timeUnit",
        ),
        (json!({}), "schedule.scheduleType"),
        (json!("daily"), "schedule"),
    ] {
        assert_eq!(
            scheduled(schedule.clone()).unwrap_err(),
            [wrong],
            "{schedule}"
        );
    }
}

#[test]
fn schedules_are_returned_as_they_were_written() {
    for written in [
        json!({"scheduleType": "cron", "cronExpression": "0 2 * * *"}),
        json!({"scheduleType": "cron", "cronExpression": "0 0 2 ? * MON", "cronTimeZone": "Europe/Berlin"}),
        json!({"scheduleType": "basic", "units": 90, "timeUnit": "minutes"}),
        json!({"scheduleType": "basic", "units": 2, "timeUnit": "weeks"}),
        json!({"scheduleType": "manual"}),
    ] {
        let read = scheduled(written.clone()).unwrap().schedule.unwrap();
        let back = from_connection(&to_connection(&read));
        assert_eq!(serde_json::to_value(back).unwrap(), written);
    }
    let six_hours = Schedule {
        kind: ScheduleType::Interval,
        every: Some("6h".to_owned()),
        ..Schedule::default()
    };
    let shown = from_connection(&six_hours);
    assert_eq!(shown.schedule_type, IngestionScheduleType::Basic);
    assert_eq!(
        (shown.units, shown.time_unit),
        (Some(6), Some(TimeUnit::Hours))
    );
}
