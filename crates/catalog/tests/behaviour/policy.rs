//! Policies: parsing, validation, printing, and their decisions.

use airbyte_protocol::StreamDescriptor;
use catalog::drift::{ChangeKind, Role, Severity};
use catalog::policy::{Action, Pattern, Policy, Rule, Subject, Word};
use proptest::prelude::*;
use serde_json::json;

fn faults(text: &str) -> Vec<String> {
    let faults = Policy::parse(text).unwrap_err().0;
    faults.iter().map(ToString::to_string).collect()
}

fn policy(document: serde_json::Value) -> Policy {
    Policy::from_value(&document).unwrap()
}

/// The policy's decision about a change of the stream `public.orders`.
fn decided(
    policy: &Policy,
    kind: ChangeKind,
    severity: Severity,
    path: &[&str],
    roles: &[Role],
) -> Action {
    let stream = StreamDescriptor {
        name: "orders".to_owned(),
        namespace: Some("public".to_owned()),
    };
    let path: Vec<String> = path.iter().map(|&name| name.to_owned()).collect();
    let change = Subject {
        stream: &stream,
        path: &path,
        kind,
        severity,
        roles,
    };
    policy.decide(&change).0
}

#[test]
fn the_first_rule_that_matches_decides() {
    let policy = policy(json!({
        "rules": [
            {"stream": "public.ord*", "field": "pii_*", "then": "pause"},
            {"kind": ["field_added", "field_removed"], "severity": "info", "then": "apply"},
            {"role": "cursor", "then": "ignore"},
            {"stream": "orders", "then": "propose"},
        ],
        "otherwise": "apply",
    }));
    let decided = |kind, severity, path: &[&str], roles: &[Role]| {
        decided(&policy, kind, severity, path, roles)
    };
    let added = ChangeKind::FieldAdded;
    assert_eq!(
        decided(added, Severity::Info, &["pii_mail"], &[]),
        Action::Pause
    );
    assert_eq!(
        decided(added, Severity::Info, &["pii_who", "name"], &[]),
        Action::Pause
    );
    assert_eq!(
        decided(added, Severity::Info, &["who", "pii_name"], &[]),
        Action::Apply
    );
    assert_eq!(
        decided(added, Severity::Safe, &["who"], &[]),
        Action::Propose
    );
    assert_eq!(
        decided(added, Severity::Safe, &["who"], &[Role::Cursor]),
        Action::Ignore
    );
    // A rule about fields never matches a change of the stream.
    assert_eq!(
        decided(ChangeKind::StreamRemoved, Severity::Warning, &[], &[]),
        Action::Propose
    );
}

#[test]
fn matches_streams_with_and_without_their_namespace() {
    let stream = |namespace: Option<&str>, name: &str| StreamDescriptor {
        name: name.to_owned(),
        namespace: namespace.map(str::to_owned),
    };
    let fits = |pattern: &str, stream: &StreamDescriptor| {
        let policy = policy(json!({"rules": [{"stream": pattern, "then": "apply"}]}));
        let change = Subject {
            stream,
            path: &[],
            kind: ChangeKind::Metadata,
            severity: Severity::Info,
            roles: &[],
        };
        policy.decide(&change) == (Action::Apply, Some(0))
    };
    assert!(fits("public.orders", &stream(Some("public"), "orders")));
    assert!(fits("orders", &stream(Some("public"), "orders")));
    assert!(fits("public.*", &stream(Some("public"), "orders")));
    assert!(!fits("public.orders", &stream(None, "orders")));
    assert!(fits("public.orders", &stream(None, "public.orders")));
    assert!(!fits("Orders", &stream(None, "orders")), "letters count");
    assert!(fits("a[*]", &stream(None, "a*")));
}

