//! Misbehaviour on demand: each is a file in a directory, so that tests switch it on and off
//! between two runs of the same connector.
//!
//! | file | effect |
//! |---|---|
//! | `fail_check` | check answers FAILED with the file's text |
//! | `hang_check`, `hang_discover` | hangs until the file is gone |
//! | `crash_check`, `crash_discover` | exit code 3 without a result |
//! | `fail_discover` | a TRACE ERROR with the file's text, exit code 1 |
//! | `garbage_discover` | a catalog that is none |
//! | `extra_column`, `extra_stream` | discover finds one more |
//! | `lost_cursor`, `lost_stream` | discover finds no cursor column in `Account`, no `Contact` |
//! | `records`, `records.Contact` | records per stream, 3 without, and of that stream |
//! | `states_every`, `pace` | a state after every so many records, and so many milliseconds' rest |
//! | `gate` | read stops until a file `open` appears: half-way, or by the text before the `first`
//! record, after the last one (`last`), at the `end`, or `unstated`: half-way before the state |
//! | `no_state` | no state is sent |
//! | `wrong_type`, `long_name` | a text where a number belongs, a name of so many bytes |
//! | `eat_memory` | read asks for memory until it is refused |
//! | `stop_reading` | the destination reads nothing after its first record until it is killed |
//! | `ignore_sigterm` | does so |
//! | `rotate` | sends a CONTROL message with the text as `refresh_token` |
//! | `fail_read` | after half of the records a TRACE ERROR of the named `failure_type`, exit 1 |
//! | `exit_read` | after half of the records exit with the named code |
//! | `foreign_record`, `no_key` | a record of an unknown stream, one without its key |
//! | `garbage_read` | read starts with lines that are not messages, one of them of 50 MB |
//! | `torn_record` | the first record of a stream is cut off in the middle |
//! | `leave_session` | starts a process in a separate session; its id goes to `child` |
//! | `flood_stderr` | read begins with 8 MB of log text on stderr |
//! | `leave_child` | starts a process that outlives it; its id goes to `child` |
//! | `say_secret` | logs its secrets |
//! | `exit_write` | the destination exits with the named code after its first record |
//! | `exit_whole` | the destination exits with code 0 once the file `leave` is there, having read nothing |
//! | `close_stdin` | the destination closes its input after its first record, and exits with code 0
//! once the file `leave` is there |
//! | `skip_states` | the destination acknowledges no state |

use std::path::PathBuf;
use std::time::Duration;

/// The directory, if there is one.
#[derive(Default)]
pub(crate) struct Control {
    directory: Option<PathBuf>,
}

impl Control {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self {
            directory: Some(directory),
        }
    }

    /// The text of a file, if it is there.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let path = self.directory.as_ref()?.join(name);
        let text = std::fs::read_to_string(path).ok()?;
        Some(text.trim().to_owned())
    }

    /// Whether a file is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.text(name).is_some()
    }

    /// Leaves a file for the test.
    pub(crate) fn leave(&self, name: &str, text: &str) {
        if let Some(directory) = &self.directory {
            // A test that waits for the file reports that it is missing.
            let _ = std::fs::write(directory.join(name), text);
        }
    }

    /// The number in a file, if it is there.
    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        self.text(name)?.parse().ok()
    }

    /// Waits until a file is gone.
    pub(crate) fn wait_without(&self, name: &str) {
        while self.has(name) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for a file.
    pub(crate) fn wait_for(&self, name: &str) {
        while !self.has(name) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
