//! Narrowing a record's data to the configured columns in one pass over its text.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Deserializer, Value};

use crate::Text;

/// What a pass found.
#[derive(Debug, PartialEq, Eq)]
pub struct Narrowed {
    /// Whether the data has any member.
    pub any: bool,
    /// Whether members were left out; only then does the output differ from the input.
    pub dropped: bool,
    /// Whether a part of the key holds a value; true when there is no key.
    pub keyed: bool,
}

/// Writes the members of `data` that `columns` names to `output`, which is emptied first. `key`
/// holds paths of which one must lead to a value.
///
/// # Errors
/// When `data` is not a JSON object.
pub fn narrow(
    data: &str,
    columns: Option<&HashSet<String>>,
    key: &[Vec<String>],
    output: &mut Vec<u8>,
) -> Result<Narrowed, serde_json::Error> {
    output.clear();
    output.push(b'{');
    let pass = Pass {
        columns,
        key,
        output,
    };
    let found = Deserializer::from_str(data).deserialize_map(pass)?;
    output.push(b'}');
    Ok(found)
}

struct Pass<'p> {
    columns: Option<&'p HashSet<String>>,
    key: &'p [Vec<String>],
    output: &'p mut Vec<u8>,
}

impl<'de> Visitor<'de> for Pass<'_> {
    type Value = Narrowed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record's data, an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Narrowed, A::Error> {
        let mut found = Narrowed {
            any: false,
            dropped: false,
            keyed: self.key.is_empty(),
        };
        while let Some((Text(name), value)) = members.next_entry::<Text<'de>, &'de RawValue>()? {
            found.any = true;
            if !found.keyed {
                found.keyed = self
                    .key
                    .iter()
                    .any(|path| path.first().is_some_and(|f| *f == name) && holds(value, path));
            }
            if self
                .columns
                .is_some_and(|columns| !columns.contains(name.as_ref()))
            {
                found.dropped = true;
                continue;
            }
            if self.output.len() > 1 {
                self.output.push(b',');
            }
            serde_json::to_writer(&mut *self.output, name.as_ref())
                .map_err(serde::de::Error::custom)?;
            self.output.push(b':');
            self.output.extend_from_slice(value.get().as_bytes());
        }
        Ok(found)
    }
}

/// Whether the value at a key's path, whose first part is `value`, is there and not null.
fn holds(value: &RawValue, path: &[String]) -> bool {
    if path.len() == 1 {
        return value.get() != "null";
    }
    let whole: Value = serde_json::from_str(value.get()).unwrap_or_default();
    path[1..]
        .iter()
        .try_fold(&whole, |node, name| node.get(name))
        .is_some_and(|found| !found.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(data: &str, columns: &[&str], key: &[&[&str]]) -> (Narrowed, String) {
        let columns = columns.iter().map(|name| (*name).to_owned()).collect();
        let key: Vec<Vec<String>> = key
            .iter()
            .map(|path| path.iter().map(|part| (*part).to_owned()).collect())
            .collect();
        let mut output = b"left over".to_vec();
        let found = narrow(data, Some(&columns), &key, &mut output).unwrap();
        (found, String::from_utf8(output).unwrap())
    }

    #[test]
    fn only_configured_columns_pass_and_values_keep_their_text() {
        let (found, text) = pass(
            r#"{"b": 1.10, "x":[1, 2], "a\"q":"\u00e9", "z":{}}"#,
            &["a\"q", "b"],
            &[],
        );
        assert!(found.dropped && found.any && found.keyed);
        assert_eq!(text, r#"{"b":1.10,"a\"q":"\u00e9"}"#);
    }

    #[test]
    fn a_key_needs_one_part_with_a_value() {
        for (data, keyed) in [
            (r#"{"id":1}"#, true),
            (r#"{"id":null,"o":{"k":0}}"#, true),
            (r#"{"id":null,"o":{"k":null}}"#, false),
            (r#"{"other":1}"#, false),
        ] {
            let (found, _) = pass(data, &["id", "o", "other"], &[&["id"], &["o", "k"]]);
            assert_eq!(found.keyed, keyed, "{data}");
        }
        assert!(!pass("{}", &[], &[]).0.any);
    }

    #[test]
    fn a_value_that_is_not_an_object_is_an_error() {
        assert!(narrow("[1]", None, &[], &mut Vec::new()).is_err());
    }
}
