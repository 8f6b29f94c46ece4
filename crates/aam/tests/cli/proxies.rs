//! Proxies in the environment are meant for other programs: neither the services, nor their
//! clients, nor the scripts send them a byte, and no database variable leads a password elsewhere.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use test_support::workspace_root;

use crate::given::{Folder, Up};

const KEY: &str = "aam_a_key_that_no_proxy_may_see";

/// A listener that records what it receives and never responds.
struct Recorder {
    address: String,
    connections: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Recorder {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let connections = Arc::new(AtomicUsize::new(0));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (count, kept) = (Arc::clone(&connections), Arc::clone(&heads));
        std::thread::spawn(move || {
            use std::io::Read as _;
            for stream in listener.incoming() {
                let mut head = vec![0; 4096];
                count.fetch_add(1, Ordering::SeqCst);
                let read = stream.and_then(|mut stream| stream.read(&mut head));
                head.truncate(read.unwrap_or(0));
                kept.lock()
                    .unwrap()
                    .push(String::from_utf8_lossy(&head).into_owned());
            }
        });
        Self {
            address,
            connections,
            heads,
        }
    }

    /// Variables that direct every conventional HTTP client here.
    fn variables(&self) -> Vec<(String, String)> {
        let http = format!("http://{}", self.address);
        let mut variables = Vec::new();
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            variables.push((name.to_owned(), http.clone()));
            variables.push((name.to_lowercase(), http.clone()));
        }
        // An empty exemption overrides one that the machine's user may have set.
        variables.push(("NO_PROXY".to_owned(), String::new()));
        variables
    }

    #[track_caller]
    fn saw_nothing(&self, after: &str) {
        let heads = self.heads.lock().unwrap();
        let connections = self.connections.load(Ordering::SeqCst);
        assert_eq!(connections, 0, "after {after}: {heads:?}");
    }
}

fn borrowed(variables: &[(String, String)]) -> Vec<(&str, &str)> {
    let pairs = variables.iter();
    pairs
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

#[test]
fn services_commands_and_scripts_ignore_the_environments_proxies() {
    let recorder = Recorder::start();
    let mut variables = recorder.variables();
    variables.push(("AAM_API_KEY".to_owned(), KEY.to_owned()));
    let folder = Folder::new();
    let up = Up::start_with(&folder, &borrowed(&variables));
    recorder.saw_nothing("aam up");
    variables.extend(up.variables.iter().cloned());
    let all = borrowed(&variables);
    let path = format!("path={}", folder.path().join(".aam/sample.db").display());
    for command in [
        &["onboard", "airports", "-t", "sqlite", "--set", &path][..],
        &["sync", "airports", "--wait"],
        &["heal", "airports"],
        &["connections"],
        &["status"],
        &["doctor"],
        &["probe", &format!("{}/health", up.variables[0].1)],
    ] {
        folder.aam_with(command, &all, "").success();
        recorder.saw_nothing(command[0]);
    }
    for script in ["test_health.sh", "test_onboarding.sh"] {
        let script = workspace_root().join("scripts").join(script);
        let line = format!("'{}'", script.display());
        let mut with = all.clone();
        let sample = format!(
            r#"{{"path": "{}"}}"#,
            folder.path().join(".aam/sample.db").display()
        );
        with.push(("SOURCE_CONFIG", &sample));
        folder.shell(&line, &with).success();
        recorder.saw_nothing(&line);
    }
}

#[test]
fn a_client_that_obeys_the_variables_reaches_the_recorder() {
    let recorder = Recorder::start();
    let folder = Folder::new();
    let line = "curl -sS --max-time 5 http://127.0.0.1:9/";
    let ran = folder.shell(line, &borrowed(&recorder.variables()));
    assert_ne!(ran.code, Some(0));
    assert_eq!(recorder.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn airbytes_proxy_is_used_only_for_airbyte() {
    let recorder = Recorder::start();
    let folder = Folder::new();
    let proxy = format!("http://user:hunter2@{}", recorder.address);
    let variables = [
        ("AIRBYTE_PROXY_URL", proxy.as_str()),
        (
            "AIRBYTE_API_URL",
            "http://airbyte.example.com/api/public/v1",
        ),
    ];
    let message = folder.aam_with(&["doctor"], &variables, "");
    assert!(!format!("{message:?}").contains("hunter2"), "{message:?}");
    let heads = recorder.heads.lock().unwrap();
    assert!(
        heads[0].contains("http://airbyte.example.com/"),
        "{heads:?}"
    );
    drop(heads);
    // This machine is never reached through a proxy.
    let local = Recorder::start();
    let proxy = format!("http://{}", local.address);
    folder.aam_with(
        &["doctor"],
        &[
            ("AIRBYTE_PROXY_URL", proxy.as_str()),
            ("AIRBYTE_API_URL", "http://127.0.0.1:9/api/public/v1"),
        ],
        "",
    );
    local.saw_nothing("doctor with a local Airbyte");
    let wrong = folder.aam_with(
        &["doctor"],
        &[("AIRBYTE_PROXY_URL", "socks5://u:hunter2@h:1")],
        "",
    );
    let message = format!("{wrong:?}");
    assert!(
        message.contains("AIRBYTE_PROXY_URL") && !message.contains("hunter2"),
        "{message}"
    );
}

#[test]
fn the_database_url_overrides_the_environments_database_variables() {
    let recorder = Recorder::start();
    let folder = Folder::new();
    let (host, port) = recorder.address.split_once(':').unwrap();
    for url in [
        "postgresql:///aam?port=9",
        "postgresql://aam:hunter2@localhost:9/aam",
        "postgresql://aam:hunter2@/aam?host=127.0.0.1&port=9",
    ] {
        let variables = [
            ("DATABASE_URL", url),
            ("PGHOST", host),
            ("PGHOSTADDR", host),
            ("PGPORT", port),
            ("PGSSLMODE", "disable"),
        ];
        folder
            .aam_with(&["migrate", "status"], &variables, "")
            .failed(1);
        recorder.saw_nothing(url);
    }
}
