//! Mappers of a stream: what the platform does to records between source and destination.
//!
//! They are checked when a connection is written, so that nothing is accepted that would not be
//! applied; encryption is not part of this edition.

mod record;
mod shape;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::fault::Fault;

pub(crate) use record::{Mapped, map};
pub(crate) use shape::Shape;

/// One mapper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mapper {
    /// Replaces a column by the digest of its text.
    Hashing {
        target: String,
        output: String,
        method: Method,
    },
    Renaming {
        from: String,
        to: String,
    },
    Filtering {
        target: String,
    },
    /// Lets rows pass for which the condition holds.
    Rows(Condition),
}

/// A digest, by Airbyte's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Method {
    #[serde(rename = "MD2")]
    Md2,
    #[serde(rename = "MD5")]
    Md5,
    #[serde(rename = "SHA-1")]
    Sha1,
    #[serde(rename = "SHA-224")]
    Sha224,
    #[serde(rename = "SHA-256")]
    Sha256,
    #[serde(rename = "SHA-384")]
    Sha384,
    #[serde(rename = "SHA-512")]
    Sha512,
}

/// What a row is asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type")]
pub(crate) enum Condition {
    /// The column's text is the given one.
    #[serde(rename = "EQUAL", rename_all = "camelCase")]
    Equal {
        field_name: String,
        comparison_value: String,
    },
    /// None of the conditions holds.
    #[serde(rename = "NOT")]
    Not { conditions: Vec<Condition> },
}

/// What a stream's mappers are laid over.
pub(crate) struct Place<'a> {
    pub(crate) stream: &'a str,
    /// Columns that are copied; empty when the schema names none.
    pub(crate) columns: Vec<String>,
    /// Columns that cursor and key need.
    pub(crate) needed: Vec<String>,
}

fn refused(
    place: &Place<'_>,
    kind: &'static str,
    mapper: &str,
    detail: impl std::fmt::Display,
) -> Fault {
    Fault::Typed {
        kind,
        detail: format!("stream {}, mapper {mapper}: {detail}", place.stream),
        data: json!({"stream": place.stream, "mapper": mapper}),
    }
}

const INVALID: &str = "error:mapper-validation";
const MISSING: &str = "error:mapper-validation/missing-required-param";
const BAD_CONFIG: &str = "error:mapper-validation/invalid-config";

/// Mappers as they are kept, each with an id, once they are known to be applicable.
pub(crate) fn checked(place: Place<'_>, mappers: &[Value]) -> Result<Vec<Value>, Fault> {
    let mut place = place;
    let mut kept = Vec::with_capacity(mappers.len());
    for sent in mappers {
        let mapper = parse(&place, sent)?;
        apply_to_columns(&mut place, &mapper)?;
        let mut one = sent.clone();
        if one["id"].is_null() {
            one["id"] = json!(Uuid::new_v4());
        }
        kept.push(one);
    }
    Ok(kept)
}

/// Mappers that were checked before.
pub(crate) fn stored(stream: &str, mappers: &[Value]) -> Result<Vec<Mapper>, Fault> {
    let place = Place {
        stream,
        columns: Vec::new(),
        needed: Vec::new(),
    };
    mappers.iter().map(|one| parse(&place, one)).collect()
}

