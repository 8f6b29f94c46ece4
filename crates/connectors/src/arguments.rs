//! The protocol's command line: `--config F` and `--config=F` alike. Files are read here, so that
//! the rest of a connector never sees a path to its own configuration.

use std::ffi::OsString;
use std::path::PathBuf;

use secrecy::SecretString;

use crate::failure::Failure;

/// A command with the contents of its files.
pub(crate) enum Command {
    Spec,
    Check {
        config: SecretString,
    },
    Discover {
        config: SecretString,
    },
    Read {
        config: SecretString,
        catalog: String,
        state: Option<String>,
    },
    Write {
        config: SecretString,
        catalog: String,
        /// The connection to write for, if the platform resumes from the committed states.
        connection: Option<String>,
    },
}

#[derive(Default)]
struct Files {
    config: Option<PathBuf>,
    catalog: Option<PathBuf>,
    state: Option<PathBuf>,
}

impl Command {
    /// The arguments after the connector's name.
    pub(crate) fn parse(args: Vec<OsString>) -> Result<Self, Failure> {
        let mut args = args.into_iter();
        let command = args
            .next()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut files = Files::default();
        let mut connection = None;
        while let Some(arg) = args.next() {
            let text = arg.to_string_lossy();
            let (flag, inline) = match text.split_once('=') {
                Some((flag, value)) => (flag, Some(OsString::from(value))),
                None => (text.as_ref(), None),
            };
            let slot = match flag {
                "--config" => &mut files.config,
                "--catalog" => &mut files.catalog,
                "--state" => &mut files.state,
                "--debug" => continue,
                "--connection" => {
                    let id = inline.or_else(|| args.next());
                    let id = id.ok_or_else(|| Failure::config("--connection needs an id"))?;
                    connection = Some(id.to_string_lossy().into_owned());
                    continue;
                }
                _ => return Err(Failure::config(format!("unknown argument {flag}"))),
            };
            let value = inline.or_else(|| args.next());
            let value = value.ok_or_else(|| Failure::config(format!("{flag} needs a file")))?;
            *slot = Some(PathBuf::from(value));
        }
        let config =
            |files: &Files| contents(files.config.as_ref(), "--config").map(SecretString::from);
        let catalog = |files: &Files| contents(files.catalog.as_ref(), "--catalog");
        match command.as_str() {
            "spec" => Ok(Self::Spec),
            "check" => Ok(Self::Check {
                config: config(&files)?,
            }),
            "discover" => Ok(Self::Discover {
                config: config(&files)?,
            }),
            "read" => Ok(Self::Read {
                config: config(&files)?,
                catalog: catalog(&files)?,
                state: files
                    .state
                    .as_ref()
                    .map(|path| contents(Some(path), "--state"))
                    .transpose()?,
            }),
            "write" => Ok(Self::Write {
                config: config(&files)?,
                catalog: catalog(&files)?,
                connection,
            }),
            other => Err(Failure::config(format!(
                "unknown command {other:?}; there are spec, check, discover, read, write"
            ))),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Spec => "spec",
            Self::Check { .. } => "check",
            Self::Discover { .. } => "discover",
            Self::Read { .. } => "read",
            Self::Write { .. } => "write",
        }
    }
}

fn contents(path: Option<&PathBuf>, flag: &str) -> Result<String, Failure> {
    let path = path.ok_or_else(|| Failure::config(format!("{flag} is missing")))?;
    std::fs::read_to_string(path)
        .map_err(|e| Failure::config(format!("the file of {flag} cannot be read: {e}")))
}
