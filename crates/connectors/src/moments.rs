//! Dates, times and moments as ISO 8601 texts and as counts of days and microseconds. What has no
//! such count (leap seconds, `24:00`, years before 1) is none here.

/// Microseconds of a day.
pub(crate) const DAY_US: i64 = 86_400_000_000;

/// Days from 1970-01-01 to the date, `2024-02-29`.
pub(crate) fn date(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (
        number(&bytes[..4])?,
        number(&bytes[5..7])?,
        number(&bytes[8..])?,
    );
    if year < 1 || day < 1 || day > days_of(year, month) {
        return None;
    }
    // Days of a calendar whose year begins in March, so that leap days come last.
    let (years, months) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let era = years / 400;
    let of_era = years - era * 400;
    let of_year = (153 * months + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    i32::try_from(days - 719_468).ok()
}

/// Whether the text is a date.
pub(crate) fn is_date(text: &str) -> bool {
    date(text).is_some()
}

/// Microseconds from midnight to the time, `23:59`, `23:59:59`, `23:59:59.25`. More digits than six
/// are cut off.
pub(crate) fn time(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() < 5 || bytes[2] != b':' {
        return None;
    }
    let (hour, minute) = (number(&bytes[..2])?, number(&bytes[3..5])?);
    let mut micros = 0;
    let second = match bytes.get(5) {
        None => 0,
        Some(b':') if bytes.len() >= 8 => {
            micros = fraction(&bytes[8..])?;
            number(&bytes[6..8])?
        }
        Some(_) => return None,
    };
    let in_range = hour < 24 && minute < 60 && second < 60;
    in_range.then_some(((hour * 60 + minute) * 60 + second) * 1_000_000 + micros)
}

fn fraction(bytes: &[u8]) -> Option<i64> {
    let Some((point, digits)) = bytes.split_first() else {
        return Some(0);
    };
    if !matches!(point, b'.' | b',') || digits.is_empty() || digits.len() > 12 {
        return None;
    }
    let mut micros = 0;
    for at in 0..digits.len().max(6) {
        let digit = digits.get(at).copied().unwrap_or(b'0');
        if !digit.is_ascii_digit() {
            return None;
        }
        if at < 6 {
            micros = micros * 10 + i64::from(digit - b'0');
        }
    }
    Some(micros)
}

/// Microseconds from 1970-01-01T00:00:00 to what the clock shows, and the zone's seconds east of
/// UTC where the text has one. Between date and time is `T` or a space.
pub(crate) fn timestamp(text: &str) -> Option<(i64, Option<i64>)> {
    let (day, separator, rest) = (text.get(..10)?, text.get(10..11)?, text.get(11..)?);
    if !matches!(separator, "T" | "t" | " ") {
        return None;
    }
    let (clock, zone) = match zone(rest) {
        Some((clock, zone)) => (clock, Some(zone)),
        None => (rest, None),
    };
    Some((i64::from(date(day)?) * DAY_US + time(clock)?, zone))
}

/// Whether the text is a moment, and if so, whether it has a zone.
pub(crate) fn timestamp_zone(text: &str) -> Option<bool> {
    timestamp(text).map(|(_, zone)| zone.is_some())
}

/// What comes before the zone, and the zone: `Z`, `+02`, `+0200`, `+02:00`.
fn zone(text: &str) -> Option<(&str, i64)> {
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return Some((clock.trim_end(), 0));
    }
    let at = text.rfind(['+', '-'])?;
    let (sign, zone) = (text.as_bytes()[at], &text.as_bytes()[at + 1..]);
    let minutes = match zone {
        [_, _] => 0,
        [_, _, rest @ ..] if rest.len() == 2 => number(rest)?,
        [_, _, b':', rest @ ..] if rest.len() == 2 => number(rest)?,
        _ => return None,
    };
    let hours = number(&zone[..2])?;
    if hours > 15 || minutes > 59 {
        return None;
    }
    let seconds = (hours * 60 + minutes) * 60;
    let east = if sign == b'-' { -seconds } else { seconds };
    Some((text[..at].trim_end(), east))
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, digit| {
        digit
            .is_ascii_digit()
            .then(|| sum * 10 + i64::from(digit - b'0'))
    })
}