fn parse(place: &Place<'_>, sent: &Value) -> Result<Mapper, Fault> {
    let Some(kind) = sent["type"].as_str() else {
        return Err(refused(place, MISSING, "", "type is missing"));
    };
    let Some(configuration) = sent["mapperConfiguration"].as_object() else {
        return Err(refused(
            place,
            MISSING,
            kind,
            "mapperConfiguration is missing",
        ));
    };
    let text = |name: &str| -> Result<String, Fault> {
        match configuration.get(name) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
            None | Some(Value::Null) => {
                let detail = format!("{name} is missing");
                Err(refused(place, MISSING, kind, detail))
            }
            Some(_) => {
                let detail = format!("{name} must be a text that is not empty");
                Err(refused(place, BAD_CONFIG, kind, detail))
            }
        }
    };
    match kind {
        "hashing" => {
            let target = text("targetField")?;
            text("method")?;
            let method = Method::deserialize(&configuration["method"])
                .map_err(|error| refused(place, BAD_CONFIG, kind, error))?;
            let suffix = match configuration.get("fieldNameSuffix") {
                Some(Value::String(suffix)) => suffix,
                _ => return Err(refused(place, MISSING, kind, "fieldNameSuffix is missing")),
            };
            let output = format!("{target}{suffix}");
            Ok(Mapper::Hashing {
                target,
                output,
                method,
            })
        }
        "field-renaming" => Ok(Mapper::Renaming {
            from: text("originalFieldName")?,
            to: text("newFieldName")?,
        }),
        "field-filtering" => Ok(Mapper::Filtering {
            target: text("targetField")?,
        }),
        "row-filtering" => Ok(Mapper::Rows(condition(place, configuration)?)),
        "encryption" => Err(refused(
            place,
            INVALID,
            kind,
            "encryption is not available in this edition",
        )),
        other => Err(refused(place, BAD_CONFIG, other, "no such type of mapper")),
    }
}

fn condition(place: &Place<'_>, configuration: &Map<String, Value>) -> Result<Condition, Fault> {
    let kind = "row-filtering";
    let Some(sent) = configuration.get("conditions") else {
        return Err(refused(place, MISSING, kind, "conditions is missing"));
    };
    let condition =
        Condition::deserialize(sent).map_err(|error| refused(place, BAD_CONFIG, kind, error))?;
    if condition.is_hollow() {
        let detail = "NOT needs at least one condition";
        return Err(refused(place, BAD_CONFIG, kind, detail));
    }
    Ok(condition)
}

impl Condition {
    fn is_hollow(&self) -> bool {
        match self {
            Self::Equal { .. } => false,
            Self::Not { conditions } => {
                conditions.is_empty() || conditions.iter().any(Self::is_hollow)
            }
        }
    }

    fn fields<'a>(&'a self, found: &mut Vec<&'a str>) {
        match self {
            Self::Equal { field_name, .. } => found.push(field_name),
            Self::Not { conditions } => conditions.iter().for_each(|one| one.fields(found)),
        }
    }
}

/// Checks that a mapper's columns are there and its output's are free, and notes what is there
/// afterwards for the mappers that follow.
fn apply_to_columns(place: &mut Place<'_>, mapper: &Mapper) -> Result<(), Fault> {
    let known = |name: &str, kind: &str| {
        if place.columns.is_empty() || place.columns.iter().any(|column| column == name) {
            return Ok(());
        }
        let detail = format!("{name} is not a column that is copied");
        Err(refused(place, INVALID, kind, detail))
    };
    match mapper {
        Mapper::Rows(condition) => {
            let mut fields = Vec::new();
            condition.fields(&mut fields);
            fields
                .into_iter()
                .try_for_each(|field| known(field, "row-filtering"))
        }
        Mapper::Filtering { target } => {
            known(target, "field-filtering")?;
            if place.needed.contains(target) {
                let detail = format!("{target} is needed by the stream's cursor or key");
                return Err(refused(place, INVALID, "field-filtering", detail));
            }
            place.columns.retain(|column| column != target);
            Ok(())
        }
        Mapper::Renaming { from, to } => {
            known(from, "field-renaming")?;
            rename(place, from, to, "field-renaming")
        }
        Mapper::Hashing { target, output, .. } => {
            known(target, "hashing")?;
            rename(place, target, output, "hashing")
        }
    }
}

fn rename(place: &mut Place<'_>, from: &str, to: &str, kind: &str) -> Result<(), Fault> {
    if from != to && place.columns.iter().any(|column| column == to) {
        let detail = format!("there is a column {to} already");
        return Err(refused(place, INVALID, kind, detail));
    }
    for column in place.columns.iter_mut().chain(&mut place.needed) {
        if column == from {
            to.clone_into(column);
        }
    }
    Ok(())
}
