//! Counts and durations of requests.

use std::time::Duration;

use actix_web::http::Method;

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
