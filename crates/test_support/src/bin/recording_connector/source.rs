//! The source: two streams as in Salesforce, each with its own cursor.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use crate::control::Control;
use crate::{Arguments, say};

const CURSOR: &str = "SystemModstamp";

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command.as_str() {
        "spec" => {
            say(&spec());
            Ok(ExitCode::SUCCESS)
        }
        "check" => Ok(check(arguments)),
        "discover" => Ok(discover(arguments)),
        "read" => read(arguments),
        other => anyhow::bail!("unknown command {other}"),
    }
}

fn spec() -> Value {
    let secret = |title: &str| json!({"type": "string", "title": title, "airbyte_secret": true});
    json!({"type": "SPEC", "spec": {
        "documentationUrl": "https://docs.airbyte.com/integrations/sources/salesforce",
        "supportsIncremental": true,
        "connectionSpecification": {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "title": "Salesforce Source Spec",
            "type": "object",
            "required": ["client_id", "client_secret", "refresh_token"],
            "properties": {
                "is_sandbox": {"type": "boolean", "default": false},
                "auth_type": {"type": "string", "const": "Client"},
                "client_id": {"type": "string", "title": "Client ID"},
                "client_secret": secret("Client Secret"),
                "refresh_token": secret("Refresh Token"),
                "start_date": {"type": "string", "format": "date-time"},
            },
        },
    }})
}

fn check(arguments: &Arguments) -> ExitCode {
    let control = &arguments.control;
    if control.has("crash_check") {
        return ExitCode::from(3);
    }
    control.wait_without("hang_check");
    say(&match control.text("fail_check") {
        Some(message) => json!({"type": "CONNECTION_STATUS",
            "connectionStatus": {"status": "FAILED", "message": message}}),
        None => json!({"type": "CONNECTION_STATUS", "connectionStatus": {"status": "SUCCEEDED"}}),
    });
    ExitCode::SUCCESS
}

fn schema(stream: &str, extra: bool) -> Value {
    let text = json!({"type": ["null", "string"]});
    let mut properties = json!({"Id": {"type": "string"}});
    let names: &[&str] = match stream {
        "Account" => &["Name", "Industry", "BillingCity"],
        _ => &["AccountId", "FirstName", "LastName", "Email"],
    };
    for name in names {
        properties[*name] = text.clone();
    }
    properties["AnnualRevenue"] = json!({"type": ["null", "number"]});
    properties["IsDeleted"] = json!({"type": ["null", "boolean"]});
    properties[CURSOR] = json!({"type": ["null", "string"], "format": "date-time"});
    if extra {
        properties["Region__c"] = text;
    }
    json!({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object",
        "properties": properties})
}

fn discover(arguments: &Arguments) -> ExitCode {
    let control = &arguments.control;
    if control.has("crash_discover") {
        return ExitCode::from(3);
    }
    if control.has("hang_discover") {
        control.leave("discovering", "");
        control.wait_without("hang_discover");
    }
    if let Some(message) = control.text("fail_discover") {
        say(&error(&message, "config_error"));
        return ExitCode::FAILURE;
    }
    if control.has("garbage_discover") {
        say(&json!({"type": "CATALOG", "catalog": {"streams": [{"no": "name"}]}}));
        return ExitCode::SUCCESS;
    }
    if let Some(token) = control.text("rotate") {
        rotate(arguments, &token);
    }
    let mut names = vec!["Account", "Contact"];
    if control.has("extra_stream") {
        names.push("Lead");
    }
    if control.has("lost_stream") {
        names.retain(|name| *name != "Contact");
    }
    let streams: Vec<Value> = names
        .iter()
        .map(|name| {
            let extra = *name == "Account" && control.has("extra_column");
            let mut schema = schema(name, extra);
            if *name == "Account" && control.has("lost_cursor") {
                let columns = schema["properties"].as_object_mut();
                columns.map(|columns| columns.shift_remove(CURSOR));
            }
            json!({"name": name, "json_schema": schema,
                "supported_sync_modes": ["full_refresh", "incremental"],
                "source_defined_cursor": true, "default_cursor_field": [CURSOR],
                "source_defined_primary_key": [["Id"]]})
        })
        .collect();
    say(&json!({"type": "CATALOG", "catalog": {"streams": streams}}));
    ExitCode::SUCCESS
}

