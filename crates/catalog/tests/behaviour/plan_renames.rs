//! Accepted renames: what is carried over, what is refreshed, and the effects of rejecting and
//! deferring.

use airbyte_protocol::StreamDescriptor;
use catalog::SyncCatalog;
use catalog::plan::{
    Acceptance, Action, Applied, BadDecision, Capabilities, ChangeKind, Decisions, Plan,
    RefreshMode, apply, plan,
};
use serde_json::{Value, json};

use crate::given::{catalog, keyed, onboarded, path, stream, with};
use crate::plan::text;

struct Repair {
    current: SyncCatalog,
    discovered: SyncCatalog,
    capabilities: Capabilities,
    plan: Plan,
}

impl Repair {
    fn of(current: SyncCatalog, now: Vec<Value>, mappers: bool) -> Self {
        let discovered = catalog(now);
        let capabilities = Capabilities {
            mappers,
            ..Capabilities::default()
        };
        let plan = plan(&current, &discovered, &capabilities);
        Self {
            current,
            discovered,
            capabilities,
            plan,
        }
    }

    fn decide(&self, decisions: &Decisions) -> Applied {
        let decided = self.plan.decide(decisions).unwrap();
        let applied = apply(
            &self.current,
            &self.discovered,
            &self.plan,
            &decided,
            &self.capabilities,
        );
        assert_eq!(applied.catalog.check(&[]), Ok(()));
        let again = plan(&applied.catalog, &self.discovered, &self.capabilities);
        let ids = |changes: &[catalog::plan::Change]| -> Vec<String> {
            changes.iter().map(|change| change.id.clone()).collect()
        };
        assert_eq!(ids(&again.changes), ids(&applied.pending));
        assert_eq!(applied.inverse.apply(&applied.catalog), self.current);
        applied
    }

    fn id(&self, kind: ChangeKind) -> String {
        let change = self.plan.changes.iter().find(|change| change.kind == kind);
        change
            .unwrap_or_else(|| panic!("{:#?}", self.plan.changes))
            .id
            .clone()
    }
}

fn accepting(id: String) -> Decisions {
    Decisions::accepting(Acceptance::Ids(vec![id]))
}

fn mapper(from: &str, to: &str) -> Value {
    json!({
        "type": "field-renaming",
        "mapperConfiguration": { "originalFieldName": from, "newFieldName": to },
    })
}

/// A stream whose key is `key` and whose cursor is `cursor`.
fn orders(key: &str, cursor: &str, other: &str) -> Value {
    let columns = json!({
        (key): { "type": "integer" },
        (cursor): { "type": "string", "format": "date-time" },
        (other): text(),
    });
    with(
        stream("orders", columns),
        json!({ "default_cursor_field": [cursor], "source_defined_primary_key": [[key]] }),
    )
}

fn base() -> SyncCatalog {
    onboarded(&catalog(vec![orders(
        "order_id",
        "updated_at",
        "cust_name",
    )]))
}

fn orders_descriptor() -> StreamDescriptor {
    base().streams[0].descriptor()
}

#[test]
fn a_renamed_key_is_carried_over_and_keeps_its_name_downstream() {
    let repair = Repair::of(
        base(),
        vec![orders("order_identifier", "updated_at", "cust_name")],
        true,
    );
    let applied = repair.decide(&Decisions::all());
    let config = &applied.catalog.streams[0].config;
    assert_eq!(config.primary_key, [path(&["order_identifier"])]);
    assert_eq!(config.mappers.0, [mapper("order_identifier", "order_id")]);
    assert!(
        config.is_incremental() && config.is_deduped(),
        "its modes stay"
    );
    assert_eq!(applied.refresh, [], "nothing has to be read again");
    assert!(applied.actions.contains(&Action::SetPrimaryKey {
        stream: orders_descriptor(),
        primary_key: vec![path(&["order_identifier"])],
    }));
}

#[test]
fn without_mappers_a_renamed_key_truncates() {
    let repair = Repair::of(
        base(),
        vec![orders("order_identifier", "updated_at", "cust_name")],
        false,
    );
    let applied = repair.decide(&Decisions::all());
    let config = &applied.catalog.streams[0].config;
    assert_eq!(config.primary_key, [path(&["order_identifier"])]);
    assert!(config.mappers.0.is_empty());
    assert_eq!(
        applied.refresh,
        [(orders_descriptor(), RefreshMode::Truncate)]
    );
    let is_listed = |what: &str| {
        applied
            .irreversible
            .iter()
            .any(|one| one.what.contains(what))
    };
    assert!(
        is_listed("older rows are dropped"),
        "{:?}",
        applied.irreversible
    );
}

