//! Finds the violations of a JSON schema and distinguishes variants: if a member selects one,
//! reports what violates that variant; otherwise, which variants are possible.

use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::paths::{Location, LocationSegment};
use serde_json::Value;

use super::schema::variants;

const MORE_THAN_ONE: &str = "fits more than one of its variants";

/// Schemas may be recursive; configurations are never this deep.
const DEPTH_MAX: usize = 32;

/// A segment of the path to a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Segment {
    Name(String),
    Index(usize),
}

/// A violation at a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Violation {
    /// A property is missing; with its allowed values, if there are only a few.
    Missing { of: Vec<String> },
    /// A property is not allowed.
    Unknown,
    /// Anything else, in words that do not repeat a value.
    Other(String),
}

/// `a.0.b`.
pub(super) fn dotted(path: &[Segment]) -> String {
    let segments: Vec<String> = path.iter().map(text).collect();
    segments.join(".")
}

fn text(segment: &Segment) -> String {
    match segment {
        Segment::Name(name) => name.clone(),
        Segment::Index(index) => index.to_string(),
    }
}

/// `.a[0].b`.
pub(super) fn written(path: &[Segment]) -> String {
    (path.iter())
        .map(|segment| match segment {
            Segment::Name(name) => format!(".{name}"),
            Segment::Index(index) => format!("[{index}]"),
        })
        .collect()
}

type Found = Vec<(Vec<Segment>, Violation)>;

/// Returns every violation, by its path.
pub(super) fn find(specification: &Value, value: &Value) -> Found {
    let mut found = Vec::new();
    collect(specification, value, &[], 0, &mut found);
    // An object of a wrong type also fits no variant: that is one fault, not two.
    let mut kept: Found = Vec::new();
    for (at, violation) in found {
        let is_told = kept.iter().any(|(there, _)| *there == at);
        if !is_told {
            kept.push((at, violation));
        }
    }
    kept
}

fn collect(schema: &Value, value: &Value, above: &[Segment], depth: usize, found: &mut Found) {
    let validator = match jsonschema::validator_for(schema) {
        Ok(validator) => validator,
        Err(error) => {
            // Some connectors publish schemas that validators reject; Airbyte decides then.
            tracing::warn!(
                error = %error.masked(),
                "the connector's specification is not a usable JSON schema"
            );
            return;
        }
    };
    let (variants, plain): (Vec<_>, Vec<_>) = (validator.iter_errors(value)).partition(|error| {
        matches!(
            error.kind(),
            Kind::OneOfNotValid { .. } | Kind::OneOfMultipleValid { .. } | Kind::AnyOf { .. }
        )
    });
    for error in plain {
        let mut at = place(above, error.instance_path());
        match error.kind() {
            Kind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                at.push(Segment::Name(name.to_owned()));
                found.push((at, Violation::Missing { of: Vec::new() }));
            }
            Kind::AdditionalProperties { unexpected } => {
                for name in unexpected {
                    let mut at = at.clone();
                    at.push(Segment::Name(name.clone()));
                    found.push((at, Violation::Unknown));
                }
            }
            _ => {
                let message = error.masked_with("the value").to_string();
                found.push((at, Violation::Other(message)));
            }
        }
    }
    for error in variants {
        let at = place(above, error.instance_path());
        let fits = match error.kind() {
            Kind::OneOfMultipleValid { .. } => MORE_THAN_ONE,
            _ => "fits none of its variants",
        };
        let branches = schema.pointer(error.schema_path().as_str());
        match branches.and_then(Value::as_array) {
            Some(branches) if depth < DEPTH_MAX => {
                choose(schema, branches, (error.instance(), at, fits), depth, found);
            }
            _ => found.push((at, Violation::Other(fits.to_owned()))),
        }
    }
}

fn place(above: &[Segment], below: &Location) -> Vec<Segment> {
    let below = below.segments().map(|segment| match segment {
        LocationSegment::Property(name) => Segment::Name(name.into_owned()),
        LocationSegment::Index(index) => Segment::Index(index),
    });
    above.iter().cloned().chain(below).collect()
}

