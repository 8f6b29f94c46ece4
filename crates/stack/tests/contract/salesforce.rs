//! An Airbyte whose `Salesforce` definition is a recording connector: what reaches it is written
//! to a file.

use std::path::PathBuf;

use serde_json::{Value, json};
use test_support::{Stack, StackBuilder, binary};

/// A stack with the recording connector as Salesforce, and Salesforce's variables set.
pub(crate) async fn stack(builder: StackBuilder) -> Stack {
    builder
        .local_connectors(json!([connector(&record_file())]))
        .with("SALESFORCE_CLIENT_ID", "app-key")
        .with("SALESFORCE_CLIENT_SECRET", "app-secret")
        .with("SALESFORCE_REFRESH_TOKEN", "refresh-me")
        .start()
        .await
}

/// Where one test's connector writes what it got.
pub(crate) fn record_file() -> PathBuf {
    std::env::temp_dir().join(format!(
        "aam-recorded-{}.jsonl",
        uuid::Uuid::new_v4().simple()
    ))
}

/// The recording connector as Airbyte's Salesforce definition.
pub(crate) fn connector(record: &std::path::Path) -> Value {
    json!({
        "definition_id": "b117307c-14b6-41aa-9422-947e34922962",
        "kind": "source",
        "name": "Salesforce",
        "docker_repository": "airbyte/source-salesforce",
        "version": "2.7.0",
        "program": binary("recording_connector"),
        "args": ["--record", record],
    })
}
