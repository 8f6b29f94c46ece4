//! A listener to server-sent events.

use std::time::Duration;

use serde_json::Value;

use crate::api::Api;

const PATIENCE: Duration = Duration::from_secs(60);

/// One message of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub event: String,
    /// Its document.
    pub data: Value,
}

/// A stream of messages, open until dropped.
#[derive(Debug)]
pub struct Listener {
    answer: reqwest::Response,
    buffer: String,
}

impl Api {
    /// Listens to `path`, after the message with that id where one is given.
    pub async fn listen(&self, path: &str, last_event_id: Option<i64>) -> Listener {
        let mut request = self
            .request(reqwest::Method::GET, path)
            .timeout(Duration::from_secs(600))
            .header("accept", "text/event-stream");
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id.to_string());
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Listener {
            answer,
            buffer: String::new(),
        }
    }
}

impl Listener {
    /// The next message; `None` when the stream ended.
    pub async fn next(&mut self) -> Option<Message> {
        tokio::time::timeout(PATIENCE, self.read())
            .await
            .unwrap_or_else(|_| panic!("no message within {PATIENCE:?}"))
    }

    /// Messages up to the first one of that name.
    pub async fn until(&mut self, event: &str) -> Vec<Message> {
        let mut seen = Vec::new();
        while let Some(message) = self.next().await {
            let found = message.event == event;
            seen.push(message);
            if found {
                return seen;
            }
        }
        panic!("the stream ended before {event}: {seen:?}");
    }

    async fn read(&mut self) -> Option<Message> {
        loop {
            if let Some(end) = self.buffer.find("\n\n") {
                let block: String = self.buffer.drain(..end + 2).collect();
                if let Some(message) = parse(&block) {
                    return Some(message);
                }
                continue;
            }
            let chunk = self.answer.chunk().await.ok()??;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

fn parse(block: &str) -> Option<Message> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
    Some(Message {
        id: field("id: ")?.parse().unwrap(),
        event: field("event: ")?.to_owned(),
        data: serde_json::from_str(field("data: ")?).unwrap(),
    })
}
