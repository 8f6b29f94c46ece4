//! Creates of a hostile engine: refused for no visible reason, or answered with a time-out before
//! they happen.

use actix_web::body::BoxBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::{Error, web};

use super::policy::Makes;
use super::problem;
use crate::engine::Engine;
use crate::fault::Fault;
use crate::hostility::{Create, LATE};

/// Lets a request through at once, later or not at all.
pub(crate) async fn late(
    makes: Makes,
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let engine = request.app_data::<web::Data<Engine>>();
    let create = match (engine, makes) {
        (Some(engine), Makes::Job) => engine.hostility.job(),
        (Some(engine), Makes::Something) => engine.hostility.create(),
        _ => Create::Honest,
    };
    match create {
        Create::Honest => next.call(request).await,
        Create::TryAgain => {
            let fault = Fault::TryAgainLater("A sync is already running".to_owned());
            Ok(request.into_response(problem::public(&fault)))
        }
        Create::Late => {
            // The connection will serve another request, so the body is read now.
            let body = request.extract::<web::Bytes>().await?;
            request.set_payload(Payload::from(body));
            let path = request.path().to_owned();
            let answer =
                problem::framework(StatusCode::GATEWAY_TIMEOUT, &path, "upstream timed out");
            let original = request.request().clone();
            actix_web::rt::spawn(async move {
                tokio::time::sleep(LATE).await;
                let answered = next.call(request).await;
                let status = answered.map(|answer| answer.status());
                tracing::info!(path, ?status, "made what was answered with a time-out");
            });
            Ok(ServiceResponse::new(original, answer.map_into_boxed_body()))
        }
    }
}
