//! The difference between a service's clock and ours. The service checks our tokens by its own
//! clock, so machines whose clocks differ by more than a token's lifetime would reject one another.
//! Each response has a date; after a token is rejected, a new one is issued for that time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};

/// Larger differences are not trusted: the responder could be collecting tokens for later use.
const SECONDS_MAX: i64 = 15 * 60;
/// Smaller differences are insignificant: the date has whole seconds, and the response took time.
const SECONDS_MIN: i64 = 2;

/// The known difference of a service's clock; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Skew(Arc<AtomicI64>);

impl Skew {
    /// By how many seconds the service's clock is ahead of ours.
    pub(super) fn seconds(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes the date of a response as the time there; returns whether the difference changed.
    pub(super) fn learn(&self, service: &str, date: Option<&str>) -> bool {
        let Some(there) = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok()) else {
            return false;
        };
        let ahead = there.timestamp() - Utc::now().timestamp();
        let is_news = (ahead - self.seconds()).abs() >= SECONDS_MIN && ahead.abs() <= SECONDS_MAX;
        if is_news {
            tracing::warn!(
                service,
                seconds = ahead,
                "its clock differs from this machine's; synchronize the clocks"
            );
            self.0.store(ahead, Ordering::Relaxed);
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn accepts_a_difference_within_bounds_and_logs_it_once() {
        let skew = Skew::default();
        let date = |minutes| (Utc::now() + TimeDelta::minutes(minutes)).to_rfc2822();
        assert!(!skew.learn("x", None));
        assert!(!skew.learn("x", Some("yesterday")));
        assert!(!skew.learn("x", Some(&date(0))), "the clocks agree");
        assert!(!skew.learn("x", Some(&date(60))), "too large");
        assert!(skew.learn("x", Some(&date(-10))));
        assert!((-601..=-599).contains(&skew.seconds()));
        assert!(!skew.learn("x", Some(&date(-10))), "already known");
        assert!(skew.learn("x", Some(&date(0))), "corrected");
    }
}