fn error(message: &str, kind: &str) -> Value {
    json!({"type": "TRACE", "trace": {"type": "ERROR", "emitted_at": now(),
        "error": {"message": message, "internal_message": "on demand", "failure_type": kind}}})
}

fn rotate(arguments: &Arguments, token: &str) {
    let config = arguments.config.as_ref();
    let text = config.and_then(|path| std::fs::read_to_string(path).ok());
    let parsed = text.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    if let Some(mut configuration) = parsed {
        configuration["refresh_token"] = json!(token);
        say(
            &json!({"type": "CONTROL", "control": {"type": "CONNECTOR_CONFIG",
            "emitted_at": now(), "connectorConfig": {"config": configuration}}}),
        );
    }
}

fn now() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

fn cursor(index: u32) -> String {
    let base = chrono::DateTime::from_timestamp(1_704_067_200 + i64::from(index), 0);
    base.unwrap_or_default().to_rfc3339()
}

fn record(stream: &str, index: u32) -> Value {
    json!({"type": "RECORD", "record": {"stream": stream, "emitted_at": now(), "data": {
        "attributes": {"url": "not in the schema"},
        "Id": format!("{stream}-{index:08}"), "Name": format!("Company {index}"),
        "Email": format!("{index}@example.org"), "AnnualRevenue": f64::from(index) + 0.5,
        "IsDeleted": false, "Region__c": "north", "SystemModstamp": cursor(index)}}})
}

fn state(stream: &str, index: u32) -> Value {
    json!({"type": "STATE", "state": {"type": "STREAM", "stream": {
        "stream_descriptor": {"name": stream},
        "stream_state": {"SystemModstamp": cursor(index), "index": index}}}})
}

