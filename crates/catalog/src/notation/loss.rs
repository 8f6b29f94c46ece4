//! Finds what a notation cannot express, by parsing what was written: reports exactly what does not
//! come back.

use std::collections::HashMap;

use airbyte_protocol::StreamDescriptor;
use serde::{Deserialize, Serialize};

use super::Notation;
use crate::fault::Faults;
use crate::model::{Extra, StreamConfig, StreamDef, SyncCatalog, SyncStream};

/// Something that a notation cannot express.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The stream that it belongs to; absent for a member of the catalog itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamDescriptor>,
    /// The member, as `stream.json_schema` or `config.mappers`; `stream` for the whole stream.
    pub member: String,
    /// The reason.
    pub reason: String,
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(stream) = &self.stream {
            write!(f, "{stream}: ")?;
        }
        write!(f, "{}: {}", self.member, self.reason)
    }
}

const UNKNOWN: &str = "unknown to AAM, so its name in the other notation is unknown as well";

/// What `before` has and `after`, which was parsed from the output, lacks.
pub(super) fn between(before: &SyncCatalog, after: &SyncCatalog, to: Notation) -> Vec<Loss> {
    let mut lost = Vec::new();
    unknown(&mut lost, None, "", &before.extra, &after.extra);
    let kept: HashMap<StreamDescriptor, &SyncStream> = after
        .streams
        .iter()
        .map(|entry| (entry.descriptor(), entry))
        .collect();
    for entry in &before.streams {
        let descriptor = entry.descriptor();
        let Some(kept) = kept.get(&descriptor) else {
            lost.push(Loss {
                stream: Some(descriptor),
                member: "stream".to_owned(),
                reason: "only selected streams are listed".to_owned(),
            });
            continue;
        };
        let members = definition(&entry.stream, &kept.stream)
            .into_iter()
            .chain(configuration(&entry.config, &kept.config));
        lost.extend(members.filter(|(_, same)| !same).map(|(member, _)| Loss {
            stream: Some(descriptor.clone()),
            member: member.to_owned(),
            reason: reason(to, member).to_owned(),
        }));
        let at = Some(&descriptor);
        let (stream, config) = (&entry.stream, &entry.config);
        unknown(&mut lost, at, "stream.", &stream.extra, &kept.stream.extra);
        unknown(&mut lost, at, "config.", &config.extra, &kept.config.extra);
        unknown(&mut lost, at, "", &config.beside, &kept.config.beside);
    }
    lost
}

/// Everything, if the output cannot be parsed.
pub(super) fn unreadable(faults: Faults) -> Vec<Loss> {
    let losses = faults.0.into_iter().map(|fault| Loss {
        stream: fault.stream,
        member: fault.path,
        reason: fault.message,
    });
    losses.collect()
}

fn unknown(
    lost: &mut Vec<Loss>,
    stream: Option<&StreamDescriptor>,
    at: &str,
    before: &Extra,
    after: &Extra,
) {
    let gone = before.0.iter().filter(|(name, value)| {
        let kept = after.0.get(*name);
        kept.is_none_or(|kept| kept.get() != value.get())
    });
    lost.extend(gone.map(|(name, _)| Loss {
        stream: stream.cloned(),
        member: format!("{at}{name}"),
        reason: UNKNOWN.to_owned(),
    }));
}

/// Each member of a stream, and whether it is equal. Destructured, so that no new member can be
/// forgotten.
fn definition(before: &StreamDef, after: &StreamDef) -> Vec<(&'static str, bool)> {
    let StreamDef {
        name: _,
        namespace: _,
        json_schema: _,
        supported_sync_modes,
        source_defined_cursor,
        default_cursor_field,
        source_defined_primary_key,
        is_resumable,
        is_file_based,
        extra: _,
    } = before;
    vec![
        ("stream.json_schema", before.same_schema_text(after)),
        (
            "stream.supported_sync_modes",
            *supported_sync_modes == after.supported_sync_modes,
        ),
        (
            "stream.source_defined_cursor",
            *source_defined_cursor == after.source_defined_cursor,
        ),
        (
            "stream.default_cursor_field",
            *default_cursor_field == after.default_cursor_field,
        ),
        (
            "stream.source_defined_primary_key",
            *source_defined_primary_key == after.source_defined_primary_key,
        ),
        ("stream.is_resumable", *is_resumable == after.is_resumable),
        (
            "stream.is_file_based",
            *is_file_based == after.is_file_based,
        ),
    ]
}

fn configuration(before: &StreamConfig, after: &StreamConfig) -> Vec<(&'static str, bool)> {
    let StreamConfig {
        sync_mode,
        destination_sync_mode,
        cursor_field,
        primary_key,
        selected,
        suggested,
        selected_fields,
        hashed_fields,
        mappers,
        alias_name,
        namespace,
        destination_object_name,
        include_files,
        minimum_generation_id,
        generation_id,
        sync_id,
        extra: _,
        beside: _,
    } = before;
    vec![
        ("config.sync_mode", *sync_mode == after.sync_mode),
        (
            "config.destination_sync_mode",
            *destination_sync_mode == after.destination_sync_mode,
        ),
        ("config.cursor_field", *cursor_field == after.cursor_field),
        ("config.primary_key", *primary_key == after.primary_key),
        ("config.selected", *selected == after.selected),
        ("config.suggested", *suggested == after.suggested),
        (
            "config.selected_fields",
            *selected_fields == after.selected_fields,
        ),
        (
            "config.hashed_fields",
            *hashed_fields == after.hashed_fields,
        ),
        ("config.mappers", *mappers == after.mappers),
        ("config.alias_name", *alias_name == after.alias_name),
        ("config.namespace", *namespace == after.namespace),
        (
            "config.destination_object_name",
            *destination_object_name == after.destination_object_name,
        ),
        (
            "config.include_files",
            *include_files == after.include_files,
        ),
        (
            "config.minimum_generation_id",
            *minimum_generation_id == after.minimum_generation_id,
        ),
        (
            "config.generation_id",
            *generation_id == after.generation_id,
        ),
        ("config.sync_id", *sync_id == after.sync_id),
    ]
}

fn reason(to: Notation, member: &str) -> &'static str {
    let of_stream = member.starts_with("stream.");
    match (to, member) {
        (Notation::Protocol, _) => {
            "the protocol's catalog describes what a source offers, not a connection's settings"
        }
        (Notation::Configured, "stream.json_schema") => "narrowed to the selected columns",
        (Notation::Configured, "config.selected_fields") => "only visible in the narrowed schema",
        (Notation::Configured, "config.destination_sync_mode") => {
            "the protocol has no overwrite_dedup; replaced by overwrite"
        }
        (Notation::Configured, "config.mappers") => "applied by the platform, not by connectors",
        (Notation::Public, _) if of_stream => {
            "the public API contains neither schemas nor a source's capabilities"
        }
        (Notation::Public, "config.sync_mode" | "config.destination_sync_mode") => {
            "the public API cannot express this pair of modes"
        }
        (Notation::Public, "config.selected_fields") => {
            "an empty list means all columns in the public API"
        }
        (Notation::Configured, _) => "the protocol has no such member",
        (Notation::Public, _) => "the public API has no such member",
        (Notation::ConfigApi, _) => "the Config API interprets it differently",
    }
}
