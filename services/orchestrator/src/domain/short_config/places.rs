//! Access by dotted paths within a configuration: `database_config.username`, `streams.0.name`.

use serde_json::{Map, Value};

/// The value at `path`; null counts as absent.
pub(super) fn get<'a>(configuration: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut segments = path.split('.');
    let mut found = configuration.get(segments.next()?)?;
    for segment in segments {
        found = match found {
            Value::Object(members) => members.get(segment)?,
            Value::Array(elements) => elements.get(segment.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    (!found.is_null()).then_some(found)
}

/// Sets the value at `path` and creates the objects on the way.
///
/// # Errors
/// Returns the path of the member on the way that is not an object.
pub(super) fn put(
    configuration: &mut Map<String, Value>,
    path: &str,
    value: Value,
) -> Result<(), String> {
    let Some((first, rest)) = path.split_once('.') else {
        configuration.insert(path.to_owned(), value);
        return Ok(());
    };
    let below = configuration.entry(first).or_insert(Value::Null);
    if below.is_null() {
        *below = Value::Object(Map::new());
    }
    match below {
        Value::Object(below) => put(below, rest, value).map_err(|at| format!("{first}.{at}")),
        _ => Err(first.to_owned()),
    }
}

/// Removes the value at `path`, and the objects that become empty.
pub(super) fn remove(configuration: &mut Map<String, Value>, path: &str) {
    let Some((first, rest)) = path.split_once('.') else {
        configuration.shift_remove(path);
        return;
    };
    if let Some(Value::Object(below)) = configuration.get_mut(first) {
        remove(below, rest);
        if below.is_empty() {
            configuration.shift_remove(first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_set_found_and_removed_without_a_trace() {
        let mut configuration = Map::new();
        put(&mut configuration, "a.b.c", json!(1)).unwrap();
        put(&mut configuration, "a.d", json!([{"e": 2}])).unwrap();
        assert_eq!(get(&configuration, "a.b.c"), Some(&json!(1)));
        assert_eq!(get(&configuration, "a.d.0.e"), Some(&json!(2)));
        assert_eq!(get(&configuration, "a.d.1.e"), None);
        assert_eq!(get(&configuration, "a.b.c.x"), None);
        remove(&mut configuration, "a.b.c");
        assert_eq!(
            Value::Object(configuration.clone()),
            json!({"a": {"d": [{"e": 2}]}})
        );
        remove(&mut configuration, "a.d");
        assert!(configuration.is_empty());
    }

    #[test]
    fn names_the_obstacle() {
        let mut configuration = Map::new();
        put(&mut configuration, "a.b", json!("text")).unwrap();
        assert_eq!(
            put(&mut configuration, "a.b.c", json!(1)),
            Err("a.b".to_owned())
        );
    }
}
