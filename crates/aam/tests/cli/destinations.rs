//! The catalog engine's model of AAM's own destinations matches their behavior: every type changes
//! into every other one, in a table that has rows.

use std::collections::BTreeMap;

use catalog::destinations::{DestinationKind, Follows, Values};
use catalog::types::ValueType;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};

use crate::given::Folder;

/// The schema of a column, and values for it.
fn column(value: ValueType) -> (Value, Vec<Value>) {
    let text = |format: &str, airbyte_type: &str| json!({"type": ["null", "string"], "format": format, "airbyte_type": airbyte_type});
    let plain = |name: &str| json!({"type": ["null", name]});
    match value {
        ValueType::Boolean => (plain("boolean"), vec![json!(true), json!(false)]),
        ValueType::Integer => (plain("integer"), vec![json!(7), json!(-42)]),
        ValueType::Number => (plain("number"), vec![json!(1.5), json!(-2)]),
        ValueType::Date => (text("date", ""), vec![json!("2024-01-02")]),
        ValueType::TimeWithoutTimezone => (
            text("time", "time_without_timezone"),
            vec![json!("10:11:12")],
        ),
        ValueType::TimeWithTimezone => (
            text("time", "time_with_timezone"),
            vec![json!("10:11:12+02:00")],
        ),
        ValueType::TimestampWithoutTimezone => (
            text("date-time", "timestamp_without_timezone"),
            vec![json!("2024-01-02T10:11:12")],
        ),
        ValueType::TimestampWithTimezone => (
            text("date-time", "timestamp_with_timezone"),
            vec![json!("2024-01-02T10:11:12Z")],
        ),
        ValueType::String => (plain("string"), vec![json!("x"), json!("12")]),
        ValueType::Binary => (
            json!({"type": ["null", "string"], "contentEncoding": "base64"}),
            vec![json!("AQL/")],
        ),
        ValueType::Object => (plain("object"), vec![json!({"a": 1})]),
        ValueType::Array => (plain("array"), vec![json!([1, "b"])]),
        ValueType::Union => (
            json!({"type": ["null", "integer", "string"]}),
            vec![json!(1), json!("x")],
        ),
        ValueType::Unknown => (json!({}), vec![json!({"any": "thing"}), json!("x")]),
    }
}

fn pairs() -> impl Iterator<Item = (ValueType, ValueType)> {
    let all = ValueType::ALL.into_iter();
    all.flat_map(|from| ValueType::ALL.map(|to| (from, to)))
}

fn name(from: ValueType, to: ValueType) -> String {
    format!("{from:?}_{to:?}").to_lowercase()
}

/// Appends rows with a column `v` to a table for each pair of types; the column is of the type
/// that `of` picks from the pair.
fn write(
    folder: &Folder,
    connector: &str,
    config: &Value,
    first_id: usize,
    of: impl Fn(ValueType, ValueType) -> ValueType,
) {
    let mut streams = Vec::new();
    let mut lines = String::new();
    for (from, to) in pairs() {
        let name = name(from, to);
        let (schema, values) = column(of(from, to));
        let properties = json!({"id": {"type": "integer"}, "v": schema});
        streams.push(json!({
            "stream": {
                "name": name,
                "json_schema": {"type": "object", "properties": properties},
                "supported_sync_modes": ["full_refresh"],
            },
            "sync_mode": "full_refresh", "destination_sync_mode": "append",
            "generation_id": 1, "minimum_generation_id": 0, "sync_id": 1,
        }));
        for (index, value) in values.iter().enumerate() {
            let record = json!({"stream": name, "emitted_at": 1_700_000_000_000_i64,
                "data": {"id": first_id + index, "v": value}});
            lines += &format!("{}\n", json!({"type": "RECORD", "record": record}));
        }
        let status = json!({"stream_descriptor": {"name": name}, "status": "COMPLETE"});
        let trace = json!({"type": "STREAM_STATUS", "emitted_at": 1.0, "stream_status": status});
        lines += &format!("{}\n", json!({"type": "TRACE", "trace": trace}));
    }
    folder.write("config.json", &config.to_string());
    folder.write("catalog.json", &json!({ "streams": streams }).to_string());
    let args = [
        "connector",
        connector,
        "write",
        "--config",
        "config.json",
        "--catalog",
        "catalog.json",
    ];
    folder.aam_with(&args, &[], &lines).success();
}

/// State of a table: the declared type of `v`, how many of the older rows have a value, and the
/// number of older rows.
type Seen = BTreeMap<String, (String, i64, i64)>;

const NEWER: usize = 100;

