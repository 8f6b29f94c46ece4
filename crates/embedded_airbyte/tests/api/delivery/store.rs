//! A store that speaks as much of S3 as one sync needs, in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use actix_web::http::header::{ETAG, LAST_MODIFIED};
use actix_web::web::{Bytes, Data, Query};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};

type Objects = Mutex<BTreeMap<String, (Bytes, Vec<(String, String)>)>>;

const MODIFIED: &str = "Mon, 01 Jan 2024 00:00:00 GMT";
const META: &str = "x-amz-meta-";

/// A running store; it ends with the test.
pub(super) struct Store {
    pub(super) endpoint: String,
}

impl Store {
    pub(super) fn start() -> Self {
        let objects: Arc<Objects> = Arc::default();
        let data = Data::from(objects);
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async {
                let server = HttpServer::new(move || {
                    App::new()
                        .app_data(data.clone())
                        .app_data(web::PayloadConfig::new(64 << 20))
                        .default_service(web::route().to(answer))
                });
                let server = server.workers(1).disable_signals().listen(listener);
                server.unwrap().run().await.unwrap();
            });
        });
        Self { endpoint }
    }
}

async fn answer(
    request: HttpRequest,
    query: Query<BTreeMap<String, String>>,
    objects: Data<Objects>,
    body: Bytes,
) -> HttpResponse {
    let mut objects = objects.lock().unwrap();
    let path = request.match_info().unprocessed().trim_start_matches('/');
    let (_bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let xml = |text: String| {
        HttpResponse::Ok()
            .content_type("application/xml")
            .body(text)
    };
    match (request.method().as_str(), key) {
        ("GET", "") => {
            let prefix = query.get("prefix").map_or("", String::as_str);
            let found = objects.iter().filter(|(key, _)| key.starts_with(prefix));
            let list: String = found
                .map(|(key, (body, _))| {
                    format!(
                        "<Contents><Key>{key}</Key><LastModified>2024-01-01T00:00:00.000Z\
                         </LastModified><ETag>1</ETag><Size>{}</Size></Contents>",
                        body.len()
                    )
                })
                .collect();
            xml(format!("<ListBucketResult>{list}</ListBucketResult>"))
        }
        ("POST", "") if query.contains_key("delete") => {
            let text = String::from_utf8(body.to_vec()).unwrap();
            let keys = text.split("<Key>").skip(1);
            let mut deleted = String::new();
            for key in keys.filter_map(|rest| rest.split("</Key>").next()) {
                objects.remove(key);
                deleted.push_str(&format!("<Deleted><Key>{key}</Key></Deleted>"));
            }
            xml(format!("<DeleteResult>{deleted}</DeleteResult>"))
        }
        // A check begins an upload in parts, and aborts it.
        ("POST", key) => xml(format!(
            "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>{key}</Key>\
             <UploadId>1</UploadId></InitiateMultipartUploadResult>"
        )),
        ("DELETE", _) if query.contains_key("uploadId") => HttpResponse::NoContent().finish(),
        ("PUT", key) => {
            let headers = request.headers().iter();
            let kept = headers.filter(|(name, _)| name.as_str().starts_with(META));
            let kept = kept.map(|(name, value)| {
                let value = value.to_str().unwrap().to_owned();
                (name.as_str().to_owned(), value)
            });
            objects.insert(key.to_owned(), (body, kept.collect()));
            HttpResponse::Ok().insert_header((ETAG, "1")).finish()
        }
        ("DELETE", key) => {
            objects.remove(key);
            HttpResponse::NoContent().finish()
        }
        (_, key) => match objects.get(key) {
            None => HttpResponse::NotFound().finish(),
            Some((body, kept)) => {
                let mut response = HttpResponse::Ok();
                response.insert_header((ETAG, "1"));
                response.insert_header((LAST_MODIFIED, MODIFIED));
                for (name, value) in kept {
                    response.insert_header((name.as_str(), value.as_str()));
                }
                response.body(body.clone())
            }
        },
    }
}
