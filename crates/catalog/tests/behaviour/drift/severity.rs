//! Every kind of change, with its severity and remedy for different destinations.

use airbyte_protocol::{DestinationSyncMode, SyncMode};
use catalog::SyncCatalog;
use catalog::destinations::DestinationKind as D;
use catalog::drift::{ChangeKind as K, RefreshMode, Remedy as R, Severity as S, drift};
use serde_json::{Value, json};

use super::{into, numbered, only_change, selected};
use crate::given::{catalog, keyed, with};

fn text() -> Value {
    json!({ "type": ["null", "string"] })
}

fn columns(columns: Value) -> Value {
    keyed("orders", columns)
}

/// The same base with every sync rewriting the table.
fn overwritten(mut base: SyncCatalog) -> SyncCatalog {
    for entry in &mut base.streams {
        entry.config.sync_mode = SyncMode::FullRefresh;
        entry.config.destination_sync_mode = DestinationSyncMode::Overwrite;
    }
    base
}

/// The expected result for a stream with deduplication in three destinations, and for one that is
/// overwritten.
fn expect(old: Value, new: Value, kind: K, dedup: [(D, S, R); 3], overwrite: S) {
    let base = selected(vec![old]);
    for (destination, severity, remedy) in dedup {
        let change = only_change(&base, vec![new.clone()], &into(destination));
        assert_eq!(
            (change.kind, change.severity, change.remedy),
            (kind, severity, remedy),
            "{destination}: {}",
            change.reason
        );
        let refreshes = change.refresh.is_some();
        assert!(remedy != R::Refresh || refreshes, "{}", change.reason);
        assert!(!change.reason.is_empty());
    }
    for destination in [D::Postgres, D::Snowflake, D::Parquet] {
        let change = only_change(
            &overwritten(base.clone()),
            vec![new.clone()],
            &into(destination),
        );
        let rating = (change.kind, change.severity, change.refresh);
        assert_eq!(
            rating,
            (kind, overwrite, None),
            "{destination}: {}",
            change.reason
        );
    }
}

fn everywhere(severity: S, remedy: R) -> [(D, S, R); 3] {
    [D::Postgres, D::Snowflake, D::Bigquery].map(|destination| (destination, severity, remedy))
}

#[test]
fn stream_added() {
    let base = selected(vec![columns(json!({}))]);
    for destination in [D::Postgres, D::Sqlite, D::Redshift] {
        let now = vec![columns(json!({})), keyed("refunds", json!({}))];
        let change = only_change(&base, now, &into(destination));
        let rating = (change.kind, change.severity, change.remedy);
        assert_eq!(rating, (K::StreamAdded, S::Info, R::Choice));
    }
}

#[test]
fn stream_removed() {
    let both = vec![columns(json!({})), keyed("refunds", json!({}))];
    let mut base = selected(both);
    for destination in [D::Postgres, D::Sqlite, D::Redshift] {
        let change = only_change(&base, vec![columns(json!({}))], &into(destination));
        let rating = (change.kind, change.severity, change.remedy);
        assert_eq!(rating, (K::StreamRemoved, S::Breaking, R::Choice));
    }
    base.streams[1].config.selected = false;
    for destination in [D::Postgres, D::Sqlite, D::Redshift] {
        let change = only_change(&base, vec![columns(json!({}))], &into(destination));
        let rating = (change.kind, change.severity, change.remedy);
        assert_eq!(rating, (K::StreamRemoved, S::Info, R::Nothing));
        assert!(change.roles.is_empty());
    }
}

#[test]
fn stream_renamed_and_moved() {
    let four = json!({ "a": text(), "b": text(), "c": text() });
    let base = selected(vec![columns(four.clone())]);
    let moved = with(columns(four.clone()), json!({ "namespace": "sales" }));
    for destination in [D::Postgres, D::Duckdb, D::Bigquery] {
        let renamed = vec![keyed("order", four.clone())];
        let change = only_change(&base, renamed, &into(destination));
        let rating = (change.kind, change.severity, change.remedy);
        assert_eq!(rating, (K::StreamRenamed, S::Breaking, R::Choice));
        let change = only_change(&base, vec![moved.clone()], &into(destination));
        let rating = (change.kind, change.severity, change.remedy);
        assert_eq!(rating, (K::StreamMoved, S::Breaking, R::Choice));
    }
}

