//! A database per test on the server of `AAM_TEST_MYSQL_URL`, dropped with the test.

use std::process::Child;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, MySqlConnection};

use crate::given::{Folder, Run, block_on, finish};

/// A database, and a folder for the connectors' files.
pub(super) struct Database {
    /// The server's URL up to the database's name.
    base: String,
    pub(super) name: String,
    pub(super) folder: Folder,
}

impl Drop for Database {
    fn drop(&mut self) {
        block_on(run(
            &self.base,
            &format!("DROP DATABASE IF EXISTS {}", self.name),
        ));
    }
}

async fn run(url: &str, statements: &str) {
    let mut connection = MySqlConnection::connect(url).await.unwrap();
    let statements = AssertSqlSafe(statements.to_owned());
    connection.execute(sqlx::raw_sql(statements)).await.unwrap();
    connection.close().await.unwrap();
}

impl Database {
    pub(super) fn new(statements: &str) -> Self {
        let base = std::env::var("AAM_TEST_MYSQL_URL").unwrap_or_else(|_| {
            panic!("AAM_TEST_MYSQL_URL is not set; scripts/test.sh starts a server and sets it")
        });
        let name = format!("aam_{}", uuid::Uuid::new_v4().simple());
        block_on(run(
            &base,
            &format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"),
        ));
        let database = Self {
            base: base.trim_end_matches('/').to_owned(),
            name,
            folder: Folder::new(),
        };
        if !statements.is_empty() {
            database.sql(statements);
        }
        database
    }

    pub(super) fn sql(&self, statements: &str) {
        block_on(run(&format!("{}/{}", self.base, self.name), statements));
    }

    /// The answer to a query that has one.
    pub(super) fn cell(&self, query: &str) -> String {
        let query = sqlx::query_scalar(AssertSqlSafe(query.to_owned()));
        block_on(async {
            let mut connection = MySqlConnection::connect(&self.base).await.unwrap();
            query.fetch_one(&mut connection).await.unwrap()
        })
    }

    /// The configuration with other values.
    pub(super) fn config_with(&self, changes: Value) -> Value {
        let (_, rest) = self.base.split_once("://").unwrap();
        let (credentials, address) = rest.rsplit_once('@').unwrap();
        let (username, password) = credentials.split_once(':').unwrap();
        let (host, port) = address.rsplit_once(':').unwrap();
        let mut config = json!({
            "host": host, "port": port.parse::<u16>().unwrap(), "database": self.name,
            "username": username, "password": password,
            "replication_method": { "method": "STANDARD" },
        });
        for (name, value) in changes.as_object().unwrap() {
            config[name] = value.clone();
        }
        config
    }

    /// Runs a command that takes nothing but a configuration.
    pub(super) fn command(&self, command: &str, config: &Value) -> Run {
        self.folder.file("config.json", &config.to_string());
        self.folder
            .run("source-mysql", &[command, "--config", "config.json"])
    }

    /// The result of a check.
    pub(super) fn verdict(&self, changes: &Value) -> String {
        let run = self
            .command("check", &self.config_with(changes.clone()))
            .ok();
        let status = run.of("CONNECTION_STATUS", "connectionStatus").remove(0);
        let message = status["message"].as_str().unwrap_or("SUCCEEDED");
        message.to_owned()
    }

    pub(super) fn discover_with(&self, changes: Value) -> Vec<Value> {
        let run = self.command("discover", &self.config_with(changes)).ok();
        let catalog = run.of("CATALOG", "catalog").remove(0);
        catalog["streams"].as_array().unwrap().clone()
    }

    /// The stream of that name.
    pub(super) fn stream(&self, name: &str) -> Value {
        let mut streams = self.discover_with(json!({}));
        streams.retain(|stream| stream["name"] == name);
        streams.remove(0)
    }

    /// A source that reads.
    pub(super) fn source(&self, config: &Value, streams: &[Value], state: Option<&Value>) -> Child {
        self.folder.file("config.json", &config.to_string());
        self.folder
            .file("catalog.json", &json!({ "streams": streams }).to_string());
        let mut args = vec!["read", "--config=config.json", "--catalog=catalog.json"];
        if let Some(state) = state {
            self.folder.file("state.json", &json!([state]).to_string());
            args.push("--state=state.json");
        }
        self.folder.command("source-mysql", &args).spawn().unwrap()
    }

    /// Reads to the end by another configuration.
    pub(super) fn read_with(
        &self,
        changes: Value,
        streams: &[Value],
        state: Option<&Value>,
    ) -> Run {
        finish(self.source(&self.config_with(changes), streams, state), "")
    }

    /// Reads to the end.
    pub(super) fn read(&self, streams: &[Value], state: Option<&Value>) -> Run {
        finish(
            self.source(&self.config_with(json!({})), streams, state),
            "",
        )
    }
}

/// The integers in a property of the records.
pub(super) fn integers(run: &Run, property: &str) -> Vec<i64> {
    let value = |record: &Value| record[property].as_i64().unwrap();
    run.records().iter().map(value).collect()
}

/// The last state.
pub(super) fn last(run: &Run) -> Value {
    run.states().pop().unwrap()
}
