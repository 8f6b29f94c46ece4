//! Connectors that are Docker images, run by the `docker` command line. A container gets each of
//! the run's files read-only, limits, and labels by which an engine finds its containers again
//! after a crash.

mod arguments;
pub(crate) mod guard;
mod user;

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::process::Command;
use tokio::sync::OnceCell;

pub(crate) use arguments::Container;

use super::sweep::start_time;

/// How long the engine may take to answer what costs it nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a pull may take.
const PULL_MAX: Duration = Duration::from_secs(1800);
/// Variables by which the command line finds its engine.
pub(super) const INHERITED: [&str; 6] = [
    "HOME",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
];

/// Why an image cannot be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unavailable {
    #[error("Docker images need the command docker, which is not installed")]
    NoCommand,
    #[error("no Docker engine responds: {message}")]
    NoEngine { message: String },
    #[error("the image {image} is not on this machine; `aam connectors install {image}` pulls it")]
    Absent { image: String },
    #[error("the image {image} cannot be pulled: {message}")]
    Pull { image: String, message: String },
    #[error("{image:?} is not a valid name of a Docker image")]
    Name { image: String },
    #[error("the image {image} cannot be run: {message}")]
    Refused { image: String, message: String },
}

/// An image that is on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) reference: String,
    pub(super) user: user::RunAs,
}

/// The Docker of this machine.
pub(crate) struct Docker {
    program: PathBuf,
    /// Marks containers of this data directory.
    installation: String,
    /// The isolation that the Docker engine reports.
    security: OnceCell<String>,
    /// Users of images by the images' ids, where they had to be looked up.
    users: Mutex<HashMap<String, u32>>,
}

impl Docker {
    pub(crate) fn new(program: PathBuf, home: &Path) -> Self {
        let mut hash = Sha256::new();
        // The same directory may be called by several names.
        let home = home.canonicalize().unwrap_or_else(|_| home.to_owned());
        hash.update(home.as_os_str().as_bytes());
        // Two machines may use one engine from the same path.
        hash.update(std::fs::read("/etc/machine-id").unwrap_or_default());
        Self {
            program,
            installation: hex::encode(&hash.finalize()[..6]),
            security: OnceCell::new(),
            users: Mutex::default(),
        }
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// An image that can be run.
    ///
    /// # Errors
    /// Why it cannot; it is never pulled.
    pub(crate) async fn image(self: &Arc<Self>, reference: &str) -> Result<Image, Unavailable> {
        if !is_reference(reference) {
            return Err(Unavailable::Name {
                image: reference.to_owned(),
            });
        }
        let format = "{{.Id}} {{.Config.User}}";
        let args = ["image", "inspect", "--format", format, "--", reference];
        let answer = self.ask(&args, PATIENCE).await?;
        let message = answer.map_err(|message| match message.contains("o such image") {
            true => Unavailable::Absent {
                image: reference.to_owned(),
            },
            false => Unavailable::NoEngine { message },
        })?;
        let (id, user) = message.split_once(' ').unwrap_or((&message, ""));
        Ok(Image {
            reference: reference.to_owned(),
            user: self.run_as(reference, id, user.trim()).await?,
        })
    }

    /// Pulls an image that is not on this machine.
    ///
    /// # Errors
    /// When no engine answers or the image cannot be pulled.
    pub(crate) async fn pull(
        self: &Arc<Self>,
        reference: &str,
        report: &(dyn Fn(&str) + Sync),
    ) -> Result<(), Unavailable> {
        match self.image(reference).await {
            Err(Unavailable::Absent { .. }) => {}
            other => return other.map(drop),
        }
        report(&format!("pulling {reference}"));
        let args = ["pull", "--quiet", "--", reference];
        let answer = self.ask(&args, PULL_MAX).await?;
        answer.map(drop).map_err(|message| Unavailable::Pull {
            image: reference.to_owned(),
            message,
        })
    }

    /// Removes a container in any state.
    pub(crate) async fn remove(&self, name: &str) {
        let args = ["rm", "--force", "--volumes", name];
        match self.ask(&args, PATIENCE).await {
            Ok(Err(message)) if !is_gone(&message) => {
                tracing::warn!(name, "removing a container: {message}")
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(name, "removing a container: {error}"),
        }
    }

    /// Removes a container when its waiter was dropped.
    pub(super) fn remove_later(&self, name: &str) {
        let mut command = std::process::Command::new(&self.program);
        command.args(["rm", "--force", "--volumes", name]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        std::thread::spawn(move || drop(command.status()));
    }

    /// Removes what engines of this data directory left running when they died.
    pub(crate) async fn sweep(&self) {
        let filter = format!("label={}={}", arguments::INSTALLATION, self.installation);
        let format = format!("{{{{.ID}}}} {{{{.Label \"{}\"}}}}", arguments::ENGINE);
        let args = ["ps", "--all", "--filter", &filter, "--format", &format];
        // Without an engine there are no containers.
        let Ok(Ok(list)) = self.ask(&args, PATIENCE).await else {
            return;
        };
        for line in list.lines() {
            let (id, engine) = line.split_once(' ').unwrap_or((line, ""));
            let (pid, started) = engine.split_once(' ').unwrap_or_default();
            let pid = pid.parse().ok();
            if pid.and_then(start_time).is_none_or(|time| time != started) {
                tracing::warn!(id, "removing a container that a dead engine left running");
                self.remove(id).await;
            }
        }
    }

    /// Runs the command line: what it message on stdout, or on stderr when it failed.
    async fn ask(
        &self,
        args: &[&str],
        limit: Duration,
    ) -> Result<Result<String, String>, Unavailable> {
        let answer = self.output(args, limit).await?;
        Ok(answer.map(|message| String::from_utf8_lossy(&message).trim().to_owned()))
    }

    async fn output(
        &self,
        args: &[&str],
        limit: Duration,
    ) -> Result<Result<Vec<u8>, String>, Unavailable> {
        let output = Command::new(&self.program)
            .args(args)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(limit, output).await;
        let output = output.map_err(|_| Unavailable::NoEngine {
            message: format!(
                "`docker {}` took longer than {} s",
                args[0],
                limit.as_secs()
            ),
        })?;
        let output = output.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Unavailable::NoCommand,
            _ => Unavailable::NoEngine {
                message: error.to_string(),
            },
        })?;
        if output.status.success() {
            return Ok(Ok(output.stdout));
        }
        let message = String::from_utf8_lossy(&output.stderr);
        let first = message.lines().find(|line| !line.trim().is_empty());
        Ok(Err(first.unwrap_or("no output").trim().to_owned()))
    }
}

/// Docker's message if the container does not exist or is already being removed.
fn is_gone(message: &str) -> bool {
    message.contains("No such container") || message.contains("already in progress")
}

/// Whether a text can only be read as an image's name: it becomes an argument.
pub(crate) fn is_reference(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@".contains(&byte);
    text.len() <= 400
        && text.bytes().all(plain)
        && text
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphanumeric())
}

/// The variables that the command line is given besides what connectors are.
pub(super) fn variables() -> impl Iterator<Item = (&'static str, OsString)> {
    let set = |name| Some((name, std::env::var_os(name)?));
    INHERITED.into_iter().filter_map(set)
}
