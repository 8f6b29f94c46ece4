//! The catalog that Airbyte shows for editing.

use airbyte_protocol::{DestinationSyncMode, SyncMode};
use catalog::propagate::merge;
use serde_json::json;

use super::propagation::{configured, names, offered};
use crate::given::catalog;

#[test]
fn a_merged_catalog_keeps_what_still_holds() {
    let old = catalog(vec![offered(
        "orders",
        &["id", "updated", "name", "unwanted"],
    )]);
    let mut changed = offered("orders", &["id", "updated", "unwanted", "phone"]);
    changed["supported_sync_modes"] = json!(["full_refresh"]);
    changed["source_defined_primary_key"] = json!([["id"], ["updated"]]);
    let new = catalog(vec![changed, offered("refunds", &["id"])]);
    let columns = ["id", "updated", "name"];
    let merged = merge(&configured(&columns, Some(&columns)), &old, &new);
    assert_eq!(names(&merged), ["orders", "refunds"]);
    let (orders, refunds) = (&merged.streams[0], &merged.streams[1]);
    assert!(orders.config.selected && !refunds.config.selected);
    assert_eq!(
        (orders.config.sync_mode, orders.config.destination_sync_mode),
        (SyncMode::FullRefresh, DestinationSyncMode::AppendDedup)
    );
    assert_eq!(orders.config.cursor_field, ["updated"]);
    assert_eq!(orders.config.primary_key, [["id"], ["updated"]]);
    let fields = orders.config.selected_fields.clone().unwrap();
    assert_eq!(fields, [["id"], ["updated"], ["phone"]]);
    assert_eq!(orders.stream.columns().len(), 4);
}
