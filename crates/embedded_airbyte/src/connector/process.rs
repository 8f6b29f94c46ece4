//! A connector's process: its own process group, a cleared environment, a private directory, and no
//! way to outlive the engine.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use connectors::hosts;
use connectors::own_files::{self, OwnFiles};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::confinement;
use super::docker::{self, Container, Docker, Image, Unavailable};
use super::python::{Installer, NotInstalled};
use super::sweep;
use crate::definitions::Launch;
use crate::exec::Limits;
use crate::options::ConnectorAccess;

/// Variables that connectors get from the engine's own environment.
const INHERITED: [&str; 12] = [
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "https_proxy",
    "no_proxy",
];

/// Bytes that a pipe between a connector and the engine holds. Linux gives a user 64 MiB for all pipes
/// before it makes new ones tiny, so many syncs at once must stay well below.
#[cfg(target_os = "linux")]
const PIPE_LEN: i32 = 256 * 1024;

/// Marks every process of a run, so that stragglers of a dead engine can be found.
pub(crate) const RUN_VARIABLE: &str = "AAM_CONNECTOR_RUN";

/// Starts connectors.
pub(crate) struct Runner {
    program: PathBuf,
    home: PathBuf,
    runs: PathBuf,
    roots: Vec<PathBuf>,
    data_roots: OsString,
    /// Hosts that native connectors may connect to; all without.
    hosts: Option<String>,
    memory: Option<u64>,
    home_files: OsString,
    own: OwnFiles,
    own_files: OsString,
    own_folders: OsString,
    pub(crate) python: Installer,
    pub(crate) docker: Arc<Docker>,
}

