//! Applying mappers to a record's data. What no mapper touches stays the text that it was, so that
//! numbers keep every digit.

use std::borrow::Cow;

use indexmap::IndexMap;
use md2::Md2;
use md5::Md5;
use serde_json::value::RawValue;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use super::{Condition, Mapper, Method};

/// The result for a record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mapped {
    /// The new data.
    Data(Vec<u8>),
    /// A mapper keeps it from the destination.
    Filtered,
}

type Columns<'a> = IndexMap<Cow<'a, str>, Cow<'a, RawValue>>;

/// Applies mappers in their order to data that is already narrowed to its columns.
pub(crate) fn map(data: &[u8], mappers: &[Mapper]) -> Result<Mapped, serde_json::Error> {
    let parsed: IndexMap<String, &RawValue> = serde_json::from_slice(data)?;
    let mut columns: Columns<'_> = parsed
        .into_iter()
        .map(|(name, value)| (Cow::Owned(name), Cow::Borrowed(value)))
        .collect();
    for mapper in mappers {
        match mapper {
            Mapper::Filtering { target } => {
                columns.shift_remove(target.as_str());
            }
            Mapper::Renaming { from, to } => rename(&mut columns, from, to),
            Mapper::Hashing {
                target,
                output,
                method,
            } => {
                if let Some(value) = columns.get_mut(target.as_str())
                    && let Some(text) = text_of(value)
                {
                    let digest = method.digest(text.as_bytes());
                    *value = Cow::Owned(serde_json::value::to_raw_value(&digest)?);
                }
                rename(&mut columns, target, output);
            }
            Mapper::Rows(condition) => {
                if !holds(condition, &columns) {
                    return Ok(Mapped::Filtered);
                }
            }
        }
    }
    Ok(Mapped::Data(serde_json::to_vec(&columns)?))
}

/// Keeps the column's place among the others.
fn rename(columns: &mut Columns<'_>, from: &str, to: &str) {
    if let Some((index, _, value)) = columns.shift_remove_full(from) {
        columns.shift_insert(index.min(columns.len()), Cow::Owned(to.to_owned()), value);
    }
}

/// A value as text; nothing for null.
fn text_of(value: &RawValue) -> Option<Cow<'_, str>> {
    match value.get() {
        "null" => None,
        text if text.starts_with('"') => serde_json::from_str::<String>(text).ok().map(Cow::Owned),
        text => Some(Cow::Borrowed(text)),
    }
}

fn holds(condition: &Condition, columns: &Columns<'_>) -> bool {
    match condition {
        Condition::Equal {
            field_name,
            comparison_value,
        } => columns
            .get(field_name.as_str())
            .and_then(|value| text_of(value))
            .is_some_and(|text| text == comparison_value.as_str()),
        Condition::Not { conditions } => !conditions.iter().any(|one| holds(one, columns)),
    }
}

impl Method {
    fn digest(self, text: &[u8]) -> String {
        match self {
            Self::Md2 => hex::encode(Md2::digest(text)),
            Self::Md5 => hex::encode(Md5::digest(text)),
            Self::Sha1 => hex::encode(Sha1::digest(text)),
            Self::Sha224 => hex::encode(Sha224::digest(text)),
            Self::Sha256 => hex::encode(Sha256::digest(text)),
            Self::Sha384 => hex::encode(Sha384::digest(text)),
            Self::Sha512 => hex::encode(Sha512::digest(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::mappers::stored;

    fn mapped(data: &str, mappers: Value) -> Option<String> {
        let mappers = stored("s", mappers.as_array().unwrap()).unwrap();
        match map(data.as_bytes(), &mappers).unwrap() {
            Mapped::Data(data) => Some(String::from_utf8(data).unwrap()),
            Mapped::Filtered => None,
        }
    }

    fn hashing(target: &str, method: &str) -> Value {
        json!({"type": "hashing", "mapperConfiguration": {"targetField": target,
            "method": method, "fieldNameSuffix": "_h"}})
    }

    #[test]
    fn digests_are_hexadecimal_of_the_text_and_null_stays_null() {
        for (method, digest) in [
            ("MD2", "da853b0d3f88d99b30283a69e6ded6bb"),
            ("MD5", "900150983cd24fb0d6963f7d28e17f72"),
            ("SHA-1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                "SHA-224",
                "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
            ),
            (
                "SHA-256",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
        ] {
            let out = mapped(r#"{"a":1,"b":"abc","c":2}"#, json!([hashing("b", method)]));
            assert_eq!(out.unwrap(), format!(r#"{{"a":1,"b_h":"{digest}","c":2}}"#));
        }
        let out = mapped(r#"{"b":null}"#, json!([hashing("b", "SHA-512")]));
        assert_eq!(out.unwrap(), r#"{"b_h":null}"#);
        let number = mapped(r#"{"b":2.5}"#, json!([hashing("b", "SHA-1")]));
        let digest = "555a5c5c92b230dccab828d90e89ec66847ab9ce";
        assert_eq!(number.unwrap(), format!(r#"{{"b_h":"{digest}"}}"#));
    }

    #[test]
    fn columns_are_renamed_in_place_and_dropped_and_the_rest_keeps_its_text() {
        let mappers = json!([
            {"type": "field-renaming", "mapperConfiguration": {"originalFieldName": "a",
                "newFieldName": "z"}},
            {"type": "field-filtering", "mapperConfiguration": {"targetField": "b"}},
            hashing("absent", "MD5")]);
        let out = mapped(r#"{"a":1.10,"b":2,"c":12345678901234567890123}"#, mappers);
        assert_eq!(out.unwrap(), r#"{"z":1.10,"c":12345678901234567890123}"#);
    }

    #[test]
    fn rows_pass_when_the_condition_holds_for_their_text() {
        let equal =
            |value: &str| json!({"type": "EQUAL", "fieldName": "a", "comparisonValue": value});
        let rows = |condition: &Value| json!([{"type": "row-filtering", "mapperConfiguration": {"conditions": condition}}]);
        for (data, value, passes) in [
            (r#"{"a":"x"}"#, "x", true),
            (r#"{"a":"y"}"#, "x", false),
            (r#"{"a":true}"#, "true", true),
            (r#"{"a":7}"#, "7", true),
            (r#"{"a":null}"#, "null", false),
            (r#"{"b":1}"#, "x", false),
        ] {
            let condition = equal(value);
            assert_eq!(
                mapped(data, rows(&condition)).is_some(),
                passes,
                "{data} {value}"
            );
            let not = json!({"type": "NOT", "conditions": [condition]});
            assert_eq!(
                mapped(data, rows(&not)).is_some(),
                !passes,
                "not {data} {value}"
            );
        }
    }
}
