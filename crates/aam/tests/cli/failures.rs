//! What the command prints on errors: the fault and the remedy.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use crate::given::{FREE_PORTS, Folder, Up, free_port};

#[test]
fn without_a_stack_each_command_names_the_address_and_the_remedy() {
    let folder = Folder::new();
    // No program listens on port 1.
    let nowhere = [
        ("ORCHESTRATOR_URL", "http://127.0.0.1:1"),
        ("AUTH_BROKER_URL", "http://127.0.0.1:1"),
    ];
    let commands: &[&[&str]] = &[
        &["connections"],
        &["onboard", "x", "-t", "sqlite"],
        &["sync", "x"],
        &["heal", "x"],
        &["credentials", "list"],
    ];
    for command in commands {
        let message = folder.aam_with(command, &nowhere, "").failed(1);
        let variable = if command[0] == "credentials" {
            "AUTH_BROKER_URL"
        } else {
            "ORCHESTRATOR_URL"
        };
        let expected = format!(
            "error: nothing answers at http://127.0.0.1:1; `aam up` starts the stack, {variable} \
             configures the address\n"
        );
        assert_eq!(message, expected, "{command:?}");
    }
    let status = folder.aam_with(&["status"], &nowhere, "");
    assert_eq!(status.code, Some(1));
    assert!(status.out.contains("NOT READY"), "{status:?}");
}

#[test]
fn names_an_unknown_connection() {
    let folder = Folder::new();
    let up = Up::start(&folder);
    for command in ["sync", "heal", "connections"] {
        let message = up.aam(&folder, &[command, "nobody"]).failed(1);
        assert_eq!(
            message,
            "error: no connection is named `nobody`; `aam connections` lists them\n"
        );
    }
    let id = "01a1fba9-f869-71dd-b4ca-069c69cb9f0c";
    let message = up.aam(&folder, &["sync", id]).failed(1);
    assert!(
        message.contains(id) && message.contains("code connection_not_found"),
        "{message}"
    );
}

#[test]
fn reports_every_invalid_field_of_an_onboarding() {
    let folder = Folder::new();
    let up = Up::start(&folder);
    let message = up.aam(&folder, &["onboard", "x", "-t", "sqlit"]).failed(1);
    assert!(message.contains("code source_type_unknown"), "{message}");
    assert!(
        message.contains("similar ones are") && message.contains("SQLite"),
        "{message}"
    );
    let message = up
        .aam(&folder, &["onboard", "", "-t", "", "--set", "path=1"])
        .failed(1);
    assert!(
        message.contains("connection_name") && message.contains("source_type"),
        "{message}"
    );
    let message = up
        .aam(&folder, &["onboard", "x", "-t", "sqlite", "--set", "path"])
        .failed(1);
    assert!(message.contains("--set requires NAME=VALUE"), "{message}");
}

#[test]
fn reports_all_invalid_settings_at_once() {
    let folder = Folder::new();
    let wrong = [
        ("SERVICE_PORT_ORCHESTRATOR", "eight"),
        ("SECRET_KEY", "short-and-secret"),
        ("ENVIRONMENT", "prod"),
        ("DATABASE_URL", "mysql://u:hidden-password@h/d"),
    ];
    for command in [&["up"][..], &["connections"][..]] {
        let message = folder.aam_with(command, &wrong, "").failed(1);
        assert!(
            message.starts_with("error: 4 settings cannot be used:\n"),
            "{message}"
        );
        for (variable, _) in wrong {
            let line = format!("\n  {variable}: ");
            assert!(
                message.contains(&line),
                "{variable} is not reported: {message}"
            );
        }
        assert!(!message.contains("short-and-secret"), "{message}");
        assert!(!message.contains("hidden-password"), "{message}");
    }
    let looked = folder.aam_with(&["doctor"], &wrong, "");
    assert_eq!(looked.code, Some(1));
    assert!(
        looked.out.contains("SERVICE_PORT_ORCHESTRATOR"),
        "{looked:?}"
    );
}

