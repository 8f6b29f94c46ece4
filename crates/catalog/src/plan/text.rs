//! Formats a plan for a person: by stream, most severe changes first, with reasons and with ids for
//! accepting.

use std::fmt::Write as _;

use indexmap::IndexMap;
use serde_json::Value;

use super::{Applied, Choice, Comparison, Decided, Plan};
use crate::drift::{Change, ChangeKind, Decision, RefreshMode, Severity};
use crate::types::describe;

/// The style of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// Plain text.
    #[default]
    Plain,
    /// With the terminal's colors for severities.
    Coloured,
    /// As Markdown, for a comment on a change request.
    Markdown,
}

impl Plan {
    /// The plan as text. Lines end in newlines.
    pub fn to_text(&self) -> String {
        self.to_text_in(Style::Plain)
    }

    /// The plan as text, grouped by stream, most severe changes first.
    pub fn to_text_in(&self, style: Style) -> String {
        if self.is_empty() {
            return "The source offers what the connection expects: nothing to do.\n".to_owned();
        }
        let mut text = String::new();
        let (automatic, waiting) = (self.automatic().count(), self.proposals().count());
        let ignored = self.changes.len() - automatic - waiting;
        let mut head = format!("{automatic} apply without approval, {waiting} to be accepted");
        if ignored > 0 {
            let _ = write!(head, ", {ignored} ignored");
        }
        match style {
            Style::Markdown => line(&mut text, format_args!("**{head}**")),
            Style::Plain | Style::Coloured => line(&mut text, format_args!("{head}")),
        }
        render(&mut text, &self.changes, style, true);
        if self.is_breaking_for_airbyte() {
            line(
                &mut text,
                format_args!(
                    "\nAirbyte disables the connection at its next sync unless the breaking \
                     changes are accepted."
                ),
            );
        }
        text
    }

    /// The plan in a few sentences, most severe stream first.
    pub(super) fn summary_of(&self, decided: &Decided) -> Vec<String> {
        let mut sentences = Vec::new();
        for (stream, changes) in grouped(&self.changes) {
            let worst = changes.iter().map(|change| change.severity).max();
            let counted =
                |choice: Choice| changes.iter().filter(|c| decided.of(c) == choice).count();
            let mut done = Vec::new();
            for (choice, word) in [
                (Choice::Accept, "followed"),
                (Choice::Defer, "left unchanged"),
                (Choice::Reject, "rejected"),
            ] {
                let count = counted(choice);
                if count > 0 {
                    done.push(format!("{count} {word}"));
                }
            }
            let severity = severity_word(worst.unwrap_or(Severity::Info));
            sentences.push(format!("{stream} ({severity}): {}", done.join(", ")));
        }
        sentences
    }
}

impl Applied {
    /// What was done beyond the plan, what is pending and what is refreshed. Lines end in newlines.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for note in &self.notes {
            line(&mut text, format_args!("{note}"));
        }
        for (stream, mode) in &self.refresh {
            let what = match mode {
                RefreshMode::Merge => "its rows are kept",
                RefreshMode::Truncate => "older rows are dropped afterwards",
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
            render(&mut text, &self.pending, Style::Plain, true);
        }
        text
    }
}

impl Comparison {
    /// The comparison as text, grouped by stream, most severe changes first. Lines end in newlines.
    pub fn to_text_in(&self, style: Style) -> String {
        if self.is_empty() {
            return "Both versions are equivalent.\n".to_owned();
        }
        let mut text = String::new();
        let heading = |text: &mut String, words: &str| match style {
            Style::Markdown => line(text, format_args!("**{words}**")),
            Style::Plain | Style::Coloured => line(text, format_args!("{words}")),
        };
        if self.changes.is_empty() {
            heading(&mut text, "The source offers the same");
        } else {
            heading(&mut text, "The source offers something different");
            render(&mut text, &self.changes, style, false);
        }
        if !self.settings.is_empty() {
            text.push('\n');
            heading(&mut text, "The connection has different settings");
            text.push('\n');
            for setting in &self.settings {
                match style {
                    Style::Markdown => line(&mut text, format_args!("- {setting}")),
                    Style::Plain | Style::Coloured => line(&mut text, format_args!("  {setting}")),
                }
            }
        }
        text
    }
}

