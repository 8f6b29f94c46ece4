//! Dates and times as texts that the server is sure to take: a value that it refuses would take
//! the whole batch along.

/// Years that every type of moment holds, before and after the year 1.
const YEAR_MAX: u32 = 294_275;
const YEAR_MAX_BC: u32 = 4_712;

/// Whether the text is a date, `2024-02-29` or `0044-03-15 BC`.
pub(super) fn is_date(text: &str) -> bool {
    let (text, bc) = without_era(text);
    date(text, bc)
}

/// Whether the text is a time of day without a zone.
pub(super) fn is_time(text: &str) -> bool {
    time(text)
}

/// Whether the text is a time of day; a zone may follow.
pub(super) fn is_time_with_zone(text: &str) -> bool {
    time(without_zone(text).0)
}

/// Whether the text is a moment: a date, and a time of day behind `T` or a space, and a zone.
/// Only the date has to be there.
pub(super) fn is_timestamp(text: &str) -> bool {
    let (text, bc) = without_era(text);
    match text.find(['T', 't', ' ']) {
        None => date(text, bc),
        Some(at) => date(&text[..at], bc) && time(without_zone(&text[at + 1..]).0),
    }
}

fn without_era(text: &str) -> (&str, bool) {
    match text.strip_suffix(" BC") {
        Some(rest) => (rest, true),
        None => (text, false),
    }
}

fn date(text: &str, bc: bool) -> bool {
    let mut parts = text.split('-');
    let (Some(year), Some(month), Some(day), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    if !(4..=6).contains(&year.len()) || month.len() != 2 || day.len() != 2 {
        return false;
    }
    let (Some(year), Some(month), Some(day)) = (number(year), number(month), number(day)) else {
        return false;
    };
    let year_max = if bc { YEAR_MAX_BC } else { YEAR_MAX };
    // Leap years before the year 1 are one off: the year 1 BC was one.
    let counted = if bc { year.wrapping_sub(1) } else { year };
    (1..=year_max).contains(&year) && day >= 1 && day <= days(counted, month)
}

fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    }
}

fn time(text: &str) -> bool {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let is_fraction =
        |f: &str| (1..=12).contains(&f.len()) && f.bytes().all(|b| b.is_ascii_digit());
    if !fraction.is_none_or(is_fraction) {
        return false;
    }
    let mut parts = whole.split(':');
    let (hour, minute, second) = (parts.next(), parts.next(), parts.next());
    if parts.next().is_some() || (second.is_none() && fraction.is_some()) {
        return false;
    }
    let two = |part: Option<&str>| part.filter(|p| p.len() == 2).and_then(number);
    let (Some(hour), Some(minute)) = (two(hour), two(minute)) else {
        return false;
    };
    let second = match second {
        None => 0,
        some => match two(some) {
            Some(second) => second,
            None => return false,
        },
    };
    let ends_day = hour == 24 && minute == 0 && second == 0 && fraction.is_none();
    ends_day || (hour < 24 && minute < 60 && second < 60)
}

/// The text before its zone, and whether there is one. Offsets reach to 15:59.
fn without_zone(text: &str) -> (&str, bool) {
    if let Some(utc) = text.strip_suffix(['Z', 'z']) {
        return (utc, true);
    }
    let Some(at) = text.rfind(['+', '-']) else {
        return (text, false);
    };
    let zone = &text[at + 1..];
    let paired = zone.split(':').all(|part| matches!(part.len(), 2 | 4 | 6));
    let digits = zone.replace(':', "");
    let limits = [16, 60, 60];
    let part = |index: usize| match digits.get(2 * index..2 * index + 2) {
        Some(part) => number(part).is_some_and(|value| value < limits[index]),
        None => digits.len() <= 2 * index,
    };
    // `HH`, `HHMM`, `HH:MM`, `HH:MM:SS`: six digits in a row are something else to the server.
    let in_range = paired && matches!(zone.len(), 2 | 4 | 5 | 8) && (0..3).all(part);
    if in_range {
        (text[..at].trim_end(), true)
    } else {
        (text, false)
    }
}

fn number(digits: &str) -> Option<u32> {
    let all = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    all.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_server_accepts_is_a_timestamp() {
        for text in [
            "2024-02-29",
            "0001-01-01",
            "0044-03-15 BC",
            "0001-02-29 BC",
            "294275-12-31",
        ] {
            assert!(is_date(text), "{text}");
        }
        for text in [
            "2023-02-29",
            "0000-01-01",
            "2024-1-01",
            "2024-01-32",
            "infinity",
            "294277-01-01",
            "",
            "2024-01-01T00:00:00",
            "+2024-01-01",
            "4714-01-01 BC",
            "202-01-01",
        ] {
            assert!(!is_date(text), "{text}");
        }
        for text in ["00:00", "23:59:59.123456789", "24:00:00"] {
            assert!(is_time(text), "{text}");
        }
        for text in [
            "24:00:01",
            "23:60",
            "1:00",
            "10:00:00.",
            "10:00Z",
            "10:00.5",
            "now",
        ] {
            assert!(!is_time(text), "{text}");
        }
        for text in [
            "2024-01-01T10:00:00Z",
            "2024-01-01 10:00:00.5+02:00",
            "2024-01-01T10:00:00-0530",
            "2024-01-01",
            "0044-03-15T10:00:00Z BC",
            "2024-01-01T10:00:00+01:02:03",
            "2024-01-01T10:00+02",
        ] {
            assert!(is_timestamp(text), "{text}");
        }
        for text in [
            "2024-01-01T",
            "2024-01-01T25:00:00",
            "2024-01-01T10:00:00+16",
            "2024-01-01T10:00:00+2",
            "2024-01-01T10:00:00 Europe/Rome",
            "yesterday",
            "2024-01-01T10:00:00+010203",
            "2024-01-01T10:00:00+01:99",
        ] {
            assert!(!is_timestamp(text), "{text}");
        }
        assert!(is_time_with_zone("10:00:00+02:00") && is_time_with_zone("10:00"));
    }
}
