//! Renames: exact, strong and weak evidence, and what prevents one.

use catalog::drift::{Capabilities, Change, ChangeKind, Decision, drift};
use catalog::plan::plan;
use catalog::renames::{ColumnSketch, Fact, Grade, Sketch, Sketches};
use serde_json::{Value, json};

use super::{numbered, only_change, selected, with_sketches};
use crate::given::{catalog, keyed, stream};

fn text() -> Value {
    json!({ "type": ["null", "string"] })
}

/// The changes found in `orders`, by path and new path.
fn found(old: Value, new: Value, to: &Capabilities) -> Vec<(ChangeKind, String, String)> {
    let base = selected(vec![keyed("orders", old)]);
    let summary = |change: Change| {
        let to = change.to_path.unwrap_or_default().join(".");
        (change.kind, change.path.join("."), to)
    };
    let changes = drift(&base, &catalog(vec![keyed("orders", new)]), to).changes;
    changes.into_iter().map(summary).collect()
}

fn sketch(column: &str, values: std::ops::Range<u32>) -> ColumnSketch {
    let values: Vec<String> = values.map(|value| value.to_string()).collect();
    ColumnSketch {
        stream: airbyte_protocol::StreamDescriptor {
            name: "orders".to_owned(),
            namespace: None,
        },
        column: column.to_owned(),
        sketch: Sketch::of(b"salt", values.iter().map(String::as_str)),
    }
}

#[test]
fn the_sources_own_id_is_exact_for_any_name() {
    let numbers = |name: &str| json!({ "id": 1, "updated_at": 2, (name): 3 });
    let orders = |name: &str| {
        numbered(
            keyed("orders", json!({ (name): text() })),
            "16384",
            numbers(name),
        )
    };
    let base = selected(vec![orders("zip")]);
    let now = vec![orders("kundenwunsch")];
    let change = only_change(&base, now.clone(), &Capabilities::default());
    let evidence = change.evidence.unwrap();
    assert_eq!(
        (change.kind, evidence.grade),
        (ChangeKind::FieldRenamed, Grade::Exact)
    );
    assert_eq!(evidence.facts, [Fact::SameIdentity { id: "3".to_owned() }]);
    assert_eq!(evidence.confidence, 1.0);

    // Another table's ids are not evidence, and a different id rules it out.
    let other_table = numbered(
        keyed("orders", json!({ "zip_code": text() })),
        "99",
        numbers("zip_code"),
    );
    let kinds = |now: Value| -> Vec<ChangeKind> {
        let changes = drift(&base, &catalog(vec![now]), &Capabilities::default()).changes;
        changes.iter().map(|change| change.kind).collect()
    };
    assert!(
        kinds(other_table).contains(&ChangeKind::FieldRenamed),
        "by its name"
    );
    let other_number = json!({ "id": 1, "updated_at": 2, "zip_code": 4 });
    let other_number = numbered(
        keyed("orders", json!({ "zip_code": text() })),
        "16384",
        other_number,
    );
    assert_eq!(
        kinds(other_number),
        [ChangeKind::FieldRemoved, ChangeKind::FieldAdded]
    );
}

#[test]
fn a_tables_own_id_makes_a_renamed_stream_exact() {
    let named = |name: &str| {
        numbered(
            keyed(name, json!({})),
            "16384",
            json!({ "id": 1, "updated_at": 2 }),
        )
    };
    let change = only_change(
        &selected(vec![named("orders")]),
        vec![named("x")],
        &Capabilities::default(),
    );
    assert_eq!(change.kind, ChangeKind::StreamRenamed);
    assert!(change.evidence.unwrap().is_exact());
    assert_eq!(change.to_stream.unwrap().name, "x");
}

#[test]
fn position_type_and_values_are_strong_evidence() {
    let sketches = Sketches {
        before: vec![sketch("code", 0..500)],
        after: vec![sketch("sku", 100..600)],
    };
    let base = selected(vec![keyed("orders", json!({ "code": text() }))]);
    let now = vec![keyed("orders", json!({ "sku": text() }))];
    let change = only_change(&base, now.clone(), &with_sketches(sketches));
    let evidence = change.evidence.unwrap();
    assert_eq!(evidence.grade, Grade::Strong);
    assert!(
        evidence.facts.contains(&Fact::SamePosition) && evidence.facts.contains(&Fact::SameType)
    );
    assert!(
        evidence
            .facts
            .iter()
            .any(|fact| matches!(fact, Fact::Values { overlap } if *overlap > 0.5))
    );
    assert!(
        change.reason.contains("strong evidence"),
        "{}",
        change.reason
    );

    // The same names without values are not a rename.
    let kinds = found(
        json!({ "code": text() }),
        json!({ "sku": text() }),
        &Capabilities::default(),
    );
    assert_eq!(kinds.len(), 2);
    // Few values overlap by chance.
    let few = Sketches {
        before: vec![sketch("code", 0..3)],
        after: vec![sketch("sku", 0..3)],
    };
    assert_eq!(
        found(
            json!({ "code": text() }),
            json!({ "sku": text() }),
            &with_sketches(few)
        )
        .len(),
        2
    );
}

