//! The connector's configuration, validated.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::failure::Failure;

/// A parsed configuration.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    /// A file, a folder or a glob.
    pub(super) path: String,
    #[serde(default)]
    pub(super) stream_name: Option<String>,
    /// Streams by globs within the folder.
    #[serde(default)]
    pub(super) streams: Vec<StreamConfig>,
    #[serde(flatten)]
    pub(super) options: RawOptions,
}

/// One stream of several: its files, and how they are to be read.
#[derive(Debug, Deserialize)]
pub(super) struct StreamConfig {
    pub(super) name: String,
    pub(super) glob: String,
    #[serde(flatten)]
    pub(super) options: RawOptions,
}

/// How files are to be read, as written; what a stream leaves out is the configuration's.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct RawOptions {
    format: Option<String>,
    delimiter: Option<String>,
    quote: Option<String>,
    escape: Option<String>,
    encoding: Option<String>,
    header: Option<bool>,
    null_values: Option<Vec<String>>,
    infer_types: Option<bool>,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Jsonl,
    Parquet,
}

/// How files are to be read.
#[derive(Debug, Clone)]
pub(super) struct Options {
    /// Nothing: by each file's name.
    pub(super) format: Option<Format>,
    /// Nothing: a comma, in `.tsv` files a tab.
    pub(super) delimiter: Option<u8>,
    /// Nothing: quotes mean nothing.
    pub(super) quote: Option<u8>,
    pub(super) escape: Option<u8>,
    pub(super) encoding: &'static encoding_rs::Encoding,
    pub(super) header: bool,
    pub(super) null_values: Vec<String>,
    pub(super) infer_types: bool,
}

impl Config {
    /// # Errors
    /// What is missing or makes no sense.
    pub(super) fn parse(config: &SecretString) -> Result<Self, Failure> {
        serde_json::from_str(config.expose_secret())
            .map_err(|e| Failure::config(format!("the configuration cannot be understood: {e}")))
    }
}

impl RawOptions {
    /// The options of a stream of a configuration with those.
    pub(super) fn or(&self, outer: &Self) -> Self {
        Self {
            format: self.format.clone().or_else(|| outer.format.clone()),
            delimiter: self.delimiter.clone().or_else(|| outer.delimiter.clone()),
            quote: self.quote.clone().or_else(|| outer.quote.clone()),
            escape: self.escape.clone().or_else(|| outer.escape.clone()),
            encoding: self.encoding.clone().or_else(|| outer.encoding.clone()),
            header: self.header.or(outer.header),
            null_values: self
                .null_values
                .clone()
                .or_else(|| outer.null_values.clone()),
            infer_types: self.infer_types.or(outer.infer_types),
        }
    }

    /// # Errors
    /// Which option has a value that is none.
    pub(super) fn validated(&self) -> Result<Options, Failure> {
        let format = match self.format.as_deref() {
            None | Some("auto") => None,
            Some("csv") => Some(Format::Csv),
            Some("jsonl") => Some(Format::Jsonl),
            Some("parquet") => Some(Format::Parquet),
            Some(other) => {
                return Err(Failure::config(format!(
                    "\"format\" is {other:?}; there are auto, csv, jsonl, parquet"
                )));
            }
        };
        let label = self.encoding.as_deref().unwrap_or("utf-8");
        let encoding = encoding_rs::Encoding::for_label(label.as_bytes())
            .ok_or_else(|| Failure::config(format!("\"encoding\" {label:?} is not known")))?;
        let quote = match self.quote.as_deref() {
            None => Some(b'"'),
            Some("") => None,
            some => character("quote", some)?,
        };
        let delimiter = character("delimiter", self.delimiter.as_deref())?;
        let escape = character("escape", self.escape.as_deref())?;
        if quote.is_some() && (quote == delimiter || quote == escape) {
            let message = "\"quote\" is also \"delimiter\" or \"escape\"";
            return Err(Failure::config(message));
        }
        Ok(Options {
            format,
            delimiter,
            quote,
            escape,
            encoding,
            header: self.header.unwrap_or(true),
            null_values: self
                .null_values
                .clone()
                .unwrap_or_else(|| vec![String::new()]),
            infer_types: self.infer_types.unwrap_or(true),
        })
    }
}

fn character(name: &str, written: Option<&str>) -> Result<Option<u8>, Failure> {
    let Some(written) = written.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match written {
        "\\t" => Ok(Some(b'\t')),
        _ => match written.as_bytes() {
            // The reader marks a file's end with characters that never serve as delimiters.
            [byte @ (b'\t' | 1 | b' '..=b'~')] => Ok(Some(*byte)),
            _ => Err(Failure::config(format!(
                "\"{name}\" is {written:?}; one ASCII character is needed"
            ))),
        },
    }
}

/// The configuration's JSON schema.
pub(super) fn schema() -> serde_json::Value {
    let text = |title: &str, description: &str, order: u32| serde_json::json!({ "title": title, "type": "string", "description": description, "order": order });
    serde_json::json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "File source",
        "type": "object",
        "required": ["path"],
        "additionalProperties": true,
        "properties": {
            "path": {
                "title": "Path", "type": "string", "minLength": 1, "order": 0,
                "description": "A file, a folder (each file in it is a stream), or a glob (all files are one stream).",
                "examples": ["/data/shop", "/data/orders/*.csv.gz", "/data/**/*.parquet"],
            },
            "stream_name": text("Stream name", "Name of the one stream that all files make.", 1),
            "format": {
                "title": "Format", "type": "string", "enum": ["auto", "csv", "jsonl", "parquet"], "default": "auto", "order": 2,
                "description": "What the files hold; auto goes by their names. `.gz` may follow those of CSV and JSONL.",
            },
            "delimiter": text("Delimiter", "Between a CSV file's fields; a comma, in .tsv files a tab. \\t is a tab.", 3),
            "quote": text("Quote", "Around a CSV file's fields; \" when absent, none when empty.", 4),
            "escape": text("Escape", "Before a quote within quotes; when absent, quotes are doubled.", 5),
            "encoding": text("Encoding", "Of CSV and JSONL files: utf-8 (default), windows-1252, utf-16le, …", 6),
            "header": { "title": "Header", "type": "boolean", "default": true, "description": "Whether a CSV file's first line names its columns; otherwise they are f0, f1, …", "order": 7 },
            "null_values": { "title": "Null values", "type": "array", "items": { "type": "string" }, "default": [""], "description": "CSV fields that are null.", "order": 8 },
            "infer_types": { "title": "Infer types", "type": "boolean", "default": true, "description": "Whether a CSV file's columns get types; otherwise all are strings.", "order": 9 },
            "streams": {
                "title": "Streams", "type": "array", "order": 10,
                "description": "Streams of files that match globs in the folder of the path, each with its own options if they differ.",
                "items": {
                    "type": "object", "required": ["name", "glob"], "additionalProperties": true,
                    "properties": { "name": { "type": "string", "minLength": 1 }, "glob": { "type": "string", "minLength": 1 }, "format": { "type": "string" } },
                },
            },
        },
    })
}
