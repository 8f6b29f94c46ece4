//! One difference between a version and its source.

use serde::{Deserialize, Serialize};

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
