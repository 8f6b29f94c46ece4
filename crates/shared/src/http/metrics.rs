//! Counts and durations of requests, published on `/metrics` in Prometheus' text format.

use std::sync::OnceLock;
use std::time::Duration;

use actix_web::http::Method;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

// The metrics facade is global to the process; several services in one process share it.
static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

const BUCKETS: &[f64] = &[0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0];

fn handle() -> Option<&'static PrometheusHandle> {
    HANDLE
        .get_or_init(|| {
            PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS)
                .and_then(PrometheusBuilder::install_recorder)
                .inspect(|_| crate::metrics::describe())
                .inspect_err(|error| tracing::warn!(%error, "metrics are not recorded"))
                .ok()
        })
        .as_ref()
}

pub(super) fn install() {
    handle();
}

pub(super) fn observe(
    service: &'static str,
    method: &Method,
    route: &str,
    status: u16,
    elapsed: Duration,
) {
    let labels = [
        ("service", service.to_owned()),
        ("method", method.to_string()),
        ("route", route.to_owned()),
        ("status", status.to_string()),
    ];
    metrics::counter!("aam_http_requests_total", &labels).increment(1);
    metrics::histogram!("aam_http_request_seconds", &labels).record(elapsed.as_secs_f64());
}

pub(super) fn render() -> String {
    handle().map(PrometheusHandle::render).unwrap_or_default()
}
