//! One difference between a version and its source.

use airbyte_protocol::StreamDescriptor;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::severity::Judgement;
use crate::renames::Evidence;
use crate::types::Relation;

/// The kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// The source has a new stream.
    StreamAdded,
    /// The source lost a stream.
    StreamRemoved,
    /// A stream was renamed.
    StreamRenamed,
    /// A stream moved to another namespace.
    StreamMoved,
    /// A stream has a new column, or a column has a new nested field.
    FieldAdded,
    /// A stream lost a column, or a column lost a nested field.
    FieldRemoved,
    /// A field was renamed within its parent.
    FieldRenamed,
    /// A field moved to another parent.
    FieldMoved,
    /// A field's `type` changed.
    FieldTypeChanged,
    /// Only a field's nullability changed.
    FieldNullabilityChanged,
    /// A field's `format` changed, but not its `type`.
    FieldFormatChanged,
    /// A field's `airbyte_type` changed, but not its `type` and `format`.
    FieldAirbyteTypeChanged,
    /// A field's list of allowed values changed.
    FieldEnumChanged,
    /// A column was dropped and recreated with the same name.
    FieldRecreated,
    /// The source-defined key changed.
    PrimaryKeyChanged,
    /// The cursor that the source defines or proposes changed.
    CursorChanged,
    /// The source's read modes for the stream changed.
    ModesChanged,
    /// Whether a full refresh of the stream can checkpoint changed.
    ResumabilityChanged,
    /// Something that does not affect records.
    Metadata,
}

impl ChangeKind {
    /// Every kind.
    pub const ALL: [Self; 19] = [
        Self::StreamAdded,
        Self::StreamRemoved,
        Self::StreamRenamed,
        Self::StreamMoved,
        Self::FieldAdded,
        Self::FieldRemoved,
        Self::FieldRenamed,
        Self::FieldMoved,
        Self::FieldTypeChanged,
        Self::FieldNullabilityChanged,
        Self::FieldFormatChanged,
        Self::FieldAirbyteTypeChanged,
        Self::FieldEnumChanged,
        Self::FieldRecreated,
        Self::PrimaryKeyChanged,
        Self::CursorChanged,
        Self::ModesChanged,
        Self::ResumabilityChanged,
        Self::Metadata,
    ];
}

/// How much harm a change can do to the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The change does not reach the destination.
    Info,
    /// The destination follows without loss.
    Safe,
    /// Something is no longer synced, or looks different at the destination; synced data stays.
    Warning,
    /// The stream cannot continue as before: the change concerns the stream itself, its key or its
    /// cursor.
    Breaking,
    /// Synced values can be lost.
    DataLoss,
}

impl Severity {
    /// All severities, in ascending order.
    pub const ALL: [Self; 5] = [
        Self::Info,
        Self::Safe,
        Self::Warning,
        Self::Breaking,
        Self::DataLoss,
    ];
}

/// How the connection uses a changed stream or field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It is synced.
    Selected,
    /// It is part of the primary key in use.
    PrimaryKey,
    /// It is the cursor in use.
    Cursor,
}

/// What a change requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// Nothing is sent to Airbyte.
    Nothing,
    /// The connection's catalog must be updated.
    SchemaUpdate,
    /// The catalog must be updated and the stream refreshed.
    Refresh,
    /// A person must decide.
    Choice,
}

/// The mode of a stream's refresh after a change, in Airbyte's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RefreshMode {
    /// Reads everything again and keeps the rows.
    Merge,
    /// Reads everything again and drops the older rows.
    Truncate,
}

