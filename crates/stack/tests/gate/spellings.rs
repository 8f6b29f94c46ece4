//! Every route of every server, its path spelled in many ways: none gives a caller more than the plain
//! spelling does.

use std::fmt::Write as _;

use embedded_airbyte::Access as EngineAccess;
use serde_json::Value;
use test_support::{Database, Stack, StackBuilder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::make_key;

/// One caller's connection to a server, for requests as they are typed.
struct Wire {
    address: String,
    token: Option<String>,
    stream: Option<TcpStream>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Reply {
    status: u16,
    body: String,
}

impl Wire {
    fn new(base: &str, token: Option<&str>) -> Self {
        Self {
            address: base.trim_start_matches("http://").to_owned(),
            token: token.map(str::to_owned),
            stream: None,
        }
    }

    async fn ask(&mut self, method: &str, target: &str) -> Reply {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.address);
        if let Some(token) = &self.token {
            let _ = write!(head, "Authorization: Bearer {token}\r\n");
        }
        if !matches!(method, "GET" | "DELETE") {
            head.push_str("Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
        } else {
            head.push_str("\r\n");
        }
        // A connection that the server closed after its last answer is opened again, once.
        for stream in [self.stream.take(), None] {
            let mut stream = match stream {
                Some(stream) => stream,
                None => TcpStream::connect(&self.address).await.unwrap(),
            };
            if stream.write_all(head.as_bytes()).await.is_err() {
                continue;
            }
            let Some((reply, goes_on)) = read(&mut stream).await else {
                continue;
            };
            self.stream = goes_on.then_some(stream);
            return reply;
        }
        panic!("{method} {target} was not answered");
    }
}

/// One answer, and whether the connection can be used again.
async fn read(stream: &mut TcpStream) -> Option<(Reply, bool)> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).to_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: Option<usize> = length.map(|length| length.parse().unwrap());
    let is_stream = head.contains("text/event-stream");
    loop {
        let body = &bytes[head_end..];
        let is_whole = match length {
            Some(length) => body.len() >= length,
            None if is_stream || status == 204 || status == 304 => true,
            None => body.ends_with(b"0\r\n\r\n"),
        };
        if is_whole || stream.read_buf(&mut bytes).await.ok()? == 0 {
            break;
        }
    }
    let body = String::from_utf8_lossy(&bytes[head_end..]).into_owned();
    let goes_on = !is_stream && !head.contains("connection: close");
    Some((Reply { status, body }, goes_on))
}

/// The path with its parameters filled in by what names nothing.
fn filled(pattern: &str) -> String {
    let mut path = String::new();
    for segment in pattern.split('/').skip(1) {
        path.push('/');
        path.push_str(if segment.contains(":.*") {
            "index.html"
        } else if segment.starts_with('{') {
            "0190ab00-0000-7000-8000-000000000000"
        } else {
            segment
        });
    }
    path
}

/// The path in other spellings; `each` letter of the declared part by itself, or all at once.
fn spellings(path: &str, address: &str, each: bool) -> Vec<String> {
    let letters: Vec<usize> = path
        .char_indices()
        .filter(|(_, character)| character.is_ascii_alphabetic())
        .map(|(at, _)| at)
        .take(40)
        .collect();
    let encoded = |at: usize, upper: bool| {
        let byte = path.as_bytes()[at];
        let code = if upper {
            format!("%{byte:02X}")
        } else {
            format!("%{byte:02x}")
        };
        format!("{}{code}{}", &path[..at], &path[at + 1..])
    };
    let mut all = Vec::new();
    if each {
        all.extend(letters.iter().map(|at| encoded(*at, false)));
    }
    all.extend(letters.first().map(|at| encoded(*at, true)));
    let whole: String = path
        .bytes()
        .map(|byte| match byte {
            b'/' => "/".to_owned(),
            byte => format!("%{byte:02x}"),
        })
        .collect();
    let last = path.rfind('/').unwrap_or(0);
    let (head, tail) = path.split_at(last);
    all.extend([
        whole.clone(),
        whole.replace('%', "%25"),
        path.to_uppercase(),
        format!("/{path}"),
        format!("{head}/{tail}"),
        format!("/.{path}"),
        format!("{head}/.{tail}"),
        format!("/%2e{path}"),
        format!("/health/..{path}"),
        format!("/health/%2e%2e{path}"),
        format!("/docs/..{path}"),
        format!("/docs/..%2f{}", &path[1..]),
        format!("{path}/."),
        format!("{path}/"),
        format!("{path}//"),
        format!("{path}%2f"),
        format!("{path};x"),
        format!("{path}/;x=/health"),
        format!("{path}%00"),
        format!("{path}%20"),
        format!("{path}?x=/health"),
        format!("{path}#/health"),
        path.replacen('/', "/%2f", 1),
        format!("{head}%2f{}", &tail[1..]),
        format!("{head}%5c{}", &tail[1..]),
        format!("http://{address}{path}"),
        format!("http://{address}{whole}"),
        format!("http://{address}/{path}"),
    ]);
    all
}

