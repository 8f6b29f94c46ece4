//! How many files the process may have open: each connection is one, and a process that has run out
//! accepts nobody and asks nobody.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// With fewer the stack starts and then fails at random.
pub const LEAST: u64 = 256;
/// As many as serve any number of callers that one process can.
const WANTED: u64 = 65_536;

/// The limit cannot carry the stack.
#[derive(Debug, thiserror::Error)]
#[error(
    "at most {found} files may be open, and AAM needs {LEAST}: run `ulimit -n {LEAST}` first, or raise the hard limit (LimitNOFILE= of a systemd unit, `ulimits` of a container)"
)]
pub struct TooFew {
    /// What the system allows at most.
    pub found: u64,
}

/// Raises the limit as far as the system allows and there is use for it.
///
/// # Errors
/// When even then it cannot carry the stack.
pub fn raise() -> Result<(), TooFew> {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return Ok(());
    };
    let wanted = hard.min(WANTED);
    let raised = wanted > soft && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok();
    let found = if raised { wanted } else { soft };
    if found < LEAST {
        return Err(TooFew { found });
    }
    Ok(())
}
