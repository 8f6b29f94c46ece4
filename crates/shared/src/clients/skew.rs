//! How far a service's clock is from ours. It checks our tokens by its own clock, so that machines
//! whose clocks are further apart than a token lasts would refuse one another. Each answer has a date:
//! a token that was refused is made again by that one.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};

/// A clock that is further away is not believed: whoever answered could collect tokens for later.
const SECONDS_MAX: i64 = 15 * 60;
/// Less says nothing: the date has whole seconds, and the answer took its time.
const SECONDS_MIN: i64 = 2;

/// What is known of a service's clock; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Skew(Arc<AtomicI64>);

impl Skew {
    /// How many seconds it is ahead of ours.
    pub(super) fn seconds(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes the date of an answer as the time there; tells whether that is news.
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
                "its clock is ahead of this one by so much; set the clocks"
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
    fn a_clock_is_believed_within_bounds_and_told_once() {
        let skew = Skew::default();
        let date = |minutes| (Utc::now() + TimeDelta::minutes(minutes)).to_rfc2822();
        assert!(!skew.learn("x", None));
        assert!(!skew.learn("x", Some("yesterday")));
        assert!(!skew.learn("x", Some(&date(0))), "they agree");
        assert!(!skew.learn("x", Some(&date(60))), "not believed");
        assert!(skew.learn("x", Some(&date(-10))));
        assert!((-601..=-599).contains(&skew.seconds()));
        assert!(!skew.learn("x", Some(&date(-10))), "known already");
        assert!(skew.learn("x", Some(&date(0))), "it was set right");
    }
}
