//! Converts a connector's configuration to its short form, for responses.

use serde_json::{Map, Value};

use super::table::{Field, Place};
use super::{ActorKind, places, table};

/// The short form of a connector's configuration, masked or not: short names where they exist, the
/// connector's own for the rest, and nothing that [`super::expand`] adds, except a port and a
/// schema, which people want to see.
pub(crate) fn shorten(role: ActorKind, type_name: &str, configuration: &Value) -> Value {
    let (Some(connector), Value::Object(real)) = (table::connector(role, type_name), configuration)
    else {
        return configuration.clone();
    };
    let mut rest = real.clone();
    let mut found = Map::new();
    if let Some((_, decompose)) = connector.parts {
        decompose(&mut rest, &mut found);
    }
    for field in connector.fields.iter().filter(|field| !field.part) {
        let Some((place, value)) = field.places().find_map(|place| {
            let value = short_value(field, place, places::get(&rest, place.path)?)?;
            Some((place, value))
        }) else {
            continue;
        };
        // Another member with this name must keep its meaning.
        let is_taken = place.path != field.name && rest.contains_key(field.name);
        if is_taken || found.contains_key(field.name) {
            continue;
        }
        places::remove(&mut rest, place.path);
        let default = field.default.filter(|_| !field.shown);
        if default.map(|default| default.value()) != Some(value.clone()) {
            found.insert(field.name.to_owned(), value);
        }
    }
    for added in connector.added {
        if rest.get(added.at) == Some(&added.value()) {
            rest.shift_remove(added.at);
        }
    }
    let mut short = Map::new();
    for field in connector.fields {
        if let Some(value) = found.shift_remove(field.name) {
            short.insert(field.name.to_owned(), value);
        }
    }
    short.extend(rest);
    Value::Object(short)
}

/// What the caller would write for a connector's value, if there is such a form.
fn short_value(field: &Field, place: Place, real: &Value) -> Option<Value> {
    if let Some(formats) = field.formats {
        return formats.name(real).map(Value::from);
    }
    if !place.listed {
        return Some(real.clone());
    }
    match real.as_array()?.as_slice() {
        [only @ Value::String(_)] => Some(only.clone()),
        _ => None,
    }
}