#[test]
fn the_keywords_behave_as_documented() {
    use ChangeKind as Kind;
    let does = |word: Word, kind, severity, roles: &[Role]| {
        decided(&word.policy(), kind, severity, &["note"], roles)
    };
    for word in [Word::Propose, Word::Auto, Word::Pause, Word::Disable] {
        for severity in [Severity::Info, Severity::Safe] {
            assert_eq!(
                does(word, Kind::FieldAdded, severity, &[]),
                Action::Apply,
                "{word}"
            );
            assert_eq!(
                does(word, Kind::StreamAdded, severity, &[]),
                Action::Propose,
                "{word}"
            );
        }
    }
    for severity in [Severity::Warning, Severity::Breaking, Severity::DataLoss] {
        for kind in Kind::ALL {
            assert_eq!(does(Word::Propose, kind, severity, &[]), Action::Propose);
            let paused = does(Word::Pause, kind, severity, &[]);
            let new = kind == Kind::StreamAdded;
            assert_eq!(paused, if new { Action::Propose } else { Action::Pause });
        }
    }
    for kind in Kind::ALL {
        // A change that can lose values requires approval under every keyword.
        assert_eq!(
            does(Word::Auto, kind, Severity::DataLoss, &[]),
            Action::Propose
        );
        assert_ne!(
            does(Word::PropagateFully, kind, Severity::DataLoss, &[]),
            Action::Apply
        );
        assert_ne!(
            does(Word::PropagateColumns, kind, Severity::DataLoss, &[]),
            Action::Apply
        );
        for severity in Severity::ALL {
            assert_eq!(does(Word::Ignore, kind, severity, &[]), Action::Ignore);
        }
    }
    let removed = |roles: &[Role]| does(Word::Auto, Kind::FieldRemoved, Severity::Warning, roles);
    assert_eq!(removed(&[Role::Selected]), Action::Apply);
    assert_eq!(
        removed(&[Role::Selected, Role::PrimaryKey]),
        Action::Propose
    );
    assert_eq!(removed(&[Role::Selected, Role::Cursor]), Action::Propose);
    assert_eq!(
        does(Word::Auto, Kind::FieldRenamed, Severity::Breaking, &[]),
        Action::Apply
    );
    assert_eq!(
        does(Word::Auto, Kind::FieldTypeChanged, Severity::Warning, &[]),
        Action::Propose
    );
    assert_eq!(
        does(Word::Auto, Kind::StreamRemoved, Severity::Warning, &[]),
        Action::Propose
    );

    let columns = |kind, severity| does(Word::PropagateColumns, kind, severity, &[]);
    assert_eq!(
        columns(Kind::FieldRemoved, Severity::Warning),
        Action::Apply
    );
    assert_eq!(
        columns(Kind::FieldRemoved, Severity::Breaking),
        Action::Pause
    );
    assert_eq!(columns(Kind::StreamAdded, Severity::Info), Action::Ignore);
    assert_eq!(
        columns(Kind::StreamRemoved, Severity::Breaking),
        Action::Ignore
    );
    let fully = |kind, severity| does(Word::PropagateFully, kind, severity, &[]);
    assert_eq!(fully(Kind::StreamAdded, Severity::Info), Action::Apply);
    assert_eq!(
        fully(Kind::StreamRemoved, Severity::Breaking),
        Action::Apply
    );
    assert_eq!(
        fully(Kind::PrimaryKeyChanged, Severity::Breaking),
        Action::Pause
    );
}

#[test]
fn reports_every_fault_with_its_path() {
    let found = faults(
        r#"{"rules": [
            {"then": "apply"},
            {"kind": "field_aded", "then": "aply", "streem": "x"},
            {"severity": ["harmles", "safe", 3], "stream": "a[", "field": "", "role": [], "name": " "},
            "all"
        ], "otherwise": null, "default": "apply"}"#,
    );
    let expected = [
        "default: is not a member; expected one of rules, otherwise",
        "otherwise: is null; expected a text",
        "rules[1].streem: is not a member; expected one of name, severity, kind, stream, field, \
         role, then",
        "rules[1].kind: unknown kind of change \"field_aded\"; expected one of stream_added, ",
        "rules[1].then: unknown action \"aply\"; expected one of apply, propose, ignore, pause",
        "rules[2].name: is empty; omit it, or name the rule",
        "rules[2].severity[0]: unknown severity \"harmles\"; expected one of info, safe, warning, \
         breaking, data_loss",
        "rules[2].severity[2]: is a number; expected a text",
        "rules[2].role: is empty; omit it to match every role",
        "rules[2].stream: \"a[\" is not a pattern: ",
        "rules[2].field: is empty; omit it to match every name",
        "rules[2].then: is missing; expected one of apply, propose, ignore, pause",
        "rules[3]: is a text; expected an object",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
}

