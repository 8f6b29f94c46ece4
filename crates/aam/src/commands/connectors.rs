//! `aam connectors`.

use std::path::PathBuf;
use std::process::ExitCode;

use airbyte_protocol::{Catalog, Stream};
use anyhow::Context as _;
use comfy_table::{ContentArrangement, Table, presets};
use embedded_airbyte::{ConnectorAccess, ConnectorInfo, Connectors, LocalConnector, Made, Records};
use serde_json::{Value, json};
use settings::Settings;

use crate::commands::configuration::Configuration;
use crate::output::outln;
use crate::output::{self, Format};

/// Maximum number of characters of a value that a table shows.
const CELL: usize = 40;

/// Lists, installs and tries connectors, without a connection.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Lists the connectors that this machine can run.
    List {
        #[command(flatten)]
        local: Local,
    },
    /// Installs connectors: Python packages, for example `source-faker`, which are also installed
    /// on first use, or Docker images, for example `airbyte/source-mysql:3.51.5`, which no other
    /// command pulls.
    Install {
        /// The connectors' names.
        #[arg(required = true)]
        connectors: Vec<String>,
    },
    /// Shows the configuration that a connector accepts.
    Spec {
        /// The connector's name.
        connector: String,
        #[command(flatten)]
        local: Local,
    },
    /// Tests a connector's configuration.
    Check(Use),
    /// Lists the streams that a source offers.
    Discover(Use),
    /// Shows sample records from a source.
    Read {
        #[command(flatten)]
        what: Use,
        /// The streams to read; default: all.
        #[arg(long = "stream")]
        streams: Vec<String>,
        /// Maximum number of records per stream.
        #[arg(long, default_value_t = 10)]
        limit: usize,
    },
}

/// Connectors that are executables on this machine.
#[derive(Debug, clap::Args)]
pub(crate) struct Local {
    /// A JSON array of executables on this machine, offered as connectors in addition to the
    /// others.
    #[arg(long, value_name = "FILE")]
    local_connectors: Option<PathBuf>,
}

/// A connector and its configuration.
#[derive(Debug, clap::Args)]
pub(crate) struct Use {
    /// The connector's name.
    connector: String,
    #[command(flatten)]
    config: Configuration,
    #[command(flatten)]
    local: Local,
}

impl Use {
    fn config(&self) -> anyhow::Result<Value> {
        Ok(Value::from(self.config.read()?))
    }
}

pub(crate) async fn run(
    settings: &Settings,
    format: Format,
    command: Command,
) -> anyhow::Result<ExitCode> {
    match command {
        Command::List { local } => list(format, &open(settings, &local)?.list().await)?,
        Command::Install { connectors } => {
            let none = Local {
                local_connectors: None,
            };
            let all = open(settings, &none)?;
            for connector in &connectors {
                let log = |line: &str| eprintln!("{connector}: {line}");
                all.install(connector, &log).await?;
                outln!("{connector} is installed.");
            }
        }
        Command::Spec { connector, local } => {
            let spec = open(settings, &local)?.spec(&connector).await?;
            // As a `Value`, so that a specification on one line is pretty-printed.
            output::json(&serde_json::to_value(spec)?)?;
        }
        Command::Check(what) => {
            let config = what.config()?;
            let verdict = open(settings, &what.local)?
                .check(&what.connector, &config)
                .await?;
            let failure = verdict.as_ref().err();
            match format {
                Format::Json => output::json(&json!({
                    "status": if failure.is_none() { "SUCCEEDED" } else { "FAILED" },
                    "message": failure,
                }))?,
                Format::Table => match failure {
                    None => outln!("The configuration works."),
                    Some(failure) => outln!("The configuration does not work: {failure}"),
                },
            }
            if failure.is_some() {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Discover(what) => {
            let config = what.config()?;
            let catalog = open(settings, &what.local)?
                .discover(&what.connector, &config)
                .await?;
            match format {
                Format::Json => output::json(&catalog)?,
                Format::Table => streams(&catalog),
            }
        }
        Command::Read {
            what,
            streams,
            limit,
        } => {
            let config = what.config()?;
            let read = open(settings, &what.local)?
                .read(&what.connector, &config, &streams, limit)
                .await?;
            match format {
                Format::Json => output::json(&json!(
                    read.iter()
                        .map(|records| json!({
                            "stream": records.stream.name,
                            "namespace": records.stream.namespace,
                            "records": records.data,
                        }))
                        .collect::<Vec<_>>()
                ))?,
                Format::Table => read.iter().for_each(records),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn open(settings: &Settings, local: &Local) -> anyhow::Result<Connectors> {
    let local: Vec<LocalConnector> = match &local.local_connectors {
        None => Vec::new(),
        Some(path) => {
            let text =
                std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
            serde_json::from_slice(&text).with_context(|| {
                format!("{} is not an array of local connectors", path.display())
            })?
        }
    };
    let program = std::env::current_exe().context("finding this executable")?;
    let home = settings.home.path();
    Ok(Connectors::open(
        home,
        program,
        &ConnectorAccess {
            data_roots: &settings.data_roots,
            own: &embedded_airbyte::own_files(settings),
            hosts: settings.connector_hosts.as_deref(),
        },
        &local,
    )?)
}

fn list(format: Format, all: &[ConnectorInfo]) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(&all);
    }
    output::table(
        [
            "CONNECTOR",
            "NAME",
            "VERSION",
            "MADE OF",
            "INSTALLED",
            "DEFINITION",
        ],
        all.iter().map(|info| {
            let made = match info.made {
                Made::Native => "native",
                Made::Python => "Python package",
                Made::Local => "executable",
                Made::Image => "Docker image",
            };
            [
                info.connector.clone(),
                info.name.clone(),
                info.version.clone(),
                made.to_owned(),
                if info.installed { "yes" } else { "no" }.to_owned(),
                info.definition_id
                    .map_or("-".to_owned(), |id| id.to_string()),
            ]
        }),
    );
    Ok(())
}

fn streams(catalog: &Catalog) {
    let paths = |paths: &[Vec<String>]| {
        let paths: Vec<_> = paths.iter().map(|path| path.join(".")).collect();
        paths.join(", ")
    };
    output::table(
        ["STREAM", "COLUMNS", "KEY", "CURSOR", "MODES"],
        catalog.streams.iter().map(|stream: &Stream| {
            let schema: Value = serde_json::from_str(stream.json_schema.get()).unwrap_or_default();
            let columns = schema["properties"].as_object().map_or(0, |all| all.len());
            let modes: Vec<_> = stream
                .supported_sync_modes
                .iter()
                .filter_map(|mode| serde_json::to_value(mode).ok()?.as_str().map(str::to_owned))
                .collect();
            [
                stream.descriptor().to_string(),
                columns.to_string(),
                paths(&stream.source_defined_primary_key),
                stream.default_cursor_field.join("."),
                modes.join(", "),
            ]
        }),
    );
}

fn records(records: &Records) {
    outln!(
        "{}: {}",
        records.stream,
        output::counted(records.data.len(), "record")
    );
    let mut columns: Vec<&str> = Vec::new();
    for data in records.data.iter().filter_map(Value::as_object) {
        for name in data.keys() {
            if !columns.contains(&name.as_str()) {
                columns.push(name);
            }
        }
    }
    if columns.is_empty() {
        return;
    }
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(&columns);
    for data in &records.data {
        table.add_row(columns.iter().map(|name| cell(&data[*name])));
    }
    outln!("{table}");
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(CELL) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
