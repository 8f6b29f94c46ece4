//! A statement in MySQL's binary log, and a table's name on the first line: no panic, and a statement
//! that does not contain the name has no effect on the table.

#![no_main]

#[path = "../../crates/connectors/src/source_mysql/cdc/statements.rs"]
mod statements;

use libfuzzer_sys::fuzz_target;
use statements::{Effect, effect};

fuzz_target!(|data: &str| {
    let Some((table, statement)) = data.split_once('\n') else {
        return;
    };
    let found = effect(statement, "shop", "shop", table);
    if !statement.to_lowercase().contains(&table.to_lowercase()) {
        assert_eq!(found, Effect::None);
    }
    let _ = effect(statement, "other", "shop", table);
});
