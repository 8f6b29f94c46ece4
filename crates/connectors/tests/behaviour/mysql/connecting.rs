//! Connecting: encryption, and the reasons of failures.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use serde_json::json;

use super::given::Database;
use crate::given::configured;

#[test]
fn what_is_wrong_is_named() {
    let database = Database::new("CREATE TABLE t (id int)");
    let port = database.config_with(json!({}))["port"].clone();
    let cases = [
        (
            json!({ "password": "no" }),
            "\"username\" and \"password\": the server does not accept them for user".to_owned(),
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
            json!({ "ssl_mode": { "mode": "disabled" } }),
            "\"ssl_mode.mode\" has to be one of preferred, required".to_owned(),
        ),
        (
            json!({ "ssl_mode": { "mode": "verify_ca" } }),
            "\"ssl_mode.ca_certificate\" is needed for the mode verify_ca".to_owned(),
        ),
        (
            json!({ "tunnel_method": { "tunnel_method": "SSH_KEY_AUTH" } }),
            "\"tunnel_method\": SSH tunnels are not supported".to_owned(),
        ),
        (
            json!({ "jdbc_url_params": "useCompression=true" }),
            "\"jdbc_url_params\": useCompression=true is not supported".to_owned(),
        ),
        (
            json!({ "replication_method": { "method": "MAGIC" } }),
            "\"replication_method.method\" has to be STANDARD or CDC".to_owned(),
        ),
    ];
    for (changes, words) in cases {
        let said = database.verdict(&changes);
        assert!(said.starts_with(&words), "{changes}: {said}");
        assert!(!said.contains('\n'), "{said}");
    }
    let right = json!({ "jdbc_url_params": "connectTimeout=5000&zeroDateTimeBehavior=convertToNull",
        "tunnel_method": { "tunnel_method": "NO_TUNNEL" } });
    assert_eq!(database.verdict(&right), "SUCCEEDED");
}

/// A user of the test's own, dropped at its end.
struct User<'d>(&'d Database, String);

impl<'d> User<'d> {
    fn new(database: &'d Database, how: &str) -> Self {
        let name = format!("u{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
        database.sql(&format!("CREATE USER {name}@'%' IDENTIFIED BY 'pw' {how}"));
        Self(database, name)
    }

    fn grant(&self, rights: &str) {
        self.0.sql(&format!("GRANT {rights} TO {}@'%'", self.1));
    }

    fn config(&self) -> serde_json::Value {
        json!({ "username": self.1, "password": "pw" })
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        self.0.sql(&format!("DROP USER {}@'%'", self.1));
    }
}

#[test]
fn what_the_user_may_not_read_is_left_out_and_named() {
    let database = Database::new(
        "CREATE TABLE open (id int, secret int); CREATE TABLE shut (id int); INSERT INTO open VALUES (1, 2)",
    );
    let name = &database.name;
    let user = User::new(&database, "");
    let said = database.verdict(&user.config());
    assert!(said.contains("may not use \"database\""), "{said}");
    user.grant(&format!("INSERT ON {name}.open"));
    let said = database.verdict(&user.config());
    assert!(
        said.starts_with("\"username\": the user may read none of the tables"),
        "{said}"
    );
    user.grant(&format!("INSERT ON {name}.shut"));
    user.grant(&format!("SELECT (id) ON {name}.open"));
    assert_eq!(database.verdict(&user.config()), "SUCCEEDED");
    let streams = database.discover_with(user.config());
    assert_eq!(streams.len(), 1);
    assert_eq!(
        streams[0]["json_schema"]["properties"],
        json!({ "id": { "type": ["null", "integer"] } })
    );
    let config = database.config_with(user.config());
    let shut = configured(&database.stream("shut"), json!({}));
    let run = crate::given::finish(database.source(&config, &[shut], None), "");
    assert_eq!(run.code, 1);
    let said = run.error()["message"].as_str().unwrap().to_owned();
    assert!(said.contains("the user may not read"), "{said}");
}

#[test]
fn each_ssl_mode_behaves_as_documented() {
    let database = Database::new("CREATE TABLE t (id int)");
    let user = User::new(&database, "REQUIRE SSL");
    user.grant(&format!("SELECT ON {}.*", database.name));
    let of = |mode: serde_json::Value| {
        let mut config = user.config();
        config["ssl_mode"] = mode;
        database.verdict(&config)
    };
    // The server lets this user in only by TLS.
    assert_eq!(of(json!({ "mode": "preferred" })), "SUCCEEDED");
    assert_eq!(of(json!({ "mode": "required" })), "SUCCEEDED");
    let own = database.cell("SELECT convert(load_file(@@ssl_ca) USING utf8mb4)");
    for mode in ["verify_ca", "verify_identity"] {
        let said = of(json!({ "mode": mode, "ca_certificate": own }));
        assert_eq!(said, "SUCCEEDED", "{mode}");
    }
    let mut elsewhere = user.config();
    // The certificate names the address alone.
    elsewhere["host"] = json!("localhost");
    elsewhere["ssl_mode"] = json!({ "mode": "verify_identity", "ca_certificate": own });
    let said = database.verdict(&elsewhere);
    assert!(
        said.ends_with("has a certificate for another host"),
        "{said}"
    );
    let other = include_str!("../postgres/other_ca.pem");
    for mode in ["verify_ca", "verify_identity"] {
        let said = of(json!({ "mode": mode, "ca_certificate": other }));
        assert!(said.starts_with("\"ssl_mode\": "), "{mode}: {said}");
        assert!(said.contains("certificate"), "{mode}: {said}");
        let said = of(json!({ "mode": mode, "ca_certificate": "no PEM" }));
        assert!(said.starts_with("\"ssl_mode\": "), "{mode}: {said}");
    }
}

/// A server that says hello without TLS and then asks for the password in full: what MySQL 8
/// does when it does not know the user yet.
fn without_tls() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut hello = vec![10];
            hello.extend(b"8.4.0\0\x01\0\0\0saltsalt\0");
            // Protocol 4.1, secure connections, authentication by plugin; no TLS.
            hello.extend([0x00, 0x82, 45, 2, 0, 0x08, 0x00, 21]);
            hello.extend([0; 10]);
            hello.extend(b"saltsaltsalt\0caching_sha2_password\0");
            let packet = |number: u8, payload: &[u8]| {
                let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
                [&length[..3], &[number], payload].concat()
            };
            let _ = stream.write_all(&packet(0, &hello));
            let mut header = [0; 4];
            if stream.read_exact(&mut header).is_ok() {
                let length = u32::from_le_bytes([header[0], header[1], header[2], 0]);
                let mut login = vec![0; usize::try_from(length).unwrap()];
                let _ = stream.read_exact(&mut login);
                let _ = stream.write_all(&packet(2, &[1, 4]));
            }
            // It is asked for a key to encrypt the password with.
            if stream.read_exact(&mut [0; 5]).is_ok() {
                let _ = stream.write_all(&packet(4, b"\x01-----BEGIN PUBLIC KEY-----"));
            }
            let _ = stream.read(&mut [0; 1]);
        }
    });
    port
}

#[test]
fn a_server_without_tls_is_distinguished() {
    let database = Database::new("");
    let port = without_tls();
    let said = database.verdict(&json!({ "port": port }));
    assert!(
        said.starts_with("\"ssl_mode\": the server at") && said.contains("caching_sha2_password"),
        "{said}"
    );
    let said = database.verdict(&json!({ "port": port, "ssl_mode": { "mode": "required" } }));
    assert!(
        said.contains("has no TLS, which mode required wants"),
        "{said}"
    );
}
