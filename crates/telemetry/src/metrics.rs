//! The process's recorder of metrics, read in Prometheus' text format.

use std::sync::OnceLock;

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
                .inspect_err(|error| tracing::warn!(%error, "metrics are not recorded"))
                .ok()
        })
        .as_ref()
}

/// Installs the recorder; further calls have no effect. A value set before is lost, so call it
/// before anything that sets a gauge only when it changes.
pub fn install() {
    handle();
}

/// All metrics in Prometheus' text format; empty without a recorder.
pub fn render() -> String {
    handle().map(PrometheusHandle::render).unwrap_or_default()
}
