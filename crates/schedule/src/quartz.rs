//! Quartz expressions: validation, and when they match. Seconds, minutes, hours, day of month,
//! month, day of week and optionally a year; exactly one of the two day fields is `?`.

use chrono::{DateTime, Datelike, TimeDelta, TimeZone};
use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds};

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct QuartzError(pub String);

/// A parsed Quartz expression.
#[derive(Debug, Clone)]
pub struct Quartz {
    cron: Cron,
    /// For `L-3` as day of month: how many days before the last one. The parser does not support
    /// it, so it gets the range that contains such days.
    before_last: Option<u32>,
}

/// Number of consecutive runs that are checked for being too frequent.
const RUNS: usize = 8;
pub(crate) const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
pub(crate) const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
/// The minimum and the maximum of each field.
const RANGES: [(u32, u32); 7] = [
    (0, 59),
    (0, 59),
    (0, 23),
    (1, 31),
    (1, 12),
    (1, 7),
    (1970, 2099),
];

impl Quartz {
    /// Parses an expression and validates it as Airbyte does.
    ///
    /// # Errors
    /// Returns what is wrong: the syntax, a value, an expression that never matches, or one that is
    /// due more often than once a minute.
    pub fn parse(expression: &str) -> Result<Self, QuartzError> {
        check_form(expression)?;
        let quartz = Self::read(expression).map_err(|error| QuartzError(error.to_string()))?;
        let first = quartz.next(&DateTime::UNIX_EPOCH);
        let mut runs = std::iter::successors(first, |run| quartz.next(run));
        let Some(mut last) = runs.next() else {
            return Err(QuartzError("it never matches".to_owned()));
        };
        for run in runs.take(RUNS) {
            if run - last < TimeDelta::minutes(1) {
                return Err(QuartzError(
                    "it is due more often than once a minute".to_owned(),
                ));
            }
            last = run;
        }
        Ok(quartz)
    }

    fn read(expression: &str) -> Result<Self, CronError> {
        let mut fields: Vec<String> = expression.split_whitespace().map(str::to_owned).collect();
        let mut before_last = None;
        if let Some(day) = fields.get_mut(3)
            && let Some(days) = day.strip_prefix("L-")
            && let Ok(days @ 0..=27) = days.parse::<u32>()
        {
            before_last = Some(days);
            *day = format!("{}-{}", 28 - days, 31 - days);
        }
        let cron = CronParser::builder()
            .seconds(Seconds::Required)
            .alternative_weekdays(true)
            .sloppy_ranges(true)
            .build()
            .parse(&fields.join(" "))?;
        Ok(Self { cron, before_last })
    }

    /// The first match after a time; none if there is no further match.
    pub fn next<Z: TimeZone>(&self, after: &DateTime<Z>) -> Option<DateTime<Z>> {
        let mut next = self.cron.find_next_occurrence(after, false).ok()?;
        if let Some(days) = self.before_last {
            while u32::from(next.num_days_in_month()) != next.day() + days {
                next = self.cron.find_next_occurrence(&next, false).ok()?;
            }
        }
        Some(next)
    }
}

fn check_form(expression: &str) -> Result<(), QuartzError> {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    if !(6..=7).contains(&fields.len()) {
        return Err(QuartzError(format!(
            "a Quartz expression has 6 or 7 fields; this one has {}",
            fields.len()
        )));
    }
    if (fields[3] == "?") == (fields[5] == "?") {
        return Err(QuartzError(
            "exactly one of day of month and day of week must be ?".to_owned(),
        ));
    }
    let names: [&[&str]; 7] = [&[], &[], &[], &[], &MONTHS, &DAYS, &[]];
    for (index, field) in fields.iter().enumerate() {
        let day = index == 3 || index == 5;
        if !is_field(field, RANGES[index], names[index], day) {
            return Err(QuartzError(format!(
                "{field} is not valid as field {}",
                index + 1
            )));
        }
    }
    Ok(())
}

fn is_field(field: &str, (low, high): (u32, u32), names: &[&str], day: bool) -> bool {
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
