//! The limit on open files: each connection needs one, and a process at the limit can neither
//! accept nor open connections.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// With fewer the stack starts and then fails at random.
pub const LEAST: u64 = 256;
/// Enough for as many callers as one process can serve.
const WANTED: u64 = 65_536;

/// The limit is too low for the stack.
#[derive(Debug, thiserror::Error)]
#[error(
    "the limit on open files is {found}, but AAM requires at least {LEAST}: run `ulimit -n \
     {LEAST}` first, or raise the hard limit (LimitNOFILE= of a systemd unit, `ulimits` of a \
     container)"
)]
pub struct TooFew {
    /// The highest limit that the system permits.
    pub found: u64,
}

/// Raises the limit as far as the system permits and AAM can use.
///
/// # Errors
/// Returns an error if the raised limit is still too low for the stack.
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
