//! Every setting, read once at start-up and validated whole.
//!
//! Defaults < `aam.toml` < `.env` < environment < flags. Every secret variable has a twin
//! `NAME_FILE` that names a file holding the value. All faults are reported together, each with
//! the variable, what is wrong with it and an example.

mod airbyte_urls;
mod database_url;
mod files;
mod limits;
mod own_files;
mod source;
pub mod variables;

use std::path::PathBuf;
use std::time::Duration;

use contracts::DriftPolicy;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;
use uuid::Uuid;

use crate::http::client::{self, DEFAULT_TIMEOUT};
use crate::telemetry::{Format, LogSettings};
use local::home::{self, Home};

pub use airbyte_urls::AirbyteUrls;
pub use database_url::{DatabaseTarget, DatabaseUrlError};
pub use limits::RateLimit;
pub use source::Source;

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The variable's name.
    pub variable: &'static str,
    /// What is wrong with its value.
    pub problem: String,
    /// A value that works.
    pub example: &'static str,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: {} (for example: {}={})",
            self.variable, self.problem, self.variable, self.example
        )
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One or more variables have unusable values.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<Fault>),
    /// `aam.toml` or `.env` cannot be read.
    #[error("cannot read the settings: {0}")]
    Unreadable(String),
    /// The data directory cannot be used.
    #[error(transparent)]
    Home(#[from] home::Error),
}

/// What kind of installation this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// Keys are made when missing; loopback needs no API key.
    Development,
    /// JSON logs; an API key is required; keys must be given.
    Production,
}

/// How connections to PostgreSQL are shared on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pooler {
    /// None, or one that gives each client its own server connection.
    #[default]
    Session,
    /// One that changes the server connection between transactions: no prepared statements are
    /// kept and every statement runs inside a transaction.
    Transaction,
}

/// Where Airbyte is.
#[derive(Debug, Clone)]
pub struct AirbyteSettings {
    /// Base URLs of both APIs.
    pub urls: AirbyteUrls,
    /// Whether no URL was given, so that the embedded Airbyte is meant.
    pub embedded: bool,
    /// A proxy on the way to it; may hold a password.
    pub proxy: Option<SecretString>,
    /// OAuth2 client id; absent with an Airbyte whose authentication is switched off.
    pub client_id: Option<String>,
    /// OAuth2 client secret.
    pub client_secret: Option<SecretString>,
    /// Workspace to use where a request names none.
    pub workspace_id: Option<Uuid>,
    /// Destination to use where a request names none.
    pub destination_id: Option<Uuid>,
}

impl AirbyteSettings {
    /// A client for this Airbyte: through the proxy that is set, or straight to it.
    ///
    /// # Errors
    /// When the TLS provider, the system's certificates or the proxy cannot be used.
    pub fn http(&self) -> Result<reqwest::Client, reqwest::Error> {
        let proxy = self.proxy.as_ref().filter(|_| !self.embedded);
        match proxy.and_then(|url| Url::parse(url.expose_secret()).ok()) {
            Some(proxy) => client::through(&proxy),
            None => client::build(),
        }
    }
}

/// Ports the services listen on.
#[derive(Debug, Clone, Copy)]
#[expect(
    missing_docs,
    reason = "each is the port of the service it is named after"
)]
pub struct Ports {
    pub orchestrator: u16,
    pub auth_broker: u16,
    pub drift_repair: u16,
    pub embedded_airbyte: u16,
}

/// How the services find one another.
#[derive(Debug, Clone)]
#[expect(
    missing_docs,
    reason = "each is the base URL of the service it is named after"
)]
pub struct ServiceUrls {
    pub orchestrator: Url,
    pub auth_broker: Url,
    pub drift_repair: Url,
}

