//! Schedules: checked, kept, and when they are due next.

mod cron;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use cron::{check_cron, cron_fault};
use schedule::Quartz;
use serde_json::{Value, json};

use crate::fault::Fault;

/// A schedule as the Config API speaks of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// `manual`, `basic` or `cron`.
    pub(crate) kind: String,
    /// `scheduleData`, absent for `manual`.
    pub(crate) data: Option<Value>,
}

impl Schedule {
    /// Runs when asked to.
    pub(crate) fn manual() -> Self {
        Self {
            kind: "manual".to_owned(),
            data: None,
        }
    }

    /// The public API's cron; always stored in UTC.
    pub(crate) fn public_cron(expression: &str) -> Result<Self, Fault> {
        let expression = expression.trim();
        let expression = expression.strip_suffix(" UTC").unwrap_or(expression).trim();
        check_cron(expression)?;
        let fields: Vec<&str> = expression.split_whitespace().collect();
        let exact = if fields.len() == 7 { 2 } else { 1 };
        for (field, name) in fields.iter().zip(["seconds", "minutes"]).take(exact) {
            if field.parse::<u8>().is_err() {
                let detail = format!("the {name} field must be a whole number");
                return Err(cron_fault("invalid-expression", expression, detail));
            }
        }
        Ok(Self {
            kind: "cron".to_owned(),
            data: Some(json!({"cron": {"cronExpression": expression, "cronTimeZone": "UTC"}})),
        })
    }

    /// The Config API's `scheduleType` and `scheduleData`.
    pub(crate) fn config(kind: &str, data: Option<Value>) -> Result<Self, Fault> {
        let data = data.filter(|data| !data.is_null());
        match (kind, &data) {
            ("manual", None) => {}
            ("manual", Some(_)) => {
                return Err(Fault::Unprocessable(
                    "scheduleData must be absent when scheduleType is manual".to_owned(),
                ));
            }
            ("basic", Some(data)) => check_basic(&data["basicSchedule"])?,
            ("cron", Some(data)) => {
                let text = |name: &str| data["cron"][name].as_str();
                let (Some(expression), Some(zone)) = (text("cronExpression"), text("cronTimeZone"))
                else {
                    let detail = "cronExpression and cronTimeZone are required".to_owned();
                    return Err(cron_fault("missing-cron-data", "", detail));
                };
                check_cron(expression)?;
                if zone.to_lowercase().starts_with("etc") {
                    let detail = format!("time zone {zone} is not supported, use UTC");
                    return Err(cron_fault("unsupported-timezone", expression, detail));
                }
                if zone.parse::<Tz>().is_err() {
                    let detail = format!("{zone} is not a time zone");
                    return Err(cron_fault("invalid-timezone", expression, detail));
                }
            }
            ("basic" | "cron", None) => {
                return Err(Fault::Unprocessable(format!(
                    "scheduleData is required when scheduleType is {kind}"
                )));
            }
            _ => {
                return Err(Fault::Unprocessable(format!(
                    "{kind} is not a scheduleType: manual, basic or cron"
                )));
            }
        }
        Ok(Self {
            kind: kind.to_owned(),
            data,
        })
    }

    /// When it is due next, in milliseconds: `last` is when the previous job was made, `since` when
    /// the schedule began to count. A time in the past is one that came while a job ran.
    pub(crate) fn next_run(&self, since: i64, last: Option<i64>) -> Option<i64> {
        let data = self.data.as_ref()?;
        match self.kind.as_str() {
            "basic" => {
                let basic = &data["basicSchedule"];
                let interval = basic["units"].as_i64()?.saturating_mul(unit_ms(basic)?);
                Some(last.map_or(since, |last| last.saturating_add(interval)))
            }
            "cron" => {
                let cron = Quartz::parse(data["cron"]["cronExpression"].as_str()?).ok()?;
                let zone: Tz = data["cron"]["cronTimeZone"].as_str()?.parse().ok()?;
                let after = last.map_or(since, |last| since.max(last + MINUTE_MS));
                let after = DateTime::<Utc>::from_timestamp_millis(after)?.with_timezone(&zone);
                Some(cron.next(&after)?.timestamp_millis())
            }
            _ => None,
        }
    }

