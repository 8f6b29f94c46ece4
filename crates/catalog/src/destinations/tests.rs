//! The data is complete and matches what is known.

use super::matrix::Matrix;
use super::{Confidence, DestinationKind, Follows, Values, source, sources};
use crate::types::ValueType;

use DestinationKind::{Bigquery, Duckdb, Parquet, Postgres, Redshift, Snowflake, Sqlite, Unknown};
use Follows::{InPlace, Refresh, Refuses};
use ValueType as T;
use Values::{AtRisk, Kept, Lost};

const DATA: &str = include_str!("../../data/destinations.json");

#[test]
fn every_question_has_an_answer_with_a_source() {
    for kind in DestinationKind::ALL {
        let mut verdicts = vec![
            kind.add_column(),
            kind.remove_column(),
            kind.change_key(),
            kind.rename_column(),
        ];
        for from in T::ALL {
            for to in T::ALL {
                verdicts.push(kind.retype(from, to));
            }
        }
        assert_eq!(verdicts.len(), 4 + 14 * 14);
        for verdict in verdicts {
            assert!(!verdict.reason.is_empty(), "{kind}: {verdict:?}");
            let source = source(verdict.source).unwrap_or_else(|| panic!("{verdict:?}"));
            assert!(!source.title.is_empty(), "{verdict:?}");
            let public = source.address.starts_with("https://");
            let own = source.address.starts_with("crates/connectors/");
            let silent = verdict.confidence == Confidence::Assumed;
            assert!(public || own || silent, "{kind}: {verdict:?}");
        }
    }
}

#[test]
fn an_unchanged_type_is_always_followed_in_place() {
    for kind in DestinationKind::ALL {
        for one in T::ALL {
            let same = kind.retype(one, one);
            assert_eq!(
                (same.follows, same.values),
                (InPlace, Kept),
                "{kind} {one:?}"
            );
            for other in T::ALL {
                if kind.column_type(one) == kind.column_type(other) {
                    assert_eq!(
                        kind.retype(one, other).follows,
                        InPlace,
                        "{kind} {one:?} {other:?}"
                    );
                }
            }
        }
    }
}

/// An address within this repository names an existing folder, so that the file is updated when a
/// connector moves.
#[test]
fn the_sources_exist() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for id in sources() {
        let source = source(id).unwrap();
        if source.address.starts_with("crates/") {
            assert!(root.join(source.address).is_dir(), "{id}");
        }
        assert!(
            DATA.matches(&format!("ource\": \"{id}\"")).count() > 0,
            "{id} is used nowhere"
        );
    }
}

#[test]
fn columns_match_what_the_destinations_create() {
    let facts = [
        (Snowflake, T::Number, "FLOAT"),
        (Snowflake, T::Integer, "NUMBER"),
        (Snowflake, T::TimeWithTimezone, "VARCHAR"),
        (Snowflake, T::TimestampWithTimezone, "TIMESTAMP_TZ"),
        (Snowflake, T::Array, "ARRAY"),
        (Bigquery, T::Number, "NUMERIC"),
        (Bigquery, T::Integer, "INT64"),
        (Bigquery, T::TimestampWithoutTimezone, "DATETIME"),
        (Bigquery, T::Object, "JSON"),
        (Redshift, T::Array, "super"),
        (Redshift, T::String, "varchar(65535)"),
        (Postgres, T::Number, "numeric"),
        (Postgres, T::Binary, "bytea"),
        (Sqlite, T::Boolean, "BOOLEAN"),
        (Sqlite, T::Union, ""),
        (Parquet, T::TimeWithTimezone, "STRING"),
        (Duckdb, T::Integer, "BIGINT"),
    ];
    for (kind, value, column) in facts {
        assert_eq!(kind.column_type(value), column, "{kind} {value:?}");
    }
}

