//! Connectors that are Docker images, with a `docker` that keeps what it was told and runs the
//! recording connector in a container's stead. `scripts/test_docker.sh` does the same with Docker.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::harness::{Api, Engine, Place, eventually, left, text};
use crate::restart::Process;

/// The stand-in: files beside it make it misbehave.
const DOCKER: &str = r#"#!/bin/sh
here=HERE
printf '%s\n' "$*" >>"$here/calls"
case "$1 $2" in
  "image inspect")
    [ -e "$here/down" ] && { echo "Cannot connect to the Docker daemon at unix:///x." >&2; exit 1; }
    [ -e "$here/absent" ] && { echo "Error: No such image: x" >&2; exit 1; }
    echo "sha256:1 " ;;
  "info --format") echo '[]' ;;
  "pull --quiet") rm "$here/absent" ;;
  "ps --all") cat "$here/ps" ;;
  "run --rm")
    [ -e "$here/refuse" ] && { cat "$here/refuse" >&2; exit 125; }
    while [ "$1" != -- ]; do shift; done
    case $2 in *destination*) kind="--destination --out OUT" ;; *) kind="--record RECORD" ;; esac
    shift 2
    exec CONNECTOR $kind --control CONTROL "$@" ;;
esac
"#;

fn stand_in(place: &Place) {
    let folder = place.path("bin");
    std::fs::create_dir(&folder).unwrap();
    let replaced =
        |text: String, (name, path): (&str, &Path)| text.replace(name, path.to_str().unwrap());
    let connector = test_support::binary("recording_connector");
    let text = [
        ("HERE", folder.as_path()),
        ("OUT", &place.path("written.jsonl")),
        ("RECORD", &place.path("configurations.jsonl")),
        ("CONTROL", &place.path("control")),
        ("CONNECTOR", &connector),
    ]
    .into_iter()
    .fold(DOCKER.to_owned(), replaced);
    let docker = folder.join("docker");
    std::fs::write(&docker, text).unwrap();
    std::fs::set_permissions(&docker, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(folder.join("ps"), "").unwrap();
}

async fn engine() -> Engine {
    let place = Arc::new(Place::new());
    stand_in(&place);
    let docker = place.path("bin/docker");
    Engine::start_at(place, |options| options.docker_program = docker).await
}

/// The calls that the stand-in received.
fn calls(place: &Place, first: &str) -> Vec<String> {
    let text = std::fs::read_to_string(place.path("bin/calls")).unwrap_or_default();
    let of_kind = text.lines().filter(|line| line.starts_with(first));
    of_kind.map(str::to_owned).collect()
}

/// Defines an image.
async fn define(api: &Api, kind: &str, image: &str) -> (reqwest::StatusCode, Value) {
    let workspace = api.workspace().await;
    let (repository, tag) = image.split_once(':').unwrap();
    let path = format!("/workspaces/{workspace}/definitions/{kind}s");
    let body = json!({ "name": repository, "dockerRepository": repository, "dockerImageTag": tag });
    api.post(&path, body).await
}

/// A connection between two images.
async fn connection(api: &Api) -> String {
    let workspace = api.workspace().await;
    let mut ids = Vec::new();
    for kind in ["source", "destination"] {
        let (status, made) = define(api, kind, &format!("example/{kind}-recorder:1.0")).await;
        assert_eq!(status, 200, "{made}");
        let configuration = match kind {
            "source" => Api::salesforce(),
            _ => json!({ "token": "token-of-target" }),
        };
        let body = json!({ "name": kind, "workspaceId": workspace, "definitionId": made["id"],
            "configuration": configuration });
        let (status, made) = api.post(&format!("/{kind}s"), body).await;
        assert_eq!(status, 200, "{made}");
        ids.push(made[format!("{kind}Id")].clone());
    }
    let body = json!({ "sourceId": ids[0], "destinationId": ids[1], "configurations": {
        "streams": [{ "name": "Account", "syncMode": "incremental_deduped_history" }] } });
    let (status, connection) = api.post("/connections", body).await;
    assert_eq!(status, 200, "{connection}");
    text(&connection["connectionId"])
}

fn message(info: &Value) -> String {
    let attempt = &info["attempts"][0]["attempt"];
    text(&attempt["failureSummary"]["failures"][0]["externalMessage"])
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_synced_with_limits_labels_and_its_own_files_only() {
    let engine = engine().await;
    let (api, place) = (&engine.api, &engine.place);
    let connection = connection(api).await;
    api.sync(&connection).await;
    api.sync(&connection).await;
    assert_eq!(place.written_ids().len(), 3);
    let runs = calls(place, "run ");
    let read = runs.iter().rfind(|call| call.contains(" read ")).unwrap();
    for part in [
        "--rm --interactive --init --pull never --name aam-",
        "--log-driver none",
        "--label aam.installation=",
        &format!("--label aam.engine={} ", std::process::id()),
        "--memory 2g --pids-limit 512 --cpus ",
        "--security-opt no-new-privileges",
        "--env DATA_CHANNEL_MEDIUM=STDIO",
        "--env WORKER_CONNECTOR_IMAGE=example/source-recorder:1.0",
        " -- example/source-recorder:1.0 read --config ",
    ] {
        assert!(read.contains(part), "{part:?} is missing: {read}");
    }
    // Each file of the run, where it is, and nothing else of this machine.
    let mounts = read.split(' ').filter(|word| word.starts_with("type=bind"));
    let mounts: Vec<&str> = mounts.collect();
    let args: Vec<&str> = read.split(" read ").nth(1).unwrap().split(' ').collect();
    let expected: Vec<String> = args
        .chunks(2)
        .map(|pair| format!("type=bind,\"source={0}\",\"target={0}\",readonly", pair[1]))
        .collect();
    assert_eq!(mounts, expected);
    assert_eq!(args.len(), 6, "configuration, catalog and state");
    let told = std::fs::read_to_string(place.path("bin/calls")).unwrap();
    for secret in ["secret-of-client", "token-to-refresh", "token-of-target"] {
        assert!(!told.contains(secret), "{secret} is on a command line");
    }
    assert_eq!(calls(place, "pull "), [""; 0]);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_definition_pulls_an_image() {
    let engine = engine().await;
    let (api, place) = (&engine.api, &engine.place);
    let connection = connection(api).await;
    std::fs::write(place.path("bin/absent"), "").unwrap();
    let info = api.ended(api.start_sync(&connection).await).await;
    assert_eq!(info["job"]["status"], "failed");
    let said = message(&info);
    assert!(
        said.contains("is not on this machine; `aam connectors install example/"),
        "{said}"
    );
    let workspace = api.workspace().await;
    let body = json!({ "name": "x", "workspaceId": workspace,
        "configuration": { "sourceType": "nobodys-type" } });
    assert!(api.post("/sources", body).await.0.is_client_error());
    assert_eq!(calls(place, "pull "), [""; 0]);
    let (status, made) = define(api, "source", "example/source-other:2").await;
    assert_eq!(status, 200, "{made}");
    assert_eq!(
        calls(place, "pull "),
        ["pull --quiet -- example/source-other:2"]
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dockers_message_is_the_reason_of_the_failure() {
    let engine = engine().await;
    let (api, place) = (&engine.api, &engine.place);
    let connection = connection(api).await;
    let told =
        "docker: Error response from daemon: no space left on device.\nSee 'docker run --help'.\n";
    std::fs::write(place.path("bin/refuse"), told).unwrap();
    let info = api.ended(api.start_sync(&connection).await).await;
    let said = message(&info);
    assert!(
        said.starts_with("Docker could not run the image example/")
            && said.ends_with("no space left on device."),
        "{said}"
    );
    std::fs::write(place.path("bin/down"), "").unwrap();
    let (status, problem) = define(api, "source", "example/source-other:2").await;
    assert_eq!(status, 409, "{problem}");
    let said = text(&problem["data"]["message"]);
    assert!(
        said.contains("no Docker engine responds: Cannot connect to the Docker daemon"),
        "{said}"
    );
    // A name that would be read as an option is none.
    let (status, problem) = define(api, "source", "--privileged:1").await;
    assert_eq!(status, 409, "{problem}");
    let place = engine.stop().await;
    let engine = Engine::start_at(place, |options| {
        options.docker_program = "/nowhere/docker".into();
    })
    .await;
    let info = engine.api.start_sync(&connection).await;
    let said = message(&engine.api.ended(info).await);
    assert!(
        said.contains("the command docker, which is not installed"),
        "{said}"
    );
    engine.stop().await;
}

/// Names of the containers of runs that read, and those that were removed.
fn read_and_removed(place: &Place) -> (Vec<String>, Vec<String>) {
    let reads = calls(place, "run ")
        .into_iter()
        .filter(|c| c.contains(" read "));
    let name = |call: String| {
        let mut words = call.split(' ').skip_while(|word| *word != "--name");
        words.nth(1).unwrap().to_owned()
    };
    let removed = calls(place, "rm --force ");
    let last = |call: String| call.rsplit(' ').next().unwrap().to_owned();
    (
        reads.map(name).collect(),
        removed.into_iter().map(last).collect(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_does_not_stop_is_removed() {
    let engine = engine().await;
    let (api, place) = (&engine.api, &engine.place);
    let connection = connection(api).await;
    place.set("gate", "");
    place.set("ignore_sigterm", "");
    let job = api.start_sync(&connection).await;
    left(place, "waiting").await;
    api.delete(&format!("/jobs/{job}")).await;
    let info = api.ended(job).await;
    assert_eq!(info["job"]["status"], "cancelled");
    let (read, removed) = read_and_removed(place);
    assert!(removed.contains(&read[0]), "{read:?} {removed:?}");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_engine_leaves_no_container() {
    let place = Arc::new(Place::new());
    stand_in(&place);
    let mut engine = Process::start(&place).await;
    let connection = connection(&engine.api).await;
    place.set("gate", "");
    place.set("ignore_sigterm", "");
    engine.api.start_sync(&connection).await;
    left(&place, "waiting").await;
    engine.kill();
    eventually("the containers are removed", async || {
        let (read, removed) = read_and_removed(&place);
        match removed.contains(&read[0]) {
            true => Ok(()),
            false => Err(format!("{read:?} {removed:?}")),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_of_dead_engines_are_removed_at_the_start() {
    let place = Arc::new(Place::new());
    stand_in(&place);
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let ticks = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .nth(19)
        .unwrap();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let pid = std::process::id();
    // One of this very process, which lives, one of its number in another life, one without.
    let list = format!(
        "living {pid} {}-{ticks}\ndead {pid} another-1\nnobodys \n",
        boot.trim()
    );
    std::fs::write(place.path("bin/ps"), list).unwrap();
    let docker = place.path("bin/docker");
    let engine = Engine::start_at(place, |options| options.docker_program = docker).await;
    let removed = eventually("both are removed", async || {
        let (_, removed) = read_and_removed(&engine.place);
        (removed.len() > 1)
            .then_some(())
            .ok_or(format!("{removed:?}"))?;
        Ok(removed)
    })
    .await;
    assert_eq!(removed, ["dead", "nobodys"]);
    engine.stop().await;
}
