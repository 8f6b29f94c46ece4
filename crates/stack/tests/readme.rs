//! The README's commands against `aam up` work as described.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

use test_support::{KEY, StackBuilder, binary, workspace_root};

/// The blocks of shell that follow the marker, one after the other.
fn blocks(marker: &str) -> String {
    let text = std::fs::read_to_string(workspace_root().join("README.md")).unwrap();
    let marked: Vec<&str> = text.split(marker).skip(1).collect();
    assert_eq!(marked.len(), 2, "{marker} in README.md");
    let block = |after: &str| {
        let block = after.split("```sh\n").nth(1).unwrap();
        block.split("```").next().unwrap().to_owned()
    };
    marked.into_iter().map(block).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_against_aam_up_run_as_written() {
    let stack = StackBuilder::one_process().start().await;
    // The sample is where `aam up` made it; the README's reader is in the folder above `.aam`.
    let sample = stack.home().join("sample.db");
    let lake = stack.data().join("lake");
    let script = blocks("<!-- these run against `aam up` in a test -->")
        .replace("http://localhost:8001", &stack.api.base)
        .replace(".aam/sample.db", sample.to_str().unwrap())
        .replace("path=lake", &format!("path={}", lake.display()))
        .replace(
            "curl -sS",
            &format!("curl -sS --fail -H 'Authorization: Bearer {KEY}'"),
        );
    let programs = binary("aam").parent().unwrap().to_owned();
    let path = format!(
        "{}:{}",
        programs.display(),
        std::env::var_os("PATH").unwrap().to_string_lossy()
    );
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .env_clear()
        .env("PATH", path)
        .env("AAM_HOME", stack.home())
        .env("AAM_API_KEY", KEY)
        .env("ORCHESTRATOR_URL", &stack.api.base)
        .current_dir(stack.data())
        .output()
        .unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{text}");
    for expected in [
        "\"status\":\"ACTIVE\"",
        "succeeded: 8313 rows",
        "v1 -> v2",
        "v2 -> v3",
        "1 change waits",
        "fields-to-lake is active and syncs at 0 2 * * * (UTC)",
        "next sync  20",
    ] {
        assert!(text.contains(expected), "{expected} is missing in {text}");
    }
}