impl Change {
    /// The change on one line: `- column amount: whole number → text`.
    pub fn headline(&self) -> String {
        let path = self.path.join(".");
        let to = self.to_path.as_deref().unwrap_or_default().join(".");
        let field = if self.path.len() > 1 {
            "field"
        } else {
            "column"
        };
        let before = self.before.as_ref().unwrap_or(&Value::Null);
        let after = self.after.as_ref().unwrap_or(&Value::Null);
        let to_stream = || {
            self.to_stream
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default()
        };
        match self.kind {
            ChangeKind::StreamAdded => format!("+ new stream ({})", columns(after)),
            ChangeKind::StreamRemoved => format!("- stream was removed ({})", columns(before)),
            ChangeKind::StreamRenamed => format!("~ stream was renamed to {}", to_stream()),
            ChangeKind::StreamMoved => format!("~ stream moved to {}", to_stream()),
            ChangeKind::FieldAdded => format!("+ {field} {path}: {}", typed(after)),
            ChangeKind::FieldRemoved => format!("- {field} {path}: {}", typed(before)),
            ChangeKind::FieldRenamed => {
                format!("~ {field} {path} was renamed to {to}: {}", typed(after))
            }
            ChangeKind::FieldMoved => format!("~ {field} {path} moved to {to}: {}", typed(after)),
            ChangeKind::FieldTypeChanged
            | ChangeKind::FieldFormatChanged
            | ChangeKind::FieldAirbyteTypeChanged
            | ChangeKind::FieldNullabilityChanged => {
                let (was, is) = (typed(before), typed(after));
                if was == is {
                    format!("~ {field} {path}: {is}, restated")
                } else {
                    format!("~ {field} {path}: {was} → {is}")
                }
            }
            ChangeKind::FieldEnumChanged => format!("~ {field} {path}: {}", listed(before, after)),
            ChangeKind::FieldRecreated => format!("~ {field} {path} was dropped and recreated"),
            ChangeKind::PrimaryKeyChanged => format!("~ key: {} → {}", paths(before), paths(after)),
            ChangeKind::CursorChanged => {
                format!("~ cursor: {} → {}", cursor(before), cursor(after))
            }
            ChangeKind::ModesChanged => format!("~ read modes: {} → {}", list(before), list(after)),
            ChangeKind::ResumabilityChanged => {
                let word = |value: &Value| {
                    if value == true {
                        "resumable"
                    } else {
                        "not resumable"
                    }
                };
                format!("~ full refresh: {} → {}", word(before), word(after))
            }
            ChangeKind::Metadata => "~ metadata".to_owned(),
        }
    }
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "{content}").expect("writing to a string cannot fail");
}

/// Groups changes by stream, with the most severe streams and changes first; otherwise in their
/// order.
fn grouped(changes: &[Change]) -> Vec<(String, Vec<&Change>)> {
    let mut groups: IndexMap<String, Vec<&Change>> = IndexMap::new();
    for change in changes {
        let stream = change.stream.to_string();
        groups.entry(stream).or_default().push(change);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    let worst = |changes: &[&Change]| changes.iter().map(|change| change.severity).max();
    groups.sort_by_key(|(_, changes)| std::cmp::Reverse(worst(changes)));
    for (_, changes) in &mut groups {
        changes.sort_by_key(|change| std::cmp::Reverse(change.severity));
    }
    groups
}

/// With `decisions`, includes what happens to each change.
fn render(text: &mut String, changes: &[Change], style: Style, decisions: bool) {
    for (stream, changes) in grouped(changes) {
        match style {
            Style::Markdown => line(text, format_args!("\n### {stream}\n")),
            Style::Plain | Style::Coloured => line(text, format_args!("\n{stream}")),
        }
        for change in changes {
            let headline = change.headline();
            // After the severity; in Markdown, on a separate line before the reason.
            let (decision, first) = if decisions {
                let outcome = decision(change);
                (format!(", {outcome}"), format!("{outcome}: "))
            } else {
                (String::new(), String::new())
            };
            let severity = severity_word(change.severity);
            let reason = &change.reason;
            match style {
                Style::Markdown => line(
                    text,
                    format_args!("- **{severity}** `{headline}`<br>{first}{reason}"),
                ),
                Style::Plain => {
                    line(text, format_args!("  {headline}"));
                    line(text, format_args!("      {severity}{decision}: {reason}"));
                }
                Style::Coloured => {
                    let colour = colour(change.severity);
                    line(text, format_args!("  \u{1b}[{colour}m{headline}\u{1b}[0m"));
                    line(
                        text,
                        format_args!(
                            "      \u{1b}[{colour}m{severity}\u{1b}[0m{decision}: {reason}"
                        ),
                    );
                }
            }
        }
    }
}

fn decision(change: &Change) -> String {
    match change.decision {
        Decision::Apply => "applies without approval".to_owned(),
        Decision::NeedsAcceptance => format!("to be accepted as {}", change.id),
        Decision::Ignore => format!("ignored; can be accepted as {}", change.id),
        Decision::Pause => {
            format!("stops the connection until it is accepted as {}", change.id)
        }
    }
}

fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Safe => "safe",
        Severity::Warning => "warning",
        Severity::Breaking => "breaks the stream",
        Severity::DataLoss => "may lose values",
    }
}

/// The terminal's color code for a severity.
fn colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "2",
        Severity::Safe => "32",
        Severity::Warning => "33",
        Severity::Breaking => "31",
        Severity::DataLoss => "1;31",
    }
}

/// The type as text, followed by the schema's own terms if they say more.
fn typed(schema: &Value) -> String {
    let mut text = describe(schema);
    let stated: Vec<String> = ["format", "airbyte_type"]
        .iter()
        .filter_map(|member| schema[member].as_str())
        .map(str::to_owned)
        .collect();
    let nullable = match &schema["type"] {
        Value::Array(types) => types.iter().any(|one| one == "null"),
        _ => false,
    };
    if !stated.is_empty() {
        let _ = write!(text, " ({})", stated.join(", "));
    }
    if nullable {
        text.push_str(" or null");
    }
    text
}

/// The listed values that were added and removed.
fn listed(before: &Value, after: &Value) -> String {
    let values = |schema: &Value| schema["enum"].as_array().cloned().unwrap_or_default();
    let (old, new) = (values(before), values(after));
    let only = |sign: &str, these: &[Value], those: &[Value]| {
        let lines: Vec<String> = these
            .iter()
            .filter(|value| !those.contains(value))
            .map(|value| format!("{sign}{value}"))
            .collect();
        lines
    };
    let mut changes = only("-", &old, &new);
    changes.extend(only("+", &new, &old));
    format!("values {}", changes.join(", "))
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
