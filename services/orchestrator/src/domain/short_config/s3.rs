//! S3 as source and as destination. The source requires streams; short fields describe one.

use serde_json::{Map, Value, json};

use super::ActorKind;
use super::build::Builder;
use super::formats::{Format, Formats};
use super::places;
use super::table::{Connector, Field, Scalar};

const fn plain(name: &'static str, constant: &'static str) -> Format {
    Format {
        name,
        constant,
        with: &[],
    }
}

static WRITTEN: Formats = Formats {
    tag: "format_type",
    all: &[
        plain("jsonl", "JSONL"),
        plain("parquet", "Parquet"),
        Format {
            name: "csv",
            constant: "CSV",
            with: &[("flattening", "No flattening")],
        },
        Format {
            name: "avro",
            constant: "Avro",
            with: &[("compression_codec.codec", "no compression")],
        },
    ],
};

static READ: Formats = Formats {
    tag: "filetype",
    all: &[
        plain("csv", "csv"),
        plain("jsonl", "jsonl"),
        plain("parquet", "parquet"),
        plain("avro", "avro"),
    ],
};

pub(super) static DESTINATION: Connector = Connector {
    role: ActorKind::Destination,
    type_name: "s3",
    fields: &[
        Field::text("bucket_name", &["s3_bucket_name"], "Name of the bucket.").required(),
        Field::text(
            "bucket_region",
            &["s3_bucket_region"],
            "Region of the bucket, for example `us-east-1`.",
        )
        .required(),
        Field::text(
            "access_key_id",
            &["access_key_id"],
            "Id of the access key; it and its secret belong together.",
        )
        .secret(),
        Field::text(
            "secret_access_key",
            &["secret_access_key"],
            "Secret of the access key.",
        )
        .secret(),
        Field::text(
            "path_prefix",
            &["s3_bucket_path"],
            "The folder in the bucket under which everything is written; without it, the bucket itself.",
        )
        .or(Scalar::Text("")),
        Field::text(
            "format",
            &["format"],
            "What is written: `jsonl`, `parquet`, `csv` or `avro`, as far as the connector can; or its own object.",
        )
        .of(&WRITTEN)
        .or(Scalar::Text("jsonl")),
        Field::text(
            "endpoint",
            &["s3_endpoint"],
            "Address of another store that speaks S3.",
        ),
    ],
    added: &[],
    parts: None,
};

pub(super) static SOURCE: Connector = Connector {
    role: ActorKind::Source,
    type_name: "s3",
    fields: &[
        Field::text("bucket_name", &["bucket"], "Name of the bucket.").required(),
        Field::text(
            "bucket_region",
            &["region_name"],
            "Region of the bucket; found out when it is not given.",
        ),
        Field::text(
            "access_key_id",
            &["aws_access_key_id"],
            "Id of the access key; none for a public bucket.",
        )
        .secret(),
        Field::text(
            "secret_access_key",
            &["aws_secret_access_key"],
            "Secret of the access key.",
        )
        .secret(),
        Field::text(
            "path_prefix",
            &["streams.0.globs"],
            "The folder whose files are read, those in folders below it too; without it, all.",
        )
        .part(),
        Field::text(
            "format",
            &["streams.0.format"],
            "What the files hold: `csv`, `jsonl`, `parquet` or `avro`; or the connector's own object.",
        )
        .of(&READ)
        .required()
        .part(),
        Field::text(
            "stream_name",
            &["streams.0.name"],
            "Name of the stream; without it, the last part of `path_prefix` or the bucket's name.",
        )
        .part(),
        Field::text(
            "endpoint",
            &["endpoint"],
            "Address of another store that speaks S3.",
        ),
    ],
    added: &[],
    parts: Some((compose, decompose)),
};

const EVERYTHING: &str = "**";

fn compose(parts: &Map<String, Value>, builder: &mut Builder<'_>) {
    if parts.is_empty() {
        return;
    }
    let part = |name: &str| parts.get(name).and_then(Value::as_str);
    let folder = part("path_prefix").unwrap_or_default().trim_matches('/');
    let glob = match folder {
        "" => EVERYTHING.to_owned(),
        folder => format!("{folder}/{EVERYTHING}"),
    };
    let name =
        part("stream_name").map_or_else(|| default_name(folder, &builder.real), str::to_owned);
    let mut stream = json!({"name": name, "globs": [glob]});
    if let Some(format) = parts.get("format") {
        stream["format"] = format.clone();
    }
    let streams = json!([stream]);
    if places::get(&builder.real, "streams").is_some_and(|given| *given != streams) {
        for name in parts.keys() {
            builder.fault(name, "is given twice, also as `streams`");
        }
        return;
    }
    builder.real.insert("streams".to_owned(), streams);
    builder.wrote("streams.0.globs", "path_prefix", true);
    builder.wrote("streams.0.name", "stream_name", true);
    let is_named = builder.is_given_as_text("format");
    builder.wrote("streams.0.format", "format", is_named);
}

fn decompose(rest: &mut Map<String, Value>, short: &mut Map<String, Value>) {
    let Some([Value::Object(stream)]) = rest
        .get("streams")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
    else {
        return;
    };
    let is_plain = stream
        .keys()
        .all(|key| ["name", "globs", "format"].contains(&key.as_str()));
    let name = stream.get("name").and_then(Value::as_str);
    let glob = match stream
        .get("globs")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
    {
        Some([Value::String(glob)]) => glob,
        _ => return,
    };
    let format = stream.get("format").map(|format| READ.name(format));
    let folder = match glob.as_str() {
        EVERYTHING => Some(""),
        glob => glob
            .strip_suffix("/**")
            .filter(|folder| !folder.is_empty() && folder.trim_matches('/') == *folder),
    };
    let (true, Some(name), Some(folder)) = (is_plain, name, folder) else {
        return;
    };
    let mut found = Map::new();
    match format {
        Some(Some(format)) => {
            found.insert("format".to_owned(), format.into());
        }
        Some(None) => return,
        None => {}
    }
    if !folder.is_empty() {
        found.insert("path_prefix".to_owned(), format!("{folder}/").into());
    }
    if name != default_name(folder, rest) {
        found.insert("stream_name".to_owned(), name.into());
    }
    // Short names that would be meaningless or ambiguous next to the rest.
    if found.is_empty() || rest.contains_key("format") {
        return;
    }
    short.extend(found);
    rest.shift_remove("streams");
}

fn default_name(folder: &str, real: &Map<String, Value>) -> String {
    let last = folder.rsplit('/').next().filter(|part| !part.is_empty());
    let bucket = places::get(real, "bucket").and_then(Value::as_str);
    last.or(bucket).unwrap_or("files").to_owned()
}
