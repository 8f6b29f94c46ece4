//! Expands a short configuration to the connector's own.

use contracts::FieldError;
use serde_json::{Map, Value};

use super::faults::Expanded;
use super::table::{self, Connector, Field, Kind, Place};
use super::{ActorKind, places, schema};

/// Records which short field wrote a value.
pub(super) struct Written {
    /// Dotted path in the connector's configuration.
    pub(super) real: String,
    /// The short field.
    pub(super) name: String,
    /// Whether the content below the path does not come from the caller, so that the field stands
    /// for all of it.
    pub(super) whole: bool,
}

/// A connector configuration under construction.
pub(super) struct Builder<'a> {
    pub(super) real: Map<String, Value>,
    pub(super) written: Vec<Written>,
    faults: Vec<FieldError>,
    given: &'a Map<String, Value>,
    specification: Option<&'a Value>,
}

impl Builder<'_> {
    /// Sets the value of a short field, unless another value is already there.
    pub(super) fn put(&mut self, path: &str, value: Value, name: &str, whole: bool) {
        match places::get(&self.real, path) {
            Some(there) if *there != value => {
                let other = self.writer(path).unwrap_or(path);
                self.fault(name, &format!("is given twice, also as `{other}`"));
            }
            Some(_) => {}
            None => {
                self.insert(path, value);
                self.wrote(path, name, whole);
            }
        }
    }

    /// Sets a default where there is no value and the connector knows the member.
    pub(super) fn add(&mut self, path: &str, value: Value) {
        if self.knows(path) && places::get(&self.real, path).is_none() {
            self.insert(path, value);
        }
    }

    /// Records that a short field wrote the value at `path`.
    pub(super) fn wrote(&mut self, path: &str, name: &str, whole: bool) {
        self.written.push(Written {
            real: path.to_owned(),
            name: name.to_owned(),
            whole,
        });
    }

    /// Adds a fault of a member, by its path in the configuration.
    pub(super) fn fault(&mut self, at: &str, message: &str) {
        let fault = FieldError {
            field: format!("config.{at}"),
            message: message.to_owned(),
        };
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// Whether the caller gave this member as a text.
    pub(super) fn is_given_as_text(&self, name: &str) -> bool {
        self.given.get(name).is_some_and(Value::is_string)
    }

    fn insert(&mut self, path: &str, value: Value) {
        if let Err(at) = places::put(&mut self.real, path, value) {
            self.fault(&at, "must be an object");
        }
    }

    fn writer(&self, path: &str) -> Option<&str> {
        let same = |written: &&Written| written.real == path;
        self.written
            .iter()
            .find(same)
            .map(|written| written.name.as_str())
    }

    /// Without a specification any member may exist.
    fn knows(&self, path: &str) -> bool {
        self.specification
            .is_none_or(|specification| schema::knows(specification, path))
    }

    fn place(&self, field: &Field) -> Option<Place> {
        let known = field.places().find(|place| self.knows(place.path));
        known.or_else(|| field.places().next())
    }

    /// Converts a short field's value to the connector's type, or returns its fault.
    fn value(&self, field: &Field, given: &Value) -> Result<Value, String> {
        if let (Some(formats), Some(place)) = (field.formats, self.place(field)) {
            match given {
                Value::String(name) => {
                    let path = format!("{}.{}", place.path, formats.tag);
                    let allowed = self.specification.map(|all| schema::constants(all, &path));
                    return formats.object(name, &allowed.unwrap_or_default());
                }
                Value::Object(_) => return Ok(given.clone()),
                other => return Err(expected("a string or an object", other)),
            }
        }
        match (field.kind, given) {
            (Kind::String, Value::String(_)) => Ok(given.clone()),
            (Kind::String, other) => Err(expected("a string", other)),
            (Kind::Integer, Value::Number(_)) => integer(given)
                .map(Value::from)
                .ok_or_else(|| "must be an integer".to_owned()),
            (Kind::Integer, Value::String(text)) => (text.trim().parse::<i64>())
                .map(Value::from)
                .map_err(|_| expected("an integer", given)),
            (Kind::Integer, other) => Err(expected("an integer", other)),
            (Kind::Array, Value::Array(all)) if all.iter().all(Value::is_string) => {
                Ok(given.clone())
            }
            (Kind::Array, Value::Array(_)) => Err("must be an array of strings only".to_owned()),
            (Kind::Array, other) => Err(expected("an array of strings", other)),
        }
    }

    fn fill(&mut self, connector: &Connector) {
        for field in connector.fields.iter().filter(|field| !field.part) {
            let (Some(default), Some(place)) = (field.default, self.place(field)) else {
                continue;
            };
            let is_there = |place: Place| places::get(&self.real, place.path).is_some();
            if field.places().any(is_there) {
                continue;
            }
            // Skip a default format that this connector does not have.
            if let Ok(value) = self.value(field, &default.value()) {
                self.add(place.path, value);
            }
        }
        for added in connector.added {
            self.add(added.at, added.value());
        }
    }
}

