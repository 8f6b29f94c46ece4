//! The engine's times: milliseconds since the epoch inside, Airbyte's three spellings outside.

use chrono::{DateTime, SecondsFormat, Utc};

/// Now, in milliseconds since the epoch.
pub(crate) fn now_ms() -> i64 {
    Utc::now().timestamp_millis()
}

/// Whole seconds since the epoch.
pub(crate) fn seconds(ms: i64) -> i64 {
    ms.div_euclid(1000)
}

/// ISO 8601 with whole seconds, in UTC.
pub(crate) fn iso(ms: i64) -> String {
    DateTime::<Utc>::from_timestamp_millis(ms)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Secs, true)
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

/// Milliseconds since the epoch of an RFC 3339 text.
pub(crate) fn parse(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|time| time.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

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
