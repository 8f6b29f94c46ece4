//! Converts between the schedules of ingestions and of connections.

use contracts::{IngestionSchedule, IngestionScheduleType, Schedule, ScheduleType, TimeUnit};

use super::Members;

/// The default of `basic`.
const EVERY_DAY: (u32, TimeUnit) = (24, TimeUnit::Hours);

/// Parses the member `schedule`; fills in the default of `basic`.
pub(super) fn read(members: &mut Members) -> Option<IngestionSchedule> {
    let mut inner = members.object("schedule")?;
    let kind = inner.required("scheduleType", "one of `cron`, `basic`, `manual`");
    let cron: Option<String> = inner.optional("cronExpression", "a string");
    let zone: Option<String> = inner.optional("cronTimeZone", "a string");
    let units: Option<u32> = inner.optional("units", "a whole number, 1 or more");
    let unit: Option<TimeUnit> = inner.optional(
        "timeUnit",
        "one of `minutes`, `hours`, `days`, `weeks`; a month has no fixed length: use days",
    );
    let mut read = IngestionSchedule {
        schedule_type: kind.unwrap_or_default(),
        ..IngestionSchedule::default()
    };
    match kind {
        Some(IngestionScheduleType::Cron) => {
            if cron.as_deref().is_none_or(|cron| cron.trim().is_empty()) {
                let message = "is required with scheduleType `cron`, for example `0 2 * * *`";
                // A wrong type was already reported.
                if !inner.is_faulty(&["cronExpression"]) {
                    inner.fault("cronExpression", message);
                }
            }
            (read.cron_expression, read.cron_time_zone) = (cron, zone);
        }
        Some(IngestionScheduleType::Basic) => {
            let is_read = !inner.is_faulty(&["units", "timeUnit"]);
            match (units, unit) {
                (None, None) => {
                    (read.units, read.time_unit) = (Some(EVERY_DAY.0), Some(EVERY_DAY.1));
                }
                (Some(_), None) if is_read => {
                    inner.fault("timeUnit", "is required with `units`, for example `hours`");
                }
                (None, Some(_)) if is_read => {
                    inner.fault("units", "is required with `timeUnit`, for example 24");
                }
                given => (read.units, read.time_unit) = given,
            }
        }
        Some(IngestionScheduleType::Manual) | None => {}
    }
    members.absorb(inner);
    Some(read)
}

/// Converts to a connection's schedule.
pub(crate) fn to_connection(schedule: &IngestionSchedule) -> Schedule {
    let letter = |unit| match unit {
        TimeUnit::Minutes => 'm',
        TimeUnit::Hours => 'h',
        TimeUnit::Days => 'd',
        TimeUnit::Weeks => 'w',
    };
    Schedule {
        kind: match schedule.schedule_type {
            IngestionScheduleType::Cron => ScheduleType::Cron,
            IngestionScheduleType::Basic => ScheduleType::Interval,
            IngestionScheduleType::Manual => ScheduleType::Manual,
        },
        cron: schedule.cron_expression.clone(),
        time_zone: schedule.cron_time_zone.clone(),
        every: (schedule.units.zip(schedule.time_unit))
            .map(|(units, unit)| format!("{units}{}", letter(unit))),
    }
}

/// Converts a connection's schedule to an ingestion's, as it was written.
pub(crate) fn from_connection(schedule: &Schedule) -> IngestionSchedule {
    let mut read = IngestionSchedule {
        schedule_type: match schedule.kind {
            ScheduleType::Cron => IngestionScheduleType::Cron,
            ScheduleType::Interval => IngestionScheduleType::Basic,
            ScheduleType::Manual => IngestionScheduleType::Manual,
        },
        cron_expression: schedule.cron.clone(),
        cron_time_zone: schedule.time_zone.clone(),
        ..IngestionSchedule::default()
    };
    if schedule.kind == ScheduleType::Interval
        && let Some(data) = crate::domain::schedule::parse(schedule)
            .ok()
            .and_then(|parsed| parsed.airbyte_data())
    {
        let basic = &data["basicSchedule"];
        read.units = serde_json::from_value(basic["units"].clone()).ok();
        read.time_unit = serde_json::from_value(basic["timeUnit"].clone()).ok();
    }
    read
}