#[test]
fn different_values_refute_a_rename_by_name() {
    let (old, new) = (
        json!({ "cust_name": text() }),
        json!({ "customer_name": text() }),
    );
    let by_name = found(old.clone(), new.clone(), &Capabilities::default());
    assert_eq!(
        by_name,
        [(
            ChangeKind::FieldRenamed,
            "cust_name".to_owned(),
            "customer_name".to_owned()
        )]
    );
    let other = Sketches {
        before: vec![sketch("cust_name", 0..500)],
        after: vec![sketch("customer_name", 1_000..1_500)],
    };
    assert_eq!(found(old, new, &with_sketches(other)).len(), 2);
}

#[test]
fn a_different_type_is_a_different_column() {
    let changes = found(
        json!({ "cust_no": text() }),
        json!({ "customer_no": { "type": "integer" } }),
        &Capabilities::default(),
    );
    assert_eq!(changes.len(), 2, "{changes:?}");
}

#[test]
fn each_has_one_partner_and_the_better_one_wins() {
    let changes = found(
        json!({ "bill_addr": text(), "ship_addr": text(), "qty": text() }),
        json!({ "billing_address": text(), "shipping_address": text(), "quantity": text() }),
        &Capabilities::default(),
    );
    let pairs: Vec<(&str, &str)> = changes
        .iter()
        .map(|(_, from, to)| (from.as_str(), to.as_str()))
        .collect();
    assert_eq!(
        pairs,
        [
            ("bill_addr", "billing_address"),
            ("ship_addr", "shipping_address"),
            ("qty", "quantity")
        ]
    );
    // Two equally good candidates have a lower confidence than a single one.
    let confidence = |new: Value| {
        let base = selected(vec![keyed("orders", json!({ "addr": text() }))]);
        let changes = drift(
            &base,
            &catalog(vec![keyed("orders", new)]),
            &Capabilities::default(),
        )
        .changes;
        changes
            .into_iter()
            .find_map(|change| change.evidence)
            .map(|evidence| evidence.confidence)
    };
    let alone = confidence(json!({ "address": text() })).unwrap();
    let contested = confidence(json!({ "address": text(), "addresses": text() }));
    assert!(
        contested.is_none_or(|contested| contested < alone),
        "{contested:?} {alone}"
    );
}

#[test]
fn pairs_every_spelling_of_two_hundred_columns() {
    let columns = |camel: bool| {
        let name = |n: usize| {
            if camel {
                format!("someColumnNo{n}")
            } else {
                format!("some_column_no_{n}")
            }
        };
        Value::Object((0..200).map(|n| (name(n), text())).collect())
    };
    let base = selected(vec![stream("wide", columns(true))]);
    let changes = drift(
        &base,
        &catalog(vec![stream("wide", columns(false))]),
        &Capabilities::default(),
    )
    .changes;
    assert_eq!(changes.len(), 200);
    assert!(
        changes
            .iter()
            .all(|change| change.kind == ChangeKind::FieldRenamed)
    );
}

/// Every pair of these is a candidate; the result must come quickly and contain each once.
#[test]
fn pairs_fifty_similar_columns_once_each() {
    let columns = |suffix: &str| {
        let names =
            (0..50_u8).map(|n| format!("address{}{suffix}", "s".repeat(usize::from(n) % 3)));
        let names = names
            .enumerate()
            .map(|(n, name)| (format!("{name}_{n:02}"), text()));
        Value::Object(names.collect())
    };
    let base = selected(vec![stream("wide", columns("es"))]);
    let now = catalog(vec![stream("wide", columns("e"))]);
    let changes = drift(&base, &now, &Capabilities::default()).changes;
    let mut targets: Vec<_> = changes
        .iter()
        .filter_map(|change| change.to_path.clone())
        .collect();
    let pairs = targets.len();
    targets.sort();
    targets.dedup();
    assert_eq!(targets.len(), pairs);
}

#[test]
fn only_exact_renames_apply_without_approval() {
    use catalog::plan::{Basis, plan_for};
    let all = catalog::policy::Policy::parse(r#"{"rules": [], "otherwise": "apply"}"#).unwrap();
    let basis = Basis {
        policy: Some(&all),
        ..Basis::default()
    };
    let weak = (
        keyed("orders", json!({ "cust_name": text() })),
        keyed("orders", json!({ "customer_name": text() })),
    );
    let numbers = |name: &str| json!({ "id": 1, "updated_at": 2, (name): 3 });
    let exact = (
        numbered(weak.0.clone(), "1", numbers("cust_name")),
        numbered(weak.1.clone(), "1", numbers("customer_name")),
    );
    for ((old, new), decision) in [(weak, Decision::NeedsAcceptance), (exact, Decision::Apply)] {
        let base = selected(vec![old]);
        let now = catalog(vec![new]);
        let plan = plan_for(&base, &now, &Capabilities::default(), &basis);
        assert_eq!(plan.changes[0].decision, decision);
        // The default policy requires approval in both cases.
        let careful = self::plan(&base, &now, &Capabilities::default());
        assert_eq!(careful.changes[0].decision, Decision::NeedsAcceptance);
    }
}
