//! A changed root key is detected at once and reported by name, and the suggested remedy works.

use serde_json::Value;

use crate::given::{Folder, Up};

const FORMER: &str = "the-former-key-of-at-least-thirty-two-bytes";
const OTHER: &str = "another-key-of-at-least-thirty-two-bytes-too";

#[test]
fn a_changed_secret_key_is_detected_at_startup_by_ready_and_by_doctor() {
    let folder = Folder::new();
    let up = Up::start_with(&folder, &[("SECRET_KEY", FORMER)]);
    folder
        .aam_with(
            &["credentials", "put", "shop", "--source-type", "Salesforce"],
            &up.addresses(),
            r#"{"client_id": "x"}"#,
        )
        .success();
    let with = |up: &Up, key: &str, args: &[&str]| {
        let mut variables = up.addresses();
        variables.push(("SECRET_KEY", key));
        folder.aam_with(args, &variables, "")
    };
    let well = with(&up, FORMER, &["doctor"]).success();
    assert!(well.contains("opens the stored secrets"), "{well}");
    up.interrupt();

    let up = Up::start_with(&folder, &[("SECRET_KEY", OTHER)]);
    assert!(up.log().contains("secret_key_changed"), "{}", up.log());
    let looked = with(&up, OTHER, &["doctor"]);
    assert_eq!(looked.code, Some(1), "{looked:?}");
    let line = looked
        .out
        .lines()
        .find(|line| line.starts_with("secret key"));
    let line = line.unwrap_or_else(|| panic!("{looked:?}"));
    assert!(
        line.contains("PROBLEM") && line.contains("`shop`"),
        "{line}"
    );
    assert!(
        line.contains("former key") && line.contains("aam credentials rm"),
        "{line}"
    );
    let status: Value =
        serde_json::from_str(&with(&up, OTHER, &["status", "--output", "json"]).out).unwrap();
    let broker = &status[1];
    assert_eq!(broker["ready"], false, "{broker}");
    assert!(broker.to_string().contains("secret_key"), "{broker}");
    let message = with(&up, OTHER, &["credentials", "list"]).failed(1);
    assert!(message.contains("code secret_key_changed"), "{message}");
    assert!(!format!("{looked:?}{message}{}", up.log()).contains(OTHER));

    // The key is lost: after the secrets that it sealed are removed, the stack works again.
    with(&up, OTHER, &["credentials", "rm", "shop"]).success();
    with(&up, OTHER, &["doctor"]).success();
    with(&up, OTHER, &["status"]).success();
}

#[test]
fn a_changed_key_of_the_embedded_airbyte_prevents_its_start() {
    let folder = Folder::new();
    let up = Up::start_with(&folder, &[("AIRBYTE_SECRET_KEY", FORMER)]);
    up.interrupt();
    let mut variables = crate::given::FREE_PORTS.to_vec();
    variables.push(("AIRBYTE_SECRET_KEY", OTHER));
    let message = folder.aam_with(&["up"], &variables, "").failed(1);
    assert!(
        message.contains("AIRBYTE_SECRET_KEY") && message.contains("previous key"),
        "{message}"
    );
}
