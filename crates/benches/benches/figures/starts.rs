//! Sizes of the programs, start to ready, and memory with nothing to do.

use std::path::Path;

use anyhow::Context as _;

use crate::process::{Running, binaries};
use crate::table::{Table, megabytes, seconds};

const PROGRAMS: &[&str] = &[
    "aam",
    "embedded_airbyte",
    "orchestrator",
    "auth_broker",
    "drift_repair_agent",
];

pub(crate) fn sizes(table: &mut Table) -> anyhow::Result<()> {
    for program in PROGRAMS {
        let path = binaries()?.join(program);
        let size = path
            .metadata()
            .with_context(|| format!("{} is not built", path.display()))?
            .len();
        table.figure(format!("size of {program}"), megabytes(size));
    }
    Ok(())
}

/// The whole stack in one process: on an empty folder, then again.
pub(crate) fn one_process(table: &mut Table, folder: &Path) -> anyhow::Result<()> {
    let folder = folder.join("one");
    std::fs::create_dir(&folder)?;
    for which in ["first start", "next start"] {
        let up = Running::start("aam", &["up"], &[], &folder, "AAM is up")?;
        table.figure(format!("aam up, {which} to ready"), seconds(up.ready_after));
        if which == "next start" {
            table.figure("aam up, idle memory", megabytes(up.idle()?));
        }
    }
    Ok(())
}

/// The services as separate processes, running.
pub(crate) struct Services {
    pub(crate) airbyte: Running,
    pub(crate) orchestrator_url: String,
    _others: Vec<Running>,
}

pub(crate) fn four_processes(table: &mut Table, folder: &Path) -> anyhow::Result<Services> {
    let folder = folder.join("four");
    std::fs::create_dir(&folder)?;
    let mut total = 0;
    let mut report = |name: &str, running: &Running| -> anyhow::Result<String> {
        let idle = running.idle()?;
        total += idle;
        table.figure(
            format!("{name}, start to ready; idle memory"),
            format!("{}; {}", seconds(running.ready_after), megabytes(idle)),
        );
        let line = running.ready_line.lines().last().unwrap_or_default();
        let line: serde_json::Value = serde_json::from_str(line)?;
        let address = line["address"].as_str().context("it prints no address")?;
        Ok(address.to_owned())
    };
    let start = |name: &str, args: &[&str], variables: &[(&str, &str)]| {
        Running::start(name, args, variables, &folder, "\"listening\"")
    };
    let airbyte = start("embedded_airbyte", &["serve"], &[])?;
    let address = report("embedded_airbyte", &airbyte)?;
    let port = address.rsplit(':').next().unwrap_or_default().to_owned();
    let port = ("SERVICE_PORT_EMBEDDED_AIRBYTE", port.as_str());
    let broker = start("auth_broker", &[], &[port])?;
    let broker_url = format!("http://{}", report("auth_broker", &broker)?);
    let broker_at = ("AUTH_BROKER_URL", broker_url.as_str());
    let agent = start("drift_repair_agent", &[], &[port, broker_at])?;
    let agent_url = format!("http://{}", report("drift_repair_agent", &agent)?);
    let agent_at = ("DRIFT_REPAIR_URL", agent_url.as_str());
    let orchestrator = start("orchestrator", &[], &[port, broker_at, agent_at])?;
    let orchestrator_url = format!("http://{}", report("orchestrator", &orchestrator)?);
    table.figure("the four together, idle memory", megabytes(total));
    Ok(Services {
        airbyte,
        orchestrator_url,
        _others: vec![broker, agent, orchestrator],
    })
}
