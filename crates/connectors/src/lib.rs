#![doc = include_str!("../README.md")]

mod arguments;
mod database_failure;
mod destination;
mod destination_dev_null;
mod destination_parquet;
mod destination_postgres;
mod destination_s3;
mod destination_sqlite;
mod failure;
pub mod hosts;
mod moments;
mod output;
pub mod own_files;
mod parquet;
mod paths;
mod postgres;
mod server;
mod source;
mod source_file;
mod source_mysql;
mod source_postgres;
mod source_sqlite;
mod spool;
mod sqlite;

use std::ffi::OsString;
use std::process::ExitCode;

use airbyte_protocol::{ConnectionStatus, Message};
use arguments::Command;
use failure::Failure;
use output::Output;

/// Names of the native connectors.
pub const NAMES: [&str; 9] = [
    DESTINATION_DEV_NULL,
    SOURCE_FILE,
    DESTINATION_PARQUET,
    DESTINATION_S3,
    SOURCE_POSTGRES,
    DESTINATION_POSTGRES,
    SOURCE_MYSQL,
    SOURCE_SQLITE,
    DESTINATION_SQLITE,
];

/// Native destinations that keep the newest committed state of a connection together with its rows.
/// Their `write` takes `--connection ID`: before it reads its input it prints the states that it
/// has committed for that connection, then a line of type `READY`.
pub const EXACT: [&str; 4] = [
    DESTINATION_PARQUET,
    DESTINATION_S3,
    DESTINATION_POSTGRES,
    DESTINATION_SQLITE,
];

const DESTINATION_DEV_NULL: &str = "destination-dev-null";
/// The embedded Airbyte lists it by this name: `source-file` is Airbyte's own there.
const SOURCE_FILE: &str = "source-local-files";
const SOURCE_FILE_ALIAS: &str = "source-file";
const DESTINATION_PARQUET: &str = "destination-parquet";
const DESTINATION_S3: &str = "destination-s3";
const SOURCE_POSTGRES: &str = "source-postgres";
const DESTINATION_POSTGRES: &str = "destination-postgres";
const SOURCE_MYSQL: &str = "source-mysql";
const SOURCE_SQLITE: &str = "source-sqlite";
const DESTINATION_SQLITE: &str = "destination-sqlite";

