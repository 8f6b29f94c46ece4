//! Installs a package into its own virtual environment, once, even if several callers ask for it.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;

use super::interpreter;
use super::{Installed, Package, Version};

/// Written when everything is in place, with the environment's path: one without it is half
/// installed, one with another path was moved and does not run.
const DONE: &str = "installed";
/// How long one step may take; an index may be far away.
const PATIENCE: Duration = Duration::from_secs(20 * 60);
/// How many lines of a failed step are reported.
const TAIL: usize = 12;

/// Why a package is not installed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotInstalled {
    /// No interpreter that it runs on.
    #[error(
        "{package} needs Python {from} or newer and older than {below}; {found}. Install one, or uv, which fetches its own"
    )]
    NoInterpreter {
        package: String,
        from: Version,
        below: Version,
        found: String,
    },
    /// The interpreter cannot make environments.
    #[error(
        "Python {version} cannot create a virtual environment; on Debian: apt-get install python{version}-venv. Its output: {message}"
    )]
    NoVenv { version: Version, message: String },
    /// The index does not answer.
    #[error("the Python package index cannot be reached to install {package}: {message}")]
    NoIndex { package: String, message: String },
    /// The package cannot be installed.
    #[error("installing {package} failed: {message}")]
    Failed { package: String, message: String },
    /// The environment cannot be kept.
    #[error("installing {package} at {path}: {source}")]
    File {
        package: String,
        path: PathBuf,
        source: std::io::Error,
    },
}

/// Installs packages below one folder.
pub(crate) struct Installer {
    program: PathBuf,
    folder: PathBuf,
    under_way: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Installer {
    /// One that keeps its environments below `folder`. Its steps die with this process, for which
    /// `program` answers [`crate::exec::SUBCOMMAND`].
    pub(crate) fn new(program: PathBuf, folder: PathBuf) -> Self {
        Self {
            program,
            folder,
            under_way: Mutex::default(),
        }
    }

    /// The installed connector, or none.
    pub(crate) fn installed(&self, package: &Package) -> Option<Installed> {
        let environment = self.folder.canonicalize().ok()?.join(package.folder());
        let done = std::fs::read_to_string(environment.join(DONE)).ok()?;
        let program = environment.join("bin").join(package.connector());
        // The interpreter is a link to one that may have been removed.
        let whole = done == environment.to_string_lossy()
            && program.is_file()
            && environment.join("bin/python").exists();
        whole.then_some(Installed {
            program,
            environment,
        })
    }

    /// The installed connector; installs it when it is not, or only half. Several who ask at once,
    /// in this process or another, install it once.
    ///
    /// # Errors
    /// Why it cannot be installed, in words for a person.
    pub(crate) async fn ensure(
        &self,
        package: &Package,
        report: &(dyn Fn(&str) + Sync),
    ) -> Result<Installed, NotInstalled> {
        if let Some(installed) = self.installed(package) {
            return Ok(installed);
        }
        let one_at_a_time = {
            let mut under_way = self
                .under_way
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            under_way.entry(package.folder()).or_default().clone()
        };
        let _mine = one_at_a_time.lock().await;
        let failed = |source| NotInstalled::File {
            package: package.package.clone(),
            path: self.folder.clone(),
            source,
        };
        crate::private_directory(&self.folder).map_err(failed)?;
        let folder = self.folder.canonicalize().map_err(failed)?;
        let environment = folder.join(package.folder());
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join(format!("{}.lock", package.folder())))
            .map_err(failed)?;
        // Held until the end of this function, against other processes.
        let _lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock))
            .await
            .map_err(|error| failed(std::io::Error::other(error)))?
            .map_err(failed)?;
        if let Some(installed) = self.installed(package) {
            return Ok(installed);
        }
        if environment.exists() {
            report("removing what an interrupted installation left");
            std::fs::remove_dir_all(&environment).map_err(failed)?;
        }
        let installed = self.install(package, &environment, report).await;
        if installed.is_err() {
            // What stays is repaired by the next attempt.
            let _ = std::fs::remove_dir_all(&environment);
        }
        installed?;
        let path = environment.to_string_lossy();
        std::fs::write(environment.join(DONE), path.as_bytes()).map_err(failed)?;
        report("installed");
        self.installed(package).ok_or_else(|| NotInstalled::Failed {
            package: package.package.clone(),
            message: format!("it has no command {}", package.connector()),
        })
    }

    async fn install(
        &self,
        package: &Package,
        environment: &Path,
        report: &(dyn Fn(&str) + Sync),
    ) -> Result<(), NotInstalled> {
        let wanted = format!("{}=={}", package.package, package.version);
        let (from, below) = package.python;
        let built_here = package.built_here.join(",");
        let uv = std::env::var_os("PATH").is_some_and(|path| {
            std::env::split_paths(&path).any(|folder| folder.join("uv").is_file())
        });
        let mut pip;
        if uv {
            report(&format!("making an environment for {wanted} with uv"));
            let mut make = self.command("uv");
            make.args(["venv", "--quiet", "--python", &format!(">={from},<{below}")])
                .arg(environment);
            step(&mut make, package, &|_| {}).await?;
            pip = self.command("uv");
            pip.args(["pip", "install", "--python"])
                .arg(environment.join("bin/python"));
        } else {
            let found = interpreter::find(package.python).await;
            let interpreter = found.map_err(|found| NotInstalled::NoInterpreter {
                package: wanted.clone(),
                from,
                below,
                found: match found.as_slice() {
                    [] => "there is no Python on the PATH".to_owned(),
                    found => {
                        let found: Vec<_> = found.iter().map(Version::to_string).collect();
                        format!("found {}", found.join(", "))
                    }
                },
            })?;
            let version = interpreter.version;
            report(&format!(
                "making an environment for {wanted} with Python {version}"
            ));
            let mut make = self.command(&interpreter.program);
            make.args(["-m", "venv"]).arg(environment);
            step(&mut make, package, &|_| {})
                .await
                .map_err(|error| match error {
                    NotInstalled::Failed { message, .. } => {
                        NotInstalled::NoVenv { version, message }
                    }
                    other => other,
                })?;
            pip = self.command(environment.join("bin/python"));
            pip.args([
                "-m",
                "pip",
                "install",
                "--no-input",
                "--disable-pip-version-check",
            ]);
        }
        // Building a package would run its author's code and need compilers.
        pip.args(["--only-binary", ":all:"]);
        if !built_here.is_empty() {
            pip.args(["--no-binary", &built_here]);
        }
        pip.arg(&wanted);
        report(&format!("installing {wanted} and what it needs"));
        step(&mut pip, package, &|line| {
            if let Some(progress) = progress(line) {
                report(&progress);
            }
        })
        .await
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg(crate::exec::SUBCOMMAND)
            .arg(std::process::id().to_string())
            .arg("--")
            .arg(program);
        command
    }
}

