//! `aam probe` succeeds on 2xx; on any other response it fails and reports why.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output};

/// Answers one request with `status` and returns the address.
fn answering(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
            head.push(byte[0]);
        }
        write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
    });
    format!("http://{address}/health")
}

fn probe(url: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_aam"))
        .args(["probe", url])
        // A nonexistent proxy: the probe connects to the address directly.
        .env("http_proxy", "http://127.0.0.1:1")
        .output()
        .unwrap()
}

#[test]
fn a_2xx_response_succeeds_silently() {
    let output = probe(&answering("200 OK"));
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
}

#[test]
fn without_a_url_probes_the_programs_on_this_machine() {
    let probe = |orchestrator: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aam"));
        command.arg("probe");
        for variable in ["AUTH_BROKER", "DRIFT_REPAIR", "EMBEDDED_AIRBYTE"] {
            // No program may listen on port 1.
            command.env(format!("SERVICE_PORT_{variable}"), "1");
        }
        command.env("SERVICE_PORT_ORCHESTRATOR", orchestrator);
        command.output().unwrap().status.success()
    };
    let port = |url: &str| url.split([':', '/']).nth(4).unwrap().to_owned();
    assert!(probe(&port(&answering("200 OK"))));
    assert!(!probe(&port(&answering("503 Service Unavailable"))));
    assert!(!probe("1"), "nothing runs");
}

#[test]
fn another_status_fails_and_is_reported() {
    let output = probe(&answering("503 Service Unavailable"));
    assert!(!output.status.success());
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("503"), "{message}");
}

#[test]
fn fails_if_nothing_listens() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{free}/health");
    let output = probe(&url);
    assert!(!output.status.success());
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains(&url), "{message}");
}
