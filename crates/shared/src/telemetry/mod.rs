//! Logs: one line per event on stderr, as text for people or JSON for machines. And traces.

mod traces;

use std::io::IsTerminal as _;

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub use traces::{CALLS, TRACEPARENT, continue_trace, flush, traceparent};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Pretty,
    /// One JSON object per line.
    Json,
}

/// What is logged and how.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// A filter in the syntax of `RUST_LOG`, for instance `info` or `info,orchestrator=debug`.
    pub filter: String,
    /// How lines look; by default pretty on a terminal, JSON elsewhere.
    pub format: Option<Format>,
    /// Where spans of traces are sent, by OTLP over HTTP; unset: nowhere.
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

/// Starts logging for the process. A second call keeps the first one's settings, which is what
/// several services in one process want.
///
/// # Errors
/// When the filter does not parse; the message names the directive.
pub fn init(settings: &LogSettings) -> Result<(), tracing_subscriber::filter::ParseError> {
    // sqlx logs every statement at debug and every slow one at warn, with its text. Spans around
    // calls are part of traces at any level. One filter for both: a filter per layer loses events
    // after somebody only asked whether one would be taken, as sqlx does.
    let filter = format!("{},sqlx=error,{}=debug", settings.filter, traces::CALLS);
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
