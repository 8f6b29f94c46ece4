//! What stands between a service and something it depends on, on the level of TCP, and fails on
//! demand: HTTP, PostgreSQL and Redis alike.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How the wire fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireFault {
    /// Nothing listens.
    Refused,
    /// The connection is reset when a part of the answer has come through.
    Reset,
    /// Nothing comes back for as long as the fault lasts.
    Silence,
    /// Something answers an HTTP request for whom it was meant.
    Answer {
        /// The HTTP status.
        status: u16,
        /// Headers, each with its end of line.
        headers: &'static str,
        /// The body.
        body: &'static str,
    },
    /// Every HTTP request is answered 401 the first time.
    Expired,
    /// A POST to a path that ends so has its effect, and its answer ends in the middle of the body.
    Cut(&'static str),
    /// A POST to a path that ends so arrives only after this time; its caller has gone by then.
    Late(&'static str, Duration),
}

impl WireFault {
    /// 500 as Airbyte answers it.
    pub const FAILED: Self = Self::Answer {
        status: 500,
        headers: "content-type: application/json\r\n",
        body: r#"{"errorId":"made-to-fail"}"#,
    };
    /// 502 as what stands before it answers.
    pub const GATEWAY: Self = Self::Answer {
        status: 502,
        headers: "content-type: text/html\r\n",
        body: "<html><h1>502 Bad Gateway</h1></html>",
    };
    /// 429 with a wait.
    pub const LIMITED: Self = Self::Answer {
        status: 429,
        headers: "content-type: application/json\r\nretry-after: 1\r\n",
        body: r#"{"message":"slow down"}"#,
    };
    /// 200 with a document that ends in the middle.
    pub const TRUNCATED: Self = Self::Answer {
        status: 200,
        headers: "content-type: application/json\r\n",
        body: r#"{"data":[{"name":"al"#,
    };
}

/// The wire; it goes with the test.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    fault: watch::Sender<Option<WireFault>>,
    memory: Memory,
    task: tokio::task::JoinHandle<()>,
}

/// What outlasts a connection.
#[derive(Debug, Default, Clone)]
struct Memory {
    /// The requests that received an error about an expired token.
    expired: Arc<Mutex<HashSet<String>>>,
    /// Requests held back that have not arrived yet.
    late: Arc<AtomicUsize>,
}

