//! One difference between a version and its source.

use airbyte_protocol::StreamDescriptor;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::severity::Judgement;
use crate::renames::Evidence;
use crate::types::Relation;

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// The source has a new stream.
    StreamAdded,
    /// The source lost a stream.
    StreamRemoved,
    /// A stream has another name.
    StreamRenamed,
    /// A stream of that name is in another namespace.
    StreamMoved,
    /// A stream has a new column, or a column has a new field inside.
    FieldAdded,
    /// A stream lost a column, or a column a field inside.
    FieldRemoved,
    /// A field has another name beside the same siblings.
    FieldRenamed,
    /// A field is inside another parent.
    FieldMoved,
    /// A field's `type` is another one.
    FieldTypeChanged,
    /// Only whether a field can be null changed.
    FieldNullabilityChanged,
    /// A field's `format` is another one, its `type` the same.
    FieldFormatChanged,
    /// A field's `airbyte_type` is another one, its `type` and `format` the same.
    FieldAirbyteTypeChanged,
    /// The values that a field can have are listed differently.
    FieldEnumChanged,
    /// A column was dropped and made again under its name.
    FieldRecreated,
    /// The key that the source defines changed.
    PrimaryKeyChanged,
    /// The cursor that the source defines or proposes changed.
    CursorChanged,
    /// The source reads the stream in other ways.
    ModesChanged,
    /// Whether a full refresh of the stream can checkpoint changed.
    ResumabilityChanged,
    /// Something that no record shows.
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

/// How grave a change is for the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing of it reaches the destination.
    Info,
    /// The destination follows and loses nothing.
    Safe,
    /// Something is no longer copied, or looks different downstream; what was copied stays.
    Warning,
    /// The stream cannot go on as it did: itself, its key or its cursor is concerned.
    Breaking,
    /// Values that were copied can get lost.
    DataLoss,
}

impl Severity {
    /// Every severity, the lightest first.
    pub const ALL: [Self; 5] = [
        Self::Info,
        Self::Safe,
        Self::Warning,
        Self::Breaking,
        Self::DataLoss,
    ];
}

/// What the connection uses a changed stream or field for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It is copied.
    Selected,
    /// It is part of the key in use.
    PrimaryKey,
    /// It is the cursor in use.
    Cursor,
}

/// What a change asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// Nothing reaches Airbyte.
    Nothing,
    /// The connection's catalog has to be updated.
    SchemaUpdate,
    /// The catalog has to be updated and the stream read again.
    Refresh,
    /// A person has to choose.
    Choice,
}

/// What a stream's rows need after a change, in Airbyte's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RefreshMode {
    /// Read everything again and keep the rows.
    Merge,
    /// Read everything again and drop the older rows.
    Truncate,
}

/// What happens to a change when nobody decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It applies by itself.
    Apply,
    /// It waits until a person accepts it; the old shape stays.
    NeedsAcceptance,
    /// The old shape stays and nobody is asked.
    Ignore,
    /// The connection stops until a person decides.
    Pause,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Twelve hex digits: the same for the same difference in every plan.
    pub id: String,
    /// What changed.
    pub kind: ChangeKind,
    /// In which stream, by the version's name of it; a new stream by the source's.
    pub stream: StreamDescriptor,
    /// What the stream is called now, where that is what changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_stream: Option<StreamDescriptor>,
    /// Path of the field; empty where the stream itself changed. The items of a list are the
    /// component `items`.
    #[serde(default)]
    pub path: Vec<String>,
    /// Where the field is now, where that is what changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_path: Option<Vec<String>>,
    /// What was there: a schema, or the attribute's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What is there now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// How the type now relates to the type before, null included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relation: Option<Relation>,
    /// What the connection uses it for; empty where it is not copied.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// Why a removal and an addition are taken for one and the same thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// Whether Airbyte disables the connection for it.
    pub breaking_for_airbyte: bool,
    /// How grave it is.
    pub severity: Severity,
    /// What it asks for.
    pub remedy: Remedy,
    /// What the stream's rows need once it is applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<RefreshMode>,
    /// What happens to it when nobody decides.
    pub decision: Decision,
    /// What it means and what accepting does.
    pub reason: String,
}

impl Change {
    /// Whether the change is inside the field at `path`, or is that field's own.
    pub fn is_within(&self, path: &[String]) -> bool {
        self.path.starts_with(path)
    }

    /// Whether it is a rename that nothing but likeness speaks for.
    pub fn is_guess(&self) -> bool {
        self.evidence
            .as_ref()
            .is_some_and(|evidence| !evidence.is_exact())
    }

    /// Whether it can be rejected: an addition can be kept out, a rename be told to be none.
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

/// What was found to have changed, before it is judged.
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

/// The value as the fingerprint sees it, so that an id survives a reordering of members.
fn canonical(value: &Value) -> Value {
    let text = value.to_string();
    let node = serde_json::from_str(&text).map(|node| crate::fingerprint::canonical(&node));
    node.map_or(Value::from(text), |bytes| {
        String::from_utf8_lossy(&bytes).into()
    })
}