/// Environment-provided credentials for the Salesforce source.
#[derive(Debug, Clone, Default)]
pub struct SalesforceSettings {
    /// The connected app's consumer key.
    pub client_id: Option<String>,
    /// The connected app's consumer secret.
    pub client_secret: Option<SecretString>,
    /// A refresh token of the account to read.
    pub refresh_token: Option<SecretString>,
}

/// How the embedded Airbyte treats its clients. The stricter ones are for testing clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AirbyteMode {
    /// As most versions do.
    #[default]
    Lenient,
    /// It refuses what some real versions refuse: forms at the token endpoints.
    Strict,
    /// It also does what clients trip over: links to an internal host, tokens without a lifetime, a
    /// web page where a path does not exist, a first discover that fails inside a 200,
    /// `try-again-later` when nothing runs, creates that happen after their time-out.
    Hostile,
}

/// Every setting of the process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The data directory.
    pub home: Home,
    /// What kind of installation this is.
    pub environment: Environment,
    /// Where Airbyte is.
    pub airbyte: AirbyteSettings,
    /// The registry's database.
    pub database: DatabaseTarget,
    /// The broker's own way into the database, with its own role.
    pub broker_database: DatabaseTarget,
    /// How PostgreSQL connections are shared on the way.
    pub pooler: Pooler,
    /// Redis, where there is one.
    pub redis_url: Option<SecretString>,
    /// The operator's admin key.
    pub api_key: Option<SecretString>,
    /// How many requests one caller may send a service; none: as many as it likes.
    pub rate_limit: Option<RateLimit>,
    /// Requests that a service has under way at once.
    pub requests_max: usize,
    /// Address the services listen on.
    pub bind_address: String,
    /// `Host` values answered besides loopback names and the bind address.
    pub allowed_hosts: Vec<String>,
    /// Ports the services listen on.
    pub ports: Ports,
    /// How the services find one another.
    pub service_urls: ServiceUrls,
    /// Environment-provided Salesforce credentials.
    pub salesforce: SalesforceSettings,
    /// Where native file and database connectors may read and write.
    pub data_roots: Vec<PathBuf>,
    /// Hosts that native connectors may connect to, a list with commas; all without.
    pub connector_hosts: Option<String>,
    /// What is logged and how.
    pub log: LogSettings,
    /// How the embedded Airbyte treats its clients.
    pub embedded_airbyte_mode: AirbyteMode,
    /// What is done about drift of connections that are onboarded without a policy.
    pub drift_policy: DriftPolicy,
    /// How long a process holds an operation without renewing it.
    pub lease: Duration,
    /// How long a call to Airbyte may take that waits for no connector.
    pub http_timeout: Duration,
    /// Files, and folders with all that is in them, that AAM keeps its settings, keys and databases
    /// in.
    pub own_files: (Vec<PathBuf>, Vec<PathBuf>),
    secret_key: Option<SecretString>,
    service_token_key: Option<SecretString>,
    airbyte_secret_key: Option<SecretString>,
}

impl Settings {
    /// Reads the settings of the process: `aam.toml`, `.env`, the environment.
    ///
    /// # Errors
    /// Every variable that cannot be used, together.
    pub fn load() -> Result<Self, Error> {
        Self::from_source(&Source::process()?)
    }

    /// The same for the embedded Airbyte as a process of its own, which has a client's credentials
    /// instead of an admin key: where connectors run there should be none.
    ///
    /// # Errors
    /// Every variable that cannot be used, together.
    pub fn load_for_airbyte() -> Result<Self, Error> {
        Self::read(&Source::process()?, false)
    }

    /// Reads the settings from `source`.
    ///
    /// # Errors
    /// Every variable that cannot be used, together.
    pub fn from_source(source: &Source) -> Result<Self, Error> {
        Self::read(source, true)
    }

