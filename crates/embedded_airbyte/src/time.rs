//! The engine's times: milliseconds since the epoch inside, Airbyte's three spellings outside.

use airbyte_protocol::java_time;
use chrono::{DateTime, Timelike as _, Utc};

/// Now, in milliseconds since the epoch.
pub(crate) fn now_ms() -> i64 {
    Utc::now().timestamp_millis()
}

/// Whole seconds since the epoch.
pub(crate) fn seconds(ms: i64) -> i64 {
    ms.div_euclid(1000)
}

/// ISO 8601 in UTC with whole seconds, as Java's `OffsetDateTime` writes it: seconds that are zero are
/// left out.
pub(crate) fn iso(ms: i64) -> String {
    let time = DateTime::<Utc>::from_timestamp_millis(ms).unwrap_or_default();
    let format = match time.second() {
        0 => "%Y-%m-%dT%H:%MZ",
        _ => "%Y-%m-%dT%H:%M:%SZ",
    };
    time.format(format).to_string()
}

/// An ISO 8601 duration with whole seconds, for instance `PT1H2M3S`.
pub(crate) fn iso_duration(ms: i64) -> String {
    let total = seconds(ms).max(0);
    let (hours, minutes, rest) = (total / 3600, total / 60 % 60, total % 60);
    let mut text = String::from("PT");
    if hours > 0 {
        text.push_str(&format!("{hours}H"));
    }
    if minutes > 0 {
        text.push_str(&format!("{minutes}M"));
    }
    if rest > 0 || total == 0 {
        text.push_str(&format!("{rest}S"));
    }
    text
}

/// Milliseconds since the epoch of a time as Java's `OffsetDateTime` reads it.
pub(crate) fn parse(text: &str) -> Option<i64> {
    java_time::parse(text).map(|time| time.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_like_javas_and_read_back() {
        for (ms, text) in [
            (1_764_545_400_000, "2025-11-30T23:30Z"),
            (1_764_545_401_000, "2025-11-30T23:30:01Z"),
            (0, "1970-01-01T00:00Z"),
        ] {
            assert_eq!(iso(ms), text);
            assert_eq!(parse(text), Some(ms));
        }
    }

    #[test]
    fn durations_read_like_javas() {
        for (ms, text) in [
            (0, "PT0S"),
            (1_000, "PT1S"),
            (60_000, "PT1M"),
            (3_723_999, "PT1H2M3S"),
        ] {
            assert_eq!(iso_duration(ms), text);
        }
    }
}