#[test]
fn field_added() {
    expect(
        columns(json!({})),
        columns(json!({ "x": text() })),
        K::FieldAdded,
        everywhere(S::Safe, R::Refresh),
        S::Safe,
    );
}

#[test]
fn field_removed() {
    // Some connectors keep the column, others drop it with its values.
    expect(
        columns(json!({ "x": text() })),
        columns(json!({})),
        K::FieldRemoved,
        [
            (D::Sqlite, S::Warning, R::Choice),
            (D::Parquet, S::Warning, R::Choice),
            (D::Snowflake, S::DataLoss, R::Choice),
        ],
        S::Warning,
    );
    // The cursor's and the key's columns are essential to the stream.
    for gone in ["updated_at", "id"] {
        let mut now = columns(json!({}));
        let fields = now["json_schema"]["properties"].as_object_mut().unwrap();
        fields.remove(gone);
        expect(
            columns(json!({})),
            now,
            K::FieldRemoved,
            everywhere(S::Breaking, R::Choice),
            S::Warning,
        );
    }
}

#[test]
fn field_renamed_and_moved() {
    let named = |name: &str| columns(json!({ (name): text() }));
    expect(
        named("cust_name"),
        named("customer_name"),
        K::FieldRenamed,
        everywhere(S::Warning, R::Choice),
        S::Warning,
    );
    let inside = |fields: Value| json!({ "type": "object", "properties": fields });
    let (a, b) = (json!({ "type": "integer" }), json!({ "type": "boolean" }));
    expect(
        columns(
            json!({ "one": inside(json!({ "zip_code": text(), "a": a })), "two": inside(json!({ "b": b })) }),
        ),
        columns(
            json!({ "one": inside(json!({ "a": a })), "two": inside(json!({ "b": b, "zip_code": text() })) }),
        ),
        K::FieldMoved,
        everywhere(S::Warning, R::Choice),
        S::Warning,
    );
}

#[test]
fn field_type_changed() {
    let typed = |schema: Value| columns(json!({ "x": schema }));
    let (whole, number) = (json!({ "type": "integer" }), json!({ "type": "number" }));
    // Widening: the destinations' behavior differs, but nothing is lost.
    for destination in [
        D::Postgres,
        D::Sqlite,
        D::Parquet,
        D::Duckdb,
        D::Snowflake,
        D::Bigquery,
    ] {
        let base = selected(vec![typed(whole.clone())]);
        let change = only_change(&base, vec![typed(number.clone())], &into(destination));
        assert_eq!(change.kind, K::FieldTypeChanged);
        assert!(
            matches!(change.severity, S::Safe | S::Breaking),
            "{destination} {}",
            change.reason
        );
    }
    // Narrowing and incomparable: values may be lost.
    expect(
        typed(text()),
        typed(json!({ "type": ["null", "integer"] })),
        K::FieldTypeChanged,
        everywhere(S::DataLoss, R::Choice),
        S::Warning,
    );
    expect(
        typed(json!({ "type": "boolean" })),
        typed(json!({ "type": "string", "format": "date" })),
        K::FieldTypeChanged,
        [
            (D::Postgres, S::DataLoss, R::Choice),
            (D::Snowflake, S::Breaking, R::Choice),
            (D::Bigquery, S::Breaking, R::Choice),
        ],
        S::Warning,
    );
    // SQLite's columns hold texts and numbers alike, so existing values stay.
    let base = selected(vec![typed(text())]);
    let now = vec![typed(
        json!({ "type": ["null", "string"], "format": "date" }),
    )];
    let change = only_change(&base, now, &into(D::Sqlite));
    assert_eq!(
        (change.kind, change.severity),
        (K::FieldFormatChanged, S::Warning)
    );
}

