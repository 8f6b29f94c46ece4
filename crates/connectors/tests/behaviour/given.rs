//! A folder per test, databases in it, and the binary run there.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Row, TypeInfo as _, ValueRef as _};
use tempfile::TempDir;

/// What a run of the binary came to.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) messages: Vec<Value>,
    /// Stdout as it was: reading JSON into values rounds some numbers.
    pub(crate) text: String,
}

impl Run {
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{:#?}", self.messages);
        self
    }

    /// The payloads of one type.
    pub(crate) fn of(&self, kind: &str, member: &str) -> Vec<Value> {
        let of_kind = self
            .messages
            .iter()
            .filter(|message| message["type"] == kind);
        of_kind.map(|message| message[member].clone()).collect()
    }

    pub(crate) fn records(&self) -> Vec<Value> {
        self.of("RECORD", "record")
            .into_iter()
            .map(|record| record["data"].clone())
            .collect()
    }

    pub(crate) fn states(&self) -> Vec<Value> {
        self.of("STATE", "state")
    }

    /// Stream statuses as `name STATUS`.
    pub(crate) fn statuses(&self) -> Vec<String> {
        let traces = self
            .of("TRACE", "trace")
            .into_iter()
            .filter(|t| t["type"] == "STREAM_STATUS");
        traces
            .map(|trace| {
                let status = &trace["stream_status"];
                let name = status["stream_descriptor"]["name"].as_str().unwrap();
                format!("{name} {}", status["status"].as_str().unwrap())
            })
            .collect()
    }

    /// The last error trace.
    pub(crate) fn error(&self) -> Value {
        let traces = self
            .of("TRACE", "trace")
            .into_iter()
            .filter(|t| t["type"] == "ERROR");
        traces.collect::<Vec<_>>().pop().unwrap()["error"].clone()
    }
}

/// A folder with databases.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Runs statements on the database of that name.
    pub(crate) fn sql(&self, database: &str, statements: &str) {
        execute(&self.path(database), statements);
    }

    /// The rows of a query, each cell as JSON by its storage class.
    pub(crate) fn rows(&self, database: &str, query: &str) -> Vec<Vec<Value>> {
        rows(&self.path(database), query)
    }

    pub(crate) fn cell(&self, database: &str, query: &str) -> Value {
        self.rows(database, query).remove(0).remove(0)
    }

    pub(crate) fn command(&self, connector: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_connector"));
        command.arg(connector).args(args).current_dir(self.0.path());
        for variable in ["AAM_DATA_ROOTS", "AAM_HOME", "AAM_HOME_FILES"] {
            command.env_remove(variable);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, connector: &str, args: &[&str]) -> Run {
        finish(self.command(connector, args).spawn().unwrap(), "")
    }

    /// Discovers the database of that name: its streams.
    pub(crate) fn discover(&self, database: &str) -> Vec<Value> {
        self.file("config.json", &json!({ "path": database }).to_string());
        let run = self
            .run("source-sqlite", &["discover", "--config", "config.json"])
            .ok();
        run.of("CATALOG", "catalog").remove(0)["streams"]
            .as_array()
            .unwrap()
            .clone()
    }

    /// Reads configured streams.
    pub(crate) fn read(&self, database: &str, streams: &[Value], state: Option<Value>) -> Run {
        self.file("config.json", &json!({ "path": database }).to_string());
        self.file("catalog.json", &json!({ "streams": streams }).to_string());
        let mut args = vec!["read", "--config", "config.json", "--catalog=catalog.json"];
        if let Some(state) = state {
            self.file("state.json", &state.to_string());
            args.extend(["--state", "state.json"]);
        }
        self.run("source-sqlite", &args)
    }

    /// A running destination.
    pub(crate) fn destination(&self, database: &str, streams: &[Value]) -> Child {
        self.file("write.json", &json!({ "path": database }).to_string());
        self.file(
            "configured.json",
            &json!({ "streams": streams }).to_string(),
        );
        let args = [
            "write",
            "--config=write.json",
            "--catalog",
            "configured.json",
        ];
        self.command("destination-sqlite", &args).spawn().unwrap()
    }

    /// Writes those messages.
    pub(crate) fn write(&self, database: &str, streams: &[Value], messages: &[Value]) -> Run {
        let lines: Vec<String> = messages
            .iter()
            .map(|message| format!("{message}\n"))
            .collect();
        finish(self.destination(database, streams), &lines.concat())
    }
}

pub(crate) fn execute(path: &Path, statements: &str) {
    block_on(async {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    });
}

pub(crate) fn rows(path: &Path, query: &str) -> Vec<Vec<Value>> {
    block_on(async {
        let mut connection = SqliteConnectOptions::new()
            .filename(path)
            .connect()
            .await
            .unwrap();
        let query = sqlx::query(AssertSqlSafe(query.to_owned()));
        let rows = query.fetch_all(&mut connection).await.unwrap();
        rows.iter()
            .map(|row| (0..row.len()).map(|index| cell(row, index)).collect())
            .collect()
    })
}

fn cell(row: &SqliteRow, index: usize) -> Value {
    let raw = row.try_get_raw(index).unwrap();
    if raw.is_null() {
        return Value::Null;
    }
    let kind = raw.type_info().name().to_owned();
    match kind.as_str() {
        "INTEGER" => json!(row.get_unchecked::<i64, _>(index)),
        "REAL" => json!(row.get_unchecked::<f64, _>(index)),
        "TEXT" => json!(row.get_unchecked::<String, _>(index)),
        _ => json!({ "blob": row.get_unchecked::<Vec<u8>, _>(index) }),
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Feeds the child and waits for its end.
pub(crate) fn finish(mut child: Child, input: &str) -> Run {
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // A connector that refuses its input closes it.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let messages = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    Run {
        code: output.status.code().unwrap_or(-1),
        messages,
        text,
    }
}

/// A configured stream around a discovered one.
pub(crate) fn configured(stream: &Value, settings: Value) -> Value {
    let mut configured = json!({
        "stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "append",
        "generation_id": 1, "minimum_generation_id": 0, "sync_id": 7,
    });
    for (name, value) in settings.as_object().unwrap() {
        configured[name] = value.clone();
    }
    configured
}

/// A stream with those columns, for a destination.
pub(crate) fn stream(name: &str, properties: Value) -> Value {
    json!({
        "name": name,
        "json_schema": { "type": "object", "properties": properties },
        "supported_sync_modes": ["full_refresh", "incremental"],
    })
}

pub(crate) fn record(stream: &str, data: Value) -> Value {
    record_at(stream, 1_700_000_000_000, data)
}

pub(crate) fn record_at(stream: &str, emitted_at: i64, data: Value) -> Value {
    json!({ "type": "RECORD", "record": { "stream": stream, "data": data, "emitted_at": emitted_at } })
}

pub(crate) fn state(stream: &str, state: Value) -> Value {
    let stream = json!({ "stream_descriptor": { "name": stream }, "stream_state": state });
    json!({ "type": "STATE", "state": { "type": "STREAM", "stream": stream, "id": 1 } })
}

pub(crate) fn complete(stream: &str) -> Value {
    let status = json!({ "stream_descriptor": { "name": stream }, "status": "COMPLETE" });
    json!({ "type": "TRACE", "trace": { "type": "STREAM_STATUS", "emitted_at": 1.0, "stream_status": status } })
}

pub(crate) fn whole() -> Value {
    json!({ "type": ["null", "integer"] })
}

pub(crate) fn text() -> Value {
    json!({ "type": ["null", "string"] })
}
