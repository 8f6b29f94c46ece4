//! Runs this machine's connectors directly: without an engine or a connection, and without storing
//! anything.

mod images;
mod read;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use airbyte_protocol::{Catalog, CheckStatus, ConnectionStatus, ConnectorSpecification};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

pub use read::Records;

use crate::connector::command::{self, Verb};
use crate::connector::process::Prepared;
use crate::connector::{NotReady, Runner};
use crate::definitions::{Definition, Definitions, Launch};
use crate::options::{CONNECTOR_MEMORY, ConnectorAccess, ConnectorKind, LocalConnector};
use crate::secrets::Redactor;

/// How long a spec, check or discover may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// What a connector is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Made {
    /// Part of this program.
    Native,
    /// A package of the Python index.
    Python,
    /// An executable of this machine.
    Local,
    /// A Docker image.
    Image,
}

/// One connector, as a list shows it.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectorInfo {
    /// What it is called by: `source-faker`.
    pub connector: String,
    /// The definition's name.
    pub name: String,
    /// Source or destination.
    pub kind: ConnectorKind,
    /// The definition's id; an image that was installed manually has none.
    pub definition_id: Option<Uuid>,
    /// Its version.
    pub version: String,
    /// What it is made of.
    pub made: Made,
    /// Whether it can run without being installed first.
    pub installed: bool,
}

/// Why a connector did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// There is none of that name.
    #[error("there is no connector {name:?}; `aam connectors list` shows those there are")]
    Unknown {
        /// The name.
        name: String,
    },
    /// It is not a source, or not a destination.
    #[error("{connector} has no {command}: it is a {}", kind.as_str())]
    NoCommand {
        /// The connector.
        connector: String,
        /// What it was asked for.
        command: &'static str,
        /// What it is.
        kind: ConnectorKind,
    },
    /// The source has no such stream.
    #[error("{connector} has no stream {stream:?}; it has {known}")]
    NoStream {
        /// The connector.
        connector: String,
        /// The stream.
        stream: String,
        /// Those there are.
        known: String,
    },
    /// It failed, or cannot be installed.
    #[error("{connector}: {message}")]
    Connector {
        /// The connector.
        connector: String,
        /// Its words.
        message: String,
    },
    /// Its output cannot be parsed.
    #[error("{connector} answered something that is not understood")]
    Answer {
        /// The connector.
        connector: String,
        /// Where.
        source: serde_json::Error,
    },
    /// Its process or its files failed.
    #[error("running {connector}")]
    Run {
        /// The connector.
        connector: String,
        /// The operating system's words.
        source: std::io::Error,
    },
    /// The definitions contradict one another, or there is no room to run in.
    #[error(transparent)]
    Start(#[from] crate::Error),
}

/// The connectors of this machine.
pub struct Connectors {
    definitions: Definitions,
    runner: Runner,
    /// The list of images that were installed manually.
    images: PathBuf,
    _runs: tempfile::TempDir,
}

impl Connectors {
    /// The connectors that an engine with these options would have. `program` answers
    /// `connector <name> …` and [`crate::exec::SUBCOMMAND`].
    ///
    /// # Errors
    /// When a definition is there twice or no temporary directory can be made.
    pub fn open(
        home: &Path,
        program: PathBuf,
        access: &ConnectorAccess<'_>,
        local: &[LocalConnector],
    ) -> Result<Self, Failed> {
        let docker = Path::new("docker");
        let definitions = Definitions::new(&program, local)?;
        let failed = |source| crate::Error::Home {
            path: std::env::temp_dir(),
            source,
        };
        let runs = tempfile::tempdir().map_err(failed)?;
        let memory = Some(CONNECTOR_MEMORY);
        let runs_in = runs.path().to_owned();
        let runner = Runner::new(home, runs_in, program, access, memory, docker).map_err(failed)?;
        Ok(Self {
            definitions,
            runner,
            images: home.join("connectors").join("images"),
            _runs: runs,
        })
    }

    /// Every connector.
    pub async fn list(&self) -> Vec<ConnectorInfo> {
        let mut list: Vec<ConnectorInfo> = self
            .all()
            .map(|definition| {
                let (made, installed) = match &definition.launch {
                    Launch::Program { program, .. } if self.runner.is_own(program) => {
                        (Made::Native, true)
                    }
                    Launch::Program { program, .. } => (Made::Local, program.exists()),
                    Launch::Python(package) => (
                        Made::Python,
                        self.runner.python.installed(package).is_some(),
                    ),
                    Launch::Docker(_) => (Made::Image, false),
                };
                ConnectorInfo {
                    connector: definition.connector().to_owned(),
                    name: definition.name.clone(),
                    kind: definition.kind,
                    definition_id: Some(definition.id),
                    version: definition.version.clone(),
                    made,
                    installed,
                }
            })
            .collect();
        list.extend(self.images().await);
        list
    }

