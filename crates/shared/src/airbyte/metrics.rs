//! Metrics of calls to Airbyte.

use std::time::Duration;

use metrics::{counter, histogram};

/// Counts an attempt of a call to Airbyte.
pub(super) fn record_call(operation: &'static str, code: &str, elapsed: Duration) {
    let operation = operation.replace(' ', "_").replace('\'', "");
    counter!("aam_airbyte_calls_total", "operation" => operation.clone(), "code" => code.to_owned())
        .increment(1);
    histogram!("aam_airbyte_call_seconds", "operation" => operation).record(elapsed.as_secs_f64());
}
