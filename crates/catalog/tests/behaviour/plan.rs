//! Plans: what applies without approval, what waits, and the result of accepting.

use airbyte_protocol::{DestinationSyncMode, SyncMode};
use catalog::SyncCatalog;
use catalog::plan::{
    Acceptance, Applied, Capabilities, ChangeKind, Decision, Decisions, Plan, RefreshMode,
    Severity, apply, plan,
};
use serde_json::{Value, json};

use crate::given::{catalog, keyed, onboarded, path, stream, with};

pub(crate) fn text() -> Value {
    json!({ "type": ["null", "string"] })
}

pub(crate) fn whole() -> Value {
    json!({ "type": ["null", "integer"] })
}

pub(crate) struct Case {
    pub(crate) current: SyncCatalog,
    pub(crate) discovered: SyncCatalog,
    pub(crate) plan: Plan,
}

pub(crate) fn case(old: Vec<Value>, new: Vec<Value>) -> Case {
    case_of(onboarded(&catalog(old)), new)
}

pub(crate) fn case_of(current: SyncCatalog, new: Vec<Value>) -> Case {
    let discovered = catalog(new);
    let plan = plan(&current, &discovered, &Capabilities::default());
    Case {
        current,
        discovered,
        plan,
    }
}

impl Case {
    pub(crate) fn apply(&self, acceptance: &Acceptance) -> Applied {
        let decisions = Decisions::accepting(acceptance.clone());
        let accepted = self.plan.decide(&decisions).unwrap();
        apply(
            &self.current,
            &self.discovered,
            &self.plan,
            &accepted,
            &Capabilities::default(),
        )
    }

    pub(crate) fn all(&self) -> Applied {
        let applied = self.apply(&Acceptance::All);
        let rest = plan(&applied.catalog, &self.discovered, &Capabilities::default());
        assert_eq!(rest.changes, [], "accepting everything leaves differences");
        applied
    }

    pub(crate) fn none(&self) -> Applied {
        let applied = self.apply(&Acceptance::Nothing);
        let rest = plan(&applied.catalog, &self.discovered, &Capabilities::default());
        assert_eq!(
            rest.changes, applied.pending,
            "what waits is not seen again"
        );
        applied
    }

    pub(crate) fn kinds(&self) -> Vec<(ChangeKind, String, Decision)> {
        let row = |c: &catalog::plan::Change| (c.kind, c.path.join("."), c.decision);
        self.plan.changes.iter().map(row).collect()
    }
}

#[test]
fn an_unchanged_source_needs_nothing() {
    let streams = vec![keyed("a", json!({ "x": text() }))];
    let case = case(streams.clone(), streams);
    assert!(case.plan.is_empty());
    assert_eq!(case.plan.base_fingerprint, case.plan.discovered_fingerprint);
    assert!(case.plan.to_text().contains("nothing to do"));
}

#[test]
fn an_added_column_is_copied_and_refreshed() {
    let case = case(
        vec![keyed("a", json!({}))],
        vec![keyed("a", json!({ "x": text() }))],
    );
    assert_eq!(
        case.kinds(),
        [(ChangeKind::FieldAdded, "x".to_owned(), Decision::Apply)]
    );
    let applied = case.none();
    assert_eq!(
        applied.catalog.streams[0].stream,
        case.discovered.streams[0].stream
    );
    assert_eq!(applied.refresh.len(), 1);
    assert_eq!(applied.refresh[0].1, RefreshMode::Merge);
    let full = self::case(
        vec![stream("a", json!({}))],
        vec![stream("a", json!({ "x": text() }))],
    );
    assert_eq!(full.none().refresh, []);
}

#[test]
fn a_removed_column_waits_and_stays_visible() {
    let case = case(
        vec![keyed("a", json!({ "x": text() }))],
        vec![keyed("a", json!({}))],
    );
    assert_eq!(
        case.kinds(),
        [(
            ChangeKind::FieldRemoved,
            "x".to_owned(),
            Decision::NeedsAcceptance
        )]
    );
    let waiting = case.none();
    assert!(
        waiting.catalog.streams[0]
            .stream
            .columns()
            .contains(&"x".to_owned())
    );
    assert_eq!(waiting.refresh, []);
    let id = case.plan.changes[0].id.clone();
    assert_eq!(id.len(), 12);
    let applied = case.apply(&Acceptance::Ids(vec![id]));
    assert!(
        !applied.catalog.streams[0]
            .stream
            .columns()
            .contains(&"x".to_owned())
    );
    assert_eq!(applied.pending, []);
    let unknown = Decisions::accepting(Acceptance::Ids(vec!["nope".to_owned()]));
    let unknown = case.plan.decide(&unknown).unwrap_err();
    assert_eq!(unknown.to_string(), "the plan has no change nope");
}

#[test]
fn a_renamed_column_is_added_at_once_and_its_old_name_waits() {
    let case = case(
        vec![keyed("a", json!({ "old": text() }))],
        vec![keyed("a", json!({ "new": text() }))],
    );
    let applied = case.none();
    let columns = applied.catalog.streams[0].stream.columns();
    assert!(columns.contains(&"old".to_owned()) && columns.contains(&"new".to_owned()));
    assert_eq!(applied.pending.len(), 1);
    let applied = case.all();
    assert_eq!(applied.refresh[0].1, RefreshMode::Merge);
}

