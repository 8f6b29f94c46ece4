//! Whether a failed job is tried again, and when.

use std::time::Duration;

use crate::connector::{FailureReason, Kind};
use crate::options::RetryPolicy;

/// A failed attempt, as far as the policy looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailedAttempt {
    /// Nothing was committed or rejected.
    Complete,
    /// At least one record was.
    Partial,
}

/// The delay before the next attempt, or `None` when the job has failed.
pub(super) fn next_delay(
    policy: &RetryPolicy,
    failed: &[FailedAttempt],
    last_failures: &[FailureReason],
) -> Option<Duration> {
    let config_error = last_failures
        .first()
        .is_some_and(|failure| failure.failure_type == Kind::ConfigError);
    if config_error {
        return None;
    }
    let total = |kind| count(failed.iter().filter(|attempt| **attempt == kind));
    let last = *failed.last()?;
    let in_a_row = count(failed.iter().rev().take_while(|attempt| **attempt == last));
    match last {
        FailedAttempt::Complete => {
            let go_on = in_a_row < policy.complete_in_a_row
                && total(FailedAttempt::Complete) < policy.complete_in_total;
            let factor = 3_u32.saturating_pow(in_a_row.saturating_sub(1));
            let delay = policy.first_delay.saturating_mul(factor);
            go_on.then(|| delay.min(policy.longest_delay))
        }
        FailedAttempt::Partial => {
            let go_on = in_a_row < policy.partial_in_a_row
                && total(FailedAttempt::Partial) < policy.partial_in_total;
            go_on.then_some(Duration::ZERO)
        }
    }
}

fn count(items: impl Iterator) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::FailedAttempt::{Complete, Partial};
    use super::*;
    use crate::connector::Origin;

    fn delay(failed: &[FailedAttempt]) -> Option<u64> {
        next_delay(&RetryPolicy::default(), failed, &[]).map(|delay| delay.as_secs())
    }

    #[test]
    fn complete_failures_wait_longer_each_time_and_end_at_the_fifth() {
        let expected = [Some(10), Some(30), Some(90), Some(270), None];
        for (failed, expected) in expected.into_iter().enumerate() {
            assert_eq!(delay(&vec![Complete; failed + 1]), expected);
        }
    }

    #[test]
    fn a_partial_failure_resets_the_row_and_is_repeated_at_once() {
        assert_eq!(
            delay(&[Complete, Complete, Complete, Complete, Partial]),
            Some(0)
        );
        assert_eq!(delay(&[Complete, Complete, Partial, Complete]), Some(10));
        assert_eq!(delay(&[Partial; 19]), Some(0));
        assert_eq!(delay(&[Partial; 20]), None);
    }

    #[test]
    fn the_total_of_complete_failures_counts_across_rows() {
        let mut failed = Vec::new();
        for _ in 0..9 {
            failed.extend([Complete, Partial]);
        }
        failed.push(Complete);
        assert_eq!(delay(&failed), None);
    }

    #[test]
    fn a_wrong_configuration_is_not_tried_again() {
        let failure = FailureReason::new(Origin::Source, Kind::ConfigError, "wrong password");
        assert_eq!(
            next_delay(&RetryPolicy::default(), &[Complete], &[failure]),
            None
        );
    }
}