    fn read(source: &Source, wants_api_key: bool) -> Result<Self, Error> {
        let mut reader = source.reader();
        let environment = reader.choice(
            variables::ENVIRONMENT,
            &[
                ("development", Environment::Development),
                ("production", Environment::Production),
            ],
            Environment::Development,
        );
        let production = environment == Environment::Production;
        let log = LogSettings {
            filter: reader
                .text(variables::RUST_LOG)
                .or_else(|| reader.text(variables::LOG_LEVEL))
                .unwrap_or_else(|| "info".to_owned()),
            format: reader
                .optional_choice(
                    variables::LOG_FORMAT,
                    &[("pretty", Format::Pretty), ("json", Format::Json)],
                )
                .or(production.then_some(Format::Json)),
            otlp_endpoint: reader
                .web_url(variables::OTEL_EXPORTER_OTLP_ENDPOINT)
                .map(String::from),
        };
        let ports = Ports {
            orchestrator: reader.port(variables::SERVICE_PORT_ORCHESTRATOR, 8001),
            auth_broker: reader.port(variables::SERVICE_PORT_AUTH_BROKER, 8002),
            drift_repair: reader.port(variables::SERVICE_PORT_DRIFT_REPAIR, 8003),
            embedded_airbyte: reader.port(variables::SERVICE_PORT_EMBEDDED_AIRBYTE, 8000),
        };
        let service_urls = ServiceUrls {
            orchestrator: reader.service_url(variables::ORCHESTRATOR_URL, ports.orchestrator),
            auth_broker: reader.service_url(variables::AUTH_BROKER_URL, ports.auth_broker),
            drift_repair: reader.service_url(variables::DRIFT_REPAIR_URL, ports.drift_repair),
        };
        let pooler = reader.choice(
            variables::AAM_DATABASE_POOLER,
            &[
                ("session", Pooler::Session),
                ("transaction", Pooler::Transaction),
            ],
            Pooler::Session,
        );
        let embedded_airbyte_mode = reader.choice(
            variables::EMBEDDED_AIRBYTE_MODE,
            &[
                ("lenient", AirbyteMode::Lenient),
                ("strict", AirbyteMode::Strict),
                ("hostile", AirbyteMode::Hostile),
            ],
            AirbyteMode::Lenient,
        );
        let airbyte = reader.airbyte(ports.embedded_airbyte);
        let redis_url = reader.secret(variables::REDIS_URL);
        let api_key = reader.key(variables::AAM_API_KEY);
        if let Some(key) = &api_key {
            let key = key.expose_secret();
            if key.len() < 16 || key.contains(char::is_whitespace) {
                reader.fault(
                    variables::AAM_API_KEY,
                    "must be at least 16 characters without blanks",
                );
            }
        } else if production && wants_api_key {
            reader.fault(
                variables::AAM_API_KEY,
                "is required with ENVIRONMENT=production",
            );
        }
        let secret_key = reader.key(variables::SECRET_KEY);
        if secret_key
            .as_ref()
            .is_some_and(|key| key.expose_secret().len() < 32)
        {
            reader.fault(
                variables::SECRET_KEY,
                "must hold at least 32 bytes of randomness",
            );
        }
        let service_token_key = reader.key(variables::SERVICE_TOKEN_KEY);
        if service_token_key
            .as_ref()
            .is_some_and(|key| key.expose_secret().len() < 32)
        {
            reader.fault(
                variables::SERVICE_TOKEN_KEY,
                "must hold at least 32 bytes of randomness",
            );
        }
        let airbyte_secret_key = reader.key(variables::AIRBYTE_SECRET_KEY);
        let bind_address = reader
            .text(variables::BIND_ADDRESS)
            .unwrap_or_else(|| "127.0.0.1".to_owned());
        let allowed_hosts = reader.list(variables::AAM_ALLOWED_HOSTS);
        let salesforce = SalesforceSettings {
            client_id: reader.text(variables::SALESFORCE_CLIENT_ID),
            client_secret: reader.secret(variables::SALESFORCE_CLIENT_SECRET),
            refresh_token: reader.secret(variables::SALESFORCE_REFRESH_TOKEN),
        };
        let data_roots = reader
            .text(variables::AAM_DATA_ROOTS)
            .map(|roots| std::env::split_paths(&roots).collect())
            .unwrap_or_else(|| vec![source.working_directory().to_owned()]);
        let connector_hosts = reader.text(variables::AAM_CONNECTOR_HOSTS);
        let drift_policy = reader.drift_policy();
        let lease = reader.seconds(variables::AAM_LEASE_SECONDS, 1..=3600, 30);
        let rate_limit = reader.rate_limit();
        let requests_max = reader.requests_max();
        let http_timeout = reader.seconds(
            variables::AAM_HTTP_TIMEOUT_SECONDS,
            1..=600,
            DEFAULT_TIMEOUT.as_secs(),
        );
        let explicit_home = reader.text(variables::AAM_HOME).map(PathBuf::from);
        let database_url = reader.database(&[variables::DATABASE_URL, variables::SUPABASE_DB_URL]);
        let broker_url = reader.database(&[variables::AUTH_BROKER_DATABASE_URL]);
        reader.finish()?;

        let home = Home::locate(
            explicit_home.as_deref(),
            source.working_directory(),
            !production,
        )?;
        let database = database_url.unwrap_or_else(|| DatabaseTarget::Sqlite {
            path: home.registry_db(),
        });
        let broker_database = broker_url.unwrap_or_else(|| database.clone());
        let own_files = own_files::collect(source, &home, [&database, &broker_database]);
        Ok(Self {
            own_files,
            home,
            environment,
            airbyte,
            database,
            broker_database,
            pooler,
            redis_url,
            api_key,
            rate_limit,
            requests_max,
            bind_address,
            allowed_hosts,
            ports,
            service_urls,
            salesforce,
            data_roots,
            connector_hosts,
            log,
            embedded_airbyte_mode,
            drift_policy,
            lease,
            http_timeout,
            secret_key,
            service_token_key,
            airbyte_secret_key,
        })
    }

