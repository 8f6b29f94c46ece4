//! SHA-256 of a catalog's meaning, which excludes the order of members, the order of a type set,
//! and text for people (titles, descriptions, examples).

use airbyte_protocol::{StreamDescriptor, SyncMode};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::drift::identity::KEYWORD;
use crate::model::{StreamConfig, StreamDef, SyncCatalog};
use crate::node::Node;

impl StreamDef {
    /// Fingerprint of what the source offers: 64 hex digits.
    pub fn fingerprint(&self) -> String {
        self.fingerprint_with(&Node::of(&self.json_schema))
    }

    /// The fingerprint, given the stream's schema as a tree.
    pub(crate) fn fingerprint_with(&self, root: &Node<'_>) -> String {
        let mut out = Vec::with_capacity(self.json_schema.get().len() + 256);
        push(&mut out, &self.name);
        push(&mut out, &self.namespace);
        schema(&mut out, root);
        let mut modes: Vec<bool> = self
            .supported_sync_modes
            .iter()
            .map(|mode| *mode == SyncMode::Incremental)
            .collect();
        modes.sort_unstable();
        modes.dedup();
        push(&mut out, &modes);
        push(&mut out, &self.source_defined_cursor.unwrap_or(false));
        push(&mut out, &self.default_cursor_field);
        push(&mut out, &self.source_defined_primary_key);
        push(&mut out, &self.is_resumable.unwrap_or(false));
        push(&mut out, &self.is_file_based.unwrap_or(false));
        hex::encode(Sha256::digest(&out))
    }
}

impl StreamConfig {
    /// Adds the connection's settings for the stream; a selection is a set.
    fn fingerprint_into(&self, out: &mut Vec<u8>) {
        push(out, &self.selected);
        if !self.selected {
            return;
        }
        push(out, &(self.sync_mode, self.destination_sync_mode));
        push(out, &(&self.cursor_field, &self.primary_key));
        let mut selected = self.selected_fields.clone();
        if let Some(fields) = &mut selected {
            fields.sort_unstable();
            fields.dedup();
        }
        push(out, &selected);
        push(out, &(&self.hashed_fields, &self.mappers.0));
        push(out, &(&self.destination_object_name, &self.include_files));
    }
}

impl SyncCatalog {
    /// Fingerprint of what the source offers, over all streams in any order: 64 hex digits. Equal
    /// fingerprints mean that the source did not drift.
    pub fn fingerprint(&self) -> String {
        combined(
            self.streams
                .iter()
                .map(|s| (s.descriptor(), s.stream.fingerprint()))
                .collect(),
        )
    }

    /// Fingerprint of what the source offers and of the connection's settings. Equal fingerprints
    /// mean that nothing needs to be written.
    pub fn configured_fingerprint(&self) -> String {
        let prints: Vec<String> = self
            .streams
            .iter()
            .map(|entry| entry.stream.fingerprint())
            .collect();
        self.configured_fingerprint_of(prints.iter().map(String::as_str))
    }

    /// As [`Self::configured_fingerprint`], given the streams' fingerprints in their order.
    pub(crate) fn configured_fingerprint_of<'p>(
        &self,
        prints: impl Iterator<Item = &'p str>,
    ) -> String {
        let streams = self.streams.iter().zip(prints).map(|(entry, print)| {
            let mut out = print.as_bytes().to_vec();
            entry.config.fingerprint_into(&mut out);
            (entry.descriptor(), hex::encode(Sha256::digest(&out)))
        });
        combined(streams.collect())
    }
}

/// The fingerprint of a catalog, from those of its streams.
pub(crate) fn combined(mut streams: Vec<(StreamDescriptor, String)>) -> String {
    streams.sort_unstable();
    let mut out = Vec::new();
    push(&mut out, &streams);
    hex::encode(Sha256::digest(&out))
}

/// The first digits of a hash over several values: an id that is identical in every run.
pub(crate) fn short_id(parts: &[&Value]) -> String {
    let mut out = Vec::new();
    for part in parts {
        push(&mut out, part);
    }
    let mut id = hex::encode(Sha256::digest(&out));
    id.truncate(12);
    id
}

/// The canonical text of a schema: equal for equivalent schemas.
pub(crate) fn canonical(node: &Node<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    schema(&mut out, node);
    out
}

fn push<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(&mut *out, value)
        .expect("writing texts and numbers to memory cannot fail");
    out.push(b'\n');
}

fn text(out: &mut Vec<u8>, value: &str) {
    serde_json::to_writer(&mut *out, value).expect("writing a text to memory cannot fail");
}

/// Members that contain text for people.
fn is_annotation(name: &str) -> bool {
    matches!(name, "title" | "description" | "examples" | "$comment")
}

/// `properties` without columns, or that is not an object: treated as absent.
fn is_hollow(name: &str, value: &Node<'_>) -> bool {
    name == "properties" && value.members().is_empty()
}

/// Members whose own members are named by the schema's author, so that none of them is an
/// annotation.
fn is_schema_map(name: &str) -> bool {
    matches!(
        name,
        "properties" | "patternProperties" | "definitions" | "$defs" | "dependentSchemas"
    )
}

fn schema(out: &mut Vec<u8>, node: &Node<'_>) {
    let Node::Object(members) = node else {
        return instance(out, node);
    };
    let mut sorted: Vec<_> = members
        .iter()
        .filter(|(name, value)| !is_annotation(name) && !is_hollow(name, value))
        .collect();
    sorted.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    out.push(b'{');
    for (name, value) in sorted {
        text(out, name);
        out.push(b':');
        match (name.as_ref(), value) {
            ("type", Node::Text(_)) => set(out, std::slice::from_ref(value)),
            ("type" | "required" | "enum", Node::List(items)) => set(out, items),
            // Its members are names of columns, not keywords.
            ("enum" | "const" | "default" | KEYWORD, _) => instance(out, value),
            ("oneOf" | "anyOf" | "allOf" | "items", Node::List(branches)) => {
                out.push(b'[');
                for branch in branches {
                    schema(out, branch);
                    out.push(b',');
                }
                out.push(b']');
            }
            (name, Node::Object(children)) if is_schema_map(name) => {
                let mut children: Vec<_> = children.iter().collect();
                children.sort_unstable_by(|a, b| a.0.cmp(&b.0));
                out.push(b'{');
                for (name, child) in children {
                    text(out, name);
                    out.push(b':');
                    schema(out, child);
                    out.push(b',');
                }
                out.push(b'}');
            }
            _ => schema(out, value),
        }
        out.push(b',');
    }
    out.push(b'}');
}

fn set(out: &mut Vec<u8>, items: &[Node<'_>]) {
    let mut texts: Vec<Vec<u8>> = items
        .iter()
        .map(|item| {
            let mut text = Vec::new();
            instance(&mut text, item);
            text
        })
        .collect();
    texts.sort_unstable();
    texts.dedup();
    out.push(b'[');
    for text in texts {
        out.extend_from_slice(&text);
        out.push(b',');
    }
    out.push(b']');
}

/// Plain JSON with sorted members.
fn instance(out: &mut Vec<u8>, node: &Node<'_>) {
    match node {
        Node::Null => out.extend_from_slice(b"null"),
        Node::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Node::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Node::Text(value) => text(out, value),
        Node::List(items) => {
            out.push(b'[');
            for item in items {
                instance(out, item);
                out.push(b',');
            }
            out.push(b']');
        }
        Node::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            out.push(b'{');
            for (name, value) in sorted {
                text(out, name);
                out.push(b':');
                instance(out, value);
                out.push(b',');
            }
            out.push(b'}');
        }
    }
}