fn choose(
    root: &Value,
    branches: &[Value],
    (value, mut at, fits): (&Value, Vec<Segment>, &str),
    depth: usize,
    found: &mut Found,
) {
    let Some((tag, constants)) = tag(root, branches) else {
        let message = misfit(root, branches, value, fits);
        found.push((at, Violation::Other(message)));
        return;
    };
    let Some(members) = value.as_object() else {
        found.push((at, Violation::Other("must be an object".to_owned())));
        return;
    };
    let Some(given) = members.get(tag).filter(|given| !given.is_null()) else {
        at.push(Segment::Name(tag.to_owned()));
        let of = constants.into_iter().map(str::to_owned).collect();
        found.push((at, Violation::Missing { of }));
        return;
    };
    match constants
        .iter()
        .position(|constant| given.as_str() == Some(constant))
    {
        None => {
            let of: Vec<String> = constants.iter().map(|text| format!("`{text}`")).collect();
            let message = format!("`{tag}` is not one of {}", of.join(", "));
            found.push((at, Violation::Other(message)));
        }
        Some(chosen) => {
            let before = found.len();
            let branch = alone(root, &branches[chosen]);
            collect(&branch, value, &at, depth + 1, found);
            if found.len() == before {
                found.push((at, Violation::Other(MORE_THAN_ONE.to_owned())));
            }
        }
    }
}

/// The member that selects a branch: it has a different text in each of them.
fn tag<'a>(root: &'a Value, branches: &'a [Value]) -> Option<(&'a str, Vec<&'a str>)> {
    let first = variants(root, branches.iter().take(1).collect());
    let names = (first.iter())
        .filter_map(|schema| schema.get("properties")?.as_object())
        .flat_map(|properties| properties.keys());
    for name in names {
        let constant = |branch: &'a Value| {
            let schemas = variants(root, vec![branch]);
            let schemas = super::schema::member(root, &schemas, name);
            schemas.into_iter().find_map(constant)
        };
        let constants: Option<Vec<&str>> = branches.iter().map(constant).collect();
        if let Some(constants) = constants
            && (constants.iter().enumerate()).all(|(at, text)| !constants[..at].contains(text))
        {
            return Some((name, constants));
        }
    }
    None
}

/// The only text that a schema allows, in either notation.
fn constant(schema: &Value) -> Option<&str> {
    let listed = schema.get("enum").and_then(Value::as_array);
    let only = match listed.map(Vec::as_slice) {
        Some([only]) => Some(only),
        _ => None,
    };
    schema.get("const").or(only).and_then(Value::as_str)
}

/// A branch as a separate schema, with the definitions that it may refer to.
fn alone(root: &Value, branch: &Value) -> Value {
    let mut branch = branch.clone();
    if let (Some(branch), Some(root)) = (branch.as_object_mut(), root.as_object()) {
        for key in ["$schema", "definitions", "$defs"] {
            if let Some(shared) = root.get(key)
                && !branch.contains_key(key)
            {
                branch.insert(key.to_owned(), shared.clone());
            }
        }
    }
    branch
}

/// The fault of a value for branches that no member distinguishes.
fn misfit(root: &Value, branches: &[Value], value: &Value, fits: &str) -> String {
    let words = |key: &'static str| -> Option<Vec<&str>> {
        let word = |branch| {
            let schemas = variants(root, vec![branch]);
            schemas.iter().find_map(|schema| schema.get(key)?.as_str())
        };
        branches.iter().map(word).collect()
    };
    let is = |kind: &&str| match *kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" | "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        _ => value.is_null(),
    };
    match (words("type"), words("title")) {
        (Some(kinds), _) if !kinds.iter().any(is) => {
            format!("must be one of these: {}", kinds.join(", "))
        }
        (_, Some(titles)) => format!("{fits}: {}", titles.join(", ")),
        _ => fits.to_owned(),
    }
}