impl Wire {
    /// A wire to `upstream`, for instance `127.0.0.1:5432`, that works.
    pub async fn to(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let fault = watch::Sender::new(None);
        let memory = Memory::default();
        let (upstream, changes) = (upstream.to_owned(), fault.subscribe());
        let task = tokio::spawn(run(listener, upstream, changes, memory.clone()));
        Self {
            address,
            fault,
            memory,
            task,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Fails from now on, connections that are open included.
    pub fn fail(&self, fault: WireFault) {
        self.fault.send_replace(Some(fault));
    }

    /// Works again. What is held back still arrives late.
    pub fn mend(&self) {
        self.fault.send_replace(None);
    }

    /// Waits until everything that was held back has arrived and was answered.
    pub async fn landed(&self) {
        crate::eventually_within(Duration::from_secs(60), async || {
            match self.memory.late.load(Ordering::SeqCst) {
                0 => Ok(()),
                late => Err(format!("{late} requests have not arrived")),
            }
        })
        .await;
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(
    listener: TcpListener,
    upstream: String,
    fault: watch::Receiver<Option<WireFault>>,
    memory: Memory,
) {
    let address = listener.local_addr().unwrap();
    let mut changes = fault.clone();
    let mut listener = Some(listener);
    loop {
        if *changes.borrow_and_update() == Some(WireFault::Refused) {
            listener = None;
        } else if listener.is_none() {
            listener = Some(bound(address).await);
        }
        let Some(listening) = &listener else {
            if changes.changed().await.is_err() {
                return;
            }
            continue;
        };
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            accepted = listening.accept() => if let Ok((client, _)) = accepted {
                let carried = carry(client, upstream.clone(), fault.clone(), memory.clone());
                tokio::spawn(carried);
            },
        }
    }
}

/// Listens where it did before.
async fn bound(address: SocketAddr) -> TcpListener {
    loop {
        if let Ok(listener) = TcpListener::bind(address).await {
            return listener;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Carries one connection; a fault that begins resets it, or leaves it silent.
async fn carry(
    client: TcpStream,
    upstream: String,
    mut fault: watch::Receiver<Option<WireFault>>,
    memory: Memory,
) {
    let present = *fault.borrow_and_update();
    let mut client = client;
    match present {
        None | Some(WireFault::Refused) => {
            let Ok(mut server) = TcpStream::connect(&upstream).await else {
                return;
            };
            let copied = tokio::io::copy_bidirectional(&mut client, &mut server);
            tokio::select! {
                _ = copied => return,
                _ = fault.changed() => {}
            }
            if *fault.borrow_and_update() == Some(WireFault::Silence) {
                // One that is open goes silent as well.
                let _ = fault.changed().await;
            }
            reset(&client);
        }
        Some(WireFault::Reset) => {
            let Ok(server) = TcpStream::connect(&upstream).await else {
                return;
            };
            let (mut from_server, mut to_server) = server.into_split();
            let (mut from_client, mut to_client) = client.into_split();
            let upwards = tokio::spawn(async move {
                let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
            });
            let mut part = [0; 12];
            if from_server.read_exact(&mut part).await.is_ok() {
                let _ = to_client.write_all(&part).await;
                // Sent before the reset, which would overtake it.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            reset(to_client.as_ref());
            upwards.abort();
        }
        Some(WireFault::Silence) => {
            let mut heard = [0; 4096];
            loop {
                tokio::select! {
                    read = client.read(&mut heard) => if read.unwrap_or(0) == 0 { return },
                    _ = fault.changed() => return reset(&client),
                }
            }
        }
        Some(WireFault::Answer {
            status,
            headers,
            body,
        }) => {
            if request(&mut client).await.is_some() {
                answer(&mut client, status, headers, body).await;
            }
        }
        Some(WireFault::Expired) => {
            let Some(request) = request(&mut client).await else {
                return;
            };
            let line = first_line(&request);
            let is_first = !line.contains("/applications/token")
                && memory.expired.lock().unwrap().insert(line.clone());
            if is_first {
                let body = r#"{"message":"token expired"}"#;
                answer(&mut client, 401, "content-type: application/json\r\n", body).await;
            } else {
                memory.expired.lock().unwrap().remove(&line);
                give(&mut client, &exchange(&upstream, &request).await).await;
            }
        }
        Some(WireFault::Cut(path)) => {
            let Some(request) = request(&mut client).await else {
                return;
            };
            let answered = exchange(&upstream, &request).await;
            let end = answered.windows(4).position(|four| four == b"\r\n\r\n");
            match end.filter(|_| is_post_to(&request, path)) {
                Some(end) => {
                    let body = String::from_utf8_lossy(&answered[end + 4..]);
                    let half: String = body.chars().take(body.len() / 2).collect();
                    answer(
                        &mut client,
                        200,
                        "content-type: application/json\r\n",
                        &half,
                    )
                    .await;
                }
                None => give(&mut client, &answered).await,
            }
        }
        Some(WireFault::Late(path, delay)) => {
            let Some(request) = request(&mut client).await else {
                return;
            };
            let is_meant = is_post_to(&request, path);
            if is_meant {
                memory.late.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(delay).await;
            }
            give(&mut client, &exchange(&upstream, &request).await).await;
            if is_meant {
                memory.late.fetch_sub(1, Ordering::SeqCst);
            }
        }
    }
}

fn is_post_to(request: &[u8], path: &str) -> bool {
    let line = first_line(request);
    line.starts_with("POST ")
        && line
            .split(' ')
            .nth(1)
            .is_some_and(|asked| asked.ends_with(path))
}

/// Closes with a reset instead of a goodbye.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

/// A whole HTTP request; `None` when the client goes away.
async fn request(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut read = Vec::new();
    let mut part = [0; 16 * 1024];
    loop {
        let count = client
            .read(&mut part)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        read.extend_from_slice(&part[..count]);
        let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
            .unwrap_or(0);
        if read.len() >= end + 4 + length {
            return Some(read);
        }
    }
}

fn first_line(request: &[u8]) -> String {
    let text = String::from_utf8_lossy(request);
    text.lines().next().unwrap_or_default().to_owned()
}

async fn answer(client: &mut TcpStream, status: u16, headers: &str, body: &str) {
    let text = format!(
        "HTTP/1.1 {status} Made To Fail\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = client.write_all(text.as_bytes()).await;
    let _ = client.shutdown().await;
}

/// Passes one request on, whether or not its client still waits; the answer, empty when there is
/// none.
async fn exchange(upstream: &str, request: &[u8]) -> Vec<u8> {
    let mut answered = Vec::new();
    let Ok(mut server) = TcpStream::connect(upstream).await else {
        return answered;
    };
    let end = request
        .windows(2)
        .position(|two| two == b"\r\n")
        .unwrap_or(0);
    let mut once = request[..end].to_vec();
    once.extend_from_slice(b"\r\nconnection: close");
    once.extend_from_slice(&request[end..]);
    if server.write_all(&once).await.is_ok() {
        let _ = server.read_to_end(&mut answered).await;
    }
    answered
}

async fn give(client: &mut TcpStream, answered: &[u8]) {
    let _ = client.write_all(answered).await;
    let _ = client.shutdown().await;
}