fn read(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let control = &arguments.control;
    let path = arguments.catalog.as_ref();
    let path = path.ok_or_else(|| anyhow::anyhow!("read needs --catalog"))?;
    let catalog: Value = serde_json::from_slice(&std::fs::read(path)?)?;
    let saved: Value = match &arguments.state {
        Some(path) => serde_json::from_slice(&std::fs::read(path)?)?,
        None => json!([]),
    };
    control.leave("state_given", &saved.to_string());
    control.leave("reader", &std::process::id().to_string());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let _entered = runtime.enter();
    // Listening for the signal is what keeps it from ending the process.
    let _ignored = if control.has("ignore_sigterm") {
        use tokio::signal::unix::{SignalKind, signal};
        Some(signal(SignalKind::terminate())?)
    } else {
        None
    };
    if let Some(token) = control.text("rotate") {
        rotate(arguments, &token);
    }
    if control.has("leave_child") {
        let child = std::process::Command::new("sleep").arg("600").spawn()?;
        control.leave("child", &child.id().to_string());
    }
    if control.has("leave_session") {
        let child = std::process::Command::new("setsid")
            .args(["sleep", "600"])
            .spawn()?;
        control.leave("child", &child.id().to_string());
    }
    if control.has("say_secret") {
        let config = arguments.config.as_ref();
        let text = config.and_then(|path| std::fs::read_to_string(path).ok());
        let text = text.unwrap_or_default();
        say(&json!({"type": "LOG", "log": {"level": "INFO", "message": text}}));
        eprintln!("on stderr: {text}");
    }
    if control.has("eat_memory") {
        eat_memory();
    }
    if control.has("garbage_read") {
        garbage()?;
    }
    if control.has("flood_stderr") {
        let line = "x".repeat(1023);
        for _ in 0..8 * 1024 {
            eprintln!("{line}");
        }
    }
    if control.has("foreign_record") {
        say(&record("Stranger", 1));
    }
    let count = control.number("records").unwrap_or(3);
    let streams = catalog["streams"].as_array().cloned().unwrap_or_default();
    for stream in &streams {
        if let Some(code) = read_stream(arguments, stream, &saved, count) {
            return Ok(ExitCode::from(code));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Lines that no reader of the protocol can take for a message.
fn garbage() -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    for line in [
        &b"no JSON at all"[..],
        b"[1,2]",
        b"null",
        b"not UTF-8: \xff\xfe\x80",
        b"",
        &vec![b'z'; 50 * 1024 * 1024],
    ] {
        stdout.write_all(line)?;
        stdout.write_all(b"\n")?;
    }
    stdout.flush()
}

/// Sends one stream; answers an exit code when it is to end early.
fn read_stream(arguments: &Arguments, stream: &Value, saved: &Value, count: u32) -> Option<u8> {
    let control = &arguments.control;
    let name = stream["stream"]["name"].as_str().unwrap_or_default();
    let count = control.number(&format!("records.{name}")).unwrap_or(count);
    let incremental = stream["sync_mode"] == "incremental";
    let from = saved
        .as_array()
        .into_iter()
        .flatten()
        .find(|state| state["stream"]["stream_descriptor"]["name"] == name)
        .and_then(|state| state["stream"]["stream_state"]["index"].as_u64())
        .filter(|_| incremental)
        .and_then(|index| u32::try_from(index).ok())
        .unwrap_or(0);
    if control.has("no_key") {
        let mut record = record(name, 0);
        record["record"]["data"]["Id"] = Value::Null;
        say(&record);
    }
    gate(control, "first");
    let half = from + (count - from.min(count)).div_ceil(2);
    let states = incremental && !control.has("no_state");
    let states_every = control.number("states_every");
    let pace = Duration::from_millis(control.number("pace").unwrap_or(0).into());
    for index in from + 1..=count {
        if control.has("torn_record") {
            let whole = record(name, index).to_string();
            let mut stdout = std::io::stdout().lock();
            // As `say` does, a pipe that is gone is found by the next line.
            let _ = writeln!(stdout, "{}", &whole[..whole.len() / 2]);
            continue;
        }
        say(&misshapen(control, record(name, index)));
        if states_every.is_some_and(|every| index % every == 0) {
            if states {
                say(&state(name, index));
            }
            std::thread::sleep(pace);
        }
        if index == half {
            gate(control, "unstated");
            if states {
                say(&state(name, index));
            }
            if let Some(kind) = control.text("fail_read") {
                say(&error("the source failed", &kind));
                return Some(1);
            }
            if let Some(code) = control.text("exit_read") {
                return code.parse().ok();
            }
            gate(control, "");
        }
    }
    gate(control, "last");
    if states {
        say(&state(name, count.max(from)));
    }
    gate(control, "end");
    None
}

/// Waits at the place that the test names.
fn gate(control: &Control, place: &str) {
    if control.text("gate").as_deref() == Some(place) {
        control.leave("waiting", place);
        control.wait_for("open");
    }
}

/// A record as a test wants it to be wrong.
fn misshapen(control: &Control, mut record: Value) -> Value {
    let data = &mut record["record"]["data"];
    if control.has("wrong_type") {
        data["AnnualRevenue"] = json!("a lot");
    }
    if let Some(len) = control.text("long_name").and_then(|text| text.parse().ok()) {
        data["Name"] = json!("n".repeat(len));
    }
    record
}

/// Asks for memory until there is none, which ends the process.
fn eat_memory() {
    let mut eaten = Vec::new();
    loop {
        eaten.push(vec![1_u8; 16 * 1024 * 1024]);
    }
}
