//! The two token endpoints, lenient in what they read as real ones are in parts.

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, web};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::{Shared, body, problem};

#[derive(Deserialize)]
struct Asked {
    client_id: String,
    client_secret: SecretString,
}

/// A token, or what is wrong with the request for one.
fn issue(engine: &Shared, request: &HttpRequest, bytes: &[u8]) -> Result<String, &'static str> {
    let kind = request.headers().get(CONTENT_TYPE);
    let form = kind
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.contains("x-www-form-urlencoded"));
    if form && engine.hostility.refuses_forms() {
        return Err("Content-Type application/x-www-form-urlencoded is not supported");
    }
    let asked = if form {
        let mut asked = Asked {
            client_id: String::new(),
            client_secret: SecretString::default(),
        };
        for (name, value) in url::form_urlencoded::parse(bytes) {
            match name.as_ref() {
                "client_id" => asked.client_id = value.into_owned(),
                "client_secret" => asked.client_secret = value.into_owned().into(),
                _ => {}
            }
        }
        asked
    } else {
        // The parser's own words might repeat the secret.
        body(bytes).map_err(|_| "client_id and client_secret are required")?
    };
    engine
        .tokens
        .issue(&asked.client_id, asked.client_secret.expose_secret())
        .ok_or("Invalid client id or token")
}

/// `POST <public>/applications/token`.
pub(crate) async fn public(
    engine: Shared,
    request: HttpRequest,
    bytes: web::Bytes,
) -> HttpResponse {
    match issue(&engine, &request, &bytes) {
        Ok(token) => {
            let mut answer = json!({"access_token": token, "token_type": "Bearer"});
            if !engine.hostility.hides_lifetime() {
                answer["expires_in"] = engine.tokens.lifetime_seconds().into();
            }
            HttpResponse::Ok().json(answer)
        }
        Err(why) => problem::framework(StatusCode::BAD_REQUEST, request.path(), why),
    }
}

/// `POST <config>/applications/token`: the token alone.
pub(crate) async fn config(
    engine: Shared,
    request: HttpRequest,
    bytes: web::Bytes,
) -> HttpResponse {
    match issue(&engine, &request, &bytes) {
        Ok(token) => HttpResponse::Ok().json(json!({ "access_token": token })),
        Err(why) => problem::framework(StatusCode::BAD_REQUEST, request.path(), why),
    }
}
