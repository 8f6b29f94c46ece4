//! Redis: a health check, and the stream of events.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::streams::StreamMaxlen;
use secrecy::{ExposeSecret as _, SecretString};

use shared::registry::events::EventRecord;

pub use redis::RedisError;

/// The stream's key.
pub const STREAM: &str = "aam:events";
/// Approximate number of events that the stream keeps.
const STREAM_LENGTH: usize = 100_000;
const PATIENCE: Duration = Duration::from_secs(2);

/// Checks that Redis responds.
///
/// # Errors
/// Returns an error if Redis is unreachable or rejects the connection.
pub async fn ping(url: &SecretString) -> Result<(), RedisError> {
    let mut connection = connect(url).await?;
    redis::cmd("PING").query_async::<()>(&mut connection).await
}

async fn connect(url: &SecretString) -> Result<MultiplexedConnection, RedisError> {
    let client = redis::Client::open(url.expose_secret())?;
    let config = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

/// A connection that appends to the stream of events.
#[derive(Debug)]
pub struct EventStream(MultiplexedConnection);

impl EventStream {
    /// Connects, for at most 2 s.
    ///
    /// # Errors
    /// Returns an error if Redis is unreachable or rejects the connection.
    pub async fn connect(url: &SecretString) -> Result<Self, RedisError> {
        Ok(Self(connect(url).await?))
    }

    /// Appends events in order, and trims the stream to about 100,000.
    ///
    /// # Errors
    /// Returns an error if Redis fails; some of the events may have been appended anyway.
    pub async fn append(&mut self, events: &[EventRecord]) -> Result<(), RedisError> {
        // As one transaction: half a batch would look complete to a reader that skips repeated
        // sequence numbers.
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        for event in events {
            let sequence = event.sequence.to_string();
            let fields = [
                ("sequence", sequence.as_str()),
                ("type", &event.kind),
                ("event", &event.json),
            ];
            pipeline
                .xadd_maxlen(STREAM, StreamMaxlen::Approx(STREAM_LENGTH), "*", &fields)
                .ignore();
        }
        pipeline.query_async::<()>(&mut self.0).await
    }
}
