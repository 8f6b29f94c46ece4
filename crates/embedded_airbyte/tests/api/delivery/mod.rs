//! Exactly once: the engine is killed and stopped in the middle of syncs, again and again, and each
//! row is in the destination once. `scripts/test_delivery.sh` does it at length and prints a table.

mod destinations;
mod store;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use self::destinations::Destination;
use crate::harness::{Api, Engine, Place, eventually, text};
use crate::restart::Process;
use crate::sqlite;

/// Rows that are new in each round, for the modes that read what is new.
const NEW: usize = 2400;
/// Rows of the stream that is read again each time.
const ALL: usize = 1000;
/// Rows between two states, and the milliseconds of rest after one.
const STATES_EVERY: usize = 25;
const PACE: &str = "16";
/// Stops of one round: a full refresh starts again with each attempt and must end at some point.
const STOPS_IN_ROUND: usize = 6;

/// How the engine is ended.
#[derive(Debug, Clone, Copy)]
enum Way {
    Kill,
    Terminate,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill -9",
            Self::Terminate => "SIGTERM",
        }
    }

    fn end(self, engine: &mut Process) {
        match self {
            Self::Kill => engine.kill(),
            Self::Terminate => engine.terminate(),
        }
    }
}

/// Stops of each mode in each way.
fn wanted() -> usize {
    match std::env::var("AAM_TEST_DELIVERY") {
        Ok(count) => count.parse().unwrap(),
        Err(_) => 3,
    }
}

/// Numbers that differ from stop to stop and are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1);
        (self.0 >> 33) % below
    }
}

/// A connection of a mode, whose table begins with the mode's name.
struct Mode {
    name: &'static str,
    connection: String,
    stops: usize,
    /// Stops that came when rows of the attempt were committed.
    in_the_middle: usize,
    syncs: usize,
    faults: Vec<String>,
}

impl Mode {
    fn is_incremental(&self) -> bool {
        self.name.starts_with("incremental")
    }

    /// Whether often enough, and of what is committed piece by piece also in the middle.
    fn was_stopped(&self) -> bool {
        let reached = !self.is_incremental() || self.in_the_middle > 0;
        reached && self.stops >= wanted()
    }

    fn stream(&self) -> &'static str {
        if self.is_incremental() {
            "Account"
        } else {
            "Contact"
        }
    }

    fn table(&self) -> String {
        format!("{}_{}", self.name, self.stream())
    }

    /// The ids that are to be there when so many were new altogether.
    fn expected(&self, new: usize) -> Vec<String> {
        let rows = if self.is_incremental() { new } else { ALL };
        let copies = match self.name {
            "full_refresh_append" => self.syncs,
            _ => 1,
        };
        let stream = self.stream();
        let ids = (1..=rows).map(|index| format!("{stream}-{index:08}"));
        ids.flat_map(|id| std::iter::repeat_n(id, copies)).collect()
    }

    /// Compares what its sync reports with what is in its table.
    async fn examine(&mut self, info: &Value, new: usize, destination: &Destination, at: &Place) {
        let (last, stopped) = info["attempts"].as_array().unwrap().split_last().unwrap();
        self.stops += stopped.len();
        let committed = |attempt: &&Value| {
            attempt["attempt"]["totalStats"]["recordsCommitted"].as_u64() > Some(0)
        };
        self.in_the_middle += stopped.iter().filter(committed).count();
        self.syncs += 1;
        if last["attempt"]["status"] != "succeeded" {
            self.faults.push(format!("the sync failed: {last}"));
        }
        let synced = if self.is_incremental() { NEW } else { ALL };
        let counted = &info["job"]["aggregatedStats"]["recordsCommitted"];
        if *counted != json!(synced) {
            self.faults
                .push(format!("{counted} rows counted for {synced}"));
        }
        let found = destination.ids(at, &self.table()).await;
        let (missing, doubled) = difference(&found, &self.expected(new));
        if missing + doubled > 0 {
            self.faults
                .push(format!("{missing} missing, {doubled} doubled"));
        }
    }
}

async fn modes(api: &Api, place: &Place, destination: &Destination) -> Vec<Mode> {
    let (source, target) = (api.source().await, destination.create(api, place).await);
    let mut modes = Vec::new();
    for name in destination.modes() {
        let mut mode = Mode {
            name,
            connection: String::new(),
            stops: 0,
            in_the_middle: 0,
            syncs: 0,
            faults: Vec::new(),
        };
        let streams = json!([{"name": mode.stream(), "syncMode": name}]);
        let body = json!({"sourceId": source, "destinationId": target, "name": name,
            "prefix": format!("{name}_"), "configurations": {"streams": streams}});
        let (status, connection) = api.post("/connections", body).await;
        assert_eq!(status, 200, "{connection}");
        mode.connection = text(&connection["connectionId"]);
        modes.push(mode);
    }
    modes
}