fn days_of(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    }
}

/// The date so many days after 1970-01-01; nothing outside of the years 1 to 9999.
pub(crate) fn date_text(days: i64) -> Option<String> {
    let shifted = days.checked_add(719_468)?;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let years = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * years + years / 4 - years / 100);
    let months = (5 * of_year + 2) / 153;
    let day = of_year - (153 * months + 2) / 5 + 1;
    let month = if months < 10 { months + 3 } else { months - 9 };
    let year = years + era * 400 + i64::from(month <= 2);
    (1..=9999)
        .contains(&year)
        .then(|| format!("{year:04}-{month:02}-{day:02}"))
}

/// The time so many units after midnight; `per_second` units are a second.
pub(crate) fn time_text(units: i64, per_second: i64) -> Option<String> {
    let (seconds, rest) = (units.div_euclid(per_second), units.rem_euclid(per_second));
    if !(0..86_400).contains(&seconds) {
        return None;
    }
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{hour:02}:{minute:02}:{second:02}");
    if rest > 0 {
        let width = per_second.ilog10() as usize;
        text.push_str(format!(".{rest:0width$}").trim_end_matches('0'));
    }
    Some(text)
}

/// The moment so many units after 1970-01-01T00:00:00, without a zone.
pub(crate) fn timestamp_text(units: i64, per_second: i64) -> Option<String> {
    let day = 86_400 * per_second;
    let date = date_text(units.div_euclid(day))?;
    let time = time_text(units.rem_euclid(day), per_second)?;
    Some(format!("{date}T{time}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_counts_are_the_same_moments() {
        for (text, days) in [
            ("1970-01-01", 0),
            ("2000-03-01", 11_017),
            ("2024-02-29", 19_782),
            ("1969-12-31", -1),
            ("0001-01-01", -719_162),
            ("9999-12-31", 2_932_896),
        ] {
            assert_eq!(date(text), Some(days), "{text}");
            assert_eq!(date_text(i64::from(days)).as_deref(), Some(text));
        }
        for text in [
            "2023-02-29",
            "2024-13-01",
            "0000-01-01",
            "2024-1-01",
            "",
            "2024-01-01 ",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
        assert_eq!(date_text(2_932_897), None);
        for (text, micros) in [
            ("00:00", 0),
            ("10:00:00", 36_000_000_000),
            ("23:59:59.123456789", 86_399_123_456),
            ("00:00:00.5", 500_000),
        ] {
            assert_eq!(time(text), Some(micros), "{text}");
        }
        for text in [
            "24:00:00",
            "23:60",
            "1:00",
            "10:00:",
            "10:00:00.",
            "23:59:60",
            "10:00:0é",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
        let second = 1_000_000;
        for (text, clock, zone) in [
            ("1970-01-01T00:00:01", second, None),
            ("1970-01-01 00:00:01Z", second, Some(0)),
            ("1970-01-01T00:00:01+02:00", second, Some(7200)),
            ("1970-01-01T00:00:01 -0530", second, Some(-19_800)),
            ("1969-12-31T23:59:59.999999+01", -1, Some(3600)),
        ] {
            assert_eq!(timestamp(text), Some((clock, zone)), "{text}");
        }
        for text in [
            "2024-01-01",
            "2024-01-01T",
            "2024-01-01T10:00:00+2",
            "2024-01-01T10:00:00+16",
            "é",
        ] {
            assert_eq!(timestamp(text), None, "{text}");
        }
        assert_eq!(
            timestamp_text(-1, 1_000_000).as_deref(),
            Some("1969-12-31T23:59:59.999999")
        );
        assert_eq!(
            timestamp_text(1_500, 1_000).as_deref(),
            Some("1970-01-01T00:00:01.5")
        );
    }
}
