//! The connector's configuration, with the names of Airbyte's own.

use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{ClientOptions, RetryConfig};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::keys::{FileNames, Template};
use crate::failure::Failure;
use crate::hosts;
use crate::parquet::Compression;

/// How long connecting may take, and one request: a part of a large object on a slow line.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// How often and how long a request is repeated that failed for a reason that passes.
const RETRIES: usize = 5;
const RETRY_TIMEOUT: Duration = Duration::from_secs(150);

#[derive(Deserialize)]
struct Raw {
    s3_bucket_name: String,
    #[serde(default)]
    s3_bucket_path: String,
    #[serde(default)]
    s3_bucket_region: String,
    #[serde(default)]
    s3_endpoint: Option<String>,
    #[serde(default)]
    access_key_id: Option<String>,
    #[serde(default)]
    secret_access_key: Option<SecretString>,
    #[serde(default)]
    role_arn: Option<String>,
    #[serde(default)]
    s3_path_format: Option<String>,
    #[serde(default)]
    file_name_pattern: Option<String>,
    format: RawFormat,
    #[serde(default)]
    commit_interval_seconds: Option<u64>,
    #[serde(default)]
    max_file_size_mb: Option<u64>,
}

#[derive(Deserialize)]
struct RawFormat {
    format_type: String,
    compression: Option<RawCompression>,
    compression_codec: Option<String>,
    flattening: Option<String>,
}

#[derive(Deserialize)]
struct RawCompression {
    compression_type: String,
}

/// What objects hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Jsonl { gzip: bool },
    Parquet(Compression),
}

/// A parsed configuration.
pub(super) struct Config {
    pub(super) bucket: String,
    pub(super) store: AmazonS3,
    /// The URL of the store.
    endpoint: String,
    pub(super) template: Template,
    pub(super) names: FileNames,
    pub(super) holds: Holds,
    pub(super) interval: Duration,
    pub(super) file_bytes: u64,
}

impl Config {
    /// # Errors
    /// What is missing, makes no sense or is not supported, by name.
    pub(super) fn parse(config: &SecretString) -> Result<Self, Failure> {
        let raw: Raw = serde_json::from_str(config.expose_secret())
            .map_err(|e| Failure::config(format!("the configuration cannot be understood: {e}")))?;
        let holds = holds(&raw.format)?;
        let extension = match holds {
            Holds::Jsonl { gzip: false } => ".jsonl",
            Holds::Jsonl { gzip: true } => ".jsonl.gz",
            Holds::Parquet(_) => ".parquet",
        };
        Ok(Self {
            template: Template::new(&raw.s3_bucket_path, given(&raw.s3_path_format))?,
            names: FileNames::new(given(&raw.file_name_pattern), extension)?,
            holds,
            interval: Duration::from_secs(raw.commit_interval_seconds.unwrap_or(60)),
            file_bytes: raw.max_file_size_mb.unwrap_or(200).max(1) << 20,
            store: store(&raw)?,
            endpoint: endpoint(&raw)
                .unwrap_or_else(|| format!("https://s3.{}.amazonaws.com", region(&raw))),
            bucket: raw.s3_bucket_name,
        })
    }
}

impl Config {
    /// Reads a configuration whose store this installation allows.
    ///
    /// # Errors
    /// Those of [`Self::parse`], and a store whose host is not allowed.
    pub(super) async fn permitted(config: &SecretString) -> Result<Self, Failure> {
        let config = Self::parse(config)?;
        hosts::permit_url("s3_endpoint", &config.endpoint).await?;
        Ok(config)
    }
}

fn region(raw: &Raw) -> &str {
    match raw.s3_bucket_region.trim() {
        "" => "us-east-1",
        region => region,
    }
}

