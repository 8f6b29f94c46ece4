//! The small program between the engine and a connector.
//!
//! A connector must die with the engine, and its limits must be set before its first
//! instruction. Doing that between fork and exec is unsafe code, so the engine starts
//! `<program> connector-exec <engine pid> [limits] -- <connector> <args>…`, and this module, already
//! the child, prepares itself and becomes the connector.

mod confinement;
mod limits;

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use crate::connector::docker::guard;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

pub(crate) use limits::Limits;

/// The subcommand that the program given as `Options::connector_program` hands to [`run`].
pub const SUBCOMMAND: &str = "connector-exec";

const USAGE: &str = "usage: connector-exec <engine pid> [--memory BYTES] [--read PATH]… [--write PATH]… [--container NAME] -- <program> [args…]";

/// Open files a connector may have.
const OPEN_FILES_MAX: u64 = 4096;

/// Becomes the connector named by `args` (what follows [`SUBCOMMAND`]). Returns only on failure.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut args = args.into_iter();
    let parent = args
        .next()
        .and_then(|text| text.to_str()?.parse::<i32>().ok());
    let limits = Limits::parse(&mut args);
    let (Some(parent), Some(limits), Some(program)) = (parent, limits, args.next()) else {
        return refuse(USAGE);
    };
    let preparing = match limits.container {
        None => die_with(parent).and_then(|()| limit(&limits)),
        Some(_) => limit(&limits),
    };
    if let Err(error) = preparing {
        return refuse(&format!("preparing the connector's process: {error}"));
    }
    if let Err(error) = confinement::confine(&limits) {
        return refuse(&format!("confining the connector's process: {error}"));
    }
    if let Some(name) = limits.container {
        return guard::run(parent, &name, program, args.collect());
    }
    let error = Command::new(&program).args(args).exec();
    refuse(&format!("starting {}: {error}", program.display()))
}

fn die_with(parent: i32) -> nix::Result<()> {
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    // The engine may have died before the signal was armed.
    if nix::unistd::getppid().as_raw() != parent {
        return Err(nix::Error::ESRCH);
    }
    Ok(())
}

fn limit(limits: &Limits) -> nix::Result<()> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let files = hard.min(OPEN_FILES_MAX);
    setrlimit(Resource::RLIMIT_NOFILE, files, files)?;
    if let Some(memory) = limits.memory {
        let (_, hard) = getrlimit(Resource::RLIMIT_DATA)?;
        let memory = hard.min(memory);
        setrlimit(Resource::RLIMIT_DATA, memory, memory)?;
    }
    #[cfg(target_os = "linux")]
    {
        // When memory runs out a connector goes before the engine. A kernel that refuses the
        // write leaves the connector as likely a victim as anything else.
        let _ = std::fs::write("/proc/self/oom_score_adj", "500");
    }
    Ok(())
}

fn refuse(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(126)
}
