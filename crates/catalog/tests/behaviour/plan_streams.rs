//! Plans about keys, cursors, modes and whole streams, and how plans are serialized and parsed.

use airbyte_protocol::SyncMode;
use catalog::plan::{
    Acceptance, Capabilities, ChangeKind, Decision, Plan, RefreshMode, Severity, plan,
};
use serde_json::{Value, json};

use crate::given::{catalog, keyed, onboarded, path, with};
use crate::plan::{case, case_of, text, whole};

#[test]
fn a_changed_key_waits_and_truncates() {
    let old = keyed("a", json!({ "region": text() }));
    let key = |key: Value| with(old.clone(), json!({ "source_defined_primary_key": key }));
    let case = case(vec![old.clone()], vec![key(json!([["id"], ["region"]]))]);
    let change = &case.plan.changes[0];
    assert_eq!(
        (change.kind, change.severity),
        (ChangeKind::PrimaryKeyChanged, Severity::Breaking)
    );
    assert!(change.breaking_for_airbyte);
    assert_eq!(
        case.none().catalog.streams[0].config.primary_key,
        [path(&["id"])]
    );
    let applied = case.all();
    assert_eq!(applied.catalog.streams[0].config.primary_key.len(), 2);
    assert_eq!(applied.refresh[0].1, RefreshMode::Truncate);
    let lost = crate::plan::case(vec![old.clone()], vec![key(json!([]))]);
    assert_eq!(lost.plan.changes[0].severity, Severity::Warning);
    assert!(!lost.plan.is_breaking_for_airbyte());
    let applied = lost.all();
    assert_eq!(
        applied.catalog.streams[0].config.primary_key,
        [path(&["id"])]
    );
    assert_eq!(applied.refresh, []);
}

#[test]
fn a_retyped_key_or_cursor_waits_for_every_type() {
    let old = keyed("a", json!({}));
    let mut new = old.clone();
    new["json_schema"]["properties"]["id"] = json!({ "type": "string" });
    let case = case(vec![old], vec![new]);
    let change = &case.plan.changes[0];
    assert_eq!(
        (change.severity, change.refresh),
        (Severity::Breaking, Some(RefreshMode::Truncate))
    );
    assert!(!change.breaking_for_airbyte);
    case.none();
    case.all();
}

#[test]
fn a_source_defined_cursor_that_moves_waits() {
    let stream = |cursor: &str| {
        let columns = json!({ "other": { "type": "string", "format": "date-time" } });
        with(
            keyed("a", columns),
            json!({ "source_defined_cursor": true, "default_cursor_field": [cursor] }),
        )
    };
    let case = case(vec![stream("updated_at")], vec![stream("other")]);
    assert_eq!(
        case.kinds(),
        [(
            ChangeKind::CursorChanged,
            String::new(),
            Decision::NeedsAcceptance
        )]
    );
    assert_eq!(
        case.none().catalog.streams[0].config.cursor_field,
        path(&["updated_at"])
    );
    let applied = case.all();
    assert_eq!(
        applied.catalog.streams[0].config.cursor_field,
        path(&["other"])
    );
    assert_eq!(applied.refresh[0].1, RefreshMode::Truncate);
    // A changed proposal does not affect the connection's own choice.
    let proposed = |cursor: &str| {
        with(
            keyed("a", json!({ "other": text() })),
            json!({ "default_cursor_field": [cursor] }),
        )
    };
    let case = crate::plan::case(vec![proposed("updated_at")], vec![proposed("other")]);
    assert_eq!(case.plan.changes[0].decision, Decision::Apply);
    assert_eq!(
        case.all().catalog.streams[0].config.cursor_field,
        path(&["updated_at"])
    );
}

#[test]
fn streams_are_added_and_removed_only_when_accepted() {
    let (a, b) = (keyed("a", json!({})), keyed("b", json!({})));
    let case = case(vec![a.clone()], vec![b.clone()]);
    let kinds: Vec<_> = case
        .plan
        .changes
        .iter()
        .map(|c| (c.kind, c.stream.name.as_str()))
        .collect();
    assert_eq!(
        kinds,
        [
            (ChangeKind::StreamRemoved, "a"),
            (ChangeKind::StreamAdded, "b")
        ]
    );
    let waiting = case.none();
    assert_eq!(waiting.catalog, case.current);
    let applied = case.all();
    assert_eq!(applied.catalog.streams.len(), 1);
    let config = &applied.catalog.streams[0].config;
    assert!(config.selected && config.is_incremental() && config.is_deduped());
    // A stream that was not synced is removed without approval.
    let mut unselected = onboarded(&catalog(vec![a.clone(), b]));
    unselected.streams[1].config.selected = false;
    let case = case_of(unselected, vec![a]);
    assert_eq!(case.plan.changes[0].decision, Decision::Apply);
    assert_eq!(case.none().catalog.streams.len(), 1);
}

