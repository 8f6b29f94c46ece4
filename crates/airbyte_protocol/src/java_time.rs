//! Timestamps in the format of Java's `OffsetDateTime`, which Airbyte sends: zero seconds may be
//! omitted, and an offset may have no minutes.

use chrono::{DateTime, FixedOffset, NaiveDateTime, TimeDelta, Utc};

/// Parses a timestamp such as `2026-11-30T23:30Z` or `2026-11-30T23:30:01.5+02:00`.
pub fn parse(text: &str) -> Option<DateTime<Utc>> {
    let time_at = text.find(['T', 't'])? + 1;
    let offset_at = time_at + text[time_at..].find(['Z', 'z', '+', '-'])?;
    let (local, offset) = text.split_at(offset_at);
    let seconds = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(&local.to_uppercase(), format).ok())?;
    let offset = TimeDelta::seconds(i64::from(offset_seconds(offset)?.local_minus_utc()));
    Some(seconds.checked_sub_signed(offset)?.and_utc())
}

/// Parses `Z`, `+02`, `+02:00` or `+02:00:30`.
fn offset_seconds(text: &str) -> Option<FixedOffset> {
    if text.eq_ignore_ascii_case("z") {
        return FixedOffset::east_opt(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let mut seconds = 0;
    let mut unit = 3600;
    for part in text[1..].split(':') {
        let is_number = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || unit == 0 {
            return None;
        }
        seconds += part.parse::<i32>().ok()? * unit;
        unit /= 60;
    }
    FixedOffset::east_opt(sign * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_every_form_that_java_writes() {
        for (text, expected) in [
            ("2026-11-30T23:30Z", "2026-11-30T23:30:00Z"),
            ("2026-11-30T23:30:36Z", "2026-11-30T23:30:36Z"),
            (
                "2026-11-30T23:30:36.123456789Z",
                "2026-11-30T23:30:36.123456789Z",
            ),
            ("2026-11-30T23:30:36.1+02:00", "2026-11-30T21:30:36.1Z"),
            ("2026-11-30T23:30-05", "2026-12-01T04:30:00Z"),
            ("2026-11-30t23:30:00z", "2026-11-30T23:30:00Z"),
        ] {
            let expected = DateTime::parse_from_rfc3339(expected).unwrap();
            assert_eq!(parse(text), Some(expected.to_utc()), "{text}");
        }
        for wrong in [
            "",
            "2026-11-30",
            "2026-11-30T23",
            "2026-11-30T23:30",
            "2026-11-30T23:61Z",
            "2026-11-30T23:30+2",
            "2026-11-30T23:30+02:00:00:00",
            "2026-11-30T23:30é",
            "T+",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
