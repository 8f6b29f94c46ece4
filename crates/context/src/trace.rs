//! The W3C trace that a task belongs to, carried from process to process in `traceparent`.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The target of spans around outgoing calls; too many for the log, but half of every trace.
pub const CALLS: &str = "calls";
/// The header that carries a trace from process to process.
pub const TRACEPARENT: &str = "traceparent";

/// Makes `span` part of the trace that a caller's `traceparent` names, if there is one.
pub fn continue_trace(span: &Span, traceparent: Option<&str>) {
    let Some(traceparent) = traceparent else {
        return;
    };
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract(&carrier);
    // A span that is not recorded has no trace.
    let _ = span.set_parent(context);
}

/// The `traceparent` to send to services called from the current span.
pub fn traceparent() -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut carrier);
    carrier.remove(TRACEPARENT)
}
