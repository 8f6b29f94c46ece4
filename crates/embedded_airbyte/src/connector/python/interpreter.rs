//! Finding a Python that a package runs on.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::Version;

/// Interpreters that are looked for on the PATH, newest first.
const NAMES: [&str; 7] = [
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
    "python3",
    "python",
];
/// How long an interpreter may take to print its version.
const PATIENCE: Duration = Duration::from_secs(10);

/// An interpreter of this machine.
#[derive(Debug)]
pub(super) struct Interpreter {
    pub(super) program: PathBuf,
    pub(super) version: Version,
}

/// The newest interpreter whose version is in the range, or every version that was found.
pub(super) async fn find(range: (Version, Version)) -> Result<Interpreter, Vec<Version>> {
    let mut found = Vec::new();
    for name in NAMES {
        let Some(interpreter) = ask(name).await else {
            continue;
        };
        if range.0 <= interpreter.version && interpreter.version < range.1 {
            return Ok(interpreter);
        }
        if !found.contains(&interpreter.version) {
            found.push(interpreter.version);
        }
    }
    Err(found)
}

async fn ask(name: &str) -> Option<Interpreter> {
    const QUESTION: &str =
        "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.executable)";
    let run = Command::new(name)
        .args(["-c", QUESTION])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, run).await.ok()?.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut lines = text.lines();
    let version = Version::try_from(lines.next()?.to_owned()).ok()?;
    let program = PathBuf::from(lines.next()?);
    Some(Interpreter { program, version })
}