#[test]
fn a_renamed_cursor_is_carried_over_and_merged() {
    let repair = Repair::of(
        base(),
        vec![orders("order_id", "modified_at", "cust_name")],
        true,
    );
    assert_eq!(
        repair.plan.changes.len(),
        1,
        "the proposed cursor follows its column"
    );
    let applied = repair.decide(&Decisions::all());
    let config = &applied.catalog.streams[0].config;
    assert_eq!(config.cursor_field, path(&["modified_at"]));
    assert_eq!(config.mappers.0, [mapper("modified_at", "updated_at")]);
    assert_eq!(applied.refresh, [(orders_descriptor(), RefreshMode::Merge)]);
}

#[test]
fn selection_hashing_and_other_mappers_follow() {
    let mut current = base();
    let config = &mut current.streams[0].config;
    config.selected_fields = Some(vec![
        path(&["order_id"]),
        path(&["updated_at"]),
        path(&["cust_name"]),
    ]);
    config.hashed_fields = Some(vec![path(&["cust_name"])]);
    let hashing = json!({
        "type": "hashing",
        "mapperConfiguration": { "targetField": "cust_name", "method": "SHA-256", "fieldNameSuffix": "_h" },
    });
    config.mappers.0 = vec![hashing.clone()];
    let now = || vec![orders("order_id", "updated_at", "customer_name")];
    let applied = Repair::of(current.clone(), now(), true).decide(&Decisions::all());
    let config = &applied.catalog.streams[0].config;
    assert!(
        config
            .selected_fields
            .as_ref()
            .unwrap()
            .contains(&path(&["customer_name"]))
    );
    assert_eq!(config.hashed_fields, Some(vec![path(&["customer_name"])]));
    assert_eq!(
        config.mappers.0,
        [mapper("customer_name", "cust_name"), hashing]
    );
    // If the server lacks such a mapper, the others are updated to the new name.
    let applied = Repair::of(current, now(), false).decide(&Decisions::all());
    let mappers = &applied.catalog.streams[0].config.mappers.0;
    assert_eq!(
        mappers[0]["mapperConfiguration"]["targetField"],
        "customer_name"
    );
    assert_eq!(mappers.len(), 1);
}

#[test]
fn renaming_twice_and_back_leaves_one_mapper_and_then_none() {
    let named = |other: &str| vec![orders("order_id", "updated_at", other)];
    let first = Repair::of(base(), named("customer_name"), true).decide(&Decisions::all());
    let second = Repair::of(first.catalog, named("customername"), true).decide(&Decisions::all());
    let mappers = &second.catalog.streams[0].config.mappers.0;
    assert_eq!(*mappers, [mapper("customername", "cust_name")]);
    let back = Repair::of(second.catalog, named("cust_name"), true).decide(&Decisions::all());
    assert!(back.catalog.streams[0].config.mappers.0.is_empty());
}

#[test]
fn a_rejected_rename_is_a_removal_and_an_addition() {
    let repair = Repair::of(
        base(),
        vec![orders("order_id", "updated_at", "customer_name")],
        true,
    );
    let id = repair.id(ChangeKind::FieldRenamed);
    let reject = Decisions {
        reject: vec![id.clone()],
        ..Decisions::none()
    };
    let applied = repair.decide(&reject);
    let entry = &applied.catalog.streams[0];
    assert!(entry.config.mappers.0.is_empty());
    assert_eq!(applied.pending, []);
    assert!(entry.stream.columns().contains(&"customer_name".to_owned()));
    // Deferring keeps the old shape, at its old position.
    let applied = repair.decide(&Decisions {
        defer: vec![id],
        ..Decisions::all()
    });
    assert_eq!(applied.catalog, repair.current);
}

#[test]
fn a_rejected_column_is_left_out_of_the_selection() {
    let mut now = orders("order_id", "updated_at", "cust_name");
    now["json_schema"]["properties"]["secret"] = json!({ "type": "boolean" });
    let repair = Repair::of(base(), vec![now], true);
    let id = repair.id(ChangeKind::FieldAdded);
    let applied = repair.decide(&Decisions {
        reject: vec![id.clone()],
        ..Decisions::none()
    });
    let config = &applied.catalog.streams[0].config;
    assert!(!config.copies("secret") && config.copies("cust_name"));
    assert_eq!(applied.pending, []);
    // An added column that applies without approval can be deferred: it is then not even known.
    let applied = repair.decide(&Decisions {
        defer: vec![id],
        ..Decisions::none()
    });
    assert_eq!(applied.catalog, repair.current);
}

