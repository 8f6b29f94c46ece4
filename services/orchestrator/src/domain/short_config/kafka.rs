//! The Kafka source: topic names become the pattern that the connector subscribes to.

use serde_json::{Map, Value, json};

use super::ActorKind;
use super::build::Builder;
use super::formats::{Format, Formats};
use super::places;
use super::table::{Added, Connector, Field, Scalar};

const SUBSCRIPTION: &str = "subscription";
const TOPIC_PATTERN: &str = "subscription.topic_pattern";

/// The special characters of a pattern; a backslash escapes them.
const META: &str = r"\.[]{}()*+?^$|";

static FORMATS: Formats = Formats {
    tag: "deserialization_type",
    all: &[
        Format {
            name: "json",
            constant: "JSON",
            with: &[],
        },
        Format {
            name: "avro",
            constant: "AVRO",
            with: &[],
        },
    ],
};

pub(super) static SOURCE: Connector = Connector {
    role: ActorKind::Source,
    type_name: "kafka",
    fields: &[
        Field::text(
            "bootstrap_servers",
            &["bootstrap_servers"],
            "Servers to begin with: `host:port`, several parted by commas.",
        )
        .required(),
        Field::text(
            "topic",
            &[TOPIC_PATTERN],
            "The topic to read, by its exact name. It, `topics` or `topic_pattern` is needed.",
        )
        .part(),
        Field::list(
            "topics",
            &[TOPIC_PATTERN],
            "The topics to read, by their exact names.",
        )
        .part(),
        Field::text(
            "topic_pattern",
            &[TOPIC_PATTERN],
            "A regular expression that the whole name of a topic matches.",
        )
        .part(),
        Field::text("group_id", &["group_id"], "The consumer group to read as."),
        Field::text(
            "format",
            &["MessageFormat"],
            "What messages hold: `json` or `avro`; or the connector's own object.",
        )
        .of(&FORMATS)
        .or(Scalar::Text("json")),
    ],
    added: &[Added {
        at: "protocol",
        tag: "security_protocol",
        constant: "PLAINTEXT",
    }],
    parts: Some((compose, decompose)),
};

fn compose(parts: &Map<String, Value>, builder: &mut Builder<'_>) {
    for (name, value) in parts {
        let names: Vec<&str> = match value {
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
            name => name.as_str().into_iter().collect(),
        };
        if names.is_empty() || names.iter().any(|name| name.is_empty()) {
            builder.fault(name, "must not be empty");
            continue;
        }
        let pattern = if name == "topic_pattern" {
            names[0].to_owned()
        } else {
            let quoted: Vec<String> = names.iter().map(|name| quoted(name)).collect();
            quoted.join("|")
        };
        builder.put(SUBSCRIPTION, subscription(&pattern), name, true);
    }
}

fn decompose(rest: &mut Map<String, Value>, short: &mut Map<String, Value>) {
    let Some(pattern) = places::get(rest, TOPIC_PATTERN).and_then(Value::as_str) else {
        return;
    };
    if rest.get(SUBSCRIPTION) != Some(&subscription(pattern)) {
        return;
    }
    let (name, value) = match unquoted(pattern).as_deref() {
        Some([topic]) => ("topic", Value::from(topic.as_str())),
        Some(topics) => ("topics", Value::from(topics)),
        None => ("topic_pattern", Value::from(pattern)),
    };
    short.insert(name.to_owned(), value);
    places::remove(rest, SUBSCRIPTION);
}

fn subscription(pattern: &str) -> Value {
    json!({"subscription_type": "subscribe", "topic_pattern": pattern})
}

fn quoted(name: &str) -> String {
    let mut quoted = String::new();
    for c in name.chars() {
        if META.contains(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

/// The names in a pattern that consists only of names.
fn unquoted(pattern: &str) -> Option<Vec<String>> {
    let mut names = vec![String::new()];
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let literal = chars.next().filter(|c| META.contains(*c))?;
                names.last_mut()?.push(literal);
            }
            '|' => names.push(String::new()),
            c if META.contains(c) => return None,
            c => names.last_mut()?.push(c),
        }
    }
    (!names.iter().any(String::is_empty)).then_some(names)
}