#[test]
fn what_is_not_synced_changes_without_approval() {
    let old = keyed("a", json!({ "x": text(), "y": text() }));
    let mut new = with(
        keyed("a", json!({ "y": whole(), "z": text() })),
        json!({ "source_defined_primary_key": [] }),
    );
    new["supported_sync_modes"] = json!(["full_refresh"]);
    let mut unselected = onboarded(&catalog(vec![old.clone()]));
    unselected.streams[0].config.selected = false;
    let case = case_of(unselected, vec![new]);
    assert_eq!(case.plan.proposals().count(), 0);
    let applied = case.all();
    assert!(!applied.catalog.streams[0].config.selected);
    assert_eq!(applied.refresh, []);

    let mut narrow = onboarded(&catalog(vec![old]));
    narrow.streams[0].config.selected_fields =
        Some(vec![path(&["id"]), path(&["updated_at"]), path(&["x"])]);
    let case = case_of(
        narrow,
        vec![keyed("a", json!({ "x": text(), "z": text() }))],
    );
    assert_eq!(case.plan.proposals().count(), 0);
    let applied = case.all();
    assert_eq!(applied.refresh, []);
    assert_eq!(
        applied.catalog.streams[0].config,
        case.current.streams[0].config
    );
}

#[test]
fn an_accepted_removal_leaves_the_selection() {
    let mut narrow = onboarded(&catalog(vec![keyed("a", json!({ "x": text() }))]));
    narrow.streams[0].config.selected_fields =
        Some(vec![path(&["id"]), path(&["updated_at"]), path(&["x"])]);
    let case = case_of(narrow, vec![keyed("a", json!({}))]);
    case.none();
    let fields = case.all().catalog.streams[0]
        .config
        .selected_fields
        .clone()
        .unwrap();
    assert_eq!(fields, [path(&["id"]), path(&["updated_at"])]);
}

#[test]
fn a_removed_read_mode_waits() {
    let old = keyed("a", json!({}));
    let case = case(
        vec![old.clone()],
        vec![with(
            old,
            json!({ "supported_sync_modes": ["full_refresh"] }),
        )],
    );
    assert_eq!(
        case.kinds(),
        [(
            ChangeKind::ModesChanged,
            String::new(),
            Decision::NeedsAcceptance
        )]
    );
    case.none();
    let applied = case.all();
    assert_eq!(
        applied.catalog.streams[0].config.sync_mode,
        SyncMode::FullRefresh
    );
    assert!(applied.notes[0].contains("now fully read"));
}

#[test]
fn metadata_applies_without_approval() {
    let old = keyed("a", json!({}));
    let mut new = with(old.clone(), json!({ "is_resumable": true }));
    new["json_schema"]["additionalProperties"] = json!(false);
    let case = case(vec![old], vec![new]);
    assert_eq!(
        case.kinds(),
        [
            (
                ChangeKind::ResumabilityChanged,
                String::new(),
                Decision::Apply
            ),
            (ChangeKind::Metadata, String::new(), Decision::Apply)
        ]
    );
    case.none();
}

#[test]
fn a_plan_round_trips_and_is_readable() {
    let case = case(
        vec![
            keyed("orders", json!({ "amount": whole(), "legacy": text() })),
            keyed("old", json!({})),
        ],
        vec![
            keyed("orders", json!({ "amount": text(), "note": text() })),
            keyed("refunds", json!({})),
        ],
    );
    let wire = serde_json::to_string(&case.plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&wire).unwrap(), case.plan);
    let shown = case.plan.to_text();
    for expected in [
        "orders\n",
        "- column legacy: text",
        "~ column amount: whole number or null → text or null",
        "+ column note: text",
        "refunds\n  + new stream (2 columns)",
        "old\n  - stream was removed",
        "to be accepted as",
    ] {
        assert!(shown.contains(expected), "{expected:?} is not in\n{shown}");
    }
    let again = plan(&case.current, &case.discovered, &Capabilities::default());
    assert_eq!(again.plan_hash, case.plan.plan_hash);
    let later = crate::plan::case(
        vec![keyed("orders", json!({}))],
        vec![keyed("refunds", json!({}))],
    );
    assert_ne!(later.plan.plan_hash, case.plan.plan_hash);
    assert!(
        case.all()
            .to_text()
            .contains("orders: everything is read again")
    );
}

#[test]
fn acceptance_is_a_keyword_or_a_list() {
    let read = |value: Value| serde_json::from_value::<Acceptance>(value);
    assert_eq!(read(json!("all")).unwrap(), Acceptance::All);
    assert_eq!(read(json!([])).unwrap(), Acceptance::Nothing);
    assert_eq!(
        read(json!(["a"])).unwrap(),
        Acceptance::Ids(vec!["a".to_owned()])
    );
    assert!(read(json!("some")).is_err());
    assert_eq!(serde_json::to_value(Acceptance::All).unwrap(), json!("all"));
}