    /// The broker's root key: given, or kept in the data directory. Only the broker asks for it.
    ///
    /// # Errors
    /// When it is not given and the data directory cannot provide it.
    pub fn secret_key(&self) -> Result<SecretString, home::Error> {
        self.secret_key
            .clone()
            .map_or_else(|| self.home.secret_key(), Ok)
    }

    /// The broker's root key where there is one already; none is made.
    ///
    /// # Errors
    /// When the data directory cannot be read.
    pub fn secret_key_at_hand(&self) -> Result<Option<SecretString>, home::Error> {
        if self.secret_key.is_some() || self.home.has_secret_key() {
            return self.secret_key().map(Some);
        }
        Ok(None)
    }

    /// The key that signs service tokens: given, or kept in the data directory.
    ///
    /// # Errors
    /// When it is not given and the data directory cannot provide it.
    pub fn service_token_key(&self) -> Result<SecretString, home::Error> {
        self.service_token_key
            .clone()
            .map_or_else(|| self.home.service_token_key(), Ok)
    }

    /// The root key the embedded Airbyte seals connector secrets with: given, or kept in the data
    /// directory.
    ///
    /// # Errors
    /// When it is not given and the data directory cannot provide it.
    pub fn airbyte_secret_key(&self) -> Result<SecretString, home::Error> {
        self.airbyte_secret_key
            .clone()
            .map_or_else(|| self.home.airbyte_seal_root(), Ok)
    }

    /// Airbyte's client credentials: given; with the embedded Airbyte, those of the data
    /// directory; else none.
    ///
    /// # Errors
    /// When the data directory cannot provide them.
    pub fn airbyte_client(&self) -> Result<Option<(String, SecretString)>, home::Error> {
        match (&self.airbyte.client_id, &self.airbyte.client_secret) {
            (Some(id), Some(secret)) => Ok(Some((id.clone(), secret.clone()))),
            _ if self.airbyte.embedded => self.home.airbyte_client().map(Some),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests;