#[test]
fn an_unusable_database_is_reported_with_its_variable() {
    let folder = Folder::new();
    let server = std::env::var("AAM_TEST_POSTGRES_URL").unwrap();
    let (scheme, place) = server.split_once("://").unwrap();
    let (_, place) = place.rsplit_once('@').unwrap();
    let closed = free_port();
    for (url, cause) in [
        (
            format!("{scheme}://aam:hidden-password@{place}"),
            "password authentication failed",
        ),
        (
            format!("{scheme}://u:hidden-password@127.0.0.1:{closed}/aam"),
            "Connection refused",
        ),
    ] {
        let settings = [("DATABASE_URL", url.as_str())];
        for command in [&["up"][..], &["migrate", "up"], &["migrate", "status"]] {
            let message = folder.aam_with(command, &settings, "").failed(1);
            assert!(message.contains("check DATABASE_URL"), "{message}");
            assert!(message.contains(cause), "{message}");
            assert!(!message.contains("hidden-password"), "{message}");
        }
        let looked = folder.aam_with(&["doctor"], &settings, "");
        assert!(looked.out.contains("check DATABASE_URL"), "{looked:?}");
        assert!(looked.out.contains(cause), "{looked:?}");
    }
}

#[test]
fn a_too_low_limit_on_open_files_is_reported_with_a_sufficient_one() {
    let folder = Folder::new();
    let program = env!("CARGO_BIN_EXE_aam");
    let ran = folder.shell(&format!("ulimit -n 64 && exec {program} up"), FREE_PORTS);
    let message = ran.failed(1);
    assert!(message.contains("limit on open files is 64"), "{message}");
    assert!(message.contains("ulimit -n 256"), "{message}");
    // The program raises a low soft limit to the hard limit.
    let line = format!("ulimit -Sn 64 && exec {program} up");
    let mut command = folder.command(Path::new("sh"), FREE_PORTS);
    let up = Up::of(command.args(["-c", &line]), &folder);
    up.aam(&folder, &["status"]).success();
}

#[test]
fn a_port_in_use_is_reported_with_its_variable() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (variable, _) in FREE_PORTS {
        let folder = Folder::new();
        let mut variables = FREE_PORTS.to_vec();
        variables.push((variable, &port));
        let message = folder.aam_with(&["up"], &variables, "").failed(1);
        assert!(message.contains(&format!("127.0.0.1:{port}")), "{message}");
        assert!(message.contains(variable), "{message}");
        assert!(message.contains("in use"), "{message}");
    }
}

#[test]
fn rejects_a_second_stack_on_the_same_data_directory() {
    let folder = Folder::new();
    let up = Up::start(&folder);
    let message = folder.aam_with(&["up"], FREE_PORTS, "").failed(1);
    assert!(message.contains("another stack is using"), "{message}");
    assert!(message.contains("AAM_HOME"), "{message}");
    // The first stack is unaffected.
    up.aam(&folder, &["status"]).success();
}

#[test]
fn reports_a_server_that_is_not_an_aam_service() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
            );
        }
    });
    let folder = Folder::new();
    let variables = [("ORCHESTRATOR_URL", url.as_str())];
    let message = folder.aam_with(&["connections"], &variables, "").failed(1);
    let expected = format!(
        "error: {url} answered 404 Not Found and is not an AAM service; ORCHESTRATOR_URL \
         configures the address\n"
    );
    assert_eq!(message, expected);
}

#[test]
fn reports_a_missing_key() {
    let folder = Folder::new();
    let up = Up::start_with(&folder, &[("AAM_API_KEY", "aam_0123456789abcdef")]);
    let message = up.aam(&folder, &["connections"]).failed(1);
    assert!(message.contains("code unauthenticated"), "{message}");
    let mut variables = up.addresses();
    variables.push(("AAM_API_KEY", "aam_0123456789abcdef"));
    folder.aam_with(&["connections"], &variables, "").success();
}

#[test]
fn explains_a_wrong_command_line() {
    let folder = Folder::new();
    let message = folder.aam(&["onboard"]).failed(2);
    assert!(message.contains("--source-type"), "{message}");
    let message = folder.aam(&["conections"]).failed(2);
    assert!(message.contains("connections"), "{message}");
    assert!(folder.aam(&["--version"]).success().starts_with("aam "));
}
