//! Request bodies of services, limited as their routes declare.

use actix_web::dev::Payload;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpMessage as _, HttpRequest};
use contracts::ErrorCode;

use crate::ApiError;
use crate::admission::Route;
use crate::middleware_state::MiddlewareState;
use http_server::bodies;
use http_server::bodies::{BodyFault, Share};

/// Maximum bytes of a body.
pub(super) const JSON_LIMIT: usize = 1024 * 1024;
/// Maximum bytes of a body that contains a catalog.
pub(super) const JSON_LIMIT_CATALOG: usize = 32 * 1024 * 1024;
/// `Retry-After` in seconds if the service is full.
const FULL_SECONDS: u64 = 1;

/// Reads the whole body; fails as soon as it is known to be too large, by itself or together with
/// the others.
pub(super) fn read(
    request: &HttpRequest,
    payload: Payload,
) -> impl Future<Output = Result<Bytes, ApiError>> + 'static {
    let limit = Route::policy_of(request).map_or(JSON_LIMIT, |policy| policy.body_limit);
    let announced = bodies::announced(request);
    let reserved = reserve(request, announced, limit);
    async move {
        reserved?;
        Ok(bodies::receive(payload, limit).await?)
    }
}

/// Reserves the body's bytes for the duration of the request.
fn reserve(request: &HttpRequest, announced: Option<usize>, limit: usize) -> Result<(), BodyFault> {
    let Some(gate) = request.app_data::<Data<MiddlewareState>>() else {
        return Ok(());
    };
    if announced == Some(0) || request.extensions().contains::<Share>() {
        return Ok(());
    }
    let share = gate.limits.bodies().reserve(announced, limit)?;
    request.extensions_mut().insert(share);
    Ok(())
}

impl From<BodyFault> for ApiError {
    fn from(fault: BodyFault) -> Self {
        let code = match fault {
            BodyFault::TooLarge(_) => ErrorCode::TooLarge,
            BodyFault::TooSlow => ErrorCode::BodyTooSlow,
            BodyFault::Broken(_) => ErrorCode::Malformed,
            BodyFault::Full => ErrorCode::Overloaded,
        };
        let error = Self::new(code, fault.to_string());
        match fault {
            BodyFault::Full => error.retry_after(FULL_SECONDS),
            _ => error,
        }
    }
}
