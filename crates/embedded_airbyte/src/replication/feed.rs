//! A destination's input: given as fast as it is taken, with an end to patience.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::ChildStdin;
use tokio::time::timeout;

/// What became of bytes for a destination.
pub(super) enum Fed {
    /// All of them are in its pipe.
    All,
    /// Nobody reads the pipe any more.
    Gone,
    /// It is full and nobody has read from it for too long.
    Blocked,
}

/// A destination's input.
pub(super) struct Feed {
    stdin: ChildStdin,
    patience: Duration,
}

impl Feed {
    /// One that waits for `patience` until the destination takes some more.
    pub(super) fn new(stdin: ChildStdin, patience: Duration) -> Self {
        Self { stdin, patience }
    }

    /// Gives all of it, however slowly it is taken.
    pub(super) async fn give(&mut self, mut bytes: &[u8]) -> Fed {
        while !bytes.is_empty() {
            match timeout(self.patience, self.stdin.write(bytes)).await {
                Ok(Ok(taken)) if taken > 0 => bytes = &bytes[taken..],
                Ok(_) => return Fed::Gone,
                Err(_) => return Fed::Blocked,
            }
        }
        Fed::All
    }
}
