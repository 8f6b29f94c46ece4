#![doc = include_str!("../README.md")]

mod airbyte_urls;
mod database_url;
pub mod drift_policy;
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

use http_client::DEFAULT_TIMEOUT;
use local::home::{self, Home};
use telemetry::{Format, LogSettings};

pub use airbyte_urls::AirbyteUrls;
pub use database_url::{DatabaseTarget, DatabaseUrlError};
pub use limits::RateLimit;
pub use source::Source;

/// An invalid setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The variable's name.
    pub variable: &'static str,
    /// What is wrong with its value.
    pub problem: String,
    /// A valid value.
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
    /// One or more variables have invalid values.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<Fault>),
    /// `aam.toml` or `.env` cannot be read.
    #[error("cannot read the settings: {0}")]
    Unreadable(String),
    /// The data directory cannot be used.
    #[error(transparent)]
    Home(#[from] home::Error),
}

/// The kind of installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// Generates missing keys; requires no API key on loopback.
    Development,
    /// JSON logs; requires an API key; keys must be provided.
    Production,
}

/// How PostgreSQL connections are pooled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pooler {
    /// No pooler, or one that gives each client its own server connection.
    #[default]
    Session,
    /// A pooler that changes the server connection between transactions: prepared statements are
    /// not cached and every statement runs inside a transaction.
    Transaction,
}

/// The Airbyte to use.
#[derive(Debug, Clone)]
pub struct AirbyteSettings {
    /// Base URLs of both APIs.
    pub urls: AirbyteUrls,
    /// Whether no URL is set, which selects the embedded Airbyte.
    pub embedded: bool,
    /// A proxy for Airbyte; may contain a password.
    pub proxy: Option<SecretString>,
    /// OAuth2 client id; absent for an Airbyte with authentication disabled.
    pub client_id: Option<String>,
    /// OAuth2 client secret.
    pub client_secret: Option<SecretString>,
    /// The default workspace.
    pub workspace_id: Option<Uuid>,
    /// The default destination.
    pub destination_id: Option<Uuid>,
}

impl AirbyteSettings {
    /// Creates an HTTP client for this Airbyte: through the configured proxy, or direct.
    ///
    /// # Errors
    /// Returns an error if the TLS provider, the system's certificates or the proxy cannot be used.
    pub fn http(&self) -> Result<reqwest::Client, reqwest::Error> {
        let proxy = self.proxy.as_ref().filter(|_| !self.embedded);
        match proxy.and_then(|url| Url::parse(url.expose_secret()).ok()) {
            Some(proxy) => http_client::through(&proxy),
            None => http_client::build(),
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

/// The base URLs of the services.
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

/// How the embedded Airbyte treats its clients. The stricter modes are for testing clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AirbyteMode {
    /// Like most versions.
    #[default]
    Lenient,
    /// Also rejects what some real versions reject: form bodies at the token endpoints.
    Strict,
    /// Also has the behavior that breaks clients: links to an internal host, tokens without a
    /// lifetime, a web page for an unknown path, a first discovery that fails inside a 200,
    /// `try-again-later` when nothing is running, creates that happen after their timeout.
    Hostile,
}

/// Every setting of the process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The data directory.
    pub home: Home,
    /// The kind of installation.
    pub environment: Environment,
    /// The Airbyte to use.
    pub airbyte: AirbyteSettings,
    /// The registry's database.
    pub database: DatabaseTarget,
    /// The auth broker's own URL of the database, with a separate role.
    pub broker_database: DatabaseTarget,
    /// How PostgreSQL connections are pooled.
    pub pooler: Pooler,
    /// Redis, if configured.
    pub redis_url: Option<SecretString>,
    /// The operator's admin key.
    pub api_key: Option<SecretString>,
    /// The rate limit per caller and service; none means unlimited.
    pub rate_limit: Option<RateLimit>,
    /// Maximum number of concurrent requests of a service.
    pub requests_max: usize,
    /// Address the services listen on.
    pub bind_address: String,
    /// Accepted `Host` values besides loopback names and the bind address.
    pub allowed_hosts: Vec<String>,
    /// Ports the services listen on.
    pub ports: Ports,
    /// The base URLs of the services.
    pub service_urls: ServiceUrls,
    /// Environment-provided Salesforce credentials.
    pub salesforce: SalesforceSettings,
    /// Paths that native file and database connectors may read and write.
    pub data_roots: Vec<PathBuf>,
    /// Hosts that native connectors may connect to, separated by commas; unset: all.
    pub connector_hosts: Option<String>,
    /// Log settings.
    pub log: LogSettings,
    /// How the embedded Airbyte treats its clients.
    pub embedded_airbyte_mode: AirbyteMode,
    /// The drift policy of connections that are onboarded without one.
    pub drift_policy: DriftPolicy,
    /// How long a process holds an operation without renewing its lease.
    pub lease: Duration,
    /// Timeout of calls to Airbyte that do not wait for a connector.
    pub http_timeout: Duration,
    /// Files, and folders with all their content, in which AAM keeps its settings, keys and
    /// databases.
    pub own_files: (Vec<PathBuf>, Vec<PathBuf>),
    secret_key: Option<SecretString>,
    service_token_key: Option<SecretString>,
    airbyte_secret_key: Option<SecretString>,
}

impl Settings {
    /// Reads the settings of the process: `aam.toml`, `.env`, the environment.
    ///
    /// # Errors
    /// Returns one error that lists all invalid variables.
    pub fn load() -> Result<Self, Error> {
        Self::from_source(&Source::process()?)
    }

