//! The arguments of `docker run`.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::user::RunAs;
use super::{Docker, Image, start_time};
use crate::connector::Environment;

/// Label: the data directory that a container belongs to.
pub(super) const INSTALLATION: &str = "aam.installation";
/// Label: the engine's process and when it began.
pub(super) const ENGINE: &str = "aam.engine";

/// Memory that a container may have.
const MEMORY: &str = "2g";
/// Processors that it may keep busy, where there are as many.
const PROCESSORS: usize = 2;
/// Processes that it may have.
const PROCESSES: &str = "512";
/// Proxies, passed by name: their addresses may hold passwords.
const PROXIES: [&str; 5] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "https_proxy",
    "no_proxy",
];

/// A container that is to run.
pub(crate) struct Container {
    pub(crate) name: String,
    /// The arguments of the command line.
    pub(crate) args: Vec<OsString>,
}

impl Docker {
    /// What containers of this engine are marked with.
    pub(super) fn labels(&self) -> [String; 2] {
        let pid = std::process::id();
        let started = i32::try_from(pid).ok().and_then(start_time);
        [
            format!("{INSTALLATION}={}", self.installation),
            format!("{ENGINE}={pid} {}", started.unwrap_or_default()),
        ]
    }

    /// A container for one run; of `args`, those that are files of the run are mounted where they
    /// are.
    pub(crate) fn container(
        &self,
        image: &Image,
        run: &Path,
        environment: &Environment,
        variables: &[(&str, String)],
        args: &[OsString],
    ) -> std::io::Result<Container> {
        let run_name = run.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("aam-{}-{run_name}", self.installation);
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let mut all: Vec<OsString> = Vec::new();
        let mut put = |words: &[&str]| all.extend(words.iter().map(OsString::from));
        put(&["run", "--rm", "--interactive", "--init", "--pull", "never"]);
        put(&["--name", &name, "--log-driver", "none"]);
        for label in self.labels() {
            put(&["--label", &label]);
        }
        put(&["--label", &format!("aam.job={}", environment.job)]);
        put(&["--label", &format!("aam.attempt={}", environment.attempt)]);
        put(&["--memory", MEMORY, "--pids-limit", PROCESSES]);
        put(&["--cpus", &processors.min(PROCESSORS).to_string()]);
        put(&["--security-opt", "no-new-privileges"]);
        if let RunAs::Owner(user) = &image.user {
            // Their own folder need not be theirs.
            put(&["--user", user, "--env", "HOME=/tmp"]);
        }
        for (name, value) in variables {
            put(&["--env", &format!("{name}={value}")]);
        }
        for proxy in PROXIES {
            if std::env::var_os(proxy).is_some() {
                put(&["--env", proxy]);
            }
        }
        for file in args.iter().filter(|arg| Path::new(arg).starts_with(run)) {
            image.user.own(Path::new(file))?;
            all.push("--mount".into());
            all.push(mount(file)?);
        }
        all.push("--".into());
        all.push((&image.reference).into());
        all.extend_from_slice(args);
        Ok(Container { name, args: all })
    }
}

/// A file as a mount: comma-separated values, so that its path may not quote.
fn mount(file: &OsStr) -> std::io::Result<OsString> {
    let path = file.to_str().filter(|path| !path.contains('"'));
    let path = path.ok_or_else(|| {
        let text = "a path that Docker cannot mount: it has quotes or is not UTF-8";
        std::io::Error::new(std::io::ErrorKind::InvalidInput, text)
    })?;
    Ok(format!("type=bind,\"source={path}\",\"target={path}\",readonly").into())
}