/// Accepts 3306 and 3306.0, which are equal in JSON Schema.
fn integer(value: &Value) -> Option<i64> {
    let whole = |float: f64| (float.fract() == 0.0 && float.abs() < 1e15).then_some(float as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(whole))
}

fn expected(what: &str, given: &Value) -> String {
    let is = match given {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    format!("must be {what}, but is {is}")
}

/// Expands to the connector's configuration: short fields at their places, its own members
/// unchanged, and what the connector requires in addition.
///
/// # Errors
/// Returns every fault of the short fields, with its path as the caller wrote it; given a
/// specification, every other fault of the configuration as well.
pub(crate) fn expand(
    role: ActorKind,
    type_name: &str,
    specification: Option<&Value>,
    config: &Map<String, Value>,
) -> Result<Expanded, Vec<FieldError>> {
    let Some(connector) = table::connector(role, type_name) else {
        return Ok(Expanded::unchanged(config));
    };
    let passed = |name: &str| connector.field(name).is_none();
    let mut builder = Builder {
        real: config.clone(),
        written: Vec::new(),
        faults: Vec::new(),
        given: config,
        specification,
    };
    builder.real.retain(|name, _| passed(name));
    let mut parts = Map::new();
    // Fields with the same name in both forms come first: if two values contradict each other, the
    // fault names the short field.
    let is_short = |field: &&Field| field.part || !field.real.contains(&field.name);
    let (short, own): (Vec<&Field>, Vec<&Field>) = connector.fields.iter().partition(is_short);
    for field in own.into_iter().chain(short) {
        let Some(given) = config.get(field.name).filter(|given| !given.is_null()) else {
            continue;
        };
        let value = match builder.value(field, given) {
            Ok(value) => value,
            Err(wrong) => {
                builder.fault(field.name, &wrong);
                continue;
            }
        };
        if field.part {
            parts.insert(field.name.to_owned(), value);
        } else if let Some(place) = builder.place(field) {
            let is_named = field.formats.is_some() && given.is_string();
            let value = if place.listed {
                Value::from(vec![value])
            } else {
                value
            };
            builder.put(place.path, value, field.name, place.listed || is_named);
        }
    }
    if let Some((compose, _)) = connector.parts {
        compose(&parts, &mut builder);
    }
    builder.fill(connector);

    let Builder {
        real,
        written,
        faults,
        ..
    } = builder;
    let expanded = Expanded::new(real, connector, config, written);
    if faults.is_empty() {
        return Ok(expanded);
    }
    Err(with_others(faults, &expanded, specification, config))
}

/// Adds the faults that the specification finds in the rest of the configuration.
fn with_others(
    mut faults: Vec<FieldError>,
    expanded: &Expanded,
    specification: Option<&Value>,
    config: &Map<String, Value>,
) -> Vec<FieldError> {
    for other in specification.map_or_else(Vec::new, |all| expanded.faults(all)) {
        let name = other.field.trim_start_matches("config.");
        // A member that was omitted because of its fault is not missing.
        let others = expanded.others(name);
        let is_told = faults.iter().any(|fault| {
            let field = fault.field.trim_start_matches("config.");
            field == name || others.contains(&field)
        });
        let is_given = config.get(name).is_some_and(|given| !given.is_null());
        let is_left_out = is_given && other.message.starts_with("is required");
        if !is_told && !is_left_out {
            faults.push(other);
        }
    }
    faults
}
