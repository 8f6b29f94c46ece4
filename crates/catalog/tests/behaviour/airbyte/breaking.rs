//! When Airbyte disables a connection: R17 to R21.

use catalog::SyncCatalog;
use catalog::diff::{SchemaChange, airbyte};
use serde_json::{Value, json};

use super::{deduped, lines, object, selected, text, whole};
use crate::given::{stream, with};

/// A stream with `id`, `updated` and `note` in those modes, cursor `updated`, key `id`.
fn configured(modes: (&str, &str)) -> SyncCatalog {
    let all = json!({ "id": whole(), "updated": text(), "note": text() });
    let mut entry = deduped(all, json!([["id"]]), json!([]));
    entry["config"]["syncMode"] = json!(modes.0);
    entry["config"]["destinationSyncMode"] = json!(modes.1);
    selected(vec![entry])
}

#[test]
fn r17_losing_cursor_or_key_breaks_only_where_they_are_used() {
    let new = selected(vec![stream("s", json!({ "note": text() }))]);
    for (modes, expected) in [
        (
            ("incremental", "append_dedup"),
            ["remove id !", "remove updated !"],
        ),
        (("incremental", "append"), ["remove id", "remove updated !"]),
        (
            ("full_refresh", "overwrite_dedup"),
            ["remove id !", "remove updated"],
        ),
        (
            ("full_refresh", "append_dedup"),
            ["remove id !", "remove updated"],
        ),
        (
            ("full_refresh", "overwrite"),
            ["remove id", "remove updated"],
        ),
        (("incremental", "update"), ["remove id", "remove updated !"]),
    ] {
        let old = configured(modes);
        assert_eq!(lines(&airbyte(&old, &new, &old)), expected, "{modes:?}");
    }
    // The key within an object is removed with the object; an ancestor of it is not a key.
    let nested = json!({ "ref": object(json!({ "id": whole() })), "updated": text() });
    let old = selected(vec![deduped(nested, json!([["ref", "id"]]), json!([]))]);
    let new = selected(vec![stream("s", json!({ "updated": text() }))]);
    assert_eq!(
        lines(&airbyte(&old, &new, &old)),
        ["remove ref", "remove ref.id !"]
    );
}

#[test]
fn r18_a_changed_source_key_breaks_unless_it_is_gone_unused_or_the_configured_one() {
    let all = json!({ "id": whole(), "region": text(), "updated": text() });
    let verdict = |configured: Value, write: &str, old_key: Value, new_key: Value| {
        let of = |key: Value| {
            let mut entry = deduped(all.clone(), configured.clone(), key);
            entry["config"]["destinationSyncMode"] = json!(write);
            selected(vec![entry])
        };
        let (old, new) = (of(old_key), of(new_key));
        lines(&airbyte(&old, &new, &old))
    };
    let (id, both) = (json!([["id"]]), json!([["id"], ["region"]]));
    let turned = json!([["region"], ["id"]]);
    let breaks = ["update_primary_key !"];
    let changes = ["update_primary_key"];
    for write in ["append_dedup", "overwrite_dedup"] {
        assert_eq!(verdict(id.clone(), write, id.clone(), both.clone()), breaks);
        assert_eq!(
            verdict(id.clone(), write, json!(null), both.clone()),
            breaks
        );
        assert_eq!(
            verdict(both.clone(), write, id.clone(), turned.clone()),
            changes
        );
        assert_eq!(verdict(id.clone(), write, id.clone(), json!([])), changes);
        assert_eq!(verdict(id.clone(), write, id.clone(), json!(null)), changes);
    }
    assert_eq!(
        verdict(id.clone(), "append", id.clone(), both.clone()),
        changes
    );
    assert_eq!(
        verdict(both.clone(), "append_dedup", both.clone(), turned),
        changes,
        "another order is a change, and harmless"
    );
    assert_eq!(
        verdict(id.clone(), "append_dedup", json!([]), json!(null)),
        super::NOTHING,
        "absent is empty"
    );
}

#[test]
fn r19_streams_additions_types_and_capabilities_never_break() {
    let old = configured(("incremental", "append_dedup"));
    let columns = |id: Value, updated: Value| json!({ "id": id, "updated": updated, "note": text(), "more": text() });
    let grown = stream("s", columns(text(), whole()));
    let capabilities = json!({ "supported_sync_modes": ["full_refresh"], "source_defined_cursor": true, "default_cursor_field": ["note"] });
    let other = stream("other", json!({}));
    for new in [
        selected(vec![with(grown, capabilities), other]),
        selected(vec![]),
    ] {
        let diff = airbyte(&old, &new, &old);
        assert!(!diff.is_empty() && !diff.is_breaking(), "{diff:?}");
    }
}

#[test]
fn r20_one_breaking_transform_makes_the_diff_breaking() {
    let more = stream("other", json!({ "a": text() }));
    let mut old = configured(("incremental", "append_dedup"));
    old.streams.extend(selected(vec![more]).streams);
    let other = stream("other", json!({ "a": text(), "b": text() }));
    let all = json!({ "id": whole(), "updated": text(), "note": text() });
    let harmless = selected(vec![stream("s", all.clone()), other.clone()]);
    assert!(!airbyte(&old, &harmless, &old).is_breaking());
    let lost = stream("s", json!({ "updated": text(), "note": text() }));
    assert!(airbyte(&old, &selected(vec![lost, other.clone()]), &old).is_breaking());
    let rekeyed = with(
        stream("s", all),
        json!({ "source_defined_primary_key": [["note"]] }),
    );
    assert!(airbyte(&old, &selected(vec![rekeyed, other]), &old).is_breaking());
}

#[test]
fn r21_a_diff_has_one_of_three_words() {
    let old = configured(("incremental", "append_dedup"));
    let word = |properties: Value| {
        let diff = airbyte(&old, &selected(vec![stream("s", properties)]), &old);
        let word = diff.schema_change();
        assert_eq!(diff.is_empty(), word == SchemaChange::NoChange);
        serde_json::to_value(word).unwrap()
    };
    let all = json!({ "id": whole(), "updated": text(), "note": text() });
    assert_eq!(word(all), "no_change");
    assert_eq!(
        word(json!({ "id": whole(), "updated": text() })),
        "non_breaking"
    );
    assert_eq!(word(json!({ "id": whole(), "note": text() })), "breaking");
}
