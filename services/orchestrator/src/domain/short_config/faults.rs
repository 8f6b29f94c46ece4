//! Reports the violations of a connector's JSON schema with the paths that the caller wrote.

use contracts::FieldError;
use serde_json::{Map, Value};

use super::build::Written;
use super::schema;
use super::table::{Connector, Field};
use super::violations::{self, Segment, Violation};

/// Minimum similarity, from 0 to 1, for suggesting a name.
const NEAR: f64 = 0.85;

/// A connector's configuration, and how its caller wrote it. Contains secrets: never logged.
pub(crate) struct Expanded {
    /// The connector's own configuration.
    pub(crate) configuration: Value,
    connector: Option<&'static Connector>,
    written: Vec<Written>,
    /// The caller's members that are not short fields.
    passed: Vec<String>,
}

impl Expanded {
    pub(super) fn unchanged(config: &Map<String, Value>) -> Self {
        Self {
            configuration: Value::Object(config.clone()),
            connector: None,
            written: Vec::new(),
            passed: config.keys().cloned().collect(),
        }
    }

    pub(super) fn new(
        real: Map<String, Value>,
        connector: &'static Connector,
        config: &Map<String, Value>,
        written: Vec<Written>,
    ) -> Self {
        let is_passed = |name: &&String| connector.field(name).is_none();
        Self {
            configuration: Value::Object(real),
            connector: Some(connector),
            written,
            passed: config.keys().filter(is_passed).cloned().collect(),
        }
    }

    /// Returns every violation of the connector's JSON schema, by its path as the caller wrote it.
    /// No message repeats a value. Returns none if the schema is unusable: Airbyte decides then.
    pub(crate) fn faults(&self, specification: &Value) -> Vec<FieldError> {
        let mut faults: Vec<FieldError> = Vec::new();
        for (at, violation) in violations::find(specification, &self.configuration) {
            let (field, message) = match violation {
                Violation::Missing { of } => self.missing(specification, &at, &of),
                Violation::Unknown => (
                    self.path(&at),
                    "is not a setting of this connector".to_owned(),
                ),
                Violation::Other(message) => (self.path(&at), message),
            };
            let fault = FieldError { field, message };
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        faults
    }

    /// Converts a path in the connector's configuration to what the caller wrote.
    fn path(&self, at: &[Segment]) -> String {
        let depth = |written: &Written| written.real.split('.').count();
        let is_above = |written: &&Written| {
            let above = at.get(..depth(written)).map(violations::dotted);
            above.as_deref() == Some(&written.real)
        };
        match (self.written.iter().filter(is_above)).max_by_key(|written| depth(written)) {
            Some(written) if written.whole => format!("config.{}", written.name),
            Some(written) => {
                let below = violations::written(&at[depth(written)..]);
                format!("config.{}{below}", written.name)
            }
            None => format!("config{}", violations::written(at)),
        }
    }

    fn missing(&self, specification: &Value, at: &[Segment], of: &[String]) -> (String, String) {
        let real = violations::dotted(at);
        let is_inside_own = at.len() > 1 && {
            let root = violations::dotted(&at[..1]);
            self.passed.contains(&root)
        };
        let field = if is_inside_own {
            None
        } else {
            self.field(&real)
        };
        let path = field.map_or_else(|| self.path(at), |field| format!("config.{}", field.name));
        let mut message = "is required".to_owned();
        if !of.is_empty() {
            message.push_str(&format!(": one of {}", listed(of)));
        }
        let others = field.map_or_else(Vec::new, |field| self.others(field.name));
        if !others.is_empty() {
            message.push_str(&format!(", or {}", listed(&others)));
        }
        let names = [Some(real.as_str()), field.map(|field| field.name)];
        if !is_inside_own
            && let Some(near) = self.near(specification, &names.map(Option::unwrap_or_default))
        {
            message.push_str(&format!("; did you misspell it as `{near}`?"));
        }
        (path, message)
    }

    /// The short field to name for a missing member: the one that writes it, or the one that
    /// creates its object.
    fn field(&self, real: &str) -> Option<&'static Field> {
        let fields = self.connector?.fields;
        let goes_there = |field: &&Field| field.places().any(|place| place.path == real);
        let goes_below = |field: &&Field| {
            let below = |path: &str| {
                path.strip_prefix(real)
                    .is_some_and(|path| path.starts_with('.'))
            };
            field.places().any(|place| below(place.path))
        };
        (fields.iter().find(goes_there))
            .or_else(|| {
                fields
                    .iter()
                    .filter(goes_below)
                    .find(|field| field.required)
            })
            .or_else(|| fields.iter().find(goes_below))
    }

    /// The short fields that are alternatives to this one.
    pub(super) fn others(&self, name: &str) -> Vec<&'static str> {
        let fields = self.connector.map_or(&[][..], |connector| connector.fields);
        let Some(field) = fields.iter().find(|field| field.name == name) else {
            return Vec::new();
        };
        (fields.iter())
            .filter(|other| other.name != name && other.real == field.real)
            .map(|other| other.name)
            .collect()
    }

    /// The caller's unknown member with the most similar name.
    fn near(&self, specification: &Value, names: &[&str]) -> Option<&str> {
        let likeness = |member: &str| {
            (names.iter())
                .map(|name| strsim::jaro_winkler(name, member))
                .fold(0.0, f64::max)
        };
        (self.passed.iter())
            .filter(|member| !schema::knows(specification, member))
            .map(|member| (likeness(&member.to_lowercase()), member.as_str()))
            .filter(|(likeness, _)| *likeness >= NEAR)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, member)| member)
    }
}

fn listed(names: &[impl AsRef<str>]) -> String {
    let quoted: Vec<String> = (names.iter())
        .map(|name| format!("`{}`", name.as_ref()))
        .collect();
    quoted.join(", ")
}