/// The progress to report for a line of the installer: the package that it is installing.
fn progress(line: &str) -> Option<String> {
    let (first, rest) = line.split_once(' ')?;
    match first {
        "Collecting" => Some(format!("fetching {}", rest.split(' ').next()?)),
        "Installing" => Some(format!("unpacking {} packages", rest.split(',').count())),
        "Resolved" | "Prepared" | "Installed" => Some(line.to_lowercase()),
        _ => None,
    }
}

/// Runs one step to its end; passes its lines on, and reports the last ones if it fails.
async fn step(
    command: &mut Command,
    package: &Package,
    report: &(dyn Fn(&str) + Sync),
) -> Result<(), NotInstalled> {
    let failed = |message: String| {
        let package = format!("{} {}", package.package, package.version);
        let unreachable = [
            "NewConnectionError",
            "name resolution",
            "ReadTimeout",
            "Read timed out",
            "Connection broken",
            "Connection reset",
            "error sending request",
            "operation timed out",
            "dns error",
            "from versions: none",
        ];
        if unreachable.iter().any(|sign| message.contains(sign)) {
            NotInstalled::NoIndex { package, message }
        } else {
            NotInstalled::Failed { package, message }
        }
    };
    let spawned = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let mut child = spawned.map_err(|error| failed(error.to_string()))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let work = async {
        let (mut output, complained) = tokio::join!(lines(stdout, report), lines(stderr, report));
        output.extend(complained);
        (child.wait().await, output)
    };
    match tokio::time::timeout(PATIENCE, work).await {
        Err(_) => Err(failed(format!(
            "it took longer than {} s",
            PATIENCE.as_secs()
        ))),
        Ok((Err(error), _)) => Err(failed(error.to_string())),
        Ok((Ok(status), _)) if status.success() => Ok(()),
        Ok((Ok(_), message)) => {
            let from = message.len().saturating_sub(TAIL);
            Err(failed(message[from..].join("\n")))
        }
    }
}

async fn lines(
    pipe: Option<impl AsyncRead + Unpin>,
    report: &(dyn Fn(&str) + Sync),
) -> Vec<String> {
    let Some(pipe) = pipe else {
        return Vec::new();
    };
    let mut lines = BufReader::new(pipe).lines();
    let mut kept = Vec::new();
    // A broken pipe ends the text, as its writer's end does.
    while let Ok(Some(line)) = lines.next_line().await {
        report(&line);
        if kept.len() >= 4 * TAIL {
            kept.drain(..TAIL);
        }
        kept.push(line);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_installers_progress_lines_are_reported() {
        let reported = |line| progress(line);
        assert_eq!(
            reported("Collecting numpy<2 (from airbyte-cdk)").as_deref(),
            Some("fetching numpy<2")
        );
        assert_eq!(
            reported("Installing collected packages: a, b, c").as_deref(),
            Some("unpacking 3 packages")
        );
        assert_eq!(
            reported("Resolved 3 packages in 1ms").as_deref(),
            Some("resolved 3 packages in 1ms")
        );
        assert_eq!(reported("  Downloading numpy.whl (18 MB)"), None);
    }
}
