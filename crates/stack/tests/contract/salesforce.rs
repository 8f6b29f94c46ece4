//! An Airbyte whose `Salesforce` definition is a recording connector: what reaches it can be written
//! to a file.

use std::path::Path;

use serde_json::{Value, json};
use test_support::{Stack, StackBuilder, binary};

/// A stack with the recording connector as Salesforce, and Salesforce's variables set.
pub(crate) async fn stack(builder: StackBuilder) -> Stack {
    builder
        .local_connectors(json!([connector(None)]))
        .with("SALESFORCE_CLIENT_ID", "app-key")
        .with("SALESFORCE_CLIENT_SECRET", "app-secret")
        .with("SALESFORCE_REFRESH_TOKEN", "refresh-me")
        .start()
        .await
}

/// The recording connector as Airbyte's Salesforce definition; it writes what it got to `record`.
pub(crate) fn connector(record: Option<&Path>) -> Value {
    let args = record.map_or_else(Vec::new, |record| vec![json!("--record"), json!(record)]);
    json!({
        "definition_id": "b117307c-14b6-41aa-9422-947e34922962",
        "kind": "source",
        "name": "Salesforce",
        "docker_repository": "airbyte/source-salesforce",
        "version": "2.7.0",
        "program": binary("recording_connector"),
        "args": args,
    })
}
