//! One difference between a version and its source, and what is to be done about it.

use airbyte_protocol::StreamDescriptor;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// The source has a new stream.
    StreamAdded,
    /// The source lost a stream.
    StreamRemoved,
    /// A stream has a new column, or a column has a new field inside.
    FieldAdded,
    /// A stream lost a column, or a column a field inside.
    FieldRemoved,
    /// A column, or a field inside one, has another type.
    FieldTypeChanged,
    /// The key that the source defines changed.
    PrimaryKeyChanged,
    /// The cursor that the source defines or proposes changed.
    CursorChanged,
    /// The source reads the stream in other ways.
    ModesChanged,
    /// Something that no record shows.
    Metadata,
}

/// What happens without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It applies by itself.
    Apply,
    /// It waits until a person accepts it.
    NeedsAcceptance,
}

/// How grave a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is at risk.
    Info,
    /// Something is no longer copied; what was copied stays.
    Warning,
    /// The stream cannot go on as it did: its key or cursor is concerned.
    Breaking,
    /// Values can get lost on the way.
    DataLoss,
}

/// What a stream's rows need after a change, in Airbyte's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RefreshMode {
    /// Read everything again and keep the rows.
    Merge,
    /// Read everything again and drop the older rows.
    Truncate,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Twelve hex digits: the same for the same difference in every plan.
    pub id: String,
    /// What changed.
    pub kind: ChangeKind,
    /// In which stream.
    pub stream: StreamDescriptor,
    /// Path of the field; empty where the stream itself changed. The items of a list are the
    /// component `items`.
    #[serde(default)]
    pub path: Vec<String>,
    /// What was there: a schema, or the attribute's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What is there now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// Whether Airbyte disables the connection for it.
    pub breaking_for_airbyte: bool,
    /// Whether it waits for a person.
    pub decision: Decision,
    /// How grave it is.
    pub severity: Severity,
    /// Why the decision is what it is, and what accepting means.
    pub reason: String,
    /// What the stream's rows need once it is applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<RefreshMode>,
}

/// What was decided about a difference.
pub(super) struct Verdict {
    pub(super) decision: Decision,
    pub(super) severity: Severity,
    pub(super) reason: String,
    pub(super) refresh: Option<RefreshMode>,
}

impl Verdict {
    pub(super) fn harmless(reason: impl Into<String>) -> Self {
        Self {
            decision: Decision::Apply,
            severity: Severity::Info,
            reason: reason.into(),
            refresh: None,
        }
    }

    pub(super) fn proposed(severity: Severity, reason: impl Into<String>) -> Self {
        Self {
            decision: Decision::NeedsAcceptance,
            severity,
            reason: reason.into(),
            refresh: None,
        }
    }

    pub(super) fn with_refresh(self, refresh: Option<RefreshMode>) -> Self {
        Self { refresh, ..self }
    }
}

impl Change {
    pub(super) fn new(
        kind: ChangeKind,
        stream: StreamDescriptor,
        path: Vec<String>,
        before: Option<Value>,
        after: Option<Value>,
        verdict: Verdict,
    ) -> Self {
        let identity = serde_json::json!([stream.name, stream.namespace, kind, path]);
        let after_text = after.as_ref().map_or(Value::Null, canonical);
        Self {
            id: crate::fingerprint::short_id(&[&identity, &after_text]),
            kind,
            stream,
            path,
            before,
            after,
            breaking_for_airbyte: false,
            decision: verdict.decision,
            severity: verdict.severity,
            reason: verdict.reason,
            refresh: verdict.refresh,
        }
    }

    /// Whether the change is inside the field at `path`, or is that field's own.
    pub fn is_within(&self, path: &[String]) -> bool {
        self.path.starts_with(path)
    }
}

/// The value as the fingerprint sees it, so that an id survives a reordering of members.
fn canonical(value: &Value) -> Value {
    let text = value.to_string();
    let node = serde_json::from_str(&text).map(|node| crate::fingerprint::canonical(&node));
    node.map_or(Value::from(text), |bytes| {
        String::from_utf8_lossy(&bytes).into()
    })
}
