//! A proxy before the embedded Airbyte that fails on demand: before a call has its effect, or after.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use reqwest::Method;

/// When a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It never reaches Airbyte.
    Before(u16),
    /// Airbyte carries it out, and the caller receives a failure.
    After(u16),
    /// It never reaches Airbyte; the answer is a problem of this type, with status 400.
    Refused(&'static str),
    /// Airbyte carries it out as if for another caller, and this one receives a conflict: 409 with
    /// a problem of this type.
    Overtaken(&'static str),
    /// It never reaches Airbyte; 409 with a problem of this type.
    Conflict(&'static str),
}

#[derive(Debug)]
struct Rule {
    method: Method,
    path: &'static str,
    fault: Fault,
    times: usize,
}

impl Rule {
    fn matches(&self, method: &Method, path: &str) -> bool {
        self.method == *method && path.ends_with(self.path)
    }
}

/// The proxy; it goes with the test.
#[derive(Debug)]
pub struct Proxy {
    /// Its base URL.
    pub base: String,
    rules: Arc<Mutex<Vec<Rule>>>,
    handle: actix_web::dev::ServerHandle,
}

struct State {
    upstream: String,
    http: reqwest::Client,
    rules: Arc<Mutex<Vec<Rule>>>,
}

impl Proxy {
    /// Starts a proxy before `upstream`.
    pub async fn start(upstream: &str) -> Self {
        local::install_tls_provider();
        let rules = Arc::new(Mutex::new(Vec::new()));
        let state = Data::new(State {
            upstream: upstream.to_owned(),
            http: http_client::builder()
                .timeout(Duration::from_secs(3600))
                .build()
                .unwrap(),
            rules: Arc::clone(&rules),
        });
        let server = HttpServer::new(move || {
            App::new()
                .app_data(state.clone())
                .app_data(actix_web::web::PayloadConfig::new(64 << 20))
                .default_service(actix_web::web::to(forward))
        })
        .workers(1)
        .disable_signals()
        .bind("127.0.0.1:0")
        .unwrap();
        let base = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self {
            base,
            rules,
            handle,
        }
    }

    /// The next `times` calls of `method` whose path ends in `path` fail.
    pub fn fail(&self, method: Method, path: &'static str, fault: Fault, times: usize) {
        self.rules.lock().unwrap().push(Rule {
            method,
            path,
            fault,
            times,
        });
    }

    /// Nothing fails any more.
    pub fn mend(&self) {
        self.rules.lock().unwrap().clear();
    }
}

impl State {
    /// What is to happen to a call; a rule is used up by it.
    fn fault(&self, method: &Method, path: &str) -> Option<Fault> {
        let mut rules = self.rules.lock().unwrap();
        let rule = rules
            .iter_mut()
            .find(|rule| rule.times > 0 && rule.matches(method, path))?;
        rule.times -= 1;
        Some(rule.fault)
    }

    fn rearm(&self, method: &Method, path: &str) {
        let mut rules = self.rules.lock().unwrap();
        if let Some(rule) = rules.iter_mut().find(|rule| rule.matches(method, path)) {
            rule.times += 1;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

async fn forward(request: HttpRequest, body: Bytes, state: Data<State>) -> HttpResponse {
    let method: Method = request.method().as_str().parse().unwrap();
    let fault = state.fault(&method, request.path());
    let failed = |status: u16| {
        HttpResponse::build(status.try_into().unwrap())
            .json(serde_json::json!({"message": "made to fail", "errorId": "test"}))
    };
    if let Some(Fault::Before(status)) = fault {
        return failed(status);
    }
    let problem = |status: u16, kind: &str| {
        HttpResponse::build(status.try_into().unwrap())
            .content_type("application/problem+json")
            .json(serde_json::json!({"type": kind, "title": "refused", "status": status, "detail": kind}))
    };
    match fault {
        Some(Fault::Refused(kind)) => return problem(400, kind),
        Some(Fault::Conflict(kind)) => return problem(409, kind),
        _ => {}
    }
    let url = format!("{}{}", state.upstream, request.uri());
    let mut forwarded = state.http.request(method.clone(), url).body(body);
    for name in ["authorization", "content-type", "accept", "x-request-id"] {
        if let Some(value) = request.headers().get(name) {
            forwarded = forwarded.header(name, value.to_str().unwrap());
        }
    }
    let Ok(answer) = forwarded.send().await else {
        return failed(502);
    };
    let status = answer.status().as_u16();
    let kind = answer
        .headers()
        .get("content-type")
        .map(|v| v.to_str().unwrap().to_owned());
    let body = answer.bytes().await.unwrap();
    let lie = match fault {
        Some(Fault::After(status)) => Some(failed(status)),
        Some(Fault::Overtaken(kind)) => Some(problem(409, kind)),
        _ => None,
    };
    if let Some(lie) = lie {
        if (200..300).contains(&status) {
            return lie;
        }
        // What was refused had no effect to lie about: the next one is meant.
        state.rearm(&method, request.path());
    }
    let mut response = HttpResponse::build(status.try_into().unwrap());
    if let Some(kind) = kind {
        response.content_type(kind);
    }
    response.body(body)
}
