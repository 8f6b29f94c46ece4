//! Tests that a machine cannot run.

use std::io::Write;

/// Reports that a test cannot run on this machine. Panics unless `AAM_TEST_MAY_SKIP`, a
/// comma-separated list, contains `name`: an unexpected skip is a failure. The reason goes to the
/// file that `AAM_TEST_SKIPS` names, which `scripts/test.sh` prints at the end.
///
/// # Panics
///
/// Where `name` may not be skipped, or the file cannot be written.
pub fn skip(name: &str, reason: &str) {
    let allowed = std::env::var("AAM_TEST_MAY_SKIP").unwrap_or_default();
    assert!(
        allowed.split(',').any(|allowed| allowed == name),
        "cannot run here: {reason}. AAM_TEST_MAY_SKIP={name} permits to skip it"
    );
    eprintln!("skipped: {reason}");
    if let Some(file) = std::env::var_os("AAM_TEST_SKIPS") {
        let line = format!("{name}\t{reason}\n");
        std::fs::File::options()
            .append(true)
            .create(true)
            .open(file)
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .unwrap();
    }
}