    /// Installs a connector; `report` receives a line for each step. An installed connector is not
    /// changed.
    ///
    /// # Errors
    /// When there is none of that name or it cannot be installed.
    pub async fn install(&self, name: &str, report: &(dyn Fn(&str) + Sync)) -> Result<(), Failed> {
        let definition = self.find(name)?;
        if let Launch::Python(package) = &definition.launch {
            let installed = self.runner.python.ensure(package, report).await;
            installed.map_err(|error| not_ready(&definition, &error.into()))?;
        }
        if let Launch::Docker(image) = &definition.launch {
            self.install_image(&definition, image, report).await?;
        }
        Ok(())
    }

    /// What configuration it takes and what it can do.
    ///
    /// # Errors
    /// When there is none of that name or it fails.
    pub async fn spec(&self, name: &str) -> Result<ConnectorSpecification, Failed> {
        let definition = self.find(name)?;
        self.ask(&definition, Verb::Spec, None, &Redactor::default())
            .await
    }

    /// Whether it works with this configuration: `Err` holds its own words.
    ///
    /// # Errors
    /// When there is none of that name or it crashes.
    pub async fn check(
        &self,
        name: &str,
        configuration: &Value,
    ) -> Result<Result<(), String>, Failed> {
        let definition = self.find(name)?;
        let redactor = self.redactor(&definition, configuration).await?;
        let verdict: ConnectionStatus = self
            .ask(&definition, Verb::Check, Some(configuration), &redactor)
            .await?;
        Ok(match verdict.status {
            CheckStatus::Succeeded => Ok(()),
            CheckStatus::Failed => Err(verdict
                .message
                .map(|message| redactor.clean(&message))
                .unwrap_or_else(|| "it gave no reason".to_owned())),
        })
    }

    /// The streams it offers with this configuration.
    ///
    /// # Errors
    /// When there is none of that name, it is a destination, or it fails.
    pub async fn discover(&self, name: &str, configuration: &Value) -> Result<Catalog, Failed> {
        let definition = self.source(name, "discover")?;
        let redactor = self.redactor(&definition, configuration).await?;
        self.ask(&definition, Verb::Discover, Some(configuration), &redactor)
            .await
    }

    fn all(&self) -> impl Iterator<Item = Arc<Definition>> {
        let kinds = [ConnectorKind::Source, ConnectorKind::Destination];
        let all = kinds.into_iter();
        all.flat_map(|kind| self.definitions.list(kind))
    }

    fn find(&self, name: &str) -> Result<Arc<Definition>, Failed> {
        let mut all = self.all();
        all.find(|definition| definition.connector() == name || definition.id.to_string() == name)
            .or_else(|| images::definition(name).map(Arc::new))
            .ok_or_else(|| Failed::Unknown {
                name: name.to_owned(),
            })
    }

    fn source(&self, name: &str, command: &'static str) -> Result<Arc<Definition>, Failed> {
        let definition = self.find(name)?;
        if definition.kind == ConnectorKind::Source {
            return Ok(definition);
        }
        Err(Failed::NoCommand {
            connector: name.to_owned(),
            command,
            kind: definition.kind,
        })
    }

    async fn prepare(&self, definition: &Definition) -> Result<Prepared, Failed> {
        let prepared = self.runner.prepare(&definition.launch).await;
        prepared.map_err(|error| not_ready(definition, &error))
    }

    /// Redacts the secrets of a configuration, which the connector's specification marks.
    async fn redactor(
        &self,
        definition: &Definition,
        configuration: &Value,
    ) -> Result<Redactor, Failed> {
        let redactor = Redactor::default();
        let spec: ConnectorSpecification =
            self.ask(definition, Verb::Spec, None, &redactor).await?;
        let schema = spec.connection_specification.get();
        let schema = serde_json::from_str(schema).map_err(|source| Failed::Answer {
            connector: definition.connector().to_owned(),
            source,
        })?;
        redactor.learn(&schema, configuration);
        Ok(redactor)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        definition: &Definition,
        verb: Verb,
        configuration: Option<&Value>,
        redactor: &Redactor,
    ) -> Result<T, Failed> {
        let connector = || definition.connector().to_owned();
        let finished = command::run(
            &self.runner,
            definition,
            verb,
            configuration,
            redactor,
            PATIENCE,
        )
        .await
        .map_err(|source| Failed::Run {
            connector: connector(),
            source,
        })?;
        let result = finished.result.map_err(|failure| Failed::Connector {
            connector: connector(),
            message: match failure.internal_message {
                Some(detail) if detail != failure.external_message => {
                    format!("{} ({detail})", failure.external_message)
                }
                _ => failure.external_message,
            },
        })?;
        serde_json::from_str(result.get()).map_err(|source| Failed::Answer {
            connector: connector(),
            source,
        })
    }
}

fn not_ready(definition: &Definition, error: &NotReady) -> Failed {
    Failed::Connector {
        connector: definition.connector().to_owned(),
        message: context::error_chain(error),
    }
}
