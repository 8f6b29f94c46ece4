//! Converts Unix cron (five fields, or `@daily` and the like) to the equivalent Quartz expression.
//!
//! Days of the week are numbered differently (Unix: Sunday is 0 and 7; Quartz: Sunday is 1), so
//! they are written as names. If both day fields are restricted, Unix means either day; Quartz
//! cannot express that.

use std::collections::BTreeSet;

use crate::quartz::{DAYS, MONTHS};

struct Field {
    name: &'static str,
    low: u32,
    high: u32,
    names: &'static [&'static str],
    /// The number of the first name.
    first_name: u32,
}

const FIELDS: [Field; 5] = [
    Field {
        name: "minute",
        low: 0,
        high: 59,
        names: &[],
        first_name: 0,
    },
    Field {
        name: "hour",
        low: 0,
        high: 23,
        names: &[],
        first_name: 0,
    },
    Field {
        name: "day of month",
        low: 1,
        high: 31,
        names: &[],
        first_name: 0,
    },
    Field {
        name: "month",
        low: 1,
        high: 12,
        names: &MONTHS,
        first_name: 1,
    },
    Field {
        name: "day of week",
        low: 0,
        high: 7,
        names: &DAYS,
        first_name: 0,
    },
];

const SUNDAY: u32 = 0;
const SUNDAY_TOO: u32 = 7;

/// The five fields that a keyword such as `@daily` stands for.
pub fn word(text: &str) -> Result<&'static str, String> {
    Ok(match text.to_lowercase().as_str() {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@reboot" => {
            return Err("a connection has no boot event; use a time or `manual`".to_owned());
        }
        _ => {
            return Err(format!(
                "{text} is not one of @hourly, @daily, @weekly, @monthly and @yearly"
            ));
        }
    })
}

/// The Quartz expression that is equivalent to these five fields.
pub fn to_quartz(fields: [&str; 5]) -> Result<String, String> {
    let mut sets = Vec::with_capacity(fields.len());
    for (text, field) in fields.iter().zip(&FIELDS) {
        sets.push(field.set(text)?);
    }
    let weekdays: BTreeSet<u32> = sets[4]
        .iter()
        .map(|day| if *day == SUNDAY_TOO { SUNDAY } else { *day })
        .collect();
    let any_day = sets[2].len() == 31;
    let any_weekday = weekdays.len() == 7;
    // As in cron itself: a field that starts with a star restricts the other one.
    let both = fields[2].starts_with('*') || fields[4].starts_with('*');
    let (day, weekday) = match (any_day, any_weekday) {
        (true, true) => ("*".to_owned(), "?".to_owned()),
        (false, true) if both => (fields[2].to_owned(), "?".to_owned()),
        (true, false) if both => ("?".to_owned(), names(&weekdays)),
        // Either day, and one of them is any day.
        (true, false) | (false, true) => ("*".to_owned(), "?".to_owned()),
        (false, false) => {
            let means = if both {
                "only days that are both"
            } else {
                "days that are either"
            };
            return Err(format!(
                "day of month `{}` and day of week `{}` together mean {means}, which Airbyte's \
                 schedules (Quartz) cannot express; set one of them and `*` for the other",
                fields[2], fields[4]
            ));
        }
    };
    let month = fields[3].to_uppercase();
    Ok(format!(
        "0 {} {} {day} {month} {weekday}",
        fields[0], fields[1]
    ))
}

impl Field {
    /// The numbers that match a field.
    fn set(&self, text: &str) -> Result<BTreeSet<u32>, String> {
        let mut all = BTreeSet::new();
        for part in text.split(',') {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, Some(step)),
                None => (part, None),
            };
            let step = match step {
                None => 1,
                Some(step) => match step.parse::<usize>() {
                    Ok(step) if step > 0 && step as u64 <= u64::from(self.high) => step,
                    _ => return Err(self.fault(part, "has an invalid step")),
                },
            };
            let (from, to) = match range.split_once('-') {
                // 0 to 6: Sunday is one day, not two.
                None if range == "*" => (self.low, self.high.min(self.low + self.span() - 1)),
                None if part.contains('/') => {
                    return Err(self.fault(
                        part,
                        &format!(
                            "has a step without a range; write {range}-{}/{step}",
                            self.high
                        ),
                    ));
                }
                None => {
                    let value = self.value(range, part)?;
                    (value, value)
                }
                Some((from, to)) => {
                    let (from, mut to) = (self.value(from, part)?, self.value(to, part)?);
                    if self.is_weekday() && to == SUNDAY && from != SUNDAY {
                        to = SUNDAY_TOO;
                    }
                    (from, to)
                }
            };
            if from > to {
                return Err(self.fault(part, "ends before it starts"));
            }
            all.extend((from..=to).step_by(step));
        }
        Ok(all)
    }

    fn is_weekday(&self) -> bool {
        self.high == SUNDAY_TOO
    }

    fn span(&self) -> u32 {
        let span = self.high - self.low + 1;
        if self.is_weekday() { span - 1 } else { span }
    }

    fn value(&self, text: &str, part: &str) -> Result<u32, String> {
        let upper = text.to_uppercase();
        let named = self.names.iter().position(|name| *name == upper);
        let number = match named.and_then(|index| u32::try_from(index).ok()) {
            Some(index) => Some(index + self.first_name),
            // Rejects `+5`, which `parse` accepts.
            None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            None => None,
        };
        number
            .filter(|number| (self.low..=self.high).contains(number))
            .ok_or_else(|| {
                let names = match self.names {
                    [first, .., last] => format!(" or {first} to {last}"),
                    _ => String::new(),
                };
                let range = format!("is not {} to {}{names}", self.low, self.high);
                self.fault(part, &range)
            })
    }

    fn fault(&self, part: &str, what: &str) -> String {
        format!("`{part}` as {} {what}", self.name)
    }
}

/// Days of the week by Quartz' names, adjacent ones as ranges.
fn names(weekdays: &BTreeSet<u32>) -> String {
    let name = |day: u32| DAYS[day as usize];
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for day in weekdays {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *day => *last = *day,
            _ => ranges.push((*day, *day)),
        }
    }
    let written = ranges.into_iter().map(|(from, to)| match to - from {
        0 => name(from).to_owned(),
        1 => format!("{},{}", name(from), name(to)),
        _ => format!("{}-{}", name(from), name(to)),
    });
    written.collect::<Vec<_>>().join(",")
}