#[test]
fn type_changes_match_the_destinations() {
    let facts = [
        (Snowflake, T::Integer, T::Number, InPlace, Kept),
        (Snowflake, T::Number, T::Integer, InPlace, AtRisk),
        (Snowflake, T::Integer, T::String, InPlace, Kept),
        (Snowflake, T::String, T::Integer, Refresh, AtRisk),
        (Snowflake, T::Boolean, T::Date, Refuses, Kept),
        (Snowflake, T::TimeWithTimezone, T::String, InPlace, Kept),
        (Snowflake, T::Object, T::Union, InPlace, Kept),
        (Bigquery, T::Integer, T::Number, InPlace, Kept),
        (Bigquery, T::Number, T::Integer, InPlace, AtRisk),
        (Bigquery, T::Boolean, T::Date, Refuses, Kept),
        (Bigquery, T::Boolean, T::Number, Refuses, Kept),
        (
            Bigquery,
            T::String,
            T::TimestampWithTimezone,
            Refresh,
            AtRisk,
        ),
        (Bigquery, T::Object, T::String, InPlace, Kept),
        (Bigquery, T::Object, T::Array, InPlace, Kept),
        (Redshift, T::Boolean, T::String, Refuses, Kept),
        (Redshift, T::Integer, T::String, InPlace, Kept),
        (Redshift, T::String, T::Object, Refresh, AtRisk),
        (Redshift, T::Number, T::Integer, InPlace, AtRisk),
        (Redshift, T::Date, T::Boolean, Refuses, Kept),
        (Postgres, T::Integer, T::Number, InPlace, Kept),
        (Postgres, T::Number, T::Integer, Refresh, AtRisk),
        (Postgres, T::Boolean, T::Integer, Refresh, Lost),
        (Postgres, T::Object, T::String, InPlace, Kept),
        (Postgres, T::Date, T::TimestampWithTimezone, InPlace, Kept),
        (
            Postgres,
            T::TimeWithTimezone,
            T::TimestampWithTimezone,
            Refresh,
            Lost,
        ),
        (Postgres, T::Integer, T::Binary, InPlace, AtRisk),
        (Sqlite, T::Integer, T::String, InPlace, Kept),
        (Sqlite, T::String, T::Integer, InPlace, AtRisk),
        (Sqlite, T::String, T::Object, InPlace, Kept),
        (Parquet, T::Integer, T::Number, Refresh, Kept),
        (Parquet, T::Date, T::String, Refresh, Kept),
        (Parquet, T::Object, T::Union, InPlace, Kept),
        (Duckdb, T::Integer, T::String, Refuses, Kept),
        (Duckdb, T::String, T::Integer, InPlace, Kept),
        (Duckdb, T::Integer, T::Number, Refuses, AtRisk),
        (
            Duckdb,
            T::Date,
            T::TimestampWithoutTimezone,
            Refuses,
            AtRisk,
        ),
        (Duckdb, T::Array, T::Boolean, InPlace, Kept),
        (Unknown, T::Integer, T::Number, Refresh, Kept),
        (Unknown, T::String, T::Date, Refresh, AtRisk),
    ];
    for (kind, from, to, follows, values) in facts {
        let verdict = kind.retype(from, to);
        assert_eq!(
            (verdict.follows, verdict.values),
            (follows, values),
            "{kind}: {from:?} to {to:?}: {verdict:?}"
        );
    }
}

#[test]
fn column_and_key_changes_match_the_destinations() {
    for kind in DestinationKind::ALL {
        let added = kind.add_column();
        assert_eq!((added.follows, added.values), (InPlace, Kept), "{kind}");
        assert_eq!(kind.rename_column().follows, Refresh, "{kind}");
    }
    for kind in [Sqlite, Parquet, Duckdb] {
        assert_eq!(kind.remove_column().values, Kept, "{kind}");
    }
    for kind in [Postgres, Snowflake, Bigquery, Redshift, Unknown] {
        assert_eq!(kind.remove_column().values, AtRisk, "{kind}");
    }
    assert_eq!(Parquet.change_key().follows, InPlace);
    assert_eq!(Sqlite.change_key().follows, Refresh);
    assert!(Bigquery.nullable_columns());
    assert!(!Snowflake.nullable_columns());
    assert!(!Unknown.nullable_columns());
}

#[test]
fn recognizes_connectors_by_name() {
    let names = [
        ("destination-postgres", Postgres),
        ("airbyte/destination-postgres:2.1", Postgres),
        (
            "registry:5000/airbyte/destination-postgres-strict-encrypt@sha256:ab",
            Postgres,
        ),
        ("Postgres", Postgres),
        ("local", Sqlite),
        ("destination-sqlite", Sqlite),
        ("destination-parquet", Parquet),
        ("MotherDuck", Duckdb),
        ("BigQuery", Bigquery),
        ("Redshift", Redshift),
        ("airbyte/destination-snowflake:4.0.0", Snowflake),
        ("destination-snowflake-cortex", Unknown),
        ("destination-s3", Unknown),
        ("source-postgres", Unknown),
        ("", Unknown),
    ];
    for (name, kind) in names {
        assert_eq!(DestinationKind::of(name), kind, "{name}");
    }
    for kind in DestinationKind::ALL {
        assert_eq!(kind.to_string().parse(), Ok(kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
    let fault = "oracle".parse::<DestinationKind>().unwrap_err();
    assert!(
        fault.to_string().starts_with(
            "unknown kind of destination \"oracle\"; expected one of postgres, sqlite"
        )
    );
}

#[test]
fn rejects_incomplete_data() {
    let refused = |from: &str, to: &str| {
        let text = DATA.replacen(from, to, 1);
        assert_ne!(text, DATA, "{from}");
        Matrix::parse(String::leak(text)).err().unwrap()
    };
    assert_eq!(
        refused("\"sqlite\": {", "\"oracle\": {").split('`').nth(1),
        Some("oracle")
    );
    assert_eq!(
        refused("\"boolean\": \"BOOLEAN\", ", ""),
        "sqlite: Boolean has no column type"
    );
    assert_eq!(
        refused("[\"TEXT\"]", "[\"VARCHAR\"]"),
        "sqlite: \"VARCHAR\" is not a column type"
    );
    assert_eq!(
        refused(
            "\"from\": \"*\", \"to\": \"*\"",
            "\"from\": [\"TEXT\"], \"to\": \"*\""
        ),
        "sqlite: the last rule must cover every type change"
    );
    assert_eq!(
        refused(
            "\"columns_source\": \"aam_sqlite\"",
            "\"columns_source\": \"hearsay\""
        ),
        "sqlite: \"hearsay\" is not a source"
    );
}
