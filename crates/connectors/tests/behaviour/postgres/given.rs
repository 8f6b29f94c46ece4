//! A database per test on the server of `AAM_TEST_POSTGRES_URL`, dropped with the test.

use std::process::Child;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::given::{Folder, Run, block_on, finish};

/// Where the tests' server is.
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) username: String,
    pub(crate) password: String,
    base: String,
}

impl Server {
    pub(crate) fn of_tests() -> Self {
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
    pub(crate) fn sql(&self, statements: &str) {
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
pub(crate) struct Database {
    pub(crate) server: Server,
    pub(crate) name: String,
    pub(crate) folder: Folder,
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
    pub(crate) fn new(statements: &str) -> Self {
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

    pub(crate) fn url(&self) -> String {
        self.server.url(&self.name)
    }

    pub(crate) fn sql(&self, statements: &str) {
        block_on(run(&self.url(), statements));
    }

    /// A session of one's own, for what is to stay open.
    pub(crate) fn session(&self) -> Session {
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
    pub(crate) fn rows(&self, query: &str) -> Vec<Vec<Option<String>>> {
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
    pub(crate) fn lines(&self, query: &str) -> Vec<String> {
        let line = |row: Vec<Option<String>>| {
            let cells: Vec<String> = row.into_iter().map(|c| c.unwrap_or("-".into())).collect();
            cells.join("|")
        };
        self.rows(query).into_iter().map(line).collect()
    }

    pub(crate) fn config(&self) -> Value {
        json!({
            "host": self.server.host, "port": self.server.port, "database": self.name,
            "username": self.server.username, "password": self.server.password,
        })
    }

    /// The configuration with other values.
    pub(crate) fn config_with(&self, changes: Value) -> Value {
        let mut config = self.config();
        for (name, value) in changes.as_object().unwrap() {
            config[name] = value.clone();
        }
        config
    }

    /// Runs a command that takes nothing but a configuration.
    pub(crate) fn command(&self, connector: &str, command: &str, config: &Value) -> Run {
        self.folder.file("config.json", &config.to_string());
        self.folder
            .run(connector, &[command, "--config", "config.json"])
    }

    pub(crate) fn discover_with(&self, config: &Value) -> Vec<Value> {
        let run = self.command("source-postgres", "discover", config).ok();
        run.of("CATALOG", "catalog").remove(0)["streams"]
            .as_array()
            .unwrap()
            .clone()
    }

    /// The stream of that name.
    pub(crate) fn stream(&self, name: &str) -> Value {
        let mut streams = self.discover_with(&self.config());
        streams.retain(|stream| stream["name"] == name);
        streams.remove(0)
    }

    /// A source that reads.
    pub(crate) fn source(&self, config: &Value, streams: &[Value], state: Option<&Value>) -> Child {
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
    pub(crate) fn destination(&self, streams: &[Value]) -> Child {
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
    pub(crate) fn write(&self, streams: &[Value], messages: &[Value]) -> Run {
        let lines: Vec<String> = messages
            .iter()
            .map(|message| format!("{message}\n"))
            .collect();
        finish(self.destination(streams), &lines.concat())
    }

    /// Reads to the end.
    pub(crate) fn read_with(
        &self,
        config: &Value,
        streams: &[Value],
        state: Option<&Value>,
    ) -> Run {
        finish(self.source(config, streams, state), "")
    }

    pub(crate) fn read(&self, streams: &[Value], state: Option<&Value>) -> Run {
        self.read_with(&self.config(), streams, state)
    }
}

/// A session that stays open.
pub(crate) struct Session {
    runtime: tokio::runtime::Runtime,
    connection: PgConnection,
}

impl Session {
    pub(crate) fn sql(&mut self, statements: &str) {
        let statements = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()));
        self.runtime
            .block_on(self.connection.execute(statements))
            .unwrap();
    }
}

/// The integers in a property of the records.
pub(crate) fn integers(run: &Run, property: &str) -> Vec<i64> {
    let value = |record: &Value| record[property].as_i64().unwrap();
    run.records().iter().map(value).collect()
}
