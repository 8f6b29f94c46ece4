//! JSON that `jsonb` refuses although JSON allows it: the character NUL, lone surrogates, numbers
//! beyond `numeric`, nesting beyond the server's stack.

/// Deeper documents are refused; the server's stack takes some thousands.
const DEPTH_MAX: usize = 1_000;

/// Digits before and behind the point that `numeric` is sure to hold.
const DIGITS_MAX: usize = 16_000;

/// Whether `jsonb` takes the document, which is known to be JSON.
pub(super) fn fits(json: &str) -> bool {
    let bytes = json.as_bytes();
    let mut at = 0;
    let mut depth = 0_usize;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => match string(bytes, at + 1) {
                Some(behind) => {
                    at = behind;
                    continue;
                }
                None => return false,
            },
            b'[' | b'{' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return false;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'-' | b'0'..=b'9' => {
                let rest = &json[at..];
                let end = rest.find([',', ']', '}', ' ', '\t']).unwrap_or(rest.len());
                if !is_number(rest[..end].trim_end()) {
                    return false;
                }
                at += end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    true
}

/// The position behind the string that begins before `at`; nothing where it does not fit.
fn string(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' if bytes.get(at + 1) == Some(&b'u') => {
                let first = unit(bytes, at + 2)?;
                at += 6;
                match first {
                    0 | 0xdc00..=0xdfff => return None,
                    0xd800..=0xdbff => {
                        let follows =
                            bytes.get(at) == Some(&b'\\') && bytes.get(at + 1) == Some(&b'u');
                        let second = unit(bytes, at + 2).filter(|_| follows)?;
                        if !(0xdc00..=0xdfff).contains(&second) {
                            return None;
                        }
                        at += 6;
                    }
                    _ => {}
                }
            }
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn unit(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = std::str::from_utf8(bytes.get(at..at + 4)?).ok()?;
    u32::from_str_radix(digits, 16).ok()
}

/// Whether the text is a JSON number that `numeric` holds.
pub(super) fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent),
        None => (digits, "0"),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let all = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let power = exponent.parse::<i32>().ok();
    let power = power.and_then(|power| usize::try_from(power.unsigned_abs()).ok());
    all(whole)
        && fraction.is_none_or(all)
        && power.is_some_and(|power| power.saturating_add(mantissa.len()) <= DIGITS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_jsonb_refuses_does_not_fit() {
        let deep = "[".repeat(2_000) + &"]".repeat(2_000);
        let long = "9".repeat(20_000);
        for text in [
            r#""\u0000""#,
            r#"{"\u0000":1}"#,
            r#"["\ud800"]"#,
            r#""\udc00\ud800""#,
            "1e99999",
            "[1e-99999]",
            &deep,
            &long,
        ] {
            assert!(!fits(text), "{text:.40}");
        }
        for text in [
            r#""\\u0000""#,
            r#"{"a":[1.5e3,-2,"\ud83d\ude00","\"",{}]}"#,
            "null",
            "true",
            r#""e""#,
            "12345678901234567890.5",
        ] {
            assert!(fits(text), "{text}");
        }
    }
}