/// Waits until the present attempt of a job, or of the next one that has not ended, has read so many
/// rows; answers whether there is one.
async fn come_to(api: &Api, jobs: &[i64], rows: u64) -> bool {
    eventually("an attempt comes to some row", async || {
        for job in jobs {
            let body = json!({"id": job});
            let info = api.config_ok("/jobs/get_without_logs", body).await;
            let status = info["job"]["status"].as_str().unwrap();
            if ["succeeded", "failed"].contains(&status) {
                continue;
            }
            let attempts = info["attempts"].as_array().unwrap();
            let last = attempts.last().map(|last| &last["attempt"]);
            let read = last.and_then(|last| last["totalStats"]["recordsEmitted"].as_u64());
            let running = last.is_some_and(|last| last["status"] == "running");
            return match running && read > Some(rows) {
                true => Ok(true),
                false => Err(format!("job {job}: {status}, {read:?} rows")),
            };
        }
        Ok(false)
    })
    .await
}

/// How many are missing, and how many too many.
fn difference(found: &[String], expected: &[String]) -> (usize, usize) {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for id in found {
        *counts.entry(id).or_default() += 1;
    }
    for id in expected {
        *counts.entry(id).or_default() -= 1;
    }
    let sum = |sign: i64| {
        let of = counts.values().map(|count| (count * sign).max(0));
        usize::try_from(of.sum::<i64>()).unwrap()
    };
    (sum(-1), sum(1))
}

/// Stops the engine in the middle of syncs until each mode was stopped as often as wanted.
#[expect(clippy::print_stdout, reason = "the script's table")]
async fn interrupted(destination: Destination, way: Way) {
    let place = Arc::new(Place::new());
    place.set("states_every", &STATES_EVERY.to_string());
    place.set("pace", PACE);
    place.set("records.Contact", &ALL.to_string());
    let mut engine = Process::start(&place).await;
    let mut modes = modes(&engine.api, &place, &destination).await;
    let mut numbers = Numbers(1);
    let mut new = 0;
    let failed = |modes: &[Mode]| modes.iter().any(|mode| !mode.faults.is_empty());
    while !modes.iter().all(Mode::was_stopped) && !failed(&modes) {
        new += NEW;
        place.set("records", &new.to_string());
        let mut jobs = Vec::new();
        for mode in &modes {
            jobs.push(engine.api.start_sync(&mode.connection).await);
        }
        for stop in 0..STOPS_IN_ROUND {
            let row = numbers.next(ALL as u64 * 9 / 10);
            let mut watched = jobs.clone();
            watched.rotate_left(stop % jobs.len());
            if !come_to(&engine.api, &watched, row).await {
                break;
            }
            way.end(&mut engine);
            engine = Process::start(&place).await;
        }
        for (mode, job) in modes.iter_mut().zip(jobs) {
            let info = engine.api.ended(job).await;
            mode.examine(&info, new, &destination, &place).await;
        }
    }
    for mode in &modes {
        let (found, expected) = (
            destination.ids(&place, &mode.table()).await,
            mode.expected(new),
        );
        let (missing, doubled) = difference(&found, &expected);
        println!(
            "| {:10} | {:27} | {} | {:5} | {:13} | {:6} | {missing:7} | {doubled:7} |",
            destination.name(),
            mode.name,
            way.name(),
            mode.stops,
            mode.in_the_middle,
            expected.len(),
        );
        for fault in &mode.faults {
            println!("  {}: {fault}", mode.name);
        }
    }
    for mode in &modes {
        let (name, faults) = (mode.name, &mode.faults);
        assert!(faults.is_empty(), "{name}: {faults:?}");
    }
    destination.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_arrive_once_in_sqlite_however_the_engine_dies() {
    interrupted(Destination::sqlite(), Way::Kill).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_arrive_once_in_sqlite_when_the_engine_is_stopped() {
    interrupted(Destination::sqlite(), Way::Terminate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_arrive_once_in_postgres_however_the_engine_dies() {
    interrupted(Destination::postgres().await, Way::Kill).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_arrive_once_in_postgres_when_the_engine_is_stopped() {
    interrupted(Destination::postgres().await, Way::Terminate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_arrive_once_in_parquet_however_the_engine_dies() {
    interrupted(Destination::Parquet, Way::Kill).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_arrive_once_in_parquet_when_the_engine_is_stopped() {
    interrupted(Destination::Parquet, Way::Terminate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_arrive_once_in_s3_however_the_engine_dies() {
    interrupted(Destination::s3().await, Way::Kill).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_arrive_once_in_s3_when_the_engine_is_stopped() {
    interrupted(Destination::s3().await, Way::Terminate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_written_through_the_api_overrides_the_committed_one() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let streams = json!([{"name": "Account", "syncMode": "incremental_append"}]);
    let connection = api.connection("sqlite", streams).await;
    api.sync(&connection).await;
    let count = "SELECT CAST(count(*) AS TEXT) FROM Account";
    let warehouse = engine.place.warehouse();
    api.sync(&connection).await;
    assert_eq!(sqlite::rows(&warehouse, count).await, ["3"]);
    let state = json!({"connectionId": connection,
        "connectionState": {"stateType": "not_set", "connectionId": connection}});
    api.config_ok("/state/create_or_update", state).await;
    api.sync(&connection).await;
    assert_eq!(sqlite::rows(&warehouse, count).await, ["6"], "read anew");
    engine.stop().await;
}
