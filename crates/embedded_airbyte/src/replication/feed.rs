//! A destination's input: given as fast as it is taken, with an end to patience.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::ChildStdin;
use tokio::time::timeout;

/// What became of bytes for a destination.
pub(super) enum Fed {
    /// All of them are in its pipe.
    All,
    /// The pipe has no reader any more.
    Gone,
    /// It is full and was not read from for too long.
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

    /// Ends it.
    pub(super) fn close(self) -> Rest {
        // A reader of the same pipe, while this end still holds it open.
        let own = format!("/proc/self/fd/{}", self.stdin.as_raw_fd());
        let flags = nix::fcntl::OFlag::O_NONBLOCK.bits();
        let reader = OpenOptions::new().read(true).custom_flags(flags).open(own);
        Rest(reader.ok())
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

/// The part of its input that a destination has not read. Known only on Linux.
pub(super) struct Rest(Option<File>);

impl Rest {
    /// Whether there is something. To be asked when the destination has ended.
    pub(super) fn is_there(&self) -> bool {
        let mut one = [0];
        let pipe = self.0.as_ref();
        pipe.is_some_and(|mut pipe| matches!(pipe.read(&mut one), Ok(count) if count > 0))
    }
}
