//! serde's message about a value, without the value: it may be a secret in the wrong place.

/// Removes what the message quotes from the value: `invalid type: string "hunter2", expected a map`
/// becomes `invalid type: string, expected a map`.
pub fn unquoted(message: &str) -> String {
    let Some((kind, rest)) = message.split_once(": ") else {
        return unquoted_variant(message);
    };
    if !matches!(kind, "invalid type" | "invalid value") {
        return unquoted_variant(message);
    }
    // The expectation is our own text; serde puts it last.
    let (found, expected) = match rest.rsplit_once(", expected ") {
        Some((found, expected)) => (found, Some(expected)),
        None => (rest, None),
    };
    // `string "…"`, `integer `7``, `floating point `1.5``: the kind precedes the value.
    let end = found.find(['"', '`', '\'']).unwrap_or(found.len());
    let found = found[..end].trim_end();
    match expected {
        Some(expected) => format!("{kind}: {found}, expected {expected}"),
        None => format!("{kind}: {found}"),
    }
}

/// `unknown variant `hunter2`, expected one of …`; any other custom message is kept, since it is
/// our own text.
fn unquoted_variant(message: &str) -> String {
    let Some(rest) = message.strip_prefix("unknown variant `") else {
        return message.to_owned();
    };
    match rest.rsplit_once("`, ") {
        // The expected variants are in the same quotes.
        Some(_) => {
            let expected = rest
                .find("`, expected ")
                .or_else(|| rest.find("`, there are no"));
            let expected = expected.map_or("", |at| rest[at..].trim_start_matches("`, "));
            format!("unknown variant, {expected}")
        }
        None => "unknown variant".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde::de::DeserializeOwned;
    use serde_json::{Map, Value, json};

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only its deserialization matters")]
    enum Choice {
        One,
        Two(u8),
    }

    fn message_of<T: DeserializeOwned + std::fmt::Debug>(value: &Value) -> String {
        let error = serde_json::from_str::<T>(&value.to_string()).unwrap_err();
        unquoted(&error.to_string())
    }

    #[test]
    fn repeats_no_value() {
        let planted = [
            json!("PLANT, expected \"x\" `y`"),
            json!("PLANT"),
            json!(7_354_189),
            json!(7354.189),
        ];
        for value in &planted {
            for message in [
                message_of::<Map<String, Value>>(value),
                message_of::<Vec<u8>>(value),
                message_of::<bool>(value),
                message_of::<Choice>(value),
                message_of::<char>(value),
            ] {
                assert!(
                    !message.contains("PLANT") && !message.contains("7354"),
                    "{message}"
                );
                assert!(message.contains("expected"), "{message}");
            }
        }
        assert!(message_of::<u8>(&json!(7354)).starts_with("invalid value: integer, expected u8"));
        assert!(message_of::<Choice>(&json!("three")).starts_with("unknown variant, expected"));
    }
}
