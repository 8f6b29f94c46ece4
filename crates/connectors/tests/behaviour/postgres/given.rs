//! A database per test on the server of `AAM_TEST_POSTGRES_URL`, dropped with the test.

use std::process::Child;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::given::{Folder, Run, block_on, finish};

/// Where the tests' server is.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) username: String,
    pub(super) password: String,
    base: String,
}

impl Server {
    pub(super) fn of_tests() -> Self {
        let url = std::env::var("AAM_TEST_POSTGRES_URL").unwrap_or_else(|_| {
            panic!("AAM_TEST_POSTGRES_URL is not set; scripts/test.sh starts a server and sets it")
        });
        let (base, _) = url.rsplit_once('/').unwrap();
        let (_, rest) = base.split_once("://").unwrap();
        let (credentials, address) = rest.rsplit_once('@').unwrap();
        let (username, password) = credentials.split_once(':').unwrap();
        let (host, port) = address.rsplit_once(':').unwrap();
        Self {
            host: host.to_owned(),
            port: port.parse().unwrap(),
            username: username.to_owned(),
            password: password.to_owned(),
            base: base.to_owned(),
        }
    }

    fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.base)
    }

    /// Runs statements on the database that is always there.
    pub(super) fn sql(&self, statements: &str) {
        block_on(run(&self.url("postgres"), statements));
    }
}

async fn run(url: &str, statements: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let statements = AssertSqlSafe(statements.to_owned());
    connection.execute(sqlx::raw_sql(statements)).await.unwrap();
    connection.close().await.unwrap();
}

/// A database, and a folder for the connectors' files.
pub(super) struct Database {
    pub(super) server: Server,
    pub(super) name: String,
    pub(super) folder: Folder,
}

impl Drop for Database {
    fn drop(&mut self) {
        // A database with slots cannot be dropped, and they only from within.
        self.sql(
            "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots \
             WHERE database = current_database() AND active; \
             SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots \
             WHERE database = current_database() AND NOT active",
        );
        self.server.sql(&format!(
            "DROP DATABASE IF EXISTS {} WITH (FORCE)",
            self.name
        ));
    }
}

impl Database {
    pub(super) fn new(statements: &str) -> Self {
        let server = Server::of_tests();
        let name = format!("aam_{}", uuid::Uuid::new_v4().simple());
        server.sql(&format!("CREATE DATABASE {name}"));
        let database = Self {
            server,
            name,
            folder: Folder::new(),
        };
        database.sql(statements);
        database
    }

    pub(super) fn url(&self) -> String {
        self.server.url(&self.name)
    }

    pub(super) fn sql(&self, statements: &str) {
        block_on(run(&self.url(), statements));
    }

    /// A session of one's own, for what is to stay open.
    pub(super) fn session(&self) -> Session {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let connection = runtime
            .block_on(PgConnection::connect(&self.url()))
            .unwrap();
        Session {
            runtime,
            connection,
        }
    }

    /// The rows of a query, each as a list of the cells' texts.
    pub(super) fn rows(&self, query: &str) -> Vec<Vec<Option<String>>> {
        // The server makes the texts, so that no type is converted here.
        let query = format!(
            "SELECT ARRAY(SELECT value FROM json_each_text(row_to_json(q))) FROM ({query}) AS q"
        );
        block_on(async {
            let mut connection = PgConnection::connect(&self.url()).await.unwrap();
            connection.execute("SET TimeZone = 'UTC'").await.unwrap();
            sqlx::query_scalar(AssertSqlSafe(query))
                .fetch_all(&mut connection)
                .await
                .unwrap()
        })
    }

    /// The rows' cells parted by `|`, null as `-`.
    pub(super) fn lines(&self, query: &str) -> Vec<String> {
        let line = |row: Vec<Option<String>>| {
            let cells: Vec<String> = row.into_iter().map(|c| c.unwrap_or("-".into())).collect();
            cells.join("|")
        };
        self.rows(query).into_iter().map(line).collect()
    }

    pub(super) fn config(&self) -> Value {
        json!({
            "host": self.server.host, "port": self.server.port, "database": self.name,
            "username": self.server.username, "password": self.server.password,
        })
    }

    /// The configuration with other values.
    pub(super) fn config_with(&self, changes: Value) -> Value {
        let mut config = self.config();
        for (name, value) in changes.as_object().unwrap() {
            config[name] = value.clone();
        }
        config
    }

    /// Runs a command that takes nothing but a configuration.
    pub(super) fn command(&self, connector: &str, command: &str, config: &Value) -> Run {
        self.folder.file("config.json", &config.to_string());
        self.folder
            .run(connector, &[command, "--config", "config.json"])
    }

    pub(super) fn discover_with(&self, config: &Value) -> Vec<Value> {
        let run = self.command("source-postgres", "discover", config).ok();
        run.of("CATALOG", "catalog").remove(0)["streams"]
            .as_array()
            .unwrap()
            .clone()
    }

    /// The stream of that name.
    pub(super) fn stream(&self, name: &str) -> Value {
        let mut streams = self.discover_with(&self.config());
        streams.retain(|stream| stream["name"] == name);
        streams.remove(0)
    }

    /// A source that reads.
    pub(super) fn source(&self, config: &Value, streams: &[Value], state: Option<&Value>) -> Child {
        self.folder.file("config.json", &config.to_string());
        self.folder
            .file("catalog.json", &json!({ "streams": streams }).to_string());
        let mut args = vec![
            "read",
            "--config",
            "config.json",
            "--catalog",
            "catalog.json",
        ];
        if let Some(state) = state {
            self.folder.file("state.json", &json!([state]).to_string());
            args.extend(["--state", "state.json"]);
        }
        self.folder
            .command("source-postgres", &args)
            .spawn()
            .unwrap()
    }

    /// A destination that waits for its input.
    pub(super) fn destination(&self, streams: &[Value]) -> Child {
        self.folder.file("write.json", &self.config().to_string());
        self.folder.file(
            "configured.json",
            &json!({ "streams": streams }).to_string(),
        );
        let args = [
            "write",
            "--config=write.json",
            "--catalog",
            "configured.json",
        ];
        self.folder
            .command("destination-postgres", &args)
            .spawn()
            .unwrap()
    }

    /// Writes those messages.
    pub(super) fn write(&self, streams: &[Value], messages: &[Value]) -> Run {
        let lines: Vec<String> = messages
            .iter()
            .map(|message| format!("{message}\n"))
            .collect();
        finish(self.destination(streams), &lines.concat())
    }

    /// Reads to the end.
    pub(super) fn read_with(
        &self,
        config: &Value,
        streams: &[Value],
        state: Option<&Value>,
    ) -> Run {
        finish(self.source(config, streams, state), "")
    }

    pub(super) fn read(&self, streams: &[Value], state: Option<&Value>) -> Run {
        self.read_with(&self.config(), streams, state)
    }
}

/// A session that stays open.
pub(super) struct Session {
    runtime: tokio::runtime::Runtime,
    connection: PgConnection,
}

impl Session {
    pub(super) fn sql(&mut self, statements: &str) {
        let statements = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()));
        self.runtime
            .block_on(self.connection.execute(statements))
            .unwrap();
    }
}

/// The integers in a property of the records.
pub(super) fn integers(run: &Run, property: &str) -> Vec<i64> {
    let value = |record: &Value| record[property].as_i64().unwrap();
    run.records().iter().map(value).collect()
}