#[test]
fn type_changes_are_rated_by_whether_old_values_fit() {
    let verdict = |old: Value, new: Value| {
        let case = case(
            vec![keyed("a", json!({ "x": old }))],
            vec![keyed("a", json!({ "x": new }))],
        );
        case.none();
        case.all();
        let change = &case.plan.changes[0];
        assert_eq!(case.plan.changes.len(), 1);
        (change.decision, change.severity, change.refresh)
    };
    let day = json!({ "type": "string", "format": "date" });
    let moment = json!({ "type": "string", "format": "date-time" });
    let number = json!({ "type": "number" });
    let merge = Some(RefreshMode::Merge);
    let harmless = [
        (json!({ "type": "integer" }), number.clone(), merge),
        (whole(), text(), merge),
        (moment.clone(), text(), merge),
        (
            json!({ "type": "array", "items": { "type": "integer" } }),
            json!({ "type": "array", "items": { "type": "number" } }),
            merge,
        ),
    ];
    for (old, new, refresh) in harmless {
        assert_eq!(
            verdict(old.clone(), new.clone()),
            (Decision::Apply, Severity::Safe, refresh),
            "{old} {new}"
        );
    }
    for (old, new, severity) in [
        (json!({ "type": "string" }), text(), Severity::Safe),
        (
            text(),
            json!({ "type": "string", "maxLength": 5 }),
            Severity::Info,
        ),
    ] {
        let expected = (Decision::Apply, severity, None);
        assert_eq!(verdict(old.clone(), new.clone()), expected, "{old} {new}");
    }
    let lossy = [(number, whole()), (text(), whole()), (text(), day)];
    for (old, new) in lossy {
        let expected = (Decision::NeedsAcceptance, Severity::DataLoss, merge);
        assert_eq!(verdict(old.clone(), new.clone()), expected, "{old} {new}");
    }
}

#[test]
fn a_nested_change_is_one_change() {
    let column = |fields: Value| {
        let items = json!({ "type": "object", "properties": fields });
        json!({ "lines": { "type": "array", "items": items } })
    };
    let case = case(
        vec![keyed("a", column(json!({ "sku": text(), "gone": text() })))],
        vec![keyed("a", column(json!({ "sku": whole(), "new": text() })))],
    );
    assert_eq!(
        case.kinds(),
        [
            (
                ChangeKind::FieldRemoved,
                "lines.items.gone".to_owned(),
                Decision::NeedsAcceptance
            ),
            (
                ChangeKind::FieldTypeChanged,
                "lines.items.sku".to_owned(),
                Decision::NeedsAcceptance
            ),
            (
                ChangeKind::FieldAdded,
                "lines.items.new".to_owned(),
                Decision::Apply
            ),
        ]
    );
    let waiting = case.none().catalog;
    let schema: Value = serde_json::from_str(waiting.streams[0].stream.json_schema.get()).unwrap();
    let fields = &schema["properties"]["lines"]["items"]["properties"];
    assert_eq!(
        *fields,
        json!({ "sku": text(), "new": text(), "gone": text() })
    );
    case.all();
}

#[test]
fn losing_the_cursor_breaks_and_falls_back() {
    let old = keyed("a", json!({}));
    let mut new = with(old.clone(), json!({ "default_cursor_field": [] }));
    new["json_schema"]["properties"]
        .as_object_mut()
        .unwrap()
        .remove("updated_at");
    let case = case(vec![old.clone()], vec![new.clone()]);
    let removed = &case.plan.changes[0];
    assert_eq!(
        (removed.severity, removed.decision),
        (Severity::Breaking, Decision::NeedsAcceptance)
    );
    assert!(removed.breaking_for_airbyte && case.plan.is_breaking_for_airbyte());
    assert!(case.none().catalog.streams[0].config.is_incremental());
    let applied = case.all();
    let config = &applied.catalog.streams[0].config;
    assert_eq!(
        (config.sync_mode, config.destination_sync_mode),
        (SyncMode::FullRefresh, DestinationSyncMode::Overwrite)
    );
    assert_eq!(applied.refresh, []);
    assert!(
        applied.notes[0].starts_with("a: its cursor is gone"),
        "{:?}",
        applied.notes
    );

    let mut other = with(new, json!({ "default_cursor_field": ["seen_at"] }));
    other["json_schema"]["properties"]["seen_at"] =
        json!({ "type": "string", "format": "date-time" });
    let case = self::case(vec![old], vec![other]);
    let applied = case.all();
    assert_eq!(
        applied.catalog.streams[0].config.cursor_field,
        path(&["seen_at"])
    );
    assert_eq!(applied.refresh[0].1, RefreshMode::Truncate);
    case.none();
}

#[test]
fn losing_the_key_breaks_and_falls_back() {
    let old = keyed("a", json!({}));
    let mut new = with(old.clone(), json!({ "source_defined_primary_key": [] }));
    new["json_schema"]["properties"]
        .as_object_mut()
        .unwrap()
        .remove("id");
    let case = case(vec![old], vec![new]);
    case.none();
    let applied = case.all();
    let config = &applied.catalog.streams[0].config;
    assert_eq!(
        (config.sync_mode, config.primary_key.len()),
        (SyncMode::FullRefresh, 0)
    );
    assert!(
        applied.notes[0].contains("key is gone"),
        "{:?}",
        applied.notes
    );
}

/// Such a schema declares no column; what the version knew is kept.
#[test]
fn properties_that_is_not_an_object_counts_as_absent() {
    let mut broken = stream("a", json!({}));
    broken["json_schema"]["properties"] = json!([{ "type": "string" }]);
    let case = case(
        vec![stream("a", json!({ "x": text() }))],
        vec![broken.clone()],
    );
    assert_eq!(case.kinds().len(), 1, "{:?}", case.kinds());
    case.none();
    case.all();
    let none = self::case(vec![stream("a", json!({}))], vec![broken]);
    assert!(none.plan.is_empty());
    assert_eq!(none.plan.base_fingerprint, none.plan.discovered_fingerprint);
}