#[test]
fn rejects_decisions_that_make_no_sense() {
    let now = with(
        orders("order_id", "updated_at", "x_unrelated"),
        json!({ "is_resumable": true }),
    );
    let repair = Repair::of(base(), vec![now], true);
    let removed = repair.id(ChangeKind::FieldRemoved);
    let bad = Decisions {
        accept: Acceptance::Ids(vec!["nope".to_owned(), removed.clone()]),
        defer: vec![removed.clone()],
        reject: vec![repair.id(ChangeKind::ResumabilityChanged)],
    };
    let faults = repair.plan.decide(&bad).unwrap_err().0;
    assert_eq!(faults[0], BadDecision::Unknown("nope".to_owned()));
    assert_eq!(faults[1], BadDecision::Twice(removed));
    assert!(matches!(faults[2], BadDecision::NotRejectable { .. }));
}

#[test]
fn a_renamed_stream_keeps_its_settings() {
    let columns = json!({ "a": text(), "b": text(), "note": text() });
    let mut current = onboarded(&catalog(vec![keyed("orders", columns.clone())]));
    current.streams[0].config.selected_fields =
        Some(vec![path(&["id"]), path(&["updated_at"]), path(&["a"])]);
    let mut now = keyed("order_lines", columns);
    now["json_schema"]["properties"]
        .as_object_mut()
        .unwrap()
        .remove("note");
    let repair = Repair::of(current, vec![now], true);
    let id = repair.id(ChangeKind::StreamRenamed);
    let applied = repair.decide(&accepting(id.clone()));
    let entry = &applied.catalog.streams[0];
    assert_eq!(
        (entry.stream.name.as_str(), applied.catalog.streams.len()),
        ("order_lines", 1)
    );
    assert_eq!(entry.config.primary_key, [path(&["id"])]);
    assert!(entry.config.selected && !entry.config.copies("b"));
    assert!(matches!(applied.actions[0], Action::RenameStream { .. }));
    assert!(applied.irreversible[0].what.contains("another table"));
    let applied = repair.decide(&Decisions {
        reject: vec![id],
        ..Decisions::none()
    });
    assert!(
        applied.catalog.selected().next().is_none(),
        "neither is copied"
    );
}

#[test]
fn a_plan_is_stale_after_any_change() {
    use catalog::destinations::DestinationKind;
    use catalog::plan::{Basis, plan_for};
    use catalog::policy::Word;
    let current = base();
    let now = catalog(vec![orders("order_id", "updated_at", "customer_name")]);
    let hash = |current: &SyncCatalog, now: &SyncCatalog, to: &Capabilities, basis: &Basis<'_>| {
        plan_for(current, now, to, basis).plan_hash
    };
    let (plain, basis) = (Capabilities::default(), Basis::default());
    let first = hash(&current, &now, &plain, &basis);
    assert_eq!(hash(&current, &now, &plain, &basis), first);
    let mut configured = current.clone();
    configured.streams[0].config.selected_fields = Some(vec![
        path(&["order_id"]),
        path(&["updated_at"]),
        path(&["cust_name"]),
    ]);
    let elsewhere = Capabilities {
        destination: DestinationKind::Snowflake,
        ..Capabilities::default()
    };
    let auto = Word::Auto.policy();
    let moved = [
        hash(&configured, &now, &plain, &basis),
        hash(
            &current,
            &catalog(vec![orders("order_id", "updated_at", "name_of_customer")]),
            &plain,
            &basis,
        ),
        hash(&current, &now, &elsewhere, &basis),
        hash(
            &current,
            &now,
            &plain,
            &Basis {
                policy: Some(&auto),
                ..basis
            },
        ),
        hash(
            &current,
            &now,
            &plain,
            &Basis {
                base_version: Some(2),
                ..basis
            },
        ),
    ];
    for (index, hash) in moved.iter().enumerate() {
        assert_ne!(*hash, first, "{index}");
    }
}

#[test]
fn a_whole_plan_round_trips() {
    let repair = Repair::of(
        base(),
        vec![orders("order_identifier", "updated_at", "x_unrelated")],
        true,
    );
    let decided = repair.plan.decide(&Decisions::all()).unwrap();
    let applied = repair.decide(&Decisions::all());
    let whole = repair.plan.clone().with_outcome(&decided, &applied);
    let text = serde_json::to_string(&whole).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), whole);
    let written: Value = serde_json::from_str(&text).unwrap();
    for member in [
        "id",
        "plan_hash",
        "base_fingerprint",
        "discovered_fingerprint",
        "changes",
        "decisions",
        "actions",
        "new_sync_catalog",
        "inverse",
        "irreversible",
        "severity",
        "summary",
    ] {
        assert!(!written[member].is_null(), "{member}");
    }
    let next = SyncCatalog::parse(&written["new_sync_catalog"].to_string()).unwrap();
    assert_eq!(next, applied.catalog);
    assert_eq!(whole.summary, ["orders (may lose values): 3 followed"]);
    let markdown = whole.to_text_in(catalog::plan::Style::Markdown);
    assert!(
        markdown.contains("### orders") && markdown.contains("**breaks the stream**"),
        "{markdown}"
    );
}