/// What happens to a change without a person's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It is applied.
    Apply,
    /// It waits until a person accepts it; the old shape stays.
    NeedsAcceptance,
    /// The old shape stays and no approval is requested.
    Ignore,
    /// The connection stops until a person decides.
    Pause,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Twelve hex digits: identical for the same difference in every plan.
    pub id: String,
    /// The kind of change.
    pub kind: ChangeKind,
    /// The changed stream, by its name in the version; a new stream by its name in the source.
    pub stream: StreamDescriptor,
    /// The stream's new name, if it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_stream: Option<StreamDescriptor>,
    /// Path of the field; empty if the stream itself changed. The items of a list are the component
    /// `items`.
    #[serde(default)]
    pub path: Vec<String>,
    /// The field's new path, if it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_path: Option<Vec<String>>,
    /// The old value: a schema, or the attribute's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The new value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// How the new type relates to the old one, including null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relation: Option<Relation>,
    /// How the connection uses it; empty if it is not synced.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// Why a removal and an addition are treated as a rename.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// Whether Airbyte disables the connection because of it.
    pub breaking_for_airbyte: bool,
    /// Its severity.
    pub severity: Severity,
    /// What it requires.
    pub remedy: Remedy,
    /// The refresh that the stream needs once the change is applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<RefreshMode>,
    /// What happens to it without a person's decision.
    pub decision: Decision,
    /// What it means and what accepting does.
    pub reason: String,
}

impl Change {
    /// Whether the change is within the field at `path`, or that field's own.
    pub fn is_within(&self, path: &[String]) -> bool {
        self.path.starts_with(path)
    }

    /// Whether it is a rename without exact evidence.
    pub fn is_guess(&self) -> bool {
        self.evidence
            .as_ref()
            .is_some_and(|evidence| !evidence.is_exact())
    }

    /// Whether it can be rejected: an addition can be left out, and a rename can be treated as a
    /// removal and an addition.
    pub fn is_rejectable(&self) -> bool {
        match self.kind {
            ChangeKind::StreamAdded
            | ChangeKind::StreamRenamed
            | ChangeKind::StreamMoved
            | ChangeKind::FieldRenamed
            | ChangeKind::FieldMoved => true,
            // Airbyte selects top-level columns only.
            ChangeKind::FieldAdded => self.path.len() == 1,
            _ => false,
        }
    }
}

/// A detected difference before its severity is determined.
pub(super) struct Found {
    pub(super) kind: ChangeKind,
    pub(super) stream: StreamDescriptor,
    pub(super) to_stream: Option<StreamDescriptor>,
    pub(super) path: Vec<String>,
    pub(super) to_path: Option<Vec<String>>,
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
    pub(super) relation: Option<Relation>,
    pub(super) evidence: Option<Evidence>,
}

impl Found {
    pub(super) fn new(kind: ChangeKind, stream: StreamDescriptor) -> Self {
        Self {
            kind,
            stream,
            to_stream: None,
            path: Vec::new(),
            to_path: None,
            before: None,
            after: None,
            relation: None,
            evidence: None,
        }
    }

    pub(super) fn values(self, before: Value, after: Value) -> Self {
        Self {
            before: Some(before),
            after: Some(after),
            ..self
        }
    }

    pub(super) fn judged(self, roles: Vec<Role>, judgement: Judgement) -> Change {
        let to = (&self.to_stream, &self.to_path);
        let identity = serde_json::json!([
            self.stream.name,
            self.stream.namespace,
            self.kind,
            self.path,
            to
        ]);
        let after = self.after.as_ref().map_or(Value::Null, canonical);
        Change {
            id: crate::fingerprint::short_id(&[&identity, &after]),
            kind: self.kind,
            stream: self.stream,
            to_stream: self.to_stream,
            path: self.path,
            to_path: self.to_path,
            before: self.before,
            after: self.after,
            relation: self.relation,
            roles,
            evidence: self.evidence,
            breaking_for_airbyte: false,
            severity: judgement.severity,
            remedy: judgement.remedy,
            refresh: judgement.refresh,
            decision: Decision::NeedsAcceptance,
            reason: judgement.reason,
        }
    }
}

/// The value in the fingerprint's canonical form, so that an id survives a reordering of members.
fn canonical(value: &Value) -> Value {
    let text = value.to_string();
    let node = serde_json::from_str(&text).map(|node| crate::fingerprint::canonical(&node));
    node.map_or(Value::from(text), |bytes| {
        String::from_utf8_lossy(&bytes).into()
    })
}
