//! AAM's own diff: every kind of change with its severity, and renames with their evidence.

mod renames;
mod severity;

use catalog::destinations::DestinationKind;
use catalog::drift::{Capabilities, Change, drift};
use catalog::{SyncCatalog, renames::Sketches};
use serde_json::{Value, json};

use crate::given::{catalog, onboarded};

pub(crate) fn into(destination: DestinationKind) -> Capabilities {
    Capabilities {
        destination,
        ..Capabilities::default()
    }
}

pub(crate) fn with_sketches(sketches: Sketches) -> Capabilities {
    Capabilities {
        sketches,
        ..Capabilities::default()
    }
}

/// The one change between two discovered streams, the first one onboarded.
pub(crate) fn only_change(base: &SyncCatalog, now: Vec<Value>, to: &Capabilities) -> Change {
    let mut changes = drift(base, &catalog(now), to).changes;
    assert_eq!(changes.len(), 1, "{changes:#?}");
    changes.remove(0)
}

pub(crate) fn selected(streams: Vec<Value>) -> SyncCatalog {
    onboarded(&catalog(streams))
}

/// A stream whose columns have ids in a table.
pub(crate) fn numbered(mut stream: Value, table: &str, columns: Value) -> Value {
    stream["json_schema"]["x-column-ids"] = json!({ "table": table, "columns": columns });
    stream
}