/// Why a connector cannot be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotReady {
    #[error(transparent)]
    Python(#[from] NotInstalled),
    #[error(transparent)]
    Docker(#[from] Unavailable),
}

/// A connector that only needs to be started.
#[derive(Debug)]
pub(crate) struct Prepared {
    program: PathBuf,
    args: Vec<OsString>,
    /// Where it is installed, when others wrote it: it may use only some files then.
    environment: Option<PathBuf>,
    /// What `program`, which is Docker's then, is to run.
    image: Option<Image>,
}

/// What a connector receives about its job.
pub(crate) struct Environment {
    pub(crate) image: String,
    pub(crate) job: String,
    pub(crate) attempt: i32,
}

impl Environment {
    /// What the platform passes to every connector.
    fn variables(&self) -> [(&'static str, String); 10] {
        [
            ("AIRBYTE_STAGING_DIRECTORY", "/tmp".to_owned()),
            ("DATA_CHANNEL_FORMAT", "JSONL".to_owned()),
            ("DATA_CHANNEL_MEDIUM", "STDIO".to_owned()),
            ("DEPLOYMENT_MODE", "OSS".to_owned()),
            ("LOG_LEVEL", "INFO".to_owned()),
            ("USE_FILE_TRANSFER", "false".to_owned()),
            ("USE_STREAM_CAPABLE_STATE", "true".to_owned()),
            ("WORKER_CONNECTOR_IMAGE", self.image.clone()),
            ("WORKER_JOB_ATTEMPT", self.attempt.to_string()),
            ("WORKER_JOB_ID", self.job.clone()),
        ]
    }
}

impl Runner {
    /// A runner that keeps its directories under `runs` and gives a connector `memory` bytes.
    pub(crate) fn new(
        home: &Path,
        runs: PathBuf,
        program: PathBuf,
        access: &ConnectorAccess<'_>,
        memory: Option<u64>,
        docker: &Path,
    ) -> std::io::Result<Self> {
        let join = |paths: &[PathBuf]| {
            std::env::join_paths(paths)
                .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidInput, error))
        };
        crate::private_directory(&runs)?;
        let python = Installer::new(program.clone(), home.join("connectors"));
        let ConnectorAccess {
            data_roots,
            own,
            hosts,
        } = *access;
        let mut folders = own.folders().to_vec();
        folders.push(home.to_owned());
        let own = OwnFiles::new(own.files().to_vec(), folders);
        Ok(Self {
            own_files: join(own.files())?,
            own_folders: join(own.folders())?,
            own,
            program,
            python,
            docker: Arc::new(Docker::new(docker.to_owned(), home)),
            home: home.canonicalize().unwrap_or_else(|_| home.to_owned()),
            data_roots: join(data_roots)?,
            roots: data_roots.to_owned(),
            hosts: hosts.map(str::to_owned),
            memory,
            home_files: join(&[home.join("warehouse.db"), home.join("sample.db")])?,
            runs,
        })
    }

    /// Whether an executable is the program that native connectors are part of.
    pub(crate) fn is_own(&self, program: &Path) -> bool {
        self.program == program
    }

    /// Whether it starts a native destination that keeps the states it has committed with its rows.
    pub(crate) fn keeps_states(&self, launch: &Launch) -> bool {
        launch.keeps_states(&self.program)
    }

    /// Kills what an engine that died left running, and removes its directories.
    pub(crate) fn sweep(&self) -> std::io::Result<()> {
        sweep::sweep(&self.runs)
    }

    /// A new directory for one run, removed when dropped.
    pub(crate) fn directory(&self) -> std::io::Result<RunDirectory> {
        let directory = tempfile::Builder::new()
            .prefix("run-")
            .tempdir_in(&self.runs)?;
        Ok(RunDirectory { directory })
    }

    /// Installs what a connector needs that is not here yet.
    ///
    /// # Errors
    /// Why it cannot be installed.
    pub(crate) async fn prepare(&self, launch: &Launch) -> Result<Prepared, NotReady> {
        match launch {
            Launch::Program { program, args } => Ok(Prepared {
                program: program.clone(),
                args: args.clone(),
                environment: None,
                image: None,
            }),
            Launch::Docker(reference) => Ok(Prepared {
                program: self.docker.program().to_owned(),
                args: Vec::new(),
                environment: None,
                image: Some(self.docker.image(reference).await?),
            }),
            Launch::Python(package) => {
                let connector = package.connector();
                let report = |line: &str| tracing::info!(connector, "{line}");
                let installed = self.python.ensure(package, &report).await?;
                Ok(Prepared {
                    program: installed.program,
                    args: Vec::new(),
                    environment: Some(installed.environment),
                    image: None,
                })
            }
        }
    }

    fn limits(
        &self,
        launch: &Prepared,
        run: &RunDirectory,
        container: Option<&Container>,
    ) -> Limits {
        if let Some(container) = container {
            // Its limits are the container's.
            return Limits {
                container: Some(container.name.clone()),
                ..Limits::default()
            };
        }
        let run = run.directory.path();
        let confined = launch.environment.as_deref().map(|environment| {
            let readable = confinement::readable(environment, &self.roots, &self.own);
            (readable, confinement::writable(run))
        });
        let (readable, writable) = confined.unwrap_or_default();
        Limits {
            memory: self.memory,
            readable,
            writable,
            container: None,
        }
    }

    /// Starts `<connector> <args>` in a run's directory.
    pub(crate) fn start(
        &self,
        launch: &Prepared,
        run: &RunDirectory,
        environment: &Environment,
        args: &[OsString],
    ) -> std::io::Result<Connector> {
        let variables = environment.variables();
        let path = run.directory.path();
        let container = match &launch.image {
            None => None,
            Some(image) => {
                let made = self
                    .docker
                    .container(image, path, environment, &variables, args);
                Some(made?)
            }
        };
        let mut command = Command::new(&self.program);
        command
            .arg(crate::exec::SUBCOMMAND)
            .arg(std::process::id().to_string())
            .args(self.limits(launch, run, container.as_ref()).arguments())
            .arg(&launch.program);
        match &container {
            None => command.args(&launch.args).args(args),
            Some(container) => command.args(&container.args),
        };
        command
            .env_clear()
            .envs(INHERITED.iter().filter_map(|name| {
                let value = std::env::var_os(name)?;
                Some((*name, value))
            }))
            .env(RUN_VARIABLE, run.name())
            .env("AAM_HOME", &self.home)
            .env("AAM_DATA_ROOTS", &self.data_roots)
            .env("AAM_HOME_FILES", &self.home_files)
            .env(own_files::FILES_VARIABLE, &self.own_files)
            .env(own_files::FOLDERS_VARIABLE, &self.own_folders)
            .envs(self.hosts.iter().map(|hosts| (hosts::VARIABLE, hosts)))
            .env("HOME", path)
            .envs(variables)
            .env("AIRBYTE_STAGING_DIRECTORY", path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        // A native connector reads relative paths as the engine does; others get no hold on the
        // engine's working directory.
        if launch.environment.is_some() {
            command.env("TMPDIR", run.directory.path());
        }
        if launch.program != self.program {
            command.current_dir(path);
        }
        if container.is_some() {
            command.envs(docker::variables());
        }
        let mut child = command.spawn()?;
        let pid = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .expect("a child that was not waited for has a process id");
        let group = Group {
            id: Pid::from_raw(pid),
            running: Arc::new(AtomicBool::new(true)),
        };
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            unreachable!("all three pipes were asked for");
        };
        widen(&stdin);
        widen(&stdout);
        let connector = Connector {
            child,
            mark: run.name().to_owned(),
            swept: false,
            group,
            container: container.map(|container| (self.docker.clone(), container.name)),
            stdin: Some(stdin),
            stdout: Some(stdout),
            stderr: Some(stderr),
        };
        // An engine killed before this line leaves the connector to the parent-death signal.
        sweep::record(path, pid)?;
        Ok(connector)
    }
}

