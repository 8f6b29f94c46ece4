//! Where objects go: Airbyte's path formats and file names.

use airbyte_protocol::StreamDescriptor;
use chrono::{DateTime, Utc};
use object_store::path::Path;

use crate::failure::Failure;
use crate::spool::safe_name;

const PATH_FORMAT: &str = "${NAMESPACE}/${STREAM_NAME}/${YEAR}_${MONTH}_${DAY}_${EPOCH}_";
const FILE_NAME: &str = "{part_number}_{uuid}{format_extension}";

const VARIABLES: [&str; 11] = [
    "NAMESPACE",
    "STREAM_NAME",
    "YEAR",
    "MONTH",
    "DAY",
    "HOUR",
    "MINUTE",
    "SECOND",
    "MILLISECOND",
    "EPOCH",
    "UUID",
];

const NAME_VARIABLES: [&str; 6] = [
    "date",
    "timestamp",
    "sync_id",
    "part_number",
    "uuid",
    "format_extension",
];

/// A part of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(&'static str),
}

/// Splits a format at its variables.
fn parts(
    format: &str,
    opening: &str,
    known: &'static [&'static str],
    of: &str,
) -> Result<Vec<Part>, Failure> {
    let mut parts = Vec::new();
    let mut rest = format;
    while let Some(at) = rest.find(opening) {
        let (before, from) = (&rest[..at], &rest[at + opening.len()..]);
        let end = from.find('}').ok_or_else(|| {
            Failure::config(format!(
                "{of} {format:?} opens a variable and does not close it"
            ))
        })?;
        let name = &from[..end];
        let variable = known.iter().find(|known| known.eq_ignore_ascii_case(name));
        let variable = variable.ok_or_else(|| {
            let there = known.join(", ");
            Failure::config(format!("{of} has no variable {name:?}; there are {there}"))
        })?;
        parts.push(Part::Text(before.to_owned()));
        parts.push(Part::Variable(variable));
        rest = &from[end + 1..];
    }
    parts.push(Part::Text(rest.to_owned()));
    Ok(parts)
}

/// The beginning of keys.
#[derive(Debug, Clone)]
pub(super) struct Template {
    base: String,
    parts: Vec<Part>,
}

impl Template {
    pub(super) fn new(base: &str, format: Option<&str>) -> Result<Self, Failure> {
        let format = format.unwrap_or(PATH_FORMAT);
        Ok(Self {
            base: base.to_owned(),
            parts: parts(format, "${", &VARIABLES, "\"s3_path_format\"")?,
        })
    }

    /// A key's beginning for a stream, in a sync that began then.
    fn resolved(&self, stream: &StreamDescriptor, began: DateTime<Utc>) -> String {
        let mut key = format!("{}/", self.base);
        for part in &self.parts {
            match part {
                Part::Text(text) => key.push_str(text),
                Part::Variable(name) => key.push_str(&value(name, stream, began)),
            }
        }
        key
    }

    /// The folder under which all keys of a stream are, whenever they were written.
    pub(super) fn folder(&self, stream: &StreamDescriptor) -> Result<Path, Failure> {
        let lasts = |part: &&Part| {
            matches!(
                part,
                Part::Text(_) | Part::Variable("NAMESPACE" | "STREAM_NAME")
            )
        };
        let steady = Self {
            base: self.base.clone(),
            parts: self.parts.iter().take_while(lasts).cloned().collect(),
        };
        let key = steady.resolved(stream, DateTime::default());
        let folder = key.rsplit_once('/').map_or("", |(folder, _)| folder);
        path(folder)
    }

    /// The folder of what is kept about a connection.
    pub(super) fn ledger(&self, connection: &str) -> Result<Path, Failure> {
        path(&format!("{}/_aam/{}", self.base, safe_name(connection)))
    }

    /// A key for probing.
    pub(super) fn probe(&self) -> Result<Path, Failure> {
        path(&format!(
            "{}/aam-probe-{}",
            self.base,
            uuid::Uuid::new_v4().simple()
        ))
    }
}

fn value(name: &str, stream: &StreamDescriptor, began: DateTime<Utc>) -> String {
    let format = match name {
        "NAMESPACE" => {
            let namespace = stream.namespace.as_deref().unwrap_or_default();
            return if namespace.is_empty() {
                String::new()
            } else {
                safe_name(namespace)
            };
        }
        "STREAM_NAME" => return safe_name(&stream.name),
        "UUID" => return uuid::Uuid::new_v4().to_string(),
        "EPOCH" => return began.timestamp_millis().to_string(),
        "YEAR" => "%Y",
        "MONTH" => "%m",
        "DAY" => "%d",
        "HOUR" => "%H",
        "MINUTE" => "%M",
        "SECOND" => "%S",
        _ => "%3f",
    };
    began.format(format).to_string()
}

