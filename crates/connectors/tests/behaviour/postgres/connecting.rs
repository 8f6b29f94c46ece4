//! Connecting: encryption, and the reasons of failures.

use serde_json::{Value, json};

use super::given::Database;

fn verdict(database: &Database, config: &Value) -> String {
    let run = database.command("source-postgres", "check", config).ok();
    let status = run.of("CONNECTION_STATUS", "connectionStatus").remove(0);
    match status["status"].as_str().unwrap() {
        "SUCCEEDED" => "SUCCEEDED".to_owned(),
        _ => status["message"].as_str().unwrap().to_owned(),
    }
}

#[test]
fn what_is_wrong_is_named() {
    let database = Database::new("CREATE TABLE t (id int)");
    let port = database.server.port;
    let cases = [
        (
            json!({ "password": "no" }),
            "\"username\" and \"password\": the server does not accept them for user aam"
                .to_owned(),
        ),
        (
            json!({ "username": "nobody_here" }),
            "\"username\" and \"password\": the server does not accept them for user nobody_here"
                .to_owned(),
        ),
        (
            json!({ "database": "not_there" }),
            "\"database\": there is no database not_there".to_owned(),
        ),
        (
            json!({ "port": 1 }),
            "\"host\" and \"port\": 127.0.0.1:1 refuses connections".to_owned(),
        ),
        (
            json!({ "host": "no.such.host.invalid" }),
            format!("\"host\" and \"port\": no.such.host.invalid:{port} cannot be reached"),
        ),
        (
            json!({ "host": null }),
            "the configuration needs \"host\"".to_owned(),
        ),
        (
            json!({ "port": 70000 }),
            "\"port\" has to be between 1 and 65535".to_owned(),
        ),
        (
            json!({ "schemas": ["public", "gone"] }),
            "\"schemas\": the database has no schema gone".to_owned(),
        ),
        (
            json!({ "ssl_mode": { "mode": "maybe" } }),
            "\"ssl_mode.mode\" has to be one of".to_owned(),
        ),
        (
            json!({ "tunnel_method": { "tunnel_method": "SSH_KEY_AUTH" } }),
            "\"tunnel_method\": SSH tunnels are not supported".to_owned(),
        ),
        (
            json!({ "jdbc_url_params": "prepareThreshold=0" }),
            "\"jdbc_url_params\": prepareThreshold is not supported".to_owned(),
        ),
        (
            json!({ "replication_method": { "method": "Magic" } }),
            "\"replication_method.method\" has to be".to_owned(),
        ),
    ];
    for (changes, words) in cases {
        let said = verdict(&database, &database.config_with(changes.clone()));
        assert!(said.starts_with(&words), "{changes}: {said}");
        assert!(!said.contains('\n'), "{said}");
    }
    let right = json!({ "jdbc_url_params": "connectTimeout=5&ApplicationName=x", "tunnel_method": { "tunnel_method": "NO_TUNNEL" } });
    assert_eq!(
        verdict(&database, &database.config_with(right)),
        "SUCCEEDED"
    );
}

#[test]
fn tables_that_may_not_be_read_are_left_out_and_named() {
    let database = Database::new(
        "CREATE TABLE open (id int, secret text, v int); CREATE TABLE closed (id int); \
         CREATE SCHEMA hidden; CREATE TABLE hidden.t (id int)",
    );
    let role = format!("reader_of_{}", database.name);
    database.sql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'pw'; GRANT SELECT (id, v) ON open TO {role}; \
         GRANT SELECT ON hidden.t TO {role}"
    ));
    let config = database.config_with(json!({ "username": role, "password": "pw" }));
    let streams = database.discover_with(&config);
    assert_eq!(streams.len(), 1);
    let properties = streams[0]["json_schema"]["properties"].as_object().unwrap();
    assert_eq!(properties.keys().collect::<Vec<_>>(), ["id", "v"]);
    database.sql(&format!("REVOKE SELECT (id, v) ON open FROM {role}"));
    let said = verdict(&database, &config);
    let streams = [crate::given::configured(&streams[0], json!({}))];
    let run = database.read_with(&config, &streams, None);
    database.sql(&format!(
        "REVOKE ALL ON hidden.t FROM {role}; DROP ROLE {role}"
    ));
    assert!(
        said.starts_with("\"username\": the user may read none of the tables"),
        "{said}"
    );
    assert_eq!(run.code, 1);
    assert!(
        run.error()["message"]
            .as_str()
            .unwrap()
            .ends_with("the user may not read public.open")
    );
}

#[test]
fn each_ssl_mode_behaves_as_documented() {
    let database = Database::new(
        "CREATE VIEW tls AS SELECT ssl AS id FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    );
    let encrypted = |mode: Value| {
        let config = database.config_with(json!({ "ssl_mode": mode }));
        let stream = database.discover_with(&config).remove(0);
        let streams = [crate::given::configured(&stream, json!({}))];
        let run = database.read_with(&config, &streams, None).ok();
        run.records()[0]["id"].as_bool().unwrap()
    };
    assert!(!encrypted(json!({ "mode": "disable" })));
    assert!(!encrypted(json!({ "mode": "allow" })));
    assert!(encrypted(json!({ "mode": "prefer" })));
    assert!(encrypted(json!({ "mode": "require" })));
    let of = |mode: Value| {
        verdict(
            &database,
            &database.config_with(json!({ "ssl_mode": mode })),
        )
    };
    assert_eq!(
        of(json!({ "mode": "verify-full" })),
        "\"ssl_mode.ca_certificate\" is needed for the mode verify-full"
    );
    for (mode, words) in [
        ("verify-ca", "\"ssl_mode\": "),
        ("verify-full", "\"ssl_mode\": "),
    ] {
        let said = of(json!({ "mode": mode, "ca_certificate": OTHER_CA }));
        assert!(said.starts_with(words), "{mode}: {said}");
        assert!(said.contains("certificate"), "{mode}: {said}");
    }
    // What the server shows signs itself, which the TLS library refuses even when it is trusted.
    let own = database
        .lines("SELECT pg_read_file(current_setting('ssl_cert_file'))")
        .remove(0);
    let said = of(json!({ "mode": "verify-ca", "ca_certificate": own }));
    assert!(
        said.contains("has a certificate that signs itself"),
        "{said}"
    );
    let said = of(json!({ "mode": "verify-ca", "ca_certificate": "no PEM" }));
    assert!(said.starts_with("\"ssl_mode\": "), "{said}");
}

/// The certificate of an authority that signed nothing.
const OTHER_CA: &str = include_str!("other_ca.pem");
