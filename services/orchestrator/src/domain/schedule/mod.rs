//! Schedules: parses what people write, converts to Airbyte's form, and computes the next runs.
//! Uses no clock.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use contracts::{FieldError, Schedule, ScheduleType};
use schedule::{Quartz, unix};
use serde_json::{Value, json};

/// The longest interval.
const INTERVAL_MAX: TimeDelta = TimeDelta::days(366);

/// A parsed schedule.
#[derive(Debug, Clone)]
pub(crate) struct Parsed(When);

#[derive(Debug, Clone)]
enum When {
    Manual,
    Cron {
        expression: String,
        quartz: Box<Quartz>,
        zone: Tz,
    },
    Interval {
        units: u32,
        unit: Unit,
    },
}

/// Airbyte's units of time except months, which are thirty days to it and something else to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Minutes,
    Hours,
    Days,
    Weeks,
}

impl Unit {
    fn as_str(self) -> &'static str {
        match self {
            Self::Minutes => "minutes",
            Self::Hours => "hours",
            Self::Days => "days",
            Self::Weeks => "weeks",
        }
    }

    fn length(self) -> TimeDelta {
        match self {
            Self::Minutes => TimeDelta::minutes(1),
            Self::Hours => TimeDelta::hours(1),
            Self::Days => TimeDelta::days(1),
            Self::Weeks => TimeDelta::weeks(1),
        }
    }
}

/// Parses a schedule.
///
/// # Errors
/// Returns every invalid member, with a path below `schedule.`.
pub(crate) fn parse(schedule: &Schedule) -> Result<Parsed, Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut fault = |member: &str, message: String| {
        errors.push(FieldError {
            field: format!("schedule.{member}"),
            message,
        });
    };
    let kind = schedule.kind;
    for (member, given, of) in [
        ("cron", &schedule.cron, ScheduleType::Cron),
        ("time_zone", &schedule.time_zone, ScheduleType::Cron),
        ("every", &schedule.every, ScheduleType::Interval),
    ] {
        if given.is_some() && kind != of {
            let of = match of {
                ScheduleType::Interval => "interval",
                _ => "cron",
            };
            fault(member, format!("is only valid with type `{of}`"));
        }
    }
    let when = match kind {
        ScheduleType::Manual => Some(When::Manual),
        ScheduleType::Cron => {
            let zone = zone(schedule.time_zone.as_deref());
            let zone = zone.map_err(|message| fault("time_zone", message)).ok();
            let given = schedule.cron.as_deref().unwrap_or_default().trim();
            let read = cron(given);
            let read = read.map_err(|message| fault("cron", message)).ok();
            read.zip(zone)
                .map(|((expression, quartz), zone)| When::Cron {
                    expression,
                    quartz: Box::new(quartz),
                    zone,
                })
        }
        ScheduleType::Interval => {
            let given = schedule.every.as_deref().unwrap_or_default().trim();
            let read = interval(given);
            let read = read.map_err(|message| fault("every", message)).ok();
            read.map(|(units, unit)| When::Interval { units, unit })
        }
    };
    match when {
        Some(when) if errors.is_empty() => Ok(Parsed(when)),
        _ => Err(errors),
    }
}

/// Converts Unix cron or Quartz to Quartz.
fn cron(given: &str) -> Result<(String, Quartz), String> {
    if given.is_empty() {
        return Err("is required with type `cron`, for example `0 6 * * *`".to_owned());
    }
    let text = if given.starts_with('@') {
        unix::word(given)?
    } else {
        given
    };
    let fields: Vec<&str> = text.split_whitespace().collect();
    let expression = match <[&str; 5]>::try_from(fields.as_slice()) {
        Ok(fields) => unix::to_quartz(fields)?,
        Err(_) if (6..=7).contains(&fields.len()) => fields.join(" ").to_uppercase(),
        Err(_) => {
            return Err(format!(
                "has {} fields; Unix cron has 5 (minute, hour, day of month, month, day of week), \
                 Quartz 6 or 7 (seconds before them, optionally a year after)",
                fields.len()
            ));
        }
    };
    let quartz = Quartz::parse(&expression).map_err(|error| error.to_string())?;
    Ok((expression, quartz))
}

fn zone(given: Option<&str>) -> Result<Tz, String> {
    let Some(given) = given else {
        return Ok(Tz::UTC);
    };
    // Airbyte rejects them.
    if given.to_lowercase().starts_with("etc") {
        return Err(format!("`{given}` is not supported by Airbyte; use UTC"));
    }
    given.parse().map_err(|_| {
        format!("`{given}` is not a time zone of the IANA database, for example `Europe/Berlin`")
    })
}

fn interval(given: &str) -> Result<(u32, Unit), String> {
    let wanted = || {
        "must be a whole number of minutes, hours, days or weeks: for example `30m`, `6h`, `1d`, \
         `2w`"
            .to_owned()
    };
    let digits = given.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match given[digits.len()..].trim() {
        "m" | "min" | "minutes" | "minute" => Unit::Minutes,
        "h" | "hours" | "hour" => Unit::Hours,
        "d" | "days" | "day" => Unit::Days,
        "w" | "weeks" | "week" => Unit::Weeks,
        _ => return Err(wanted()),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wanted());
    }
    let units: u32 = digits.parse().map_err(|_| wanted())?;
    let length = i32::try_from(units)
        .ok()
        .and_then(|units| unit.length().checked_mul(units));
    match length {
        Some(length) if length.is_zero() => Err("must be at least one minute".to_owned()),
        Some(length) if length <= INTERVAL_MAX => Ok((units, unit)),
        _ => Err("must be at most 366 days".to_owned()),
    }
}

impl Parsed {
    /// Airbyte's `scheduleType`.
    pub(crate) fn airbyte_type(&self) -> &'static str {
        match self.0 {
            When::Manual => "manual",
            When::Cron { .. } => "cron",
            When::Interval { .. } => "basic",
        }
    }

    /// Airbyte's `scheduleData`; absent for `manual`.
    pub(crate) fn airbyte_data(&self) -> Option<Value> {
        match &self.0 {
            When::Manual => None,
            When::Cron {
                expression, zone, ..
            } => Some(json!({
                "cron": {"cronExpression": expression, "cronTimeZone": zone.name()},
            })),
            When::Interval { units, unit } => Some(json!({
                "basicSchedule": {"units": units, "timeUnit": unit.as_str()},
            })),
        }
    }

    /// The next `count` runs after `now`; fewer if the schedule ends earlier. An interval counts
    /// from `last_job`, the creation of the newest job, and is due at once if there is none.
    pub(crate) fn next_runs(
        &self,
        now: DateTime<Utc>,
        last_job: Option<DateTime<Utc>>,
        count: usize,
    ) -> Vec<DateTime<Utc>> {
        match &self.0 {
            When::Manual => Vec::new(),
            When::Cron { quartz, zone, .. } => {
                let next = |after: &DateTime<Tz>| quartz.next(after);
                let first = next(&now.with_timezone(zone));
                std::iter::successors(first, next)
                    .take(count)
                    .map(|run| run.with_timezone(&Utc))
                    .collect()
            }
            When::Interval { units, unit } => {
                let units = i32::try_from(*units).unwrap_or(i32::MAX);
                let Some(length) = unit.length().checked_mul(units) else {
                    return Vec::new();
                };
                let first = last_job.map_or(now, |last| (last + length).max(now));
                std::iter::successors(Some(first), |run| run.checked_add_signed(length))
                    .take(count)
                    .collect()
            }
        }
    }
}

#[cfg(test)]
mod tests;
