//! Logs: one line per event on stderr, as text for people or JSON for machines.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::{metrics, traces};

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Pretty,
    /// One JSON object per line.
    Json,
}

/// Log settings.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// A filter in the syntax of `RUST_LOG`, for example `info` or `info,orchestrator=debug`.
    pub filter: String,
    /// The format of lines; default: pretty on a terminal, otherwise JSON.
    pub format: Option<Format>,
    /// OTLP endpoint (HTTP) for spans; unset: spans are not exported.
    pub otlp_endpoint: Option<String>,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            format: None,
            otlp_endpoint: None,
        }
    }
}

/// Starts logging, tracing and the recording of metrics for the process. A second call keeps the settings of the first, which suits
/// several services in one process.
///
/// # Errors
/// Returns an error that names the directive if the filter cannot be parsed.
pub fn init(settings: &LogSettings) -> Result<(), tracing_subscriber::filter::ParseError> {
    metrics::install();
    // sqlx logs every statement at debug and every slow one at warn, with its text. Spans around
    // calls are part of traces at any level. One filter for both: a filter per layer loses events
    // if a library, such as sqlx, only checks whether an event would be enabled.
    let filter = format!(
        "{},sqlx=error,{}=debug",
        settings.filter,
        context::trace::CALLS
    );
    let filter = EnvFilter::try_new(filter)?;
    let format = settings.format.unwrap_or_else(|| {
        if std::io::stderr().is_terminal() {
            Format::Pretty
        } else {
            Format::Json
        }
    });
    let traces = tracing_opentelemetry::layer()
        .with_tracer(traces::tracer(settings.otlp_endpoint.as_deref()))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false);
    let registry = tracing_subscriber::registry().with(filter).with(traces);
    let _ = match format {
        Format::Pretty => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .with_writer(std::io::stderr)
                    .with_target(false),
            )
            .try_init(),
        Format::Json => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .json()
                    .with_writer(std::io::stderr)
                    .flatten_event(true)
                    .with_current_span(true)
                    .with_span_list(false),
            )
            .try_init(),
    };
    Ok(())
}