/// Responses that give a caller nothing.
fn gives_nothing(reply: &Reply) -> bool {
    if matches!(reply.status, 400 | 401 | 403 | 405 | 414 | 421) {
        return true;
    }
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    reply.status == 404 && (body["code"] == "not_found" || reply.body.contains("Page Not Found"))
}

fn is_same(plain: &Reply, other: &Reply) -> bool {
    let code = |reply: &Reply| {
        let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        body["code"].as_str().map(str::to_owned)
    };
    plain.status == other.status && code(plain) == code(other)
}

/// Whether a caller may use the plain path at all.
fn is_let_in(plain: &Reply) -> bool {
    !matches!(plain.status, 401 | 403)
}

async fn services_judge_every_spelling_alike(stack: Stack) {
    let mut keys = vec![("nobody", None)];
    for role in ["viewer", "operator", "admin"] {
        let (_, key) = make_key(&stack.api, role, role).await;
        keys.push((role, Some(key)));
    }
    let mut asked = 0;
    for (service, table) in [
        (&stack.api, orchestrator::route_table()),
        (&stack.broker_api, auth_broker::route_table()),
        (&stack.agent_api, drift_repair_agent::route_table()),
    ] {
        for (who, key) in &keys {
            let mut wire = Wire::new(&service.base, key.as_deref());
            for line in &table {
                let method = line
                    .method
                    .as_ref()
                    .map_or("POST", |method| method.as_str());
                let path = filled(&line.pattern);
                let plain = wire.ask(method, &path).await;
                if is_let_in(&plain) {
                    continue;
                }
                let each = *who != "operator";
                for target in spellings(&path, &wire.address.clone(), each) {
                    let reply = wire.ask(method, &target).await;
                    asked += 1;
                    // With its slash encoded, two segments are one id, which viewers may ask for.
                    let is_one_id = (target.contains("%2f") || target.contains("%5c"))
                        && reply.status == 404
                        && reply.body.contains("credential_unknown");
                    assert!(
                        gives_nothing(&reply) || is_same(&plain, &reply) || is_one_id,
                        "{who}: {method} {target}: {reply:?}, but {path}: {plain:?}"
                    );
                }
            }
        }
    }
    assert!(asked > 2000, "only {asked} were asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn services_judge_every_spelling_alike_on_sqlite() {
    let stack = StackBuilder::one_process().with("AAM_RATE_LIMIT", "off");
    services_judge_every_spelling_alike(stack.start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_judge_every_spelling_alike_on_postgres() {
    let database = Database::postgres().await;
    let stack = StackBuilder::four_processes(database).with("AAM_RATE_LIMIT", "off");
    services_judge_every_spelling_alike(stack.start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_airbyte_rejects_unknown_callers_in_every_spelling() {
    let stack = StackBuilder::one_process().start().await;
    let mut stranger = Wire::new(&stack.airbyte_root, None);
    let mut asked = 0;
    for line in embedded_airbyte::route_table() {
        let method = line
            .method
            .as_ref()
            .map_or("POST", |method| method.as_str());
        let path = filled(&line.pattern);
        let plain = stranger.ask(method, &path).await;
        if line.policy.access != EngineAccess::Bearer {
            assert_ne!(plain.status, 401, "{method} {path}");
            continue;
        }
        assert_eq!(plain.status, 401, "{method} {path}: {plain:?}");
        for target in spellings(&path, &stranger.address.clone(), true) {
            let reply = stranger.ask(method, &target).await;
            asked += 1;
            // Outside of the API everything is the web app's one page.
            let is_page = reply.status == 200 && reply.body.starts_with("<!doctype html>");
            assert!(
                gives_nothing(&reply) || is_page,
                "{method} {target}: {reply:?}"
            );
        }
    }
    assert!(asked > 4000, "only {asked} were asked");
}
