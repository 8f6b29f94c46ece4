//! What requests cost the services: CPU of their processes, beside bare handlers and one parse of the
//! same catalog, before an Airbyte that answers at once.

mod airbyte;
pub(crate) mod bare;
mod load;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::process::{Running, cpu, memory};
use crate::starts;
use crate::table::{Table, megabytes};

use load::Client;

const KEY: &str = "aam_bench_0123456789abcdef";
/// How many connections are in the registry while single ones are read.
const CONNECTIONS: u32 = 100_000;

/// The services before the instant Airbyte, on SQLite.
struct Services {
    orchestrator: Running,
    agent: Running,
    api: Client,
    agent_api: Client,
    broker: Running,
}

impl Services {
    /// The resident memory of all of them together.
    fn memory(&self) -> anyhow::Result<u64> {
        [&self.orchestrator, &self.agent, &self.broker]
            .iter()
            .map(|process| memory(process.id(), "VmRSS").context("it ended"))
            .sum()
    }
}

/// Measures everything; `folder` holds `catalog.json`, 100 streams of 50 columns. For `minutes` the
/// services are kept busy while their memory is watched.
pub(crate) fn measure(table: &mut Table, folder: &Path, minutes: u64) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(folder.join("catalog.json"))?;
    let home = folder.join("api");
    std::fs::create_dir(&home)?;
    starts::one_process(table, folder)?;
    let airbyte = airbyte::start(text.clone())?;
    let services = start(&home, &airbyte)?;
    // One of them idles for a while, and so do the others.
    services.orchestrator.idle()?;
    let idle = services.memory()?;
    let parse = parse_time(&text)?;
    table.figure(
        format!(
            "one parse of the catalog ({:.0} kB) into a Value",
            text.len() as f64 / 1e3
        ),
        milliseconds(parse),
    );
    let connection = catalogs(table, &services, &text, parse)?;
    rows(table, &services, &home)?;
    steady(table, &services, &connection, minutes)?;
    table.figure(
        "the three services together, idle memory -> after all of this (aim 60 -> 150 MB)",
        format!("{} -> {}", megabytes(idle), megabytes(services.memory()?)),
    );
    Ok(())
}

fn start(home: &Path, airbyte: &str) -> anyhow::Result<Services> {
    let url = format!("{airbyte}/api/public/v1");
    let base = [
        ("AIRBYTE_API_URL", url.as_str()),
        ("AIRBYTE_CLIENT_ID", "id"),
        ("AIRBYTE_CLIENT_SECRET", "secret"),
        ("AAM_API_KEY", KEY),
        ("AAM_RATE_LIMIT", "off"),
        (
            "LOG_LEVEL",
            "warn,orchestrator=info,service_kit::server=info,drift_repair_agent=info,auth_broker=info",
        ),
    ];
    let run = |name: &str, more: &[(&str, &str)]| -> anyhow::Result<(Running, String)> {
        let variables: Vec<_> = base.iter().chain(more).copied().collect();
        let running = Running::start(name, &[], &variables, home, "\"listening\"")?;
        let line = running.ready_line.lines().last().unwrap_or_default();
        let line: Value = serde_json::from_str(line)?;
        let address = line["address"].as_str().context("it prints no address")?;
        let address = format!("http://{address}");
        Ok((running, address))
    };
    let (broker, broker_url) = run("auth_broker", &[])?;
    let (agent, agent_url) = run("drift_repair_agent", &[("AUTH_BROKER_URL", &broker_url)])?;
    let peers = [
        ("AUTH_BROKER_URL", broker_url.as_str()),
        ("DRIFT_REPAIR_URL", &agent_url),
    ];
    let (orchestrator, orchestrator_url) = run("orchestrator", &peers)?;
    Ok(Services {
        orchestrator,
        agent,
        api: Client::new(orchestrator_url, Some(KEY))?,
        agent_api: Client::new(agent_url, Some(KEY))?,
        broker,
    })
}

/// Onboarding, applying a catalog and triggering a sync; the id of a connection.
fn catalogs(
    table: &mut Table,
    services: &Services,
    text: &str,
    parse: Duration,
) -> anyhow::Result<String> {
    const ONBOARDINGS: usize = 100;
    let onboard = |n: usize| json!({"source_type": "bench", "connection_name": format!("c{n}"), "prefix": format!("c{n}_")});
    let first = services.api.post("/connections/onboard", &onboard(0))?;
    let id = first["id"].as_str().context("no id")?.to_owned();
    let spent = cpu_of(&services.orchestrator, ONBOARDINGS, |n| {
        services
            .api
            .post("/connections/onboard", &onboard(n + 1))
            .map(|_| ())
    })?;
    beside_parse(table, "POST onboard, 100 x 50, CPU (aim 3)", spent, parse);

    let catalog: Value = serde_json::from_str(text)?;
    let mut other = catalog.clone();
    let streams = other["streams"].as_array_mut().context("no streams")?;
    streams.pop();
    let bodies =
        [catalog, other].map(|catalog| json!({"connection_id": id, "new_sync_catalog": catalog}));
    let apply = |n: usize| {
        let body = &bodies[n % 2];
        services
            .agent_api
            .post("/repair/apply_new_catalog", body)
            .map(|_| ())
    };
    apply(1)?;
    let spent = cpu_of(&services.agent, 60, apply)?;
    beside_parse(
        table,
        "POST apply_new_catalog, 100 x 50, CPU (aim 3)",
        spent,
        parse,
    );

    let path = format!("/connections/{id}/sync");
    let spent = cpu_of(&services.orchestrator, 500, |_| {
        services.api.post(&path, &json!({})).map(|_| ())
    })?;
    table.figure("POST sync, CPU (aim 1 ms)", milliseconds(spent));
    Ok(id)
}

