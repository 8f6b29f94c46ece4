//! Airbyte's two APIs over the engine, and what both share: replies, query parameters, routes.

mod config;
pub(crate) mod guard;
mod late;
pub(crate) mod policy;
mod problem;
mod public;
mod token;

use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::{HttpRequest, HttpResponse, Route, web};
use http_server::routes::Routes;
use http_server::unquoted::unquoted;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use self::policy::{BEARER, PAGE, PROBE, Policy, TOKEN};
use crate::actors::Page;
use crate::engine::Engine;
use crate::fault::{Fault, to_json};

const PAGE_DEFAULT: u64 = 20;
const PAGE_MAX: u64 = 100;

/// All routes.
pub(crate) fn configure(routes: &mut Routes<Policy>) {
    routes
        .get("/health", PROBE, web_app)
        .post("/applications/token", TOKEN, token::public)
        .post("/api/public/applications/token", TOKEN, token::public)
        .scope("/api/public/v1", public::configure)
        .scope("/api/v1", config::configure)
        .any("/api", BEARER, nothing)
        .any("/api/{path:.*}", BEARER, nothing)
        .any("/{path:.*}", PAGE, web_app);
}

/// What no path matches: the router gives it nothing to judge by, so the guard answers.
pub(crate) fn unmatched() -> Route {
    web::to(HttpResponse::NotFound)
}

/// Below `/api` a path is known or it is not.
async fn nothing(engine: Shared, request: HttpRequest) -> HttpResponse {
    if engine.hostility.answers_everything() {
        return web_app().await;
    }
    problem::framework(StatusCode::NOT_FOUND, request.path(), "Page Not Found")
}

/// Everything else is the web app's.
async fn web_app() -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::html())
        .body(WEB_APP)
}

const WEB_APP: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
<title>Airbyte</title></head><body><p>This is an embedded Airbyte. It has no web app; its API is \
below <code>/api</code>.</p></body></html>\n";

/// What a handler answers when it succeeds.
pub(crate) enum Reply {
    Json(String),
    Text(&'static str),
    Nothing,
}

impl Reply {
    pub(crate) fn json<T: Serialize>(value: &T) -> Self {
        Self::Json(to_json(value))
    }

    fn into_response(self) -> HttpResponse {
        match self {
            Self::Json(text) => HttpResponse::Ok()
                .content_type(ContentType::json())
                .body(text),
            Self::Text(text) => HttpResponse::Ok()
                .content_type(ContentType::plaintext())
                .body(text),
            Self::Nothing => HttpResponse::NoContent().finish(),
        }
    }
}

/// Reads a body. What is not JSON is malformed, what has another shape cannot be used.
pub(crate) fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            let why = unquoted(&error.to_string());
            Fault::Unprocessable(format!("the body cannot be used: {why}"))
        }
        _ => Fault::Constraint(format!("the body is not JSON: {error}")),
    })
}

/// An id from a path.
pub(crate) fn id(text: &str) -> Result<Uuid, Fault> {
    Uuid::try_parse(text).map_err(|_| Fault::BadRequest(format!("{text} is not a UUID")))
}

/// Query parameters; lists may be repeated or separated by commas.
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let pairs = url::form_urlencoded::parse(request.query_string().as_bytes());
        Self {
            pairs: pairs.into_owned().collect(),
        }
    }

    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(known, value)| known == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.one(name) == Some("true")
    }

    pub(crate) fn ids(&self, name: &str) -> Result<Vec<Uuid>, Fault> {
        self.pairs
            .iter()
            .filter(|(known, _)| known == name)
            .flat_map(|(_, value)| value.split(','))
            .filter(|text| !text.is_empty())
            .map(id)
            .collect()
    }

    /// Texts, repeated or separated by commas.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        self.pairs
            .iter()
            .filter(|(known, _)| known == name)
            .flat_map(|(_, value)| value.split(','))
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .collect()
    }

    pub(crate) fn id(&self, name: &str) -> Result<Option<Uuid>, Fault> {
        self.one(name).map(id).transpose()
    }

    fn number(&self, name: &str, default: u64, low: u64, high: u64) -> Result<u64, Fault> {
        let Some(text) = self.one(name) else {
            return Ok(default);
        };
        match text.parse() {
            Ok(number) if (low..=high).contains(&number) => Ok(number),
            _ => Err(Fault::Constraint(format!(
                "{name} must be between {low} and {high}"
            ))),
        }
    }

    pub(crate) fn page(&self) -> Result<Page, Fault> {
        Ok(Page {
            workspace_ids: self.ids("workspaceIds")?,
            include_deleted: self.flag("includeDeleted"),
            limit: self.number("limit", PAGE_DEFAULT, 1, PAGE_MAX)?,
            offset: self.number("offset", 0, 0, u64::from(u32::MAX))?,
        })
    }
}

/// What handlers get.
pub(crate) type Shared = web::Data<Engine>;