#[test]
fn a_retyped_key_or_cursor_breaks_everywhere() {
    let mut key = columns(json!({}));
    key["json_schema"]["properties"]["id"] = json!({ "type": "string" });
    let mut cursor = columns(json!({}));
    cursor["json_schema"]["properties"]["updated_at"] = json!({ "type": "integer" });
    for (now, kind) in [(key, K::FieldTypeChanged), (cursor, K::FieldTypeChanged)] {
        let base = selected(vec![columns(json!({}))]);
        for destination in [D::Postgres, D::Sqlite, D::Snowflake] {
            let change = only_change(&base, vec![now.clone()], &into(destination));
            let rating = (change.kind, change.severity, change.refresh);
            assert_eq!(rating, (kind, S::Breaking, Some(RefreshMode::Truncate)));
            assert!(!change.breaking_for_airbyte, "Airbyte lets it through");
        }
    }
}

#[test]
fn field_format_changed() {
    let typed = |format: &str| columns(json!({ "x": { "type": "string", "format": format } }));
    expect(
        typed("email"),
        typed("uri"),
        K::FieldFormatChanged,
        everywhere(S::Info, R::SchemaUpdate),
        S::Info,
    );
    let base = selected(vec![typed("date-time")]);
    for destination in [D::Postgres, D::Snowflake, D::Bigquery] {
        let change = only_change(&base, vec![typed("date")], &into(destination));
        let rating = (change.kind, change.severity);
        assert_eq!(
            rating,
            (K::FieldFormatChanged, S::DataLoss),
            "{destination} {}",
            change.reason
        );
    }
}

#[test]
fn field_airbyte_type_changed() {
    let typed = |airbyte_type: &str| {
        columns(
            json!({ "x": { "type": "string", "format": "date-time", "airbyte_type": airbyte_type } }),
        )
    };
    let (zoned, local) = ("timestamp_with_timezone", "timestamp_without_timezone");
    let base = selected(vec![typed(zoned)]);
    for destination in [D::Postgres, D::Snowflake, D::Bigquery] {
        let change = only_change(&base, vec![typed(local)], &into(destination));
        assert_eq!(change.kind, K::FieldAirbyteTypeChanged);
        assert!(
            change.severity >= S::Warning,
            "{destination} {}",
            change.reason
        );
        assert_eq!(change.relation, Some(catalog::types::Relation::Lossy));
    }
}

#[test]
fn field_nullability_changed() {
    let typed = |types: Value| columns(json!({ "x": { "type": types } }));
    let base = selected(vec![typed(json!("string"))]);
    for destination in [D::Postgres, D::Snowflake, D::Bigquery, D::Sqlite] {
        let now = vec![typed(json!(["null", "string"]))];
        let change = only_change(&base, now, &into(destination));
        let severity = if destination.nullable_columns() {
            S::Info
        } else {
            S::Safe
        };
        let rating = (change.kind, change.severity, change.remedy);
        let expected = (K::FieldNullabilityChanged, severity, R::SchemaUpdate);
        assert_eq!(rating, expected, "{destination}");
    }
    expect(
        typed(json!(["null", "string"])),
        typed(json!("string")),
        K::FieldNullabilityChanged,
        everywhere(S::Info, R::SchemaUpdate),
        S::Info,
    );
    let mut nullable_key = columns(json!({}));
    nullable_key["json_schema"]["properties"]["id"] = json!({ "type": ["null", "integer"] });
    let base = selected(vec![columns(json!({}))]);
    for destination in [D::Postgres, D::Snowflake, D::Bigquery] {
        let change = only_change(&base, vec![nullable_key.clone()], &into(destination));
        let rating = (change.kind, change.severity, change.remedy);
        assert_eq!(rating, (K::FieldNullabilityChanged, S::Warning, R::Choice));
    }
}

#[test]
fn field_enum_changed() {
    let listed = |values: Value| columns(json!({ "x": { "type": "string", "enum": values } }));
    expect(
        listed(json!(["new", "paid"])),
        listed(json!(["new", "paid", "void"])),
        K::FieldEnumChanged,
        everywhere(S::Info, R::SchemaUpdate),
        S::Info,
    );
}

