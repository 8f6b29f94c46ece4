//! What an embedding program decides: where data lives, where to listen, which connectors exist
//! and how patient the engine is. Defaults are Airbyte's own.

use std::path::PathBuf;
use std::time::Duration;

use connectors::own_files::OwnFiles;
use local::seal::SealingKey;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use settings::{AirbyteMode, Settings};
use uuid::Uuid;

use crate::clock::Clock;

/// What the key that seals connector secrets is derived for.
const SEAL_PURPOSE: &str = "embedded airbyte";

/// Bytes of memory for data that a connector gets.
pub(crate) const CONNECTOR_MEMORY: u64 = 4 << 30;

/// Everything an [`Application`](crate::Application) is built from.
#[derive(Debug)]
pub struct Options {
    /// Data directory: `airbyte.db`, `warehouse.db`, `runs/`, `logs/`. Made if missing, mode 0700.
    pub home: PathBuf,
    /// Host and port to listen on; port 0 takes a free one.
    pub bind: (String, u16),
    /// Names besides loopback ones and the bind address that a `Host` header may carry.
    pub allowed_hosts: Vec<String>,
    /// Whether a key was configured for this installation: without one, the engine listens only on
    /// loopback.
    pub has_key: bool,
    /// Requests that are under way at the same time; further ones are refused with 503.
    pub requests_max: usize,
    /// Client id of the one application.
    pub client_id: String,
    /// Client secret of the one application.
    pub client_secret: SecretString,
    /// Seals the secrets of configurations in `airbyte.db`.
    pub seal_key: SealingKey,
    /// Directories that native file connectors may use.
    pub data_roots: Vec<PathBuf>,
    /// Hosts that native connectors may connect to, as [`AllowedHosts`](connectors::hosts::AllowedHosts)
    /// reads them; all without.
    pub connector_hosts: Option<String>,
    /// AAM's own files, which no connector may use; the data directory is among them anyway.
    pub own_files: OwnFiles,
    /// Program that answers `connector <name> …` and `connector-exec …`; usually this one.
    pub connector_program: PathBuf,
    /// Executables of this machine offered as connectors beside the native ones.
    pub local_connectors: Vec<LocalConnector>,
    /// The `docker` command, for connectors that are images.
    pub docker_program: PathBuf,
    /// Lifetime of access tokens.
    pub token_lifetime: Duration,
    /// When and how often a failed attempt is repeated.
    pub retry: RetryPolicy,
    /// How long the engine waits for what.
    pub timing: Timing,
    /// Bytes of memory that one process of a connector may have for data; no limit without.
    pub connector_memory: Option<u64>,
    /// Syncs that run at the same time; further ones wait as `pending`.
    pub sync_slots: usize,
    /// Threads that answer HTTP.
    pub http_workers: usize,
    /// How much of what real versions do to their clients the engine does too.
    pub mode: AirbyteMode,
    /// What time it is for jobs and schedules.
    pub clock: Clock,
}

impl Options {
    /// Options with Airbyte's defaults, on loopback and port 8000.
    pub fn new(
        home: PathBuf,
        client_id: String,
        client_secret: SecretString,
        seal_key: SealingKey,
        connector_program: PathBuf,
    ) -> Self {
        Self {
            home,
            bind: ("127.0.0.1".to_owned(), 8000),
            allowed_hosts: Vec::new(),
            has_key: false,
            requests_max: 512,
            client_id,
            client_secret,
            seal_key,
            data_roots: Vec::new(),
            connector_hosts: None,
            own_files: OwnFiles::default(),
            connector_program,
            local_connectors: Vec::new(),
            docker_program: PathBuf::from("docker"),
            token_lifetime: Duration::from_secs(900),
            retry: RetryPolicy::default(),
            timing: Timing::default(),
            connector_memory: Some(CONNECTOR_MEMORY),
            sync_slots: 16,
            http_workers: 2,
            mode: AirbyteMode::Lenient,
            clock: Clock::system(),
        }
    }

