//! Dates and times as SQLite keeps them: ISO 8601 texts, Unix seconds, Julian days.

use chrono::DateTime;

/// Whether the text is a date, `2024-02-29`.
pub(super) fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 10
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && number(&bytes[..4]).is_some()
        && number(&bytes[5..7]).is_some_and(|month| (1..=12).contains(&month))
        && number(&bytes[8..]).is_some_and(|day| (1..=31).contains(&day))
}

/// Whether the text is a time of day, `23:59`, `23:59:60`, `23:59:59.25`.
pub(super) fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let minutes = bytes.len() >= 5
        && bytes[2] == b':'
        && number(&bytes[..2]).is_some_and(|hour| hour < 24)
        && number(&bytes[3..5]).is_some_and(|minute| minute < 60);
    let seconds = |rest: &[u8]| {
        rest.len() >= 3 && rest[0] == b':' && number(&rest[1..3]).is_some_and(|second| second <= 60)
    };
    let fraction = |rest: &[u8]| rest.len() >= 2 && rest[0] == b'.' && number(&rest[1..]).is_some();
    match bytes.len() {
        0..=4 => false,
        5 => minutes,
        8 => minutes && seconds(&bytes[5..]),
        _ => minutes && seconds(&bytes[5..]) && fraction(&bytes[8..]),
    }
}

/// Whether the text is a moment: date and time, parted by `T` or a space, with or without a zone.
pub(super) fn is_timestamp(text: &str) -> bool {
    let (Some(date), Some(separator), Some(rest)) =
        (text.get(..10), text.get(10..11), text.get(11..))
    else {
        return false;
    };
    if !is_date(date) || !matches!(separator, "T" | "t" | " ") {
        return false;
    }
    is_time(without_zone(rest))
}

fn without_zone(time: &str) -> &str {
    if let Some(utc) = time.strip_suffix(['Z', 'z']) {
        return utc;
    }
    let Some(at) = time.rfind(['+', '-']) else {
        return time;
    };
    let zone = time[at + 1..].replace(':', "");
    let valid = matches!(zone.len(), 2 | 4) && number(zone.as_bytes()).is_some();
    if valid { time[..at].trim_end() } else { time }
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, digit| {
        digit
            .is_ascii_digit()
            .then(|| sum * 10 + u64::from(digit - b'0'))
    })
}

/// Unix seconds (or, beyond the year 5138, milliseconds) as an ISO text without a zone.
pub(super) fn from_unix(value: i64) -> Option<String> {
    let seconds = value.unsigned_abs() < 100_000_000_000;
    let millis = if seconds {
        value.checked_mul(1000)?
    } else {
        value
    };
    from_millis(millis)
}

/// A Julian day as an ISO text without a zone.
pub(super) fn from_julian_day(value: f64) -> Option<String> {
    const EPOCH: f64 = 2_440_587.5;
    // The years 0 to 9999, which is what SQLite's own functions take.
    if !(1_721_059.5..5_373_484.5).contains(&value) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range check leaves 48 bits"
    )]
    let millis = ((value - EPOCH) * 86_400_000.0).round() as i64;
    from_millis(millis)
}

fn from_millis(millis: i64) -> Option<String> {
    let moment = DateTime::from_timestamp_millis(millis)?;
    let format = if millis % 1000 == 0 {
        "%Y-%m-%dT%H:%M:%S"
    } else {
        "%Y-%m-%dT%H:%M:%S%.3f"
    };
    Some(moment.format(format).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_judged_by_their_form() {
        for text in ["2024-02-29", "0001-01-01"] {
            assert!(is_date(text), "{text}");
        }
        for text in [
            "2024-2-29",
            "2024-13-01",
            "20240101",
            "2024-01-32",
            "",
            "2024-01-01 ",
        ] {
            assert!(!is_date(text), "{text}");
        }
        for text in ["23:59", "23:59:59", "23:59:59.123456"] {
            assert!(is_time(text), "{text}");
        }
        for text in ["24:00", "23:60", "23:59:", "23:59:59.", "9:00", "23:59:5"] {
            assert!(!is_time(text), "{text}");
        }
        for text in [
            "2024-01-01 00:00:00",
            "2024-01-01T00:00:00Z",
            "2024-01-01T00:00:00.5+02:00",
            "2024-01-01 00:00 -0530",
        ] {
            assert!(is_timestamp(text), "{text}");
        }
        for text in [
            "2024-01-01",
            "2024-01-01x00:00:00",
            "now",
            "2024-01-01T00:00:00+",
            "é",
        ] {
            assert!(!is_timestamp(text), "{text}");
        }
    }

    #[test]
    fn numbers_are_moments_too() {
        assert_eq!(from_unix(0).as_deref(), Some("1970-01-01T00:00:00"));
        assert_eq!(
            from_unix(1_700_000_000_123).as_deref(),
            Some("2023-11-14T22:13:20.123")
        );
        assert_eq!(
            from_julian_day(2_440_587.5).as_deref(),
            Some("1970-01-01T00:00:00")
        );
        assert_eq!(from_julian_day(1.0), None);
    }
}