#[test]
fn field_recreated() {
    let numbers = |x: u32| json!({ "id": 1, "updated_at": 2, "x": x });
    let stream = |x: u32| numbered(columns(json!({ "x": text() })), "16384", numbers(x));
    expect(
        stream(3),
        stream(7),
        K::FieldRecreated,
        everywhere(S::Info, R::Nothing),
        S::Info,
    );
    // Swapped names mix two columns' data.
    let two = |a: u32, b: u32| {
        let numbers = json!({ "id": 1, "updated_at": 2, "a": a, "b": b });
        numbered(
            columns(json!({ "a": text(), "b": text() })),
            "16384",
            numbers,
        )
    };
    let changes = drift(
        &selected(vec![two(3, 4)]),
        &catalog(vec![two(4, 3)]),
        &into(D::Postgres),
    )
    .changes;
    let rating: Vec<_> = changes.iter().map(|c| (c.kind, c.severity)).collect();
    assert_eq!(rating, [(K::FieldRecreated, S::Warning); 2]);
}

#[test]
fn primary_key_changed() {
    let key = |key: Value| {
        with(
            columns(json!({ "region": text() })),
            json!({ "source_defined_primary_key": key }),
        )
    };
    let id = || key(json!([["id"]]));
    expect(
        id(),
        key(json!([["id"], ["region"]])),
        K::PrimaryKeyChanged,
        everywhere(S::Breaking, R::Choice),
        S::Info,
    );
    expect(
        id(),
        key(json!([])),
        K::PrimaryKeyChanged,
        everywhere(S::Warning, R::Choice),
        S::Info,
    );
}

#[test]
fn cursor_changed() {
    let cursor = |field: &str| {
        let stream = columns(json!({ "seen_at": { "type": "string", "format": "date-time" } }));
        with(
            stream,
            json!({ "source_defined_cursor": true, "default_cursor_field": [field] }),
        )
    };
    expect(
        cursor("updated_at"),
        cursor("seen_at"),
        K::CursorChanged,
        everywhere(S::Breaking, R::Choice),
        S::Info,
    );
}

#[test]
fn modes_changed() {
    let modes = |modes: Value| with(columns(json!({})), json!({ "supported_sync_modes": modes }));
    expect(
        modes(json!(["full_refresh", "incremental"])),
        modes(json!(["full_refresh"])),
        K::ModesChanged,
        everywhere(S::Breaking, R::Choice),
        S::Info,
    );
}

#[test]
fn resumability_and_metadata_changed() {
    let stream = |member: &str, value: Value| with(columns(json!({})), json!({ (member): value }));
    for (member, kind) in [
        ("is_resumable", K::ResumabilityChanged),
        ("is_file_based", K::Metadata),
    ] {
        expect(
            columns(json!({})),
            stream(member, json!(true)),
            kind,
            everywhere(S::Info, R::SchemaUpdate),
            S::Info,
        );
    }
}

#[test]
fn changes_of_what_is_not_synced_are_information() {
    let old = columns(json!({ "x": text(), "y": text() }));
    let mut base = selected(vec![old]);
    base.streams[0].config.selected = false;
    let now = vec![columns(json!({ "y": { "type": "integer" }, "z": text() }))];
    for destination in [D::Postgres, D::Sqlite, D::Redshift] {
        let found = drift(&base, &catalog(now.clone()), &into(destination));
        assert_eq!(found.changes.len(), 3);
        assert!(
            found
                .changes
                .iter()
                .all(|c| (c.severity, c.remedy) == (S::Info, R::Nothing))
        );
    }
}

#[test]
fn a_nested_change_is_one_change_without_its_ancestors() {
    let nested = |leaf: Value| {
        let inner = json!({ "type": "object", "properties": { "leaf": leaf } });
        let list = json!({ "type": "array", "items": inner });
        columns(json!({ "outer": { "type": "object", "properties": { "list": list } } }))
    };
    let base = selected(vec![nested(text())]);
    let now = vec![nested(json!({ "type": "integer" }))];
    let change = only_change(&base, now, &into(D::Postgres));
    assert_eq!(change.path, ["outer", "list", "items", "leaf"]);
    assert_eq!(
        (change.kind, change.severity),
        (K::FieldTypeChanged, S::Warning)
    );
}