    /// Options from the settings of the process. The client is the engine's own, even if the rest
    /// of the stack uses another Airbyte.
    ///
    /// # Errors
    /// When the data directory cannot provide the client or the key.
    pub fn from_settings(
        settings: &Settings,
        connector_program: PathBuf,
    ) -> Result<Self, local::home::Error> {
        let given = settings
            .airbyte
            .client_id
            .clone()
            .zip(settings.airbyte.client_secret.clone());
        let has_key = given.is_some() || settings.api_key.is_some();
        let (client_id, client_secret) = match given {
            Some(client) => client,
            None => settings.home.airbyte_client()?,
        };
        let root = settings.airbyte_secret_key()?;
        let seal_key = SealingKey::derive(root.expose_secret().as_bytes(), SEAL_PURPOSE);
        let home = settings.home.path().to_owned();
        let mut options = Self::new(home, client_id, client_secret, seal_key, connector_program);
        options.bind = (
            settings.bind_address.clone(),
            settings.ports.embedded_airbyte,
        );
        options.has_key = has_key;
        options.allowed_hosts = settings.allowed_hosts.clone();
        options.mode = settings.embedded_airbyte_mode;
        options.data_roots = settings.data_roots.clone();
        options.connector_hosts = settings.connector_hosts.clone();
        options.own_files = own_files(settings);
        Ok(options)
    }
}

/// What connectors may use of this machine and its networks.
#[derive(Debug, Clone, Copy)]
pub struct ConnectorAccess<'a> {
    /// Folders that file connectors may read and write.
    pub data_roots: &'a [PathBuf],
    /// AAM's own files, which no connector may touch.
    pub own: &'a OwnFiles,
    /// Hosts that native connectors may connect to; all without.
    pub hosts: Option<&'a str>,
}

/// What the settings know to be AAM's own.
pub fn own_files(settings: &Settings) -> OwnFiles {
    let (files, folders) = settings.own_files.clone();
    OwnFiles::new(files, folders)
}

/// Which end of a connection a connector is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectorKind {
    /// Reads.
    Source,
    /// Writes.
    Destination,
}

impl ConnectorKind {
    /// Airbyte's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
        }
    }
}

/// An executable of this machine that speaks the Airbyte protocol.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalConnector {
    /// Id of the definition; keep it stable, sources and destinations refer to it.
    pub definition_id: Uuid,
    /// Which end it is.
    pub kind: ConnectorKind,
    /// Name as people know it, for instance `Salesforce`.
    pub name: String,
    /// For instance `airbyte/source-salesforce`; its last part gives the short name.
    pub docker_repository: String,
    /// Version shown as the image tag.
    pub version: String,
    /// The executable.
    pub program: PathBuf,
    /// Arguments before the protocol's command.
    #[serde(default)]
    pub args: Vec<String>,
    /// Whether a destination handles generations.
    #[serde(default)]
    pub supports_refreshes: bool,
}

/// When a failed attempt is repeated. A *complete* failure committed nothing, a *partial* one did.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// Complete failures in a row that fail the job.
    pub complete_in_a_row: u32,
    /// Complete failures in total that fail the job.
    pub complete_in_total: u32,
    /// Partial failures in a row that fail the job.
    pub partial_in_a_row: u32,
    /// Partial failures in total that fail the job.
    pub partial_in_total: u32,
    /// Delay after the first complete failure; it triples with each further one in a row.
    pub first_delay: Duration,
    /// The longest delay.
    pub longest_delay: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            complete_in_a_row: 5,
            complete_in_total: 10,
            partial_in_a_row: 1000,
            partial_in_total: 20,
            first_delay: Duration::from_secs(10),
            longest_delay: Duration::from_secs(1800),
        }
    }
}

/// How long the engine waits for what.
#[derive(Debug, Clone)]
pub struct Timing {
    /// Between two writes of states and counts while a sync runs.
    pub checkpoint: Duration,
    /// Between asking a connector to stop and killing it.
    pub kill_grace: Duration,
    /// For a destination to exit after its output ended.
    pub destination_grace: Duration,
    /// For a running source to write something. Silence fails the attempt, as on Airbyte Cloud, so
    /// that an unattended sync does not hang forever.
    pub source_silence: Duration,
    /// For a destination to read some of what it is sent.
    pub destination_blocked: Duration,
    /// For a spec, check or discover to end.
    pub command: Duration,
    /// Between two tries to record how a job goes, while the database takes nothing.
    pub record_again: Duration,
    /// Age of a source's catalog at which it is fetched again before a sync.
    pub discover_window: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            checkpoint: Duration::from_secs(1),
            kill_grace: Duration::from_secs(10),
            destination_grace: Duration::from_secs(60),
            source_silence: Duration::from_secs(10_800),
            destination_blocked: Duration::from_secs(600),
            command: Duration::from_secs(600),
            record_again: Duration::from_secs(1),
            discover_window: Duration::from_secs(1440 * 60),
        }
    }
}