/// The URL of a store that is not Amazon's.
fn endpoint(raw: &Raw) -> Option<String> {
    given(&raw.s3_endpoint).map(|endpoint| {
        // Without a scheme, the one that keeps what is sent to itself.
        let scheme = if endpoint.contains("://") {
            ""
        } else {
            "https://"
        };
        format!("{scheme}{}", endpoint.trim_end_matches('/'))
    })
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

fn holds(format: &RawFormat) -> Result<Holds, Failure> {
    let unsupported = |what: &str, value: &str, there: &str| {
        Failure::config(format!(
            "{what} {value:?} is not supported; there are {there}"
        ))
    };
    match format.format_type.as_str() {
        "JSONL" => {
            if let Some(flattening) = format.flattening.as_deref()
                && flattening != "No flattening"
            {
                return Err(unsupported("flattening", flattening, "No flattening"));
            }
            let compression = format.compression.as_ref();
            match compression.map_or("GZIP", |c| c.compression_type.as_str()) {
                "GZIP" => Ok(Holds::Jsonl { gzip: true }),
                "No Compression" => Ok(Holds::Jsonl { gzip: false }),
                other => Err(unsupported(
                    "compression_type",
                    other,
                    "GZIP, No Compression",
                )),
            }
        }
        "Parquet" => {
            let codec = match format.compression_codec.as_deref().unwrap_or("ZSTD") {
                "UNCOMPRESSED" => Compression::None,
                "SNAPPY" => Compression::Snappy,
                "GZIP" => Compression::Gzip,
                "LZ4" => Compression::Lz4,
                "ZSTD" => Compression::Zstd,
                other => {
                    let there = "UNCOMPRESSED, SNAPPY, GZIP, LZ4, ZSTD";
                    return Err(unsupported("compression_codec", other, there));
                }
            };
            Ok(Holds::Parquet(codec))
        }
        other => Err(unsupported("format_type", other, "JSONL, Parquet")),
    }
}

fn store(raw: &Raw) -> Result<AmazonS3, Failure> {
    if raw.s3_bucket_name.trim().is_empty() {
        return Err(Failure::config("\"s3_bucket_name\" is empty"));
    }
    if given(&raw.role_arn).is_some() {
        return Err(Failure::config(
            "\"role_arn\" is not supported; give an access key",
        ));
    }
    let endpoint = endpoint(raw);
    let is_http = endpoint
        .as_deref()
        .is_some_and(|e| e.starts_with("http://"));
    let client = ClientOptions::new()
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_timeout(REQUEST_TIMEOUT)
        .with_allow_http(is_http);
    let retry = RetryConfig {
        max_retries: RETRIES,
        retry_timeout: RETRY_TIMEOUT,
        ..RetryConfig::default()
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(raw.s3_bucket_name.trim())
        .with_region(region(raw))
        .with_virtual_hosted_style_request(false)
        .with_client_options(client)
        .with_retry(retry);
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    builder = match (given(&raw.access_key_id), &raw.secret_access_key) {
        (Some(id), Some(secret)) => builder
            .with_access_key_id(id)
            .with_secret_access_key(secret.expose_secret()),
        // The machine's own role.
        (None, None) => builder,
        _ => {
            let message = "\"access_key_id\" and \"secret_access_key\" belong together";
            return Err(Failure::config(message));
        }
    };
    builder
        .build()
        .map_err(|e| Failure::config("the bucket, region or endpoint makes no sense").because(e))
}

/// The configuration's JSON schema.
pub(super) fn schema() -> serde_json::Value {
    let text = |title: &str, description: &str, order: u32| serde_json::json!({ "title": title, "type": "string", "description": description, "order": order });
    let mut access_key = text(
        "Access key id",
        "With the secret key; without both, the machine's own role is used.",
        0,
    );
    access_key["airbyte_secret"] = true.into();
    let mut secret = text("Secret access key", "The secret of the access key.", 1);
    secret["airbyte_secret"] = true.into();
    serde_json::json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "S3 destination",
        "type": "object",
        "required": ["s3_bucket_name", "s3_bucket_path", "s3_bucket_region", "format"],
        "additionalProperties": true,
        "properties": {
            "access_key_id": access_key,
            "secret_access_key": secret,
            "s3_bucket_name": text("Bucket", "The bucket's name.", 2),
            "s3_bucket_path": text("Path", "The folder in the bucket under which everything is written.", 3),
            "s3_bucket_region": { "title": "Region", "type": "string", "default": "", "description": "The bucket's region; us-east-1 when empty.", "order": 4 },
            "s3_endpoint": { "title": "Endpoint", "type": "string", "default": "", "description": "Of another S3-compatible store, for example http://127.0.0.1:9000. Unencrypted only with http.", "order": 5 },
            "s3_path_format": text("Path format", "Of ${NAMESPACE}, ${STREAM_NAME}, ${YEAR}, ${MONTH}, ${DAY}, ${HOUR}, ${MINUTE}, ${SECOND}, ${MILLISECOND}, ${EPOCH}, ${UUID}. Default: ${NAMESPACE}/${STREAM_NAME}/${YEAR}_${MONTH}_${DAY}_${EPOCH}_", 6),
            "file_name_pattern": text("File name", "Of {date}, {timestamp}, {sync_id}, {part_number}, {uuid}, {format_extension}. Default: {part_number}_{uuid}{format_extension}", 7),
            "format": {
                "title": "Format", "type": "object", "order": 8,
                "oneOf": [
                    {
                        "title": "JSONL", "required": ["format_type"],
                        "properties": {
                            "format_type": { "type": "string", "const": "JSONL" },
                            "compression": {
                                "type": "object",
                                "properties": { "compression_type": { "type": "string", "enum": ["GZIP", "No Compression"], "default": "GZIP" } },
                            },
                            "flattening": { "type": "string", "enum": ["No flattening"], "default": "No flattening" },
                        },
                    },
                    {
                        "title": "Parquet", "required": ["format_type"],
                        "properties": {
                            "format_type": { "type": "string", "const": "Parquet" },
                            "compression_codec": { "type": "string", "enum": ["UNCOMPRESSED", "SNAPPY", "GZIP", "LZ4", "ZSTD"], "default": "ZSTD" },
                        },
                    },
                ],
            },
            "max_file_size_mb": { "title": "Size of an object", "type": "integer", "minimum": 1, "default": 200, "description": "At about that many megabytes an object ends and the next begins.", "order": 9 },
            "commit_interval_seconds": { "title": "Commit interval", "type": "integer", "minimum": 0, "default": 60, "description": "How long rows wait at most before they are uploaded and acknowledged.", "order": 10 },
        },
    })
}