    /// The public API's answer.
    pub(crate) fn public(&self) -> Value {
        let data = self.data.clone().unwrap_or_default();
        match self.kind.as_str() {
            "cron" => {
                let text = |name: &str| data["cron"][name].as_str().unwrap_or_default().to_owned();
                let cron = format!("{} {}", text("cronExpression"), text("cronTimeZone"));
                json!({"scheduleType": "cron", "cronExpression": cron})
            }
            "basic" => {
                let basic = &data["basicSchedule"];
                let unit = basic["timeUnit"]
                    .as_str()
                    .unwrap_or_default()
                    .to_uppercase();
                let timing = format!("Every {} {unit}", basic["units"]);
                json!({"scheduleType": "basic", "basicTiming": timing})
            }
            _ => json!({"scheduleType": "manual"}),
        }
    }
}

/// Airbyte's months have thirty days.
fn unit_ms(basic: &Value) -> Option<i64> {
    let minutes = match basic["timeUnit"].as_str()? {
        "minutes" => 1,
        "hours" => 60,
        "days" => 24 * 60,
        "weeks" => 7 * 24 * 60,
        "months" => 30 * 24 * 60,
        _ => return None,
    };
    Some(minutes * MINUTE_MS)
}

fn check_basic(basic: &Value) -> Result<(), Fault> {
    if unit_ms(basic).is_none() || basic["units"].as_i64().is_none_or(|units| units <= 0) {
        return Err(Fault::Unprocessable(
            "basicSchedule needs units above 0 and a timeUnit of minutes, hours, days, weeks or \
             months"
                .to_owned(),
        ));
    }
    Ok(())
}

