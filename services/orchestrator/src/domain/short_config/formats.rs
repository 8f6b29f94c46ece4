//! Names for the variants of an object: `parquet` stands for `{"format_type": "Parquet"}`.

use serde_json::{Map, Value};

use super::places;

/// The variants of one object.
#[derive(Debug)]
pub(super) struct Formats {
    /// The member that selects the variant.
    pub(super) tag: &'static str,
    /// All variants.
    pub(super) all: &'static [Format],
}

/// One variant.
#[derive(Debug)]
pub(super) struct Format {
    /// The name people use.
    pub(super) name: &'static str,
    /// The connector's name for it.
    pub(super) constant: &'static str,
    /// What the connector requires in addition to the tag: dotted path and text.
    pub(super) with: &'static [(&'static str, &'static str)],
}

impl Formats {
    /// The object that `name` stands for. `allowed` lists the variants of this connector; empty if
    /// unknown.
    ///
    /// # Errors
    /// Returns what is wrong with the name.
    pub(super) fn object(&self, name: &str, allowed: &[&str]) -> Result<Value, String> {
        let wanted = name.trim();
        let known = self.all.iter().find(|format| {
            format.name.eq_ignore_ascii_case(wanted) || format.constant.eq_ignore_ascii_case(wanted)
        });
        let constant = match (known, allowed) {
            (Some(format), []) => Some(format.constant),
            (None, []) => None,
            (_, allowed) => {
                let wanted = known.map_or(wanted, |format| format.constant);
                let same = |constant: &&&str| constant.eq_ignore_ascii_case(wanted);
                allowed.iter().find(same).copied()
            }
        };
        let Some(constant) = constant else {
            return Err(format!("is not one of {}", self.names(allowed)));
        };
        let mut object = Map::from_iter([(self.tag.to_owned(), Value::from(constant))]);
        for (path, text) in known.into_iter().flat_map(|format| format.with) {
            places::put(&mut object, path, Value::from(*text))
                .expect("an object with only a tag has nothing in the way");
        }
        Ok(Value::Object(object))
    }

    /// The name that stands for exactly this object.
    pub(super) fn name(&self, object: &Value) -> Option<&'static str> {
        (self.all.iter())
            .find(|format| self.object(format.name, &[]).as_ref() == Ok(object))
            .map(|format| format.name)
    }

    fn names(&self, allowed: &[&str]) -> String {
        let named = |format: &Format| format!("`{}`", format.name);
        let names: Vec<String> = match allowed {
            [] => self.all.iter().map(named).collect(),
            allowed => (allowed.iter())
                .map(|constant| {
                    let known = self.all.iter().find(|format| format.constant == *constant);
                    known.map_or_else(|| format!("`{constant}`"), named)
                })
                .collect(),
        };
        names.join(", ")
    }
}
