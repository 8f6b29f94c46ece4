//! For arbitrary input: nothing panics, no fault repeats a value, and no known secret is disclosed.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::map;
use super::specifications::{self, Specified};
use crate::domain::short_config::{expand, fields, mask, shorten};

const MARK: &str = "s3cr3t";

fn anything() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,4}".prop_map(|text| Value::from(format!("{MARK}{text}"))),
        Just(json!("")),
        Just(json!(format!("mongodb://u:{MARK}@h:1/"))),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        let names = prop::sample::select(vec![
            "mode",
            "method",
            "cluster_type",
            "connection_string",
            "subscription_type",
            "topic_pattern",
            "name",
            "globs",
            "format",
            "filetype",
            "format_type",
            "other",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((names, inner), 0..4).prop_map(|members| {
                let members = members.into_iter();
                Value::Object(
                    members
                        .map(|(name, value)| (name.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
    .boxed()
}

/// The members with a meaning to this connector: short ones and its own.
fn names(specified: &Specified) -> Vec<String> {
    let short = fields(specified.role, specified.type_name).unwrap().iter();
    let real = specified.specification["properties"]
        .as_object()
        .unwrap()
        .keys();
    let short = short.map(|field| field.name.to_owned());
    short
        .chain(real.cloned())
        .chain(["a.b".to_owned(), String::new()])
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_no_value_is_repeated(
        which in 0_usize..100,
        members in prop::collection::vec((0_usize..100, anything()), 0..8),
    ) {
        let all = specifications::all();
        let specified = &all[which % all.len()];
        let of = (specified.role, specified.type_name);
        let names = names(specified);
        let config: Map<String, Value> = (members.into_iter())
            .map(|(name, value)| (names[name % names.len()].clone(), value))
            .collect();
        for specification in [Some(&specified.specification), None] {
            let faults = match expand(of.0, of.1, specification, &config) {
                Err(faults) => faults,
                Ok(expanded) => {
                    let real = map(&expanded.configuration);
                    for (name, value) in &config {
                        let is_short = fields(of.0, of.1).unwrap().iter().any(|field| field.name == name);
                        prop_assert!(is_short || value.is_null() || real.contains_key(name));
                    }
                    let masked = mask(of.0, of.1, specification, &expanded.configuration);
                    let short = shorten(of.0, of.1, &masked);
                    for assert_faults in [&masked, &short] {
                        let assert_faults = assert_faults.to_string();
                        prop_assert!(!assert_faults.contains(&format!("u:{MARK}")), "{assert_faults}");
                    }
                    expanded.faults(&specified.specification)
                }
            };
            for fault in faults {
                prop_assert!(fault.field.starts_with("config"), "{}", fault.field);
                prop_assert!(!fault.message.contains(MARK), "{}", fault.message);
            }
        }
        // Responses also show configurations from Airbyte, which may contain anything.
        let masked = mask(of.0, of.1, Some(&specified.specification), &Value::Object(config));
        shorten(of.0, of.1, &masked);
    }
}