/// Reading one connection and a thousand, beside bare handlers on the same file.
fn rows(table: &mut Table, services: &Services, home: &Path) -> anyhow::Result<()> {
    const READS: usize = 20_000;
    let database = home.join("home").join("registry.db");
    let id = load::seed(&database, CONNECTIONS)?;
    let page = services.api.get("/connections?limit=1000")?;
    let bytes = home.join("page.json");
    std::fs::write(&bytes, &page)?;
    let (database, bytes) = (database.to_string_lossy(), bytes.to_string_lossy());
    let program = std::env::current_exe()?;
    let name = format!(
        "deps/{}",
        program.file_name().context("no name")?.to_string_lossy()
    );
    let args = ["bare-handler", &database, &bytes];
    let bare = Running::start(&name, &args, &[], home, "listening")?;
    let line: Value = serde_json::from_str(bare.ready_line.lines().last().unwrap_or_default())?;
    let address = line["address"].as_str().context("it prints no address")?;
    let bare_api = Client::new(format!("http://{address}"), None)?;

    let one = [
        (format!("/one/{id}"), &bare_api, &bare),
        (
            format!("/connections/{id}"),
            &services.api,
            &services.orchestrator,
        ),
    ];
    let mut costs = Vec::new();
    for (path, api, process) in one {
        api.many(&path, READS / 10)?;
        let (begun, before) = (Instant::now(), cpu(process.id())?);
        api.many(&path, READS)?;
        let spent = cpu(process.id())? - before;
        costs.push((
            spent / READS as u32,
            READS as f64 / begun.elapsed().as_secs_f64(),
        ));
    }
    table.ratio(
        "GET /connections/{id}, CPU above a bare handler (aim 30 us)",
        format!(
            "{:.0} us, {:.0}/s",
            costs[1].0.as_secs_f64() * 1e6 - costs[0].0.as_secs_f64() * 1e6,
            costs[1].1
        ),
        format!(
            "bare {:.0} us, {:.0}/s",
            costs[0].0.as_secs_f64() * 1e6,
            costs[0].1
        ),
        costs[1].0.as_secs_f64() / costs[0].0.as_secs_f64(),
    );
    let mut costs = Vec::new();
    for (path, api, process) in [
        ("/many", &bare_api, &bare),
        (
            "/connections?limit=1000",
            &services.api,
            &services.orchestrator,
        ),
    ] {
        api.many(path, 20)?;
        let before = cpu(process.id())?;
        api.many(path, 400)?;
        costs.push((cpu(process.id())? - before) / 400);
    }
    table.ratio(
        "GET /connections, 1,000 rows, of writing the bytes from memory (aim 0.70)",
        milliseconds(costs[1]),
        format!("bare {}", milliseconds(costs[0])),
        costs[0].as_secs_f64() / costs[1].as_secs_f64(),
    );
    let before = memory(services.orchestrator.id(), "VmHWM").context("it ended")?;
    let all = services.api.get("/connections")?.len();
    let after = memory(services.orchestrator.id(), "VmHWM").context("it ended")?;
    table.figure(
        format!(
            "GET /connections, {CONNECTIONS} rows ({}), peak memory before and after",
            megabytes(all as u64)
        ),
        format!("{} -> {}", megabytes(before), megabytes(after)),
    );
    Ok(())
}

/// Memory of the orchestrator while it is kept busy, with reads and with syncs of `connection`.
fn steady(
    table: &mut Table,
    services: &Services,
    connection: &str,
    minutes: u64,
) -> anyhow::Result<()> {
    let resident = || memory(services.orchestrator.id(), "VmRSS").context("it ended");
    let begun = Instant::now();
    let mut seen = vec![resident()?];
    let paths = [
        "/connections?limit=1000",
        "/connections?status=ACTIVE&limit=100",
        "/metrics",
        "/audit?limit=100",
    ];
    let sync = format!("/connections/{connection}/sync");
    for minute in 1..=minutes {
        while begun.elapsed() < Duration::from_secs(60 * minute) {
            for path in paths {
                services.api.many(path, 50)?;
            }
            services.api.post(&sync, &json!({}))?;
        }
        seen.push(resident()?);
    }
    let report: Vec<String> = seen.iter().map(|bytes| megabytes(*bytes)).collect();
    table.figure(
        format!(
            "{minutes} minutes of reads and syncs, {CONNECTIONS} connections, memory by the minute"
        ),
        report.join(", "),
    );
    // The first minute fills pools and caches.
    if let [_, warm, .., last] = seen.as_slice() {
        let grown = *last as f64 / *warm as f64 - 1.0;
        table.figure(
            "its growth from the first minute to the last",
            format!("{:.1} %", grown * 100.0),
        );
    }
    Ok(())
}

/// CPU per call of a process while calls are made, one after the other.
fn cpu_of(
    process: &Running,
    calls: usize,
    mut call: impl FnMut(usize) -> anyhow::Result<()>,
) -> anyhow::Result<Duration> {
    let before = cpu(process.id())?;
    for n in 0..calls {
        call(n)?;
    }
    Ok((cpu(process.id())? - before) / u32::try_from(calls)?)
}

fn parse_time(text: &str) -> anyhow::Result<Duration> {
    const TIMES: u32 = 20;
    let begun = Instant::now();
    for _ in 0..TIMES {
        std::hint::black_box(serde_json::from_str::<Value>(text)?);
    }
    Ok(begun.elapsed() / TIMES)
}

fn beside_parse(table: &mut Table, what: &str, spent: Duration, parse: Duration) {
    let ratio = spent.as_secs_f64() / parse.as_secs_f64();
    table.ratio(
        what,
        milliseconds(spent),
        format!("one parse {}", milliseconds(parse)),
        ratio,
    );
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}
