//! Load limits: requests per caller, concurrent requests, and bytes of concurrent bodies. Excess
//! requests are rejected before they cost anything, so that memory is not the limit.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue};
use contracts::ErrorCode;
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::ApiError;
use crate::access::{ANONYMOUS, Principal};
use http_server::bodies::Bodies;
use settings::{RateLimit, Settings};

/// Maximum bytes of all concurrent bodies.
const BODIES_MAX: usize = 256 * 1024 * 1024;
/// Number of requests after which inactive callers are forgotten.
const FORGET_AFTER: u32 = 10_000;
/// `Retry-After` in seconds if the service is full.
const FULL_SECONDS: u64 = 1;

/// The load limits of a service; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Limits(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    requests: Arc<Semaphore>,
    bodies: Bodies,
    rate: Option<Rates>,
}

#[derive(Debug)]
struct Rates {
    limit: RateLimit,
    limiter: DefaultKeyedRateLimiter<Caller, StateInformationMiddleware>,
    clock: DefaultClock,
    counted: AtomicU32,
}

/// The caller that a request counts against.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Caller {
    Key(String),
    Address(IpAddr),
}

/// A caller's rate-limit status, for the response headers (draft-ietf-httpapi-ratelimit-headers).
#[derive(Debug, Clone, Copy)]
pub(super) struct RateLimitStatus {
    limit: RateLimit,
    remaining: u32,
    /// Time until the quota is full again.
    reset_seconds: u32,
}

/// A place among the concurrent requests; released when dropped.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Limits {
    pub(super) fn new(settings: &Settings) -> Self {
        let rate = settings.rate_limit.map(|limit| {
            let quota = Quota::per_second(limit.per_second).allow_burst(limit.burst);
            Rates {
                limit,
                limiter: RateLimiter::keyed(quota).with_middleware(),
                clock: DefaultClock::default(),
                counted: AtomicU32::new(0),
            }
        });
        Self(Arc::new(Inner {
            requests: Arc::new(Semaphore::new(settings.requests_max)),
            bodies: Bodies::new(BODIES_MAX),
            rate,
        }))
    }

    /// Takes a place for a request.
    ///
    /// # Errors
    /// Returns `overloaded` if there is none.
    pub(super) fn enter(&self) -> Result<Place, ApiError> {
        let permit = Arc::clone(&self.0.requests).try_acquire_owned();
        permit
            .map(|permit| Place { _permit: permit })
            .map_err(|_| full("the service is handling as many requests as it accepts"))
    }

    /// The limit on the bytes of bodies.
    pub(super) fn bodies(&self) -> &Bodies {
        &self.0.bodies
    }

    /// Counts one request against the caller's key, or against its address if it is
    /// unauthenticated.
    ///
    /// # Errors
    /// Returns `rate_limited` if the request exceeds the limit.
    pub(super) fn count(
        &self,
        principal: Option<&Principal>,
        address: Option<IpAddr>,
        rate_limit_status: &mut Option<RateLimitStatus>,
    ) -> Result<(), ApiError> {
        let Some(rates) = &self.0.rate else {
            return Ok(());
        };
        let caller = match principal {
            Some(Principal::Service { .. }) => return Ok(()),
            Some(Principal::Caller { id, .. }) if id != ANONYMOUS => Caller::Key(id.clone()),
            _ => Caller::Address(http_server::connections::network(
                address.unwrap_or(IpAddr::from([0, 0, 0, 0])),
            )),
        };
        rates.forget();
        let RateLimit { per_second, burst } = rates.limit;
        let (remaining, wait) = match rates.limiter.check_key(&caller) {
            Ok(state) => (state.remaining_burst_capacity(), None),
            Err(until) => (0, Some(until.wait_time_from(rates.clock.now()))),
        };
        *rate_limit_status = Some(RateLimitStatus {
            limit: rates.limit,
            remaining,
            reset_seconds: (burst.get().saturating_sub(remaining)).div_ceil(per_second.get()),
        });
        let Some(wait) = wait else {
            return Ok(());
        };
        Err(ApiError::new(
            ErrorCode::RateLimited,
            format!("more than {per_second} requests per second, or {burst} at once"),
        )
        .retry_after(seconds(wait)))
    }
}

impl Rates {
    /// Callers are remembered only while they count: an attacker can call from many addresses.
    fn forget(&self) {
        if self.counted.fetch_add(1, Ordering::Relaxed) % FORGET_AFTER == FORGET_AFTER - 1 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
    }
}

impl RateLimitStatus {
    /// Writes the rate-limit headers.
    pub(super) fn write_headers(self, response: &mut HttpResponse<impl Sized>) {
        let Self {
            limit,
            remaining,
            reset_seconds,
        } = self;
        let window = limit.burst.get().div_ceil(limit.per_second.get());
        let policy = format!("\"default\";q={};w={window}", limit.burst);
        let state = format!("\"default\";r={remaining};t={reset_seconds}");
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", state)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                let name = HeaderName::from_static(name);
                response.headers_mut().insert(name, value);
            }
        }
    }
}

fn full(what: &str) -> ApiError {
    ApiError::new(ErrorCode::Overloaded, what).retry_after(FULL_SECONDS)
}

fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
