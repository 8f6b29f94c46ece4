//! Traces: one through two services and to Airbyte, as a collector gets it.

use std::sync::{Arc, Mutex};

use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::json;
use test_support::{Database, eventually};

use crate::given;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[derive(Debug, Clone, PartialEq, Eq)]
struct Span {
    program: String,
    trace: String,
    id: String,
    parent: String,
    name: String,
}

/// A collector that reads what it needs of OTLP.
async fn collector() -> (String, Arc<Mutex<Vec<Span>>>) {
    let spans: Arc<Mutex<Vec<Span>>> = Arc::default();
    let data = Data::from(Arc::clone(&spans));
    let server = HttpServer::new(move || {
        App::new().app_data(data.clone()).route(
            "/v1/traces",
            web::post().to(async |body: Bytes, spans: Data<Mutex<Vec<Span>>>| {
                spans.lock().unwrap().extend(read(&body));
                HttpResponse::Ok().finish()
            }),
        )
    })
    .workers(1)
    .disable_signals()
    .bind("127.0.0.1:0")
    .unwrap();
    let url = format!("http://{}", server.addrs()[0]);
    tokio::spawn(server.run());
    (url, spans)
}

/// The fields of a protobuf message: number and bytes; numbers themselves are not needed.
fn fields(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return value;
            }
            shift += 7;
        }
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let length = match key & 7 {
            0 => {
                varint(&mut bytes);
                continue;
            }
            1 => 8,
            5 => 4,
            _ => usize::try_from(varint(&mut bytes)).unwrap(),
        };
        let (value, rest) = bytes.split_at(length);
        found.push((key >> 3, value));
        bytes = rest;
    }
    found
}

fn all(message: &[u8], number: u64) -> Vec<&[u8]> {
    let of_number = fields(message).into_iter().filter(|(n, _)| *n == number);
    of_number.map(|(_, value)| value).collect()
}

fn text(message: &[u8], number: u64) -> String {
    let value = all(message, number).first().copied().unwrap_or_default();
    String::from_utf8_lossy(value).into_owned()
}

fn hex(message: &[u8], number: u64) -> String {
    let value = all(message, number).first().copied().unwrap_or_default();
    value.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// ExportTraceServiceRequest, as far as it is needed.
fn read(body: &[u8]) -> Vec<Span> {
    let mut spans = Vec::new();
    for resource_spans in all(body, 1) {
        let resource = all(resource_spans, 1).first().copied().unwrap_or_default();
        let attributes = all(resource, 1).into_iter();
        let program = attributes
            .filter(|attribute| text(attribute, 1) == "service.name")
            .map(|attribute| text(all(attribute, 2)[0], 1))
            .next()
            .unwrap_or_default();
        for scope_spans in all(resource_spans, 2) {
            spans.extend(all(scope_spans, 2).into_iter().map(|span| Span {
                program: program.clone(),
                trace: hex(span, 1),
                id: hex(span, 2),
                parent: hex(span, 4),
                name: text(span, 5),
            }));
        }
    }
    spans
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_is_one_trace_through_the_services_and_to_airbyte() {
    let (url, spans) = collector().await;
    let stack = given::shop(Database::Sqlite, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url)]).await;
    let body = json!({"source_type": "sqlite", "connection_name": "shop",
        "source_config": {"path": stack.data().join("shop.db")}});
    let request = stack
        .api
        .request(reqwest::Method::POST, "/connections/onboard")
        .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"))
        .json(&body);
    stack.api.send(request).await.expect(201);
    let seen = eventually(async || {
        let ours: Vec<Span> = spans
            .lock()
            .unwrap()
            .iter()
            .filter(|span| span.trace == TRACE)
            .cloned()
            .collect();
        let has = |program: &str, name: &str| {
            ours.iter()
                .any(|span| span.program == program && span.name == name)
        };
        let complete = has("orchestrator", "request")
            && has("orchestrator", "making the source")
            && has("auth_broker", "request");
        if complete {
            Ok(ours)
        } else {
            Err(spans.lock().unwrap().clone())
        }
    })
    .await;
    let first = seen
        .iter()
        .find(|span| span.program == "orchestrator" && span.name == "request");
    assert_eq!(
        first.unwrap().parent,
        "00f067aa0ba902b7",
        "the caller's span"
    );
    let broker = seen
        .iter()
        .find(|span| span.program == "auth_broker")
        .unwrap();
    let call = seen.iter().find(|span| span.id == broker.parent).unwrap();
    assert_eq!(
        (call.program.as_str(), call.name.as_str()),
        ("orchestrator", "auth_broker")
    );
}
