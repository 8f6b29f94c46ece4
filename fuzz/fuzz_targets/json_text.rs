//! JSON that PostgreSQL's `jsonb` may refuse: no panic, and what is refused holds an escape or a
//! number.

#![no_main]
#![allow(dead_code, reason = "the module is used in part")]

#[path = "../../crates/connectors/src/destination_postgres/json_text.rs"]
mod json_text;

use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

fuzz_target!(|data: &str| {
    let Ok(json) = serde_json::from_str::<&RawValue>(data) else {
        return;
    };
    if !json_text::fits(json.get()) {
        assert!(json.get().contains(|c: char| c == '\\' || c.is_ascii_digit()));
    }
});