/// Gives a pipe room for more than the usual 64 KiB, so that its two ends take turns less often. A
/// kernel that refuses leaves it as it is.
fn widen(pipe: &impl std::os::fd::AsFd) {
    #[cfg(target_os = "linux")]
    let _ = nix::fcntl::fcntl(pipe.as_fd(), nix::fcntl::FcntlArg::F_SETPIPE_SZ(PIPE_LEN));
}

/// A directory that only the engine's user may enter, for one run's files.
pub(crate) struct RunDirectory {
    directory: tempfile::TempDir,
}

impl RunDirectory {
    /// Writes a file that only the engine's user may read and answers its path.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> std::io::Result<PathBuf> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let path = self.directory.path().join(name);
        let mut file = std::fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&path)?;
        file.write_all(content)?;
        Ok(path)
    }

    fn name(&self) -> &std::ffi::OsStr {
        self.directory.path().file_name().unwrap_or_default()
    }
}

impl Drop for RunDirectory {
    fn drop(&mut self) {
        // A process that left its group would outlive the run.
        sweep::kill_marked(self.name().as_bytes());
    }
}

/// A connector's process group, for stopping it.
#[derive(Clone)]
pub(crate) struct Group {
    id: Pid,
    running: Arc<AtomicBool>,
}

impl Group {
    /// Asks the group to stop.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Stops the group.
    pub(crate) fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    fn signal(&self, signal: Signal) {
        // After its leader was waited for, the id may belong to another process. A signal to a
        // group that has already ended needs no further action.
        if self.running.load(Ordering::SeqCst) {
            let _ = killpg(self.id, signal);
        }
    }
}

/// A running connector. Dropping it kills its group.
pub(crate) struct Connector {
    child: Child,
    mark: OsString,
    /// Whether what it left behind was ended.
    swept: bool,
    group: Group,
    /// The container that it is, by name: it does not end with the command line.
    container: Option<(Arc<Docker>, String)>,
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: Option<ChildStdout>,
    pub(crate) stderr: Option<ChildStderr>,
}

impl Connector {
    /// A handle to stop it with.
    pub(crate) fn group(&self) -> Group {
        self.group.clone()
    }

    /// Waits for its exit and stops the processes that it left behind, in its group or outside.
    /// Nothing holds its pipes open then, so their readers end. May be dropped and called again.
    pub(crate) async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        let status = self.child.wait().await;
        self.group.kill();
        self.group.running.store(false, Ordering::SeqCst);
        if !self.swept {
            sweep::end_marked(self.mark.as_bytes()).await;
            self.swept = true;
        }
        if let Some((docker, name)) = &self.container
            && !status.as_ref().is_ok_and(ExitStatus::success)
        {
            docker.remove(name).await;
        }
        self.container = None;
        status
    }
}

impl Drop for Connector {
    fn drop(&mut self) {
        self.group.kill();
        if let Some((docker, name)) = &self.container {
            docker.remove_later(name);
        }
    }
}

/// The exit as people say it.
pub(crate) fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => match Signal::try_from(signal) {
            Ok(signal) => format!("was ended by {signal}"),
            Err(_) => format!("was ended by signal {signal}"),
        },
        (None, None) => "ended".to_owned(),
    }
}
