//! The hosts that an installation allows its connectors to connect to.

use serde_json::{Value, json};

use crate::given::{Folder, finish};

fn check(folder: &Folder, connector: &str, config: &Value, hosts: Option<&str>) -> Value {
    folder.file("config.json", &config.to_string());
    let mut command = folder.command(connector, &["check", "--config=config.json"]);
    command.env_remove("AAM_CONNECTOR_HOSTS");
    command.envs(hosts.map(|hosts| ("AAM_CONNECTOR_HOSTS", hosts)));
    let run = finish(command.spawn().unwrap(), "").ok();
    run.of("CONNECTION_STATUS", "connectionStatus").remove(0)
}

#[test]
fn a_connector_connects_to_no_host_that_is_not_listed() {
    let folder = Folder::new();
    // Accepts connections, so that a connector that asks it is noticed.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let database = json!({"host": "127.0.0.1", "port": port, "database": "d", "username": "u",
        "password": "p", "schema": "public", "ssl_mode": {"mode": "disable"}});
    let mysql = json!({"host": "127.0.0.1", "port": port, "database": "d", "username": "u",
        "ssl_mode": {"mode": "preferred"}});
    let store = json!({"s3_bucket_name": "b", "s3_bucket_path": "p", "s3_bucket_region": "",
        "s3_endpoint": format!("http://127.0.0.1:{port}"), "access_key_id": "id",
        "secret_access_key": "s", "format": {"format_type": "JSONL"}});
    for (connector, config) in [
        ("source-postgres", &database),
        ("destination-postgres", &database),
        ("source-mysql", &mysql),
        ("destination-s3", &store),
    ] {
        for hosts in ["db.example.com", "10.0.0.0/8", "*.example.com, ::1", ","] {
            let status = check(&folder, connector, config, Some(hosts));
            assert_eq!(status["status"], "FAILED", "{connector}");
            let message = status["message"].as_str().unwrap();
            assert!(message.contains("AAM_CONNECTOR_HOSTS"), "{message}");
            assert!(
                message.contains("may not connect to 127.0.0.1"),
                "{message}"
            );
        }
        let malformed = check(&folder, connector, config, Some("a b"));
        let message = malformed["message"].as_str().unwrap();
        assert!(message.contains("\"a b\" is not a host name"), "{message}");
    }
    let error = listener.accept().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "nobody asked");
}

#[test]
fn a_listed_host_is_connected_to() {
    let folder = Folder::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let config = json!({"host": "127.0.0.1", "port": port, "database": "d", "username": "u",
        "ssl_mode": {"mode": "disable"}});
    for hosts in [Some("127.0.0.0/8"), None] {
        let status = check(&folder, "source-postgres", &config, hosts);
        let message = status["message"].as_str().unwrap();
        assert!(message.contains("refuses connections"), "{message}");
    }
}
