//! A connector that prints what it was given, in every form it can think of: none of it is answered,
//! stored or logged.

use serde_json::{Value, json};
use test_support::{Database, StackBuilder, eventually};

/// Prints its configuration, and fails its check with parts of it.
const LEAKY: &str = r#"
import base64, json, sys, urllib.parse
def send(message):
    print(json.dumps(message), flush=True)
if sys.argv[1] == "spec":
    secret = {"type": "string", "airbyte_secret": True}
    send({"type": "SPEC", "spec": {"connectionSpecification": {"type": "object", "properties": {
        "key": secret, "account": secret, "password": secret}}}})
    sys.exit()
config = json.load(open(sys.argv[sys.argv.index("--config") + 1]))
forms = [json.dumps(config), repr(config), json.dumps(json.dumps(config)), *config["key"].splitlines()]
for value in list(config.values()) + [json.loads(config["account"])["private_key"]]:
    forms += [value, json.dumps(value), repr(value), urllib.parse.quote(value), urllib.parse.quote_plus(value),
              base64.b64encode(value.encode()).decode(), base64.b64encode(b"user:" + value.encode()).decode(),
              value.encode().hex()]
for form in forms:
    print(form, file=sys.stderr)
    print("it is " + form)
    send({"type": "LOG", "log": {"level": "ERROR", "message": "it is " + form}})
said = "refused: " + " ".join(forms)
send({"type": "CONNECTION_STATUS", "connectionStatus": {"status": "FAILED", "message": said}})
"#;

const PASSWORD: &str = "PLANTpaßw ö%rd+1";
/// What must not be visible of the key, the account and the password, in any form.
const PLANTED: [&str; 9] = [
    "PLANTkeyline",
    "PLANTaccountline",
    "PLANTpa",
    // base64 and hexadecimal of what they have in common.
    "UExBTlRrZXlsaW5l",
    "BMQU5Ua2V5bGluZ",
    "504c414e54",
    "PLANT%",
    "\\u00dfw",
    "%C3%9Fw",
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_connector_prints_of_its_secrets_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("leaky.py");
    std::fs::write(&script, LEAKY).unwrap();
    let stack = StackBuilder::four_processes(Database::Sqlite)
        .with("LOG_LEVEL", "debug")
        .local_connectors(json!([{
            "definition_id": "0190ab00-0000-4000-8000-00000000001e", "kind": "source",
            "name": "Leaky", "docker_repository": "airbyte/source-leaky", "version": "1.0.0",
            "program": "/usr/bin/env", "args": ["python3", script],
        }]))
        .start()
        .await;
    let account = json!({"type": "service_account",
        "private_key": "-----BEGIN KEY-----\nPLANTaccountline0123456789\nPLANTaccountline9876543210\n-----END KEY-----\n"});
    let config = json!({
        "key": "-----BEGIN KEY-----\nPLANTkeyline0123456789\nPLANTkeyline9876543210\n-----END KEY-----\n",
        "account": account.to_string(),
        "password": PASSWORD,
    });
    let mut answers = vec![
        stack
            .api
            .post(
                "/connections/onboard",
                &json!({"source_type": "leaky", "connection_name": "leaky", "source_config": config}),
            )
            .await,
        stack
            .api
            .post(
                "/datasource",
                &json!({"name": "leaky", "type": "leaky", "config": config}),
            )
            .await,
    ];
    for answer in &answers {
        assert_eq!(answer.status, 422, "{}", answer.text);
        assert!(answer.text.contains("**********"), "{}", answer.text);
    }
    let all: Value = stack.api.get("/connections").await.expect(200);
    let failed = &all[0];
    assert_eq!(failed["status"], "FAILED", "{all}");
    let path = format!("/connections/{}/operations", failed["id"].as_str().unwrap());
    for path in [
        "/connections",
        &path,
        "/audit",
        "/operations",
        "/datasource",
    ] {
        answers.push(stack.api.get(path).await);
    }
    for answer in &answers {
        for secret in PLANTED {
            assert!(!answer.text.contains(secret), "{secret}: {}", answer.text);
        }
    }
    for file in [
        "registry.db",
        "registry.db-wal",
        "airbyte.db",
        "airbyte.db-wal",
    ] {
        let bytes = std::fs::read(stack.home().join(file)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        for secret in PLANTED {
            assert!(!text.contains(secret), "{file} holds {secret}");
        }
    }
    for process in [
        &stack.orchestrator,
        &stack.airbyte,
        &stack.broker,
        &stack.agent,
    ] {
        let process = process.as_ref().unwrap();
        let log = eventually(async || match process.log() {
            log if log.len() > 100 => Ok(log),
            log => Err(log),
        })
        .await;
        for secret in PLANTED {
            assert!(!log.contains(secret), "a log holds {secret}");
        }
    }
}
