//! The process between the engine and `docker run`. A container does not end with the command line
//! that started it: when the engine ends, this process removes it. Errors of Docker itself become
//! the connector's error.

use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use airbyte_protocol::{ErrorTrace, FailureType, Message, TraceMessage};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::signal::unix::{SignalKind, signal};

/// Exit code of a process that was asked to stop.
const STOPPED: u8 = 143;
/// Bytes of a line of Docker's that are kept.
const SAID_MAX: usize = 4096;
/// Times that a container is looked for which may just be made.
const REMOVALS: usize = 5;

/// Runs `docker run` for the engine with this process id, and the container of that name.
pub(crate) fn run(engine: i32, name: &str, program: OsString, args: Vec<OsString>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = runtime.and_then(|runtime| runtime.block_on(guard(engine, name, program, args)));
    outcome.unwrap_or_else(|error| {
        fail(&format!("Docker could not be started: {error}"));
        ExitCode::FAILURE
    })
}

async fn guard(
    engine: i32,
    name: &str,
    program: OsString,
    args: Vec<OsString>,
) -> std::io::Result<ExitCode> {
    // Registered first: the engine's end is announced by the same signal.
    let mut asked = signal(SignalKind::terminate())?;
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGTERM)?;
    let is_orphan = || nix::unistd::getppid().as_raw() != engine;
    if is_orphan() {
        return Ok(ExitCode::from(STOPPED));
    }
    let mut child = Command::new(&program)
        .args(args)
        .stderr(Stdio::piped())
        .spawn()?;
    let stderr = child.stderr.take().expect("its pipe was asked for");
    let passing = tokio::spawn(pass_on(stderr));
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            _ = asked.recv() => {
                // Otherwise the whole group was asked, and Docker passes it on to the connector.
                if is_orphan() {
                    remove(&program, name, &mut child).await;
                    return Ok(ExitCode::from(STOPPED));
                }
            }
        }
    };
    let message = passing.await.unwrap_or_default();
    Ok(ended(status, message))
}

/// Copies what the connector and Docker say; what Docker message last.
async fn pass_on(stderr: ChildStderr) -> Option<String> {
    let mut lines = BufReader::new(stderr);
    let mut out = tokio::io::stderr();
    let mut message = None;
    let mut piece = Vec::new();
    let mut begins = true;
    loop {
        // A connector may write without ever ending a line.
        let buffer = lines.fill_buf().await.unwrap_or_default();
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(buffer.len(), |end| end + 1);
        if taken == 0 {
            break;
        }
        let _ = out.write_all(&buffer[..taken]).await;
        if begins || (!piece.is_empty() && piece.len() < SAID_MAX) {
            piece.extend_from_slice(&buffer[..taken.min(SAID_MAX)]);
        }
        lines.consume(taken);
        begins = end.is_some();
        if begins {
            if let Some(line) = piece.strip_prefix(b"docker: ") {
                message = Some(String::from_utf8_lossy(line).trim().to_owned());
            }
            piece.clear();
        }
    }
    let _ = out.flush().await;
    message
}

/// The exit of the command line; its own failures are message as the connector's.
fn ended(status: ExitStatus, message: Option<String>) -> ExitCode {
    let Some(code) = status.code() else {
        let signal = u8::try_from(status.signal().unwrap_or_default()).unwrap_or_default();
        return ExitCode::from(signal.saturating_add(128));
    };
    let image = std::env::var("WORKER_CONNECTOR_IMAGE").unwrap_or_default();
    match (code, message) {
        (125, Some(message)) => fail(&format!(
            "Docker could not run the image {image}: {message}"
        )),
        (126, Some(message)) => fail(&format!(
            "the command of the image {image} cannot be run: {message}"
        )),
        (127, Some(message)) => fail(&format!(
            "the image {image} does not have the command that it is to run: {message}"
        )),
        _ => {}
    }
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}

fn fail(message: &str) {
    let error = ErrorTrace {
        message: message.to_owned(),
        internal_message: None,
        stack_trace: None,
        failure_type: Some(FailureType::SystemError),
        stream_descriptor: None,
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0.0, |elapsed| elapsed.as_secs_f64() * 1000.0);
    let message = Message::trace(TraceMessage::error(now.floor(), error));
    if let Ok(line) = serde_json::to_string(&message) {
        // An incomplete line is discarded. A receiver that is gone needs no reason.
        let _ = writeln!(std::io::stdout(), "\n{line}");
    }
}

/// Ends the command line and removes the container, which may be in the making.
async fn remove(program: &OsString, name: &str, child: &mut Child) {
    let _ = child.kill().await;
    for _ in 0..REMOVALS {
        let removal = Command::new(program)
            .args(["rm", "--force", "--volumes", name])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .status();
        let removed = tokio::time::timeout(Duration::from_secs(30), removal).await;
        if removed.is_ok_and(|status| status.is_ok_and(|status| status.success())) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
