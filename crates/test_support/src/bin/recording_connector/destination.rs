//! The destination: everything it gets goes to a file, one JSON object per line, states are
//! echoed once what came before them is there.

use std::io::{BufRead, Write};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::{Arguments, say};

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command.as_str() {
        "spec" => say(&json!({"type": "SPEC", "spec": {
            "supportsIncremental": true,
            "supported_destination_sync_modes": ["append", "overwrite", "append_dedup"],
            "connectionSpecification": {"type": "object", "properties": {
                "token": {"type": "string", "airbyte_secret": true}}},
        }})),
        "check" => say(&match arguments.control.text("fail_destination_check") {
            Some(message) => json!({"type": "CONNECTION_STATUS",
                "connectionStatus": {"status": "FAILED", "message": message}}),
            None => {
                json!({"type": "CONNECTION_STATUS", "connectionStatus": {"status": "SUCCEEDED"}})
            }
        }),
        "write" => return write(arguments),
        other => anyhow::bail!("unknown command {other}"),
    }
    Ok(ExitCode::SUCCESS)
}

fn write(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let out = arguments.out.as_ref();
    let out = out.ok_or_else(|| anyhow::anyhow!("write needs --out"))?;
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(out)?;
    if let Some(catalog) = &arguments.catalog {
        let catalog: Value = serde_json::from_slice(&std::fs::read(catalog)?)?;
        writeln!(file, "{}", json!({"catalog": catalog}))?;
    }
    if arguments.control.has("exit_whole") {
        arguments.control.leave("not_reading", "");
        arguments.control.wait_for("leave");
        return Ok(ExitCode::SUCCESS);
    }
    for line in std::io::stdin().lock().lines() {
        let message: Value = serde_json::from_str(&line?)?;
        writeln!(file, "{message}")?;
        match message["type"].as_str() {
            Some("RECORD") => {
                if let Some(code) = arguments.control.text("exit_write") {
                    return Ok(ExitCode::from(code.parse::<u8>()?));
                }
                if arguments.control.has("close_stdin") {
                    nix::unistd::close(0)?;
                    arguments.control.wait_for("leave");
                    return Ok(ExitCode::SUCCESS);
                }
                arguments.control.wait_without("stop_reading");
            }
            Some("STATE") => {
                file.sync_data()?;
                if !arguments.control.has("skip_states") {
                    say(&message);
                }
            }
            _ => {}
        }
    }
    arguments.control.leave("input_ended", "");
    Ok(ExitCode::SUCCESS)
}