    /// As [`Self::load`], for the embedded Airbyte as a separate process. It has a client's
    /// credentials instead of an admin key, which should not exist where connectors run.
    ///
    /// # Errors
    /// Returns one error that lists all invalid variables.
    pub fn load_for_airbyte() -> Result<Self, Error> {
        Self::read(&Source::process()?, false)
    }

    /// Reads the settings from `source`.
    ///
    /// # Errors
    /// Returns one error that lists all invalid variables.
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
                    "must have at least 16 characters and no spaces",
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
                "must contain at least 32 bytes of randomness",
            );
        }
        let service_token_key = reader.key(variables::SERVICE_TOKEN_KEY);
        if service_token_key
            .as_ref()
            .is_some_and(|key| key.expose_secret().len() < 32)
        {
            reader.fault(
                variables::SERVICE_TOKEN_KEY,
                "must contain at least 32 bytes of randomness",
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

    /// The auth broker's root key: configured, or from the data directory. Only the auth broker
    /// uses it.
    ///
    /// # Errors
    /// Returns an error if it is not configured and the data directory cannot provide it.
    pub fn secret_key(&self) -> Result<SecretString, home::Error> {
        self.secret_key
            .clone()
            .map_or_else(|| self.home.secret_key(), Ok)
    }

    /// The auth broker's root key, if it already exists; does not create one.
    ///
    /// # Errors
    /// Returns an error if the data directory cannot be read.
    pub fn secret_key_at_hand(&self) -> Result<Option<SecretString>, home::Error> {
        if self.secret_key.is_some() || self.home.has_secret_key() {
            return self.secret_key().map(Some);
        }
        Ok(None)
    }

    /// The key that signs service tokens: configured, or from the data directory.
    ///
    /// # Errors
    /// Returns an error if it is not configured and the data directory cannot provide it.
    pub fn service_token_key(&self) -> Result<SecretString, home::Error> {
        self.service_token_key
            .clone()
            .map_or_else(|| self.home.service_token_key(), Ok)
    }

    /// The root key with which the embedded Airbyte seals connector secrets: configured, or from
    /// the data directory.
    ///
    /// # Errors
    /// Returns an error if it is not configured and the data directory cannot provide it.
    pub fn airbyte_secret_key(&self) -> Result<SecretString, home::Error> {
        self.airbyte_secret_key
            .clone()
            .map_or_else(|| self.home.airbyte_seal_root(), Ok)
    }

    /// Airbyte's client credentials: configured; for the embedded Airbyte, those of the data
    /// directory; otherwise none.
    ///
    /// # Errors
    /// Returns an error if the data directory cannot provide them.
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
