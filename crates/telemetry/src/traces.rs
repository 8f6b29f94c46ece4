//! Traces: one per request, through every service and into Airbyte, with W3C's `traceparent`.
//!
//! The context is always accepted and passed on; spans are exported only if
//! `OTEL_EXPORTER_OTLP_ENDPOINT` is set (OTLP over HTTP, protobuf).

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::runtime::Tokio;
use opentelemetry_sdk::trace::span_processor_with_async_runtime::BatchSpanProcessor;
use opentelemetry_sdk::trace::{BatchConfigBuilder, SdkTracerProvider, Tracer};

/// How long a span waits to be exported in a batch.
const DELAY: Duration = Duration::from_secs(1);

// Like logs, traces are one per process.
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// Creates the tracer; without an endpoint its spans are not exported.
pub(super) fn tracer(endpoint: Option<&str>) -> Tracer {
    let provider = PROVIDER.get_or_init(|| {
        let resource = Resource::builder().with_service_name(program()).build();
        let builder = SdkTracerProvider::builder().with_resource(resource);
        match endpoint.map(exporter) {
            None => builder.build(),
            Some(Ok(processor)) => builder.with_span_processor(processor).build(),
            Some(Err(error)) => {
                eprintln!("traces are not exported: {error}");
                builder.build()
            }
        }
    });
    provider.tracer("aam")
}

fn exporter(
    endpoint: &str,
) -> Result<BatchSpanProcessor<Tokio>, Box<dyn std::error::Error + Send + Sync>> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(http_client::for_public(&endpoint.parse()?)?)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .with_timeout(Duration::from_secs(10))
        .build()?;
    let config = BatchConfigBuilder::default()
        .with_scheduled_delay(DELAY)
        .build();
    Ok(BatchSpanProcessor::builder(exporter, Tokio)
        .with_batch_config(config)
        .build())
}

/// The program's name, unless `OTEL_SERVICE_NAME` overrides it.
fn program() -> String {
    std::env::var("OTEL_SERVICE_NAME").unwrap_or_else(|_| {
        std::env::current_exe()
            .ok()
            .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .unwrap_or_else(|| "aam".to_owned())
    })
}

/// Exports pending spans; called on shutdown.
pub async fn flush() {
    let Some(provider) = PROVIDER.get() else {
        return;
    };
    let provider = provider.clone();
    // It waits for the exporter, which needs this thread's runtime to make progress.
    let flushed = tokio::task::spawn_blocking(move || provider.shutdown());
    if tokio::time::timeout(Duration::from_secs(3), flushed)
        .await
        .is_err()
    {
        tracing::warn!("timed out exporting the last spans");
    }
}
