//! Planted secrets in every form.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn specification() -> Value {
    json!({"properties": {
        "host": {"type": "string"},
        "password": {"type": "string", "airbyte_secret": true},
        "tunnel": {"oneOf": [
            {"properties": {"method": {"const": "none"}}},
            {"properties": {"key": {"type": "string", "airbyte_secret": true}}},
        ]},
        "keys": {"type": "array", "items": {"$ref": "#/definitions/key"}},
    }, "definitions": {"key": {"properties": {"a/b": {"airbyte_secret": true}}}}})
}

fn of(secret: &str) -> Redactor {
    Redactor::of(&specification(), &json!({"host": "h", "password": secret}))
}

#[test]
fn finds_secrets_in_branches_lists_and_references() {
    let configuration = json!({"host": "h", "password": "p", "tunnel": {"key": "k"},
        "keys": [{"a/b": "first"}, {"a/b": {"inner": "second"}}]});
    assert_eq!(
        pointers(&specification(), &configuration),
        ["/keys/0/a~1b", "/keys/1/a~1b", "/password", "/tunnel/key"]
    );
}

#[test]
fn redacts_a_key_as_a_whole_and_line_by_line() {
    let key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END PRIVATE KEY-----\n";
    let redactor = of(key);
    for line in key.lines().filter(|line| !line.starts_with("-----")) {
        assert_eq!(
            redactor.clean(&format!("read {line} ok")),
            format!("read {MASK} ok")
        );
    }
    let shown = redactor.clean(&json!({"key": key}).to_string());
    assert!(
        !shown.contains("MIIE") && !shown.contains("AQEF"),
        "{shown}"
    );
    let shown = redactor.clean(&format!("{key:?}"));
    assert!(
        !shown.contains("MIIE") && !shown.contains("AQEF"),
        "{shown}"
    );
}

#[test]
fn redacts_texts_inside_a_json_secret() {
    let account = json!({"type": "service_account", "private_key_id": "0123456789abcdef",
        "private_key": "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n-----END PRIVATE KEY-----\n"});
    let redactor = of(&account.to_string());
    for line in [
        "key 0123456789abcdef was refused",
        "MIIEvQIBADANBgkqhkiG9w0B",
        r"private_key=-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n",
    ] {
        let shown = redactor.clean(line);
        assert!(
            !shown.contains("MIIE") && !shown.contains("0123456789"),
            "{shown}"
        );
    }
}

#[test]
fn redacts_short_secrets_where_a_value_is_expected() {
    let redactor = of("abc");
    for (line, clean) in [
        ("password=abc", "password=**********"),
        (r#"{"pin": "abc"}"#, r#"{"pin": "**********"}"#),
        ("pin: abc, host", "pin: **********, host"),
        ("the abc of it", "the abc of it"),
        ("=abcd", "=abcd"),
    ] {
        assert_eq!(redactor.clean(line), clean);
    }
    let number = Redactor::of(&specification(), &json!({"password": 12}));
    assert_eq!(
        number.clean(r#"{"password":12}"#),
        r#"{"password":**********}"#
    );
}

#[test]
fn without_secrets_changes_nothing_and_masks_are_not_secrets() {
    assert_eq!(Redactor::default().clean("a\\u0062"), "a\\u0062");
    assert_eq!(of(MASK).clean(MASK), MASK);
    assert_eq!(of("  ").clean("a  b"), "a  b");
}

#[test]
fn a_longer_secret_leaves_no_tail() {
    let redactor = of("hunter2");
    redactor.learn_all(&json!(["hunter2hunter"]));
    assert_eq!(redactor.clean("x hunter2hunter y"), format!("x {MASK} y"));
    assert_eq!(redactor.clean("hunter2hunter2"), MASK);
}

fn percent(text: &str, keep: &str, upper: bool) -> String {
    text.bytes()
        .map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() || keep.as_bytes().contains(&byte) => {
                char::from(byte).to_string()
            }
            byte if upper => format!("%{byte:02X}"),
            byte => format!("%{byte:02x}"),
        })
        .collect()
}

fn ascii_json(text: &str) -> String {
    let quoted = Value::String(text.to_owned()).to_string();
    let mut ascii = String::new();
    for character in quoted[1..quoted.len() - 1].chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    ascii
}

fn unicode_only(text: &str) -> String {
    text.encode_utf16()
        .map(|unit| format!("\\u{unit:04X}"))
        .collect()
}

proptest! {
    #[test]
    fn finds_a_planted_secret_in_every_form(
        secret in "[ -~äöß€😀]{6,40}",
        before in "[a-z]{0,5}",
        after in "[a-z]{0,5}",
    ) {
        prop_assume!(secret.trim().len() >= 6);
        let redactor = of(&secret);
        let json = Value::String(secret.clone()).to_string();
        let twice = Value::String(json.clone()).to_string();
        for form in [
            secret.clone(),
            json.clone(),
            twice,
            ascii_json(&secret),
            unicode_only(&secret),
            percent(&secret, "-._~", true),
            percent(&secret, "-._~/", false),
            percent(&secret, "*-._ ", true).replace(' ', "+"),
            percent(&ascii_json(&secret), "-._~", true),
            hex::encode(&secret),
        ] {
            let shown = redactor.clean(&format!("{before} {form} {after}"));
            prop_assert!(shown.contains(MASK), "{} in {}", form, shown);
            prop_assert!(!shown.contains(&form), "{} in {}", form, shown);
        }
        for encoded in [
            STANDARD.encode(&secret),
            URL_SAFE_NO_PAD.encode(&secret),
            STANDARD.encode(format!("{before}:{secret}{after}")),
        ] {
            let shown = redactor.clean(&format!("Authorization: Basic {encoded}"));
            // Only the characters that the secret shares with the surrounding text may remain.
            prop_assert!(shown.contains(MASK), "{} in {}", encoded, shown);
        }
    }

    #[test]
    fn redaction_keeps_the_text_valid(secret in "\\PC{4,12}", text in "\\PC{0,60}") {
        let redactor = of(&secret);
        let shown = redactor.clean(&format!("{text}{secret}{text}"));
        prop_assert!(!shown.contains(&secret) || MASK.contains(&secret) || secret.contains('*'));
        prop_assert_eq!(redactor.clean("no such thing"), "no such thing");
    }
}