/// Runs a connector's command (`spec`, `check --config F`, …) on this process's stdin and stdout,
/// on a separate runtime. A failure is reported on stdout as the protocol specifies, with exit code
/// 1; a failed check has exit code 0.
pub fn run(name: &str, args: Vec<OsString>) -> ExitCode {
    let mut output = Output::stdout();
    let outcome = runtime().and_then(|runtime| {
        runtime.block_on(async {
            let command = Command::parse(args)?;
            dispatch(name, command, &mut output).await
        })
    });
    let written = match &outcome {
        Ok(()) => output.flush(),
        Err(failure) => output.failure(failure).and_then(|()| output.flush()),
    };
    match (outcome, written) {
        (Ok(()), Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(|e| Failure::system("the connector could not start").because(e))
}

async fn dispatch(name: &str, command: Command, output: &mut Output) -> Result<(), Failure> {
    let name = match name {
        SOURCE_FILE_ALIAS => SOURCE_FILE,
        other => other,
    };
    match (name, command) {
        (SOURCE_FILE, Command::Spec) => output.send(&Message::spec(source_file::spec())),
        (SOURCE_FILE, Command::Check { config }) => checked(source_file::check(&config), output),
        (SOURCE_FILE, Command::Discover { config }) => source_file::discover(&config, output),
        (
            SOURCE_FILE,
            Command::Read {
                config,
                catalog,
                state,
            },
        ) => source_file::read(&config, &catalog, state.as_deref(), output),
        (DESTINATION_PARQUET, Command::Spec) => {
            output.send(&Message::spec(destination_parquet::spec()))
        }
        (DESTINATION_PARQUET, Command::Check { config }) => {
            checked(destination_parquet::check(&config), output)
        }
        (
            DESTINATION_PARQUET,
            Command::Write {
                config,
                catalog,
                connection,
            },
        ) => destination_parquet::write(&config, &catalog, connection.as_deref(), output).await,
        (DESTINATION_S3, Command::Spec) => output.send(&Message::spec(destination_s3::spec())),
        (DESTINATION_S3, Command::Check { config }) => {
            let verdict = destination_s3::check(&config).await;
            checked(verdict, output)
        }
        (
            DESTINATION_S3,
            Command::Write {
                config,
                catalog,
                connection,
            },
        ) => destination_s3::write(&config, &catalog, connection.as_deref(), output).await,
        (SOURCE_SQLITE, Command::Spec) => output.send(&Message::spec(source_sqlite::spec())),
        (SOURCE_SQLITE, Command::Check { config }) => {
            let verdict = source_sqlite::check(&config).await;
            checked(verdict, output)
        }
        (SOURCE_SQLITE, Command::Discover { config }) => {
            source_sqlite::discover(&config, output).await
        }
        (
            SOURCE_SQLITE,
            Command::Read {
                config,
                catalog,
                state,
            },
        ) => source_sqlite::read(&config, &catalog, state.as_deref(), output).await,
        (SOURCE_POSTGRES, Command::Spec) => output.send(&Message::spec(source_postgres::spec())),
        (SOURCE_POSTGRES, Command::Check { config }) => {
            let verdict = source_postgres::check(&config).await;
            checked(verdict, output)
        }
        (SOURCE_POSTGRES, Command::Discover { config }) => {
            source_postgres::discover(&config, output).await
        }
        (
            SOURCE_POSTGRES,
            Command::Read {
                config,
                catalog,
                state,
            },
        ) => source_postgres::read(&config, &catalog, state.as_deref(), output).await,
        (DESTINATION_DEV_NULL, Command::Spec) => {
            output.send(&Message::spec(destination_dev_null::spec()))
        }
        (DESTINATION_DEV_NULL, Command::Check { config }) => {
            checked(destination_dev_null::check(&config), output)
        }
        (
            DESTINATION_DEV_NULL,
            Command::Write {
                config, catalog, ..
            },
        ) => destination_dev_null::write(&config, &catalog, output).await,
        (SOURCE_MYSQL, Command::Spec) => output.send(&Message::spec(source_mysql::spec())),
        (SOURCE_MYSQL, Command::Check { config }) => {
            let verdict = source_mysql::check(&config).await;
            checked(verdict, output)
        }
        (SOURCE_MYSQL, Command::Discover { config }) => {
            source_mysql::discover(&config, output).await
        }
        (
            SOURCE_MYSQL,
            Command::Read {
                config,
                catalog,
                state,
            },
        ) => source_mysql::read(&config, &catalog, state.as_deref(), output).await,
        (DESTINATION_POSTGRES, Command::Spec) => {
            output.send(&Message::spec(destination_postgres::spec()))
        }
        (DESTINATION_POSTGRES, Command::Check { config }) => {
            let verdict = destination_postgres::check(&config).await;
            checked(verdict, output)
        }
        (
            DESTINATION_POSTGRES,
            Command::Write {
                config,
                catalog,
                connection,
            },
        ) => destination_postgres::write(&config, &catalog, connection.as_deref(), output).await,
        (DESTINATION_SQLITE, Command::Spec) => {
            output.send(&Message::spec(destination_sqlite::spec()))
        }
        (DESTINATION_SQLITE, Command::Check { config }) => {
            let verdict = destination_sqlite::check(&config).await;
            checked(verdict, output)
        }
        (
            DESTINATION_SQLITE,
            Command::Write {
                config,
                catalog,
                connection,
            },
        ) => destination_sqlite::write(&config, &catalog, connection.as_deref(), output).await,
        (known, command) if NAMES.contains(&known) => Err(Failure::config(format!(
            "{name} has no command {}",
            command.name()
        ))),
        _ => {
            let known = NAMES.join(", ");
            Err(Failure::config(format!(
                "there is no native connector {name:?}; there are {known}"
            )))
        }
    }
}

fn checked(verdict: Result<(), Failure>, output: &mut Output) -> Result<(), Failure> {
    use airbyte_protocol::CheckStatus;
    let status = match verdict {
        Ok(()) => ConnectionStatus {
            status: CheckStatus::Succeeded,
            message: None,
        },
        Err(failure) => ConnectionStatus {
            status: CheckStatus::Failed,
            message: Some(failure.message),
        },
    };
    output.send(&Message::connection_status(status))
}
