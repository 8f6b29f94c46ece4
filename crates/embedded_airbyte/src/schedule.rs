//! Schedules as data: they are checked and kept; the engine starts syncs only when asked to.

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

fn check_basic(basic: &Value) -> Result<(), Fault> {
    let known = ["minutes", "hours", "days", "weeks", "months"];
    let unit = basic["timeUnit"].as_str().unwrap_or_default();
    if !known.contains(&unit) || basic["units"].as_i64().is_none_or(|units| units <= 0) {
        return Err(Fault::Unprocessable(
            "basicSchedule needs units above 0 and a timeUnit of minutes, hours, days, weeks or \
             months"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Quartz: seconds, minutes, hours, day of month, month, day of week and perhaps a year; exactly
/// one of the two day fields is `?`.
fn check_cron(expression: &str) -> Result<(), Fault> {
    let invalid = |detail: String| Err(cron_fault("invalid-expression", expression, detail));
    let fields: Vec<&str> = expression.split_whitespace().collect();
    if !(6..=7).contains(&fields.len()) {
        return invalid(format!(
            "a Quartz expression has 6 or 7 fields, this one has {}",
            fields.len()
        ));
    }
    if (fields[3] == "?") == (fields[5] == "?") {
        return invalid("exactly one of day of month and day of week must be ?".to_owned());
    }
    let ranges = [
        (0, 59),
        (0, 59),
        (0, 23),
        (1, 31),
        (1, 12),
        (1, 7),
        (1970, 2099),
    ];
    let names: [&[&str]; 7] = [&[], &[], &[], &[], &MONTHS, &DAYS, &[]];
    for (index, field) in fields.iter().enumerate() {
        let day = index == 3 || index == 5;
        if !valid_field(field, ranges[index], names[index], day) {
            return invalid(format!("{field} is not valid as field {}", index + 1));
        }
    }
    Ok(())
}

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

fn valid_field(field: &str, (low, high): (u32, u32), names: &[&str], day: bool) -> bool {
    let value = |text: &str| {
        text.parse::<u32>()
            .is_ok_and(|number| (low..=high).contains(&number))
            || names.contains(&text.to_uppercase().as_str())
    };
    field.split(',').all(|part| {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse::<u32>().is_ok_and(|step| step > 0)),
            None => (part, true),
        };
        let valid_range = match range.split_once('-') {
            Some((from, to)) if day && from == "L" => to.parse::<u32>().is_ok(),
            Some((from, to)) => value(from) && value(to),
            None if range == "*" => true,
            None if day => {
                let nth = range.split_once('#').is_some_and(|(of, nth)| {
                    value(of) && nth.parse::<u32>().is_ok_and(|nth| (1..=5).contains(&nth))
                });
                let bare = range.trim_end_matches(['L', 'W']);
                range == "?" || nth || matches!(range, "L" | "LW") || value(bare)
            }
            None => value(range),
        };
        step && valid_range
    })
}

fn cron_fault(kind: &str, expression: &str, detail: String) -> Fault {
    let kind = match kind {
        "missing-cron-data" => "error:cron-validation/missing-cron-data",
        "unsupported-timezone" => "error:cron-validation/unsupported-timezone",
        _ => "error:cron-validation/invalid-expression",
    };
    Fault::Typed {
        kind,
        data: json!({"cronExpression": expression, "validationErrorMessage": detail}),
        detail,
    }
}

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
}
