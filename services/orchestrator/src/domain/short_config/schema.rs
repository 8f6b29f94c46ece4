//! Lookups in a connector's JSON schema, across all variants.

use std::collections::HashSet;

use serde_json::Value;

/// These schemas and all their variants: through `$ref`, `oneOf`, `anyOf`, `allOf` and similar.
/// Terminates for circular references.
pub(super) fn variants<'a>(root: &'a Value, schemas: Vec<&'a Value>) -> Vec<&'a Value> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    let mut open = schemas;
    open.reverse();
    while let Some(schema) = open.pop() {
        if !seen.insert(std::ptr::from_ref(schema)) {
            continue;
        }
        found.push(schema);
        let mut next = Vec::new();
        next.extend(
            (schema.get("$ref").and_then(Value::as_str))
                .and_then(|target| target.strip_prefix('#'))
                .and_then(|target| root.pointer(target)),
        );
        for keyword in ["oneOf", "anyOf", "allOf"] {
            next.extend(
                schema
                    .get(keyword)
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten(),
            );
        }
        next.extend(["then", "else"].iter().filter_map(|key| schema.get(key)));
        open.extend(next.into_iter().rev());
    }
    found
}

/// The schemas of a member with this name, across all variants.
pub(super) fn member<'a>(root: &'a Value, schemas: &[&'a Value], name: &str) -> Vec<&'a Value> {
    let named = |schema: &&'a Value| schema.get("properties")?.get(name);
    variants(root, schemas.iter().filter_map(named).collect())
}

/// The schemas of an element at this index, across all variants.
pub(super) fn element<'a>(root: &'a Value, schemas: &[&'a Value], index: usize) -> Vec<&'a Value> {
    let listed = |schema: &&'a Value| {
        let positions = schema.get("prefixItems").or_else(|| schema.get("items"))?;
        match positions {
            Value::Array(each) => each.get(index).or_else(|| {
                let beyond = schema.get("additionalItems");
                beyond.or_else(|| schema.get("items").filter(|items| items.is_object()))
            }),
            all => Some(all),
        }
    };
    variants(root, schemas.iter().filter_map(listed).collect())
}

fn at<'a>(specification: &'a Value, path: &str) -> Vec<&'a Value> {
    let root = variants(specification, vec![specification]);
    path.split('.')
        .fold(root, |schemas, segment| match segment.parse() {
            Ok(index) => element(specification, &schemas, index),
            Err(_) => member(specification, &schemas, segment),
        })
}

/// Whether the specification has a property at this dotted path.
pub(super) fn knows(specification: &Value, path: &str) -> bool {
    !at(specification, path).is_empty()
}

/// The texts that the specification allows at this dotted path, if it lists them.
pub(super) fn constants<'a>(specification: &'a Value, path: &str) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    for schema in at(specification, path) {
        let listed = schema.get("enum").and_then(Value::as_array);
        for value in schema
            .get("const")
            .into_iter()
            .chain(listed.into_iter().flatten())
        {
            if let Some(text) = value.as_str()
                && !found.contains(&text)
            {
                found.push(text);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn finds_properties_in_variants_references_and_elements() {
        let specification = json!({
            "properties": {
                "auth": {"oneOf": [
                    {"properties": {"kind": {"const": "key"}, "key": {}}},
                    {"$ref": "#/definitions/password"}]},
                "streams": {"type": "array", "items": {"properties": {"name": {}}}}},
            "definitions": {"password": {
                "properties": {"kind": {"enum": ["password"]}, "password": {}},
                "allOf": [{"$ref": "#/definitions/password"}]}}});
        for path in ["auth.key", "auth.password", "streams.0.name", "streams.7"] {
            assert!(knows(&specification, path), "{path}");
        }
        for path in ["key", "auth.name", "streams.name", "streams.0.key"] {
            assert!(!knows(&specification, path), "{path}");
        }
        assert_eq!(constants(&specification, "auth.kind"), ["key", "password"]);
    }
}