#[test]
fn rejects_what_is_not_a_policy_at_all() {
    for (text, message) in [
        (
            "",
            "unknown policy \"\"; expected one of propose, auto, pause, ignore, disable, \
             propagate_columns, propagate_fully or a JSON document",
        ),
        ("Propose", "unknown policy \"Propose\""),
        ("{", "is not JSON: EOF"),
        (
            r#"{"rules": [{"then": "apply", "then": "pause"}]}"#,
            "\"then\" is a duplicate member at line 1 column 35",
        ),
        ("[]", "is a list; expected a keyword or an object"),
        ("\"nothing\"", "unknown policy \"nothing\""),
        (r#"{"rules": {}}"#, "is an object; expected a list of rules"),
    ] {
        let found = faults(text);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains(message), "{found:?}");
    }
    let rules = vec![json!({"then": "apply"}); 101];
    let many = Policy::from_value(&json!({ "rules": rules })).unwrap_err();
    assert_eq!(many.to_string(), "rules: are 101; the maximum is 100");
    let error = serde_json::from_str::<Policy>(r#"{"otherwise": "x"}"#).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("otherwise: unknown action \"x\""),
        "{error}"
    );
}

#[test]
fn warns_about_rules_that_never_decide() {
    let policy = policy(json!({"rules": [
        {"severity": ["info", "safe"], "stream": "public.*", "then": "apply"},
        {"severity": "info", "stream": "public.orders*", "field": "id", "then": "pause"},
        {"severity": ["safe", "warning"], "stream": "public.orders", "then": "pause"},
        {"kind": "stream_removed", "field": "id", "then": "apply"},
        {"then": "propose"},
        {"role": "cursor", "then": "apply"},
    ]}));
    let warnings = policy
        .warnings()
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>();
    assert_eq!(
        warnings,
        [
            "rules[1]: never decides: rules[0] matches everything that it matches, and comes first",
            "rules[3]: never matches: it requires a field, and changes of its kinds have none",
            "rules[5]: never decides: rules[4] matches everything that it matches, and comes first",
        ]
    );
    for word in Word::ALL {
        assert_eq!(word.policy().warnings(), [], "{word}");
    }
}

#[test]
fn explains_policies() {
    let policy = policy(json!({"rules": [
        {"name": "names", "stream": "crm.*", "field": "*name*", "role": ["cursor", "primary_key"], "then": "ignore"},
        {"severity": ["info", "safe", "warning"], "kind": "field_added", "then": "apply"},
    ], "otherwise": "pause"}));
    assert_eq!(
        policy.to_text(),
        "1. names: changes in streams named crm.* of fields named *name* that concern the primary \
         key or the cursor are ignored\n2. changes of severity info, safe or warning of kind \
         field_added apply\n- every other change deactivates the connection\nAn inexact rename \
         never applies without approval, even if a rule permits it.\n"
    );
    let silent = Policy::parse(r#"{"rules": [{"then": "propose"}]}"#).unwrap();
    assert_eq!(silent.rules[0].sentence(), "all changes wait for approval");
    assert_eq!(policy.decided_by(Some(0)), "rule 1 (names)");
    assert_eq!(policy.decided_by(Some(1)), "rule 2");
    assert_eq!(policy.decided_by(None), "no rule matches");
}

#[test]
fn a_keyword_is_equivalent_to_its_expansion() {
    for word in Word::ALL {
        let policy = Policy::parse(word.as_str()).unwrap();
        assert_eq!(Policy::parse(&format!(" \"{word}\"\n")).unwrap(), policy);
        assert_eq!(Policy::parse(&policy.to_json()).unwrap(), policy, "{word}");
    }
    assert_eq!(Word::Disable.policy(), Word::Pause.policy());
    assert_eq!(
        Policy::parse("disable_connection").unwrap(),
        Word::Disable.policy()
    );
    assert_eq!(Policy::parse("{}").unwrap(), Policy::default());
}

#[test]
fn the_fingerprint_depends_on_the_order_of_rules_but_not_on_names() {
    let one = json!({"name": "a", "severity": ["safe", "info"], "then": "apply"});
    let renamed = json!({"name": "b", "severity": ["info", "safe", "info"], "then": "apply"});
    let other = json!({"stream": "x", "then": "apply"});
    let print = |rules: serde_json::Value| policy(json!({ "rules": rules })).fingerprint();
    assert_eq!(print(json!([one])), print(json!([renamed])));
    assert_ne!(print(json!([one, other])), print(json!([other, one])));
    let words: std::collections::BTreeSet<_> =
        Word::ALL.map(|word| word.policy().fingerprint()).into();
    assert_eq!(words.len(), Word::ALL.len() - 1, "disable is pause");
}

fn sets<T: Ord + Clone + std::fmt::Debug + 'static>(
    all: &'static [T],
) -> impl Strategy<Value = Option<std::collections::BTreeSet<T>>> {
    let some = proptest::sample::subsequence(all, 1..=all.len());
    proptest::option::of(some.prop_map(|chosen| chosen.iter().cloned().collect()))
}

