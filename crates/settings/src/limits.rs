//! Load limits.

use std::num::NonZeroU32;

use crate::source::Reader;
use crate::variables;

/// The rate limit per caller and service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Sustained rate.
    pub per_second: NonZeroU32,
    /// Maximum burst.
    pub burst: NonZeroU32,
}

impl RateLimit {
    const DEFAULT: Self = Self {
        per_second: NonZeroU32::new(100).expect("100 is not 0"),
        burst: NonZeroU32::new(200).expect("200 is not 0"),
    };
}

const REQUESTS_MAX: usize = 512;

impl Reader<'_> {
    /// `RATE`, `RATE/BURST` or `off`.
    pub(super) fn rate_limit(&mut self) -> Option<RateLimit> {
        let Some(text) = self.text(variables::AAM_RATE_LIMIT) else {
            return Some(RateLimit::DEFAULT);
        };
        if text.eq_ignore_ascii_case("off") {
            return None;
        }
        let (rate, burst) = text.split_once('/').unwrap_or((&text, &text));
        match (rate.trim().parse(), burst.trim().parse()) {
            (Ok(per_second), Ok(burst)) if burst >= per_second => {
                Some(RateLimit { per_second, burst })
            }
            _ => {
                self.fault(
                    variables::AAM_RATE_LIMIT,
                    format!(
                        "`{text}` is neither `off` nor requests per second, optionally followed \
                         by a slash and a burst that is at least as large"
                    ),
                );
                None
            }
        }
    }

    pub(super) fn requests_max(&mut self) -> usize {
        let Some(text) = self.text(variables::AAM_REQUESTS_MAX) else {
            return REQUESTS_MAX;
        };
        match text.parse() {
            Ok(count @ 1..=100_000) => count,
            _ => {
                self.fault(
                    variables::AAM_REQUESTS_MAX,
                    format!("`{text}` is not a number from 1 to 100000"),
                );
                REQUESTS_MAX
            }
        }
    }
}