const MINUTE_MS: i64 = 60_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartz_is_accepted_and_unix_cron_is_not() {
        for valid in [
            "0 0 */6 * * ?",
            "0 30 2 ? * MON-FRI",
            "0 15 4 L * ?",
            "0 0 12 ? * 6#3 2030",
            "0 0,30 8-18 15W * ?",
        ] {
            assert!(check_cron(valid).is_ok(), "{valid}");
        }
        for invalid in [
            "0 */6 * * *",
            "0 0 * * * *",
            "0 0 ? ? * ?",
            "61 0 0 * * ?",
            "0 0 0 30 2 ?",
            "0 0 0 L-28 * ?",
            "0 0 0 * FOO ?",
            "",
        ] {
            assert!(check_cron(invalid).is_err(), "{invalid}");
        }
    }

    #[test]
    fn a_public_cron_reads_back_as_it_was_stored() {
        let schedule = Schedule::public_cron("0 0 6 * * ? UTC").unwrap();
        assert_eq!(schedule.public()["cronExpression"], "0 0 6 * * ? UTC");
        assert!(Schedule::public_cron("*/5 0 6 * * ?").is_err());
    }

    fn at(text: &str) -> i64 {
        text.parse::<DateTime<Utc>>().unwrap().timestamp_millis()
    }

    fn cron(expression: &str, zone: &str) -> Schedule {
        let data = json!({"cron": {"cronExpression": expression, "cronTimeZone": zone}});
        Schedule::config("cron", Some(data)).unwrap()
    }

    #[test]
    fn a_cron_runs_next_by_quartz_in_its_time_zone() {
        for (expression, zone, since, expected) in [
            (
                "0 0 */6 * * ?",
                "UTC",
                "2026-03-01T05:59:59Z",
                "2026-03-01T06:00:00Z",
            ),
            (
                "0 0 */6 * * ?",
                "UTC",
                "2026-03-01T06:00:00Z",
                "2026-03-01T12:00:00Z",
            ),
            // 1 is Sunday: 2026-03-01 is one.
            (
                "0 30 2 ? * 1",
                "UTC",
                "2026-02-26T00:00:00Z",
                "2026-03-01T02:30:00Z",
            ),
            (
                "0 30 2 ? * MON-FRI",
                "UTC",
                "2026-02-28T00:00:00Z",
                "2026-03-02T02:30:00Z",
            ),
            (
                "0 0 0 L-3 * ?",
                "UTC",
                "2026-02-10T00:00:00Z",
                "2026-02-25T00:00:00Z",
            ),
            (
                "0 0 0 L-3 * ?",
                "UTC",
                "2026-02-25T00:00:00Z",
                "2026-03-28T00:00:00Z",
            ),
            (
                "0 15 4 L * ?",
                "UTC",
                "2026-02-10T00:00:00Z",
                "2026-02-28T04:15:00Z",
            ),
            (
                "0 0/15 8 * * ?",
                "UTC",
                "2026-02-10T08:20:00Z",
                "2026-02-10T08:30:00Z",
            ),
            (
                "0 0 12 ? * 6#3",
                "UTC",
                "2026-03-01T00:00:00Z",
                "2026-03-20T12:00:00Z",
            ),
            (
                "0 0 9 * * ?",
                "Europe/Berlin",
                "2026-07-01T00:00:00Z",
                "2026-07-01T07:00:00Z",
            ),
            (
                "0 0 9 * * ?",
                "Europe/Berlin",
                "2026-01-01T00:00:00Z",
                "2026-01-01T08:00:00Z",
            ),
        ] {
            let next = cron(expression, zone).next_run(at(since), None);
            assert_eq!(
                next,
                Some(at(expected)),
                "{expression} {zone} after {since}"
            );
        }
    }

    #[test]
    fn what_came_while_a_job_ran_is_due_once_and_what_came_before_the_schedule_is_not() {
        let daily = cron("0 0 6 * * ?", "UTC");
        let (since, before) = (at("2026-03-02T10:00:00Z"), at("2026-03-01T06:00:00Z"));
        assert_eq!(
            daily.next_run(since, Some(before)),
            Some(at("2026-03-03T06:00:00Z"))
        );
        let long = at("2026-03-03T05:30:00Z");
        assert_eq!(
            daily.next_run(since, Some(long)),
            Some(at("2026-03-03T06:00:00Z"))
        );
        let own = at("2026-03-03T06:00:00Z");
        assert_eq!(
            daily.next_run(since, Some(own)),
            Some(at("2026-03-04T06:00:00Z"))
        );
    }

    #[test]
    fn a_basic_schedule_counts_from_the_previous_job() {
        let data = json!({"basicSchedule": {"timeUnit": "weeks", "units": 2}});
        let schedule = Schedule::config("basic", Some(data)).unwrap();
        let since = at("2026-03-02T10:00:00Z");
        assert_eq!(schedule.next_run(since, None), Some(since));
        let last = at("2026-02-20T10:00:00Z");
        assert_eq!(
            schedule.next_run(since, Some(last)),
            Some(at("2026-03-06T10:00:00Z"))
        );
        assert_eq!(Schedule::manual().next_run(since, Some(last)), None);
    }

    #[test]
    fn zones_that_are_none_and_runs_within_a_minute_are_refused() {
        let refused = |expression: &str, zone: &str| {
            let data = json!({"cron": {"cronExpression": expression, "cronTimeZone": zone}});
            match Schedule::config("cron", Some(data)) {
                Err(Fault::Typed { kind, .. }) => kind,
                other => panic!("{other:?}"),
            }
        };
        let daily = "0 0 6 * * ?";
        assert_eq!(
            refused(daily, "Mars/Base"),
            "error:cron-validation/invalid-timezone"
        );
        assert_eq!(
            refused(daily, "Etc/UTC"),
            "error:cron-validation/unsupported-timezone"
        );
        let often = "0/30 * * * * ?";
        assert_eq!(
            refused(often, "UTC"),
            "error:cron-validation/invalid-expression"
        );
    }
}