fn patterns() -> impl Strategy<Value = Option<Pattern>> {
    let pattern = "[ab.]{0,3}[*?]?[ab]{1,2}(\\[ab\\])?";
    proptest::option::of(pattern.prop_map(|text| Pattern::parse(&text).unwrap()))
}

const ROLES: [Role; 3] = [Role::Selected, Role::PrimaryKey, Role::Cursor];

fn rules() -> impl Strategy<Value = Rule> {
    let conditions = (
        sets(&Severity::ALL),
        sets(&ChangeKind::ALL),
        patterns(),
        patterns(),
        sets(&ROLES),
    );
    let name = proptest::option::of("[a-z\"\\\\ ]{0,8}[a-z]");
    let then = proptest::sample::select(&Action::ALL[..]);
    (conditions, name, then).prop_map(|((severity, kind, stream, field, role), name, then)| Rule {
        name,
        severity,
        kind,
        stream,
        field,
        role,
        then,
    })
}

fn policies() -> impl Strategy<Value = Policy> {
    let otherwise = proptest::sample::select(&Action::ALL[..]);
    (proptest::collection::vec(rules(), 0..6), otherwise)
        .prop_map(|(rules, otherwise)| Policy { rules, otherwise })
}

type Owned = (
    StreamDescriptor,
    Vec<String>,
    ChangeKind,
    Severity,
    Vec<Role>,
);

fn changes() -> impl Strategy<Value = Owned> {
    let name = "[ab]{1,3}";
    let stream = (name, proptest::option::of(name))
        .prop_map(|(name, namespace)| StreamDescriptor { name, namespace });
    (
        stream,
        proptest::collection::vec(name, 0..3),
        proptest::sample::select(&ChangeKind::ALL[..]),
        proptest::sample::select(&Severity::ALL[..]),
        proptest::sample::subsequence(&ROLES[..], 0..=3),
    )
}

proptest! {
    #[test]
    fn a_printed_policy_round_trips(policy in policies()) {
        let printed = policy.to_json();
        prop_assert_eq!(&Policy::parse(&printed).unwrap(), &policy);
        let through_serde: Policy = serde_json::from_str(&printed).unwrap();
        prop_assert_eq!(through_serde.fingerprint(), policy.fingerprint());
    }

    #[test]
    fn the_first_match_wins(policy in policies(), change in changes()) {
        let (stream, path, kind, severity, roles) = &change;
        let change = Subject { stream, path, kind: *kind, severity: *severity, roles };
        match policy.decide(&change) {
            (action, Some(index)) => {
                prop_assert!(policy.rules[index].fits(&change));
                prop_assert_eq!(action, policy.rules[index].then);
                prop_assert!(!policy.rules[..index].iter().any(|rule| rule.fits(&change)));
            }
            (action, None) => {
                prop_assert_eq!(action, policy.otherwise);
                prop_assert!(!policy.rules.iter().any(|rule| rule.fits(&change)));
            }
        }
    }

    /// A rule with a warning decides nothing.
    #[test]
    fn warnings_are_correct(policy in policies(), change in changes()) {
        let (stream, path, kind, severity, roles) = &change;
        let path: &[String] = if format!("{kind:?}").starts_with("Field") { path } else { &[] };
        let change = Subject { stream, path, kind: *kind, severity: *severity, roles };
        if let (_, Some(index)) = policy.decide(&change) {
            let place = format!("rules[{index}]");
            prop_assert!(policy.warnings().iter().all(|warning| warning.path != place));
        }
    }
}
