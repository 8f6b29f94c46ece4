//! Metrics beyond those of HTTP requests: calls to Airbyte, operations, jobs, circuits, leases,
//! events. Names and labels are described here; no label has unbounded values.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};

/// Registers the description of each metric, for readers of `/metrics`.
pub(crate) fn describe() {
    describe_counter!(
        "aam_http_requests_total",
        "Requests answered, by route and status."
    );
    describe_histogram!(
        "aam_http_request_seconds",
        Unit::Seconds,
        "Time from a request's head to its response's head."
    );
    describe_counter!(
        "aam_airbyte_calls_total",
        "Calls to Airbyte, each attempt, by operation and code: the HTTP status, or why there is \
         none."
    );
    describe_histogram!(
        "aam_airbyte_call_seconds",
        Unit::Seconds,
        "Duration of a call to Airbyte, each attempt."
    );
    describe_counter!(
        "aam_service_calls_total",
        "Calls between services, by called service and code."
    );
    describe_counter!(
        "aam_operation_steps_total",
        "Steps of operations, by kind of operation, step and outcome."
    );
    describe_counter!("aam_jobs_total", "Finished jobs, by type and outcome.");
    describe_gauge!("aam_jobs_open", "Jobs that are not known to have finished.");
    describe_gauge!(
        "aam_circuit_state",
        "State of a dependency's circuit: 0 closed, 1 half open, 2 open."
    );
    describe_gauge!(
        "aam_lease_age_seconds",
        Unit::Seconds,
        "Time since the leader of a task renewed its lease; above 10 the task has no leader."
    );
    describe_gauge!(
        "aam_outbox_lag_seconds",
        Unit::Seconds,
        "Age of the oldest event without a sequence number; 0 if there is none."
    );
    describe_gauge!("aam_outbox_redis_lag", "Events not yet published to Redis.");
    describe_gauge!(
        "aam_database_connections",
        "Connections of the registry's pools, by pool and state."
    );
}

/// Counts a call to another service.
pub(crate) fn service_call(service: &'static str, code: &str) {
    counter!("aam_service_calls_total", "callee" => service, "code" => code.to_owned())
        .increment(1);
}

/// Counts a step of an operation: `outcome` is `done`, `failed` or `ambiguous`.
pub fn operation_step(kind: &'static str, step: &'static str, outcome: &'static str) {
    counter!("aam_operation_steps_total", "kind" => kind, "step" => step, "outcome" => outcome)
        .increment(1);
}

/// Counts a finished job.
pub fn job_ended(job_type: &str, outcome: &'static str) {
    let job_type = match job_type {
        "sync" => "sync",
        "refresh" => "refresh",
        "reset" => "reset",
        "clear" => "clear",
        // New job types of Airbyte share one label.
        _ => "other",
    };
    counter!("aam_jobs_total", "type" => job_type, "outcome" => outcome).increment(1);
}

/// Sets how long ago a leader's lease was renewed.
pub fn lease_age(name: &str, age: Duration) {
    gauge!("aam_lease_age_seconds", "name" => name.to_owned()).set(age.as_secs_f64());
}

/// Sets how long the oldest event has been waiting for its sequence number, and how many events
/// Redis lacks.
pub fn outbox_lag(waiting: Duration, redis: Option<i64>) {
    gauge!("aam_outbox_lag_seconds").set(waiting.as_secs_f64());
    if let Some(events) = redis {
        gauge!("aam_outbox_redis_lag").set(events as f64);
    }
}

/// Sets how many connections a pool has open, and how many of them are idle.
pub fn database_pool(pool: &'static str, open: u32, idle: usize) {
    gauge!("aam_database_connections", "pool" => pool, "state" => "open").set(f64::from(open));
    gauge!("aam_database_connections", "pool" => pool, "state" => "idle").set(idle as f64);
}

/// Sets how many jobs are open.
pub fn jobs_open(count: usize) {
    gauge!("aam_jobs_open").set(count as f64);
}
