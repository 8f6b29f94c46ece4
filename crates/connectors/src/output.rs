//! Stdout: protocol messages, one per line, through one buffer.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use airbyte_protocol::{LogLevel, Message, StreamDescriptor, StreamStatus, TraceMessage};

use crate::failure::Failure;

/// The connector's stdout.
pub(crate) struct Output {
    to: std::io::BufWriter<Box<dyn Write>>,
}

/// Milliseconds since the epoch.
pub(crate) fn now_ms() -> i64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since the epoch fit a double for 285,000 years"
)]
fn emitted_at() -> f64 {
    now_ms() as f64
}

impl Output {
    pub(crate) fn stdout() -> Self {
        Self {
            to: std::io::BufWriter::with_capacity(1 << 18, Box::new(std::io::stdout())),
        }
    }

    /// Writes a message and its newline into the buffer.
    pub(crate) fn send(&mut self, message: &Message) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.to, message).map_err(std::io::Error::from)?;
        self.to.write_all(b"\n")?;
        Ok(())
    }

    /// Writes whole lines that are protocol messages already.
    pub(crate) fn lines(&mut self, lines: &[u8]) -> Result<(), Failure> {
        Ok(self.to.write_all(lines)?)
    }

    pub(crate) fn log(&mut self, level: LogLevel, text: impl Into<String>) -> Result<(), Failure> {
        self.send(&Message::log(level, text))
    }

    pub(crate) fn status(
        &mut self,
        stream: &StreamDescriptor,
        status: StreamStatus,
    ) -> Result<(), Failure> {
        let trace = TraceMessage::stream_status(emitted_at(), stream.clone(), status);
        self.send(&Message::trace(trace))?;
        self.flush()
    }

    pub(crate) fn trace(&mut self, fill: impl FnOnce(f64) -> TraceMessage) -> Result<(), Failure> {
        self.send(&Message::trace(fill(emitted_at())))
    }

    /// Reports a failure that ends one stream.
    pub(crate) fn error(&mut self, failure: &Failure) -> Result<(), Failure> {
        self.trace(|at| TraceMessage::error(at, failure.to_trace()))
    }

    /// Reports a failure that ends the connector.
    pub(crate) fn failure(&mut self, failure: &Failure) -> Result<(), Failure> {
        self.log(LogLevel::Fatal, failure.message.clone())?;
        self.error(failure)
    }

    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.to.flush()?)
    }
}
