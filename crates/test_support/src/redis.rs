//! A Redis of one test's own, which can be stopped and started again.

use std::process::{Child, Command, Stdio};

/// A Redis server without persistence: what it holds goes with its process.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    process: Option<Child>,
    folder: tempfile::TempDir,
}

impl Redis {
    /// A port for it, and nothing there yet.
    pub fn stopped() -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        Self {
            port,
            process: None,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Starts it and waits until it answers.
    pub async fn start(&mut self) {
        let process = Command::new("redis-server")
            .args(["--port", &self.port.to_string()])
            .args(["--bind", "127.0.0.1", "--save", "", "--dir"])
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server starts");
        self.process = Some(process);
        let url = self.url().into();
        crate::eventually(async || service_kit::redis::ping(&url).await).await;
    }

    /// Kills it.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// The entries of the stream of events, oldest first: each with the field `sequence` and the
    /// document.
    pub async fn events(&self) -> Vec<(i64, serde_json::Value)> {
        let mut connection = redis::Client::open(self.url())
            .unwrap()
            .get_multiplexed_async_connection()
            .await
            .unwrap();
        let range: redis::streams::StreamRangeReply = redis::cmd("XRANGE")
            .arg(service_kit::redis::STREAM)
            .arg("-")
            .arg("+")
            .query_async(&mut connection)
            .await
            .unwrap();
        let entries = range.ids.iter().map(|entry| {
            let event: String = entry.get("event").unwrap();
            (
                entry.get("sequence").unwrap(),
                serde_json::from_str(&event).unwrap(),
            )
        });
        entries.collect()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}
