//! A drift policy: no panic, and an accepted one is written and read again unchanged.

#![no_main]
#![expect(clippy::unwrap_used, reason = "a finding is a panic")]

use catalog::policy::Policy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &str| {
    let Ok(policy) = Policy::parse(data) else {
        return;
    };
    let again = Policy::parse(&policy.to_json()).unwrap();
    assert_eq!(again.fingerprint(), policy.fingerprint());
    assert_eq!(again.to_json(), policy.to_json());
    let _ = policy.warnings();
});
