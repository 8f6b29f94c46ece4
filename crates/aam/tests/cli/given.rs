//! Fixtures: an empty folder in which the program runs, and a stack that it starts.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

const PATIENCE: Duration = Duration::from_secs(60);

/// Variables that let several stacks run at the same time.
pub(crate) const FREE_PORTS: &[(&str, &str)] = &[
    ("SERVICE_PORT_ORCHESTRATOR", "0"),
    ("SERVICE_PORT_AUTH_BROKER", "0"),
    ("SERVICE_PORT_DRIFT_REPAIR", "0"),
    ("SERVICE_PORT_EMBEDDED_AIRBYTE", "0"),
];

/// Result of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Returns stdout; panics if the run failed.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.out
    }

    /// Returns stdout as JSON.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let text = self.success();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Returns stderr; panics unless the run failed with this exit code.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self.err
    }
}

/// A folder in which the program runs.
#[derive(Debug)]
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().canonicalize().unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Runs the program until it exits, with only PATH from the test's environment.
    pub(crate) fn aam(&self, args: &[&str]) -> Ran {
        self.aam_with(args, &[], "")
    }

    pub(crate) fn aam_with(&self, args: &[&str], variables: &[(&str, &str)], stdin: &str) -> Ran {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_aam")), variables);
        run(command.args(args), stdin)
    }

    /// Runs a shell command line.
    pub(crate) fn shell(&self, line: &str, variables: &[(&str, &str)]) -> Ran {
        let mut command = self.command(Path::new("sh"), variables);
        run(command.args(["-c", line]), "")
    }

    pub(crate) fn command(&self, program: &Path, variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(variables.iter().copied())
            .current_dir(self.path());
        command
    }
}

fn run(command: &mut Command, stdin: &str) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(stdin.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A running `aam up`, killed when the test ends.
#[derive(Debug)]
pub(crate) struct Up {
    child: Child,
    printed: mpsc::Receiver<String>,
    log: PathBuf,
    pub(crate) greeting: String,
    pub(crate) variables: Vec<(String, String)>,
}

impl Up {
    pub(crate) fn start(folder: &Folder) -> Self {
        Self::start_with(folder, &[])
    }

    pub(crate) fn start_with(folder: &Folder, variables: &[(&str, &str)]) -> Self {
        let mut all = FREE_PORTS.to_vec();
        all.extend(variables);
        let mut command = folder.command(Path::new(env!("CARGO_BIN_EXE_aam")), &all);
        Self::of(command.arg("up"), folder)
    }

    /// Starts it with a command, and waits until it reports that it is up.
    pub(crate) fn of(command: &mut Command, folder: &Folder) -> Self {
        let log = folder.path().join("up.err");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let (sender, printed) = mpsc::channel();
        let reader = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in reader.lines() {
                if line.is_err() || sender.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        let mut up = Self {
            child,
            printed,
            log,
            greeting: String::new(),
            variables: Vec::new(),
        };
        while !up.greeting.contains("Stop with Ctrl-C") {
            let line = up.printed.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("{} {}", up.greeting, up.log()));
            up.greeting.push_str(&line);
            up.greeting.push('\n');
        }
        for (variable, name) in [
            ("ORCHESTRATOR_URL", "orchestrator"),
            ("AUTH_BROKER_URL", "auth broker"),
            ("DRIFT_REPAIR_URL", "drift-repair agent"),
        ] {
            let url = up.greeting.lines().find_map(|line| {
                line.trim()
                    .strip_prefix(name)?
                    .split_whitespace()
                    .next()
                    .map(str::to_owned)
            });
            let url = url.unwrap_or_else(|| panic!("no address of {name}: {}", up.greeting));
            up.variables.push((variable.to_owned(), url));
        }
        let airbyte = up.greeting.lines().find_map(|line| {
            let url = line.trim().strip_prefix("Airbyte")?.trim();
            let url = url.strip_suffix("/api/public/v1 (embedded)")?;
            url.rsplit(':').next().map(str::to_owned)
        });
        if let Some(port) = airbyte {
            let variable = "SERVICE_PORT_EMBEDDED_AIRBYTE".to_owned();
            up.variables.push((variable, port));
        }
        up
    }

    /// Addresses of its services, as variables for another process.
    pub(crate) fn addresses(&self) -> Vec<(&str, &str)> {
        let pairs = self.variables.iter();
        pairs
            .map(|(name, url)| (name.as_str(), url.as_str()))
            .collect()
    }

    /// Runs the program against it.
    pub(crate) fn aam(&self, folder: &Folder, args: &[&str]) -> Ran {
        folder.aam_with(args, &self.addresses(), "")
    }

    /// Its log output.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Sends Ctrl-C; returns the exit code and the duration.
    pub(crate) fn interrupt(mut self) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        interrupt(&self.child);
        let code = ended(&mut self.child);
        (code, begun.elapsed())
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends the signal that Ctrl-C sends.
pub(crate) fn interrupt(child: &Child) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(sent.success());
}

/// Waits for a child to exit.
pub(crate) fn ended(child: &mut Child) -> Option<i32> {
    until("the process ends", || child.try_wait().unwrap()).code()
}

/// Polls until there is a result; panics on timeout.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs statements on a SQLite file and creates it if necessary.
pub(crate) fn sqlite(path: &Path, statements: &str) {
    block_on(async {
        let options = SqliteConnectOptions::new();
        let options = options.filename(path).create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    });
}

/// Reads one number from a SQLite file.
pub(crate) fn number(path: &Path, query: &str) -> i64 {
    block_on(async {
        let options = SqliteConnectOptions::new().filename(path).read_only(true);
        let mut connection = options.connect().await.unwrap();
        sqlx::query_scalar(AssertSqlSafe(query.to_owned()))
            .fetch_one(&mut connection)
            .await
            .unwrap()
    })
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

/// A port that no program listens on now.
pub(crate) fn free_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}
