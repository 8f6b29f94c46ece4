//! A plan for a person to read: grouped by stream, types in words, ids to accept by.

use std::fmt::Write as _;

use indexmap::IndexMap;
use serde_json::Value;

use super::change::{Change, ChangeKind, Decision, RefreshMode, Severity};
use super::types::describe;
use super::{Applied, Plan};

impl Plan {
    /// The plan in words, grouped by stream. Lines end in newlines.
    pub fn to_text(&self) -> String {
        if self.is_empty() {
            return "The source offers what the connection expects: nothing to do.\n".to_owned();
        }
        let mut text = String::new();
        let (automatic, waiting) = (self.automatic().count(), self.proposals().count());
        line(
            &mut text,
            format_args!("{automatic} applied by itself, {waiting} to be accepted"),
        );
        render(&mut text, &self.changes);
        if self.is_breaking_for_airbyte() {
            line(
                &mut text,
                format_args!(
                    "\nAirbyte disables the connection at its next sync unless what breaks is accepted."
                ),
            );
        }
        text
    }
}

impl Applied {
    /// What was done beyond the plan, what waits and what is read again. Lines end in newlines.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for note in &self.notes {
            line(&mut text, format_args!("{note}"));
        }
        for (stream, mode) in &self.refresh {
            let what = match mode {
                RefreshMode::Merge => "its rows are kept",
                RefreshMode::Truncate => "older rows are dropped when that is done",
            };
            line(
                &mut text,
                format_args!("{stream}: everything is read again; {what}"),
            );
        }
        if !self.pending.is_empty() {
            line(
                &mut text,
                format_args!("{} to be accepted", self.pending.len()),
            );
            render(&mut text, &self.pending);
        }
        text
    }
}

impl Change {
    /// The change in one line: `- column amount: whole number → text`.
    pub fn headline(&self) -> String {
        let path = self.path.join(".");
        let field = if self.path.len() > 1 {
            "field"
        } else {
            "column"
        };
        let before = self.before.as_ref().unwrap_or(&Value::Null);
        let after = self.after.as_ref().unwrap_or(&Value::Null);
        match self.kind {
            ChangeKind::StreamAdded => format!("+ new stream ({})", columns(after)),
            ChangeKind::StreamRemoved => format!("- stream is gone ({})", columns(before)),
            ChangeKind::FieldAdded => format!("+ {field} {path}: {}", describe(after)),
            ChangeKind::FieldRemoved => format!("- {field} {path}: {}", describe(before)),
            ChangeKind::FieldTypeChanged => {
                let (was, is) = (describe(before), describe(after));
                if was == is {
                    format!("~ {field} {path}: {is}, restated")
                } else {
                    format!("~ {field} {path}: {was} → {is}")
                }
            }
            ChangeKind::PrimaryKeyChanged => format!("~ key: {} → {}", paths(before), paths(after)),
            ChangeKind::CursorChanged => {
                format!("~ cursor: {} → {}", cursor(before), cursor(after))
            }
            ChangeKind::ModesChanged => format!("~ read modes: {} → {}", list(before), list(after)),
            ChangeKind::Metadata => "~ metadata".to_owned(),
        }
    }
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "{content}").expect("writing to a string cannot fail");
}

fn render(text: &mut String, changes: &[Change]) {
    let mut groups: IndexMap<String, Vec<&Change>> = IndexMap::new();
    for change in changes {
        groups
            .entry(change.stream.to_string())
            .or_default()
            .push(change);
    }
    for (stream, changes) in groups {
        line(text, format_args!("\n{stream}"));
        for change in changes {
            line(text, format_args!("  {}", change.headline()));
            let decision = match change.decision {
                Decision::Apply => "applies by itself".to_owned(),
                Decision::NeedsAcceptance => format!("to be accepted as {}", change.id),
            };
            let gravity = match change.severity {
                Severity::Info => "",
                Severity::Warning => ", warning",
                Severity::Breaking => ", breaks the stream",
                Severity::DataLoss => ", may lose values",
            };
            line(
                text,
                format_args!("      {decision}{gravity}: {}", change.reason),
            );
        }
    }
}

fn columns(value: &Value) -> String {
    let count = value["columns"].as_array().map_or(0, Vec::len);
    if count == 1 {
        "1 column".to_owned()
    } else {
        format!("{count} columns")
    }
}

fn path(value: &Value) -> String {
    list_of(value, ".")
}

fn list(value: &Value) -> String {
    let text = list_of(value, ", ");
    if text.is_empty() {
        "none".to_owned()
    } else {
        text
    }
}

fn list_of(value: &Value, separator: &str) -> String {
    let parts = value.as_array().map(Vec::as_slice).unwrap_or_default();
    parts
        .iter()
        .filter_map(Value::as_str)
        .collect::<Vec<_>>()
        .join(separator)
}

fn paths(value: &Value) -> String {
    let parts = value.as_array().map(Vec::as_slice).unwrap_or_default();
    if parts.is_empty() {
        return "none".to_owned();
    }
    parts.iter().map(path).collect::<Vec<_>>().join(", ")
}

fn cursor(value: &Value) -> String {
    let field = path(&value["field"]);
    let own = value["source_defined"].as_bool().unwrap_or(false);
    match (field.is_empty(), own) {
        (true, true) => "the source's own".to_owned(),
        (true, false) => "none".to_owned(),
        (false, true) => format!("{field}, the source's own"),
        (false, false) => field,
    }
}