/// The last part of keys.
#[derive(Debug, Clone)]
pub(super) struct FileNames {
    parts: Vec<Part>,
    extension: &'static str,
}

impl FileNames {
    pub(super) fn new(pattern: Option<&str>, extension: &'static str) -> Result<Self, Failure> {
        let pattern = pattern.unwrap_or(FILE_NAME);
        let parts = parts(pattern, "{", &NAME_VARIABLES, "\"file_name_pattern\"")?;
        let has = |name: &'static str| parts.contains(&Part::Variable(name));
        if !has("uuid") && !has("part_number") {
            let message =
                "\"file_name_pattern\" needs {part_number} or {uuid}: names are to differ";
            return Err(Failure::config(message));
        }
        Ok(Self { parts, extension })
    }

    /// Whether a name may be there already, so that the next part number is to be tried.
    pub(super) fn repeats(&self) -> bool {
        !self.parts.contains(&Part::Variable("uuid"))
    }

    fn resolved(&self, sync_id: Option<i64>, part_number: u64, began: DateTime<Utc>) -> String {
        let mut name = String::new();
        let mut extended = false;
        for part in &self.parts {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Variable("date") => name.push_str(&began.format("%Y_%m_%d").to_string()),
                Part::Variable("timestamp") => name.push_str(&began.timestamp_millis().to_string()),
                Part::Variable("sync_id") => name.push_str(&sync_id.unwrap_or(0).to_string()),
                Part::Variable("part_number") => name.push_str(&part_number.to_string()),
                Part::Variable("uuid") => name.push_str(&uuid::Uuid::now_v7().to_string()),
                Part::Variable(_) => {
                    extended = true;
                    name.push_str(self.extension);
                }
            }
        }
        if !extended {
            name.push_str(self.extension);
        }
        name
    }
}

/// The key of a stream's next object.
pub(super) fn key(
    template: &Template,
    names: &FileNames,
    stream: &StreamDescriptor,
    (sync_id, part_number): (Option<i64>, u64),
    began: DateTime<Utc>,
) -> Result<Path, Failure> {
    let name = names.resolved(sync_id, part_number, began);
    path(&format!("{}{name}", template.resolved(stream, began)))
}

/// A key without empty parts.
fn path(key: &str) -> Result<Path, Failure> {
    let parts: Vec<&str> = key.split('/').filter(|part| !part.is_empty()).collect();
    Path::parse(parts.join("/"))
        .map_err(|e| Failure::config(format!("{key:?} is not a valid object key: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(namespace: Option<&str>, name: &str) -> StreamDescriptor {
        StreamDescriptor {
            name: name.to_owned(),
            namespace: namespace.map(str::to_owned),
        }
    }

    #[test]
    fn keys_are_made_as_the_formats_say() {
        let began = DateTime::from_timestamp_millis(1_700_000_000_123).unwrap();
        let names = FileNames::new(Some("{date}-{sync_id}-{part_number}"), ".jsonl").unwrap();
        let made = |template: &Template, of: &StreamDescriptor| {
            key(template, &names, of, (Some(7), 3), began)
                .unwrap()
                .to_string()
        };
        let usual = Template::new("/lake/", None).unwrap();
        let sales = stream(Some("sales"), "a/b");
        let bare = stream(None, "orders");
        assert_eq!(
            made(&usual, &sales),
            "lake/sales/a%2Fb/2023_11_14_1700000000123_2023_11_14-7-3.jsonl"
        );
        assert_eq!(
            made(&usual, &bare),
            "lake/orders/2023_11_14_1700000000123_2023_11_14-7-3.jsonl"
        );
        assert_eq!(
            usual.folder(&sales).unwrap().to_string(),
            "lake/sales/a%2Fb"
        );
        let dated = Template::new("", Some("${YEAR}/${stream_name}/")).unwrap();
        assert_eq!(made(&dated, &bare), "2023/orders/2023_11_14-7-3.jsonl");
        assert_eq!(dated.folder(&bare).unwrap().to_string(), "");
        assert!(names.repeats() && !FileNames::new(None, ".jsonl").unwrap().repeats());
    }

    #[test]
    fn formats_that_mean_nothing_are_refused() {
        assert!(Template::new("", Some("${WEEK}/")).is_err());
        assert!(Template::new("", Some("${YEAR")).is_err());
        assert!(FileNames::new(Some("{date}"), "").is_err());
        assert!(FileNames::new(Some("{part}"), "").is_err());
    }
}