fn compare(kind: DestinationKind, before: &Seen, after: &Seen) {
    let mut faults = Vec::new();
    for (from, to) in pairs() {
        let verdict = kind.retype(from, to);
        let (was, ..) = &before[&name(from, to)];
        let (is, with_value, rows) = &after[&name(from, to)];
        assert!(*rows > 0);
        let mut check = |holds: bool, what: &str| {
            if !holds {
                faults.push(format!(
                    "{from:?} to {to:?}: {what}: {is} {with_value}/{rows}: {verdict:?}"
                ));
            }
        };
        check(was == kind.column_type(from), "the column it begins with");
        check(is == kind.column_type(to), "the column it ends with");
        check(verdict.follows != Follows::Refuses, "it does not refuse");
        match verdict.values {
            Values::Kept => check(with_value == rows, "values are kept"),
            Values::Lost => check(*with_value == 0, "values are lost"),
            Values::AtRisk => {}
        }
        let all_there = verdict.follows == Follows::InPlace;
        check(
            !all_there || with_value == rows,
            "in place nothing becomes null",
        );
    }
    assert!(faults.is_empty(), "{kind}:\n{}", faults.join("\n"));
}

/// One result row per table, from a query about each.
fn queries(query: impl Fn(&str) -> String) -> String {
    let each = pairs().map(|(from, to)| query(&name(from, to)));
    each.collect::<Vec<_>>().join(" UNION ALL ")
}

#[tokio::test]
async fn sqlite_behaves_as_modeled() {
    let folder = Folder::new();
    let seen = async || {
        // SQLite combines at most 500 queries.
        let query = queries(|table| {
            format!(
                "SELECT '{table}', (SELECT type FROM pragma_table_info('{table}') WHERE name = 'v'), \
                 count(v), count(*) FROM {table} WHERE id < {NEWER}"
            )
        });
        let options = SqliteConnectOptions::new().filename(folder.path().join("w.db"));
        let mut connection = options.connect().await.unwrap();
        let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(AssertSqlSafe(query))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let rows = rows.into_iter();
        rows.map(|(name, declared, there, all)| (name, (declared, there, all)))
            .collect::<Seen>()
    };
    let config = json!({"path": "w.db"});
    write(&folder, "destination-sqlite", &config, 1, |from, _| from);
    let before = seen().await;
    write(&folder, "destination-sqlite", &config, NEWER, |_, to| to);
    compare(DestinationKind::Sqlite, &before, &seen().await);
}

#[tokio::test]
async fn postgres_behaves_as_modeled() {
    let database = test_support::Database::postgres().await;
    let variables = database.variables();
    let (_, url) = (variables.iter())
        .find(|(name, _)| name == "DATABASE_URL")
        .unwrap();
    let address = url::Url::parse(url).unwrap();
    let config = json!({
        "host": address.host_str(), "port": address.port(), "username": address.username(),
        "password": address.password(), "database": address.path().trim_start_matches('/'),
        "schema": "public",
    });
    let folder = Folder::new();
    let seen = async || {
        let query = queries(|table| {
            format!(
                "SELECT '{table}', (SELECT format_type(atttypid, atttypmod) FROM pg_attribute \
                 WHERE attrelid = '{table}'::regclass AND attname = 'v'), count(v), count(*) \
                 FROM {table} WHERE id < {NEWER}"
            )
        });
        let mut connection = PgConnection::connect(url).await.unwrap();
        let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(AssertSqlSafe(query))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let rows = rows.into_iter();
        rows.map(|(name, declared, there, all)| (name, (declared, there, all)))
            .collect::<Seen>()
    };
    write(&folder, "destination-postgres", &config, 1, |from, _| from);
    let before = seen().await;
    write(&folder, "destination-postgres", &config, NEWER, |_, to| to);
    compare(DestinationKind::Postgres, &before, &seen().await);
}

/// Existing files are never touched, so no change is rejected and no value is lost.
#[test]
fn parquet_behaves_as_modeled() {
    let folder = Folder::new();
    let config = json!({"path": "lake"});
    let files = || {
        let mut files = BTreeMap::new();
        for stream in std::fs::read_dir(folder.path().join("lake")).unwrap() {
            for file in std::fs::read_dir(stream.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                if path
                    .extension()
                    .is_some_and(|extension| extension == "parquet")
                {
                    files.insert(path.clone(), std::fs::read(path).unwrap());
                }
            }
        }
        files
    };
    write(&folder, "destination-parquet", &config, 1, |from, _| from);
    let before = files();
    assert_eq!(before.len(), pairs().count());
    write(&folder, "destination-parquet", &config, NEWER, |_, to| to);
    let after = files();
    assert_eq!(after.len(), 2 * before.len());
    assert!(
        before
            .iter()
            .all(|(path, bytes)| after.get(path) == Some(bytes))
    );
    for (from, to) in pairs() {
        let verdict = DestinationKind::Parquet.retype(from, to);
        assert_ne!(verdict.follows, Follows::Refuses);
        assert_eq!(verdict.values, Values::Kept);
    }
}
