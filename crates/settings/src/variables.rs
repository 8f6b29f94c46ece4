//! The names of all variables, in one list.

macro_rules! variables {
    ($($name:ident = $example:literal, $doc:literal;)*) => {
        $(#[doc = $doc] pub const $name: &str = stringify!($name);)*

        /// Every variable with an example and its description.
        pub const ALL: &[(&str, &str, &str)] = &[$((stringify!($name), $example, $doc)),*];
    };
}

variables! {
    AIRBYTE_API_URL = "http://localhost:8000/api/public/v1", "Base URL of Airbyte's public API; unset: the embedded Airbyte.";
    AIRBYTE_BASE_URL = "http://localhost:8000/api/public/v1", "Alias for AIRBYTE_API_URL, which takes precedence.";
    AIRBYTE_CONFIG_API_URL = "http://localhost:8000/api/v1", "Base URL of Airbyte's Config API, if it cannot be derived from AIRBYTE_API_URL.";
    AIRBYTE_CLIENT_ID = "5b2e0c9f-0000-4000-8000-000000000000", "OAuth2 client id for Airbyte.";
    AIRBYTE_CLIENT_SECRET = "the secret that abctl local credentials prints", "OAuth2 client secret for Airbyte.";
    AIRBYTE_PROXY_URL = "http://proxy.example.com:3128", "Proxy for Airbyte; HTTP_PROXY and similar variables apply only to connectors.";
    AIRBYTE_WORKSPACE_ID = "9924bcd0-99be-453d-ba47-c2c9766f7da5", "Default Airbyte workspace, used if a request names none.";
    AIRBYTE_DESTINATION_ID = "9924bcd0-99be-453d-ba47-c2c9766f7da5", "Default Airbyte destination, used if a request names none.";
    DATABASE_URL = "postgresql://aam:password@localhost:5432/aam", "The registry's database; unset: SQLite in the data directory.";
    SUPABASE_DB_URL = "postgresql://aam:password@localhost:5432/aam", "Alias for DATABASE_URL, which takes precedence.";
    AUTH_BROKER_DATABASE_URL = "postgresql://aam_broker:password@localhost:5432/aam", "The auth broker's own URL of the registry's database; unset: DATABASE_URL.";
    AAM_DATABASE_POOLER = "transaction", "`transaction` behind a transaction-mode pooler, otherwise `session`.";
    REDIS_URL = "redis://localhost:6379", "Redis URL; unset: no Redis.";
    SECRET_KEY = "the output of: openssl rand -base64 48", "Root key of the auth broker's vault.";
    SERVICE_TOKEN_KEY = "the output of: openssl rand -base64 48", "Key that signs the tokens with which services authenticate to one another.";
    AIRBYTE_SECRET_KEY = "the output of: openssl rand -base64 48", "Root key of the embedded Airbyte's connector secrets.";
    AAM_API_KEY = "aam_9f86d081884c7d659a2feaa0c55ad015", "Admin key accepted by every service.";
    AAM_RATE_LIMIT = "100/200", "Requests per second that one caller may send to a service, and the maximum burst; `off`: no limit; unset: 100/200.";
    AAM_REQUESTS_MAX = "512", "Maximum number of concurrent requests of a service.";
    BIND_ADDRESS = "127.0.0.1", "Address the services listen on.";
    AAM_ALLOWED_HOSTS = "aam.example.com,orchestrator", "Accepted `Host` values besides loopback names and the bind address.";
    SERVICE_PORT_ORCHESTRATOR = "8001", "Port of the orchestrator.";
    SERVICE_PORT_AUTH_BROKER = "8002", "Port of the auth broker.";
    SERVICE_PORT_DRIFT_REPAIR = "8003", "Port of the drift-repair agent.";
    SERVICE_PORT_EMBEDDED_AIRBYTE = "8000", "Port of the embedded Airbyte.";
    ORCHESTRATOR_URL = "http://127.0.0.1:8001", "Base URL of the orchestrator.";
    AUTH_BROKER_URL = "http://127.0.0.1:8002", "Base URL of the auth broker.";
    DRIFT_REPAIR_URL = "http://127.0.0.1:8003", "Base URL of the drift-repair agent.";
    SALESFORCE_CLIENT_ID = "the connected app's consumer key", "Salesforce credentials from the environment.";
    SALESFORCE_CLIENT_SECRET = "the connected app's consumer secret", "Salesforce credentials from the environment.";
    SALESFORCE_REFRESH_TOKEN = "a refresh token", "Salesforce credentials from the environment.";
    EMBEDDED_AIRBYTE_MODE = "lenient", "How the embedded Airbyte treats its clients: `lenient`, `strict` or `hostile`.";
    AAM_HOME = "/var/lib/aam", "The data directory; unset: `.aam`, searched upwards from the working directory.";
    AAM_DATA_ROOTS = "/srv/data:/srv/exports", "Paths that native file and SQLite connectors may read and write.";
    AAM_CONNECTOR_HOSTS = "db.example.com,*.warehouse.example.com,10.1.0.0/16", "Hosts that native connectors may connect to: names, addresses, networks; unset: all.";
    AAM_DRIFT_POLICY = "auto", "Drift policy of connections that are onboarded without one: a keyword, or the path of a JSON file; unset: `propose`.";
    AAM_LEASE_SECONDS = "30", "How long a process holds an operation without renewing its lease, in seconds; after a crash, another process resumes its operations after this time.";
    AAM_HTTP_TIMEOUT_SECONDS = "30", "Timeout of calls to Airbyte that do not wait for a connector, in seconds; calls that do have 22 times as long.";
    OTEL_EXPORTER_OTLP_ENDPOINT = "http://localhost:4318", "OTLP endpoint (HTTP) for traces; unset: traces are not exported.";
    LOG_LEVEL = "info", "Log level.";
    RUST_LOG = "info,orchestrator=debug", "Log filter by module; takes precedence over LOG_LEVEL.";
    LOG_FORMAT = "json", "`pretty` or `json`.";
    ENVIRONMENT = "development", "`development` or `production`.";
}

/// Variables with secrets; each can be given as a file instead, by `NAME_FILE`.
pub const SECRETS: &[&str] = &[
    AIRBYTE_CLIENT_SECRET,
    AIRBYTE_PROXY_URL,
    DATABASE_URL,
    SUPABASE_DB_URL,
    AUTH_BROKER_DATABASE_URL,
    REDIS_URL,
    SECRET_KEY,
    SERVICE_TOKEN_KEY,
    AIRBYTE_SECRET_KEY,
    AAM_API_KEY,
    SALESFORCE_CLIENT_SECRET,
    SALESFORCE_REFRESH_TOKEN,
];

/// A valid value of `variable`.
pub fn example(variable: &str) -> &'static str {
    ALL.iter()
        .find(|(name, ..)| *name == variable)
        .map_or("", |(_, example, _)| example)
}
