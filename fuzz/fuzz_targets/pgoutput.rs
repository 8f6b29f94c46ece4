//! A message of PostgreSQL's logical replication: no panic, whole or cut short.

#![no_main]
#![allow(dead_code, reason = "the parser is used in part")]

#[path = "../../crates/connectors/src/source_postgres/cdc/messages.rs"]
mod messages;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let whole = messages::parse(data);
    for length in 0..data.len().min(64) {
        let _ = messages::parse(&data[..length]);
    }
    assert_eq!(whole, messages::parse(data));
});
