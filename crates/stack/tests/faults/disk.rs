//! A full disk under the registry.

use std::time::Instant;

use test_support::StackBuilder;

use crate::flows::{Flow, Shop};
use crate::table::{self, Row};

/// Kilobytes of the disk.
const DISK_KB: u64 = 64 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_full_disk_stops_goes_on_once_there_is_room() {
    let Some(builder) = StackBuilder::one_process().on_disk(DISK_KB) else {
        eprintln!("skipped: no mount namespaces for this user, so no small disk");
        return;
    };
    let mut shop = Shop::new(builder.start().await).await;
    let ballast = shop.stack.home().join("ballast");
    let mut rows = Vec::new();
    for flow in Flow::ALL {
        let before = shop.prepare(flow).await;
        // As much as there is room for.
        let filled = std::fs::write(&ballast, vec![0; usize::try_from(DISK_KB).unwrap() * 1024]);
        assert!(filled.is_err(), "the disk is larger than it should be");
        let begun = Instant::now();
        let answer = shop.ask(flow).await;
        let took = begun.elapsed();
        let (got, is_honest) = table::read(&answer);
        std::fs::remove_file(&ballast).unwrap();
        let mut recovered = shop.recover(flow, &before).await;
        if !is_honest {
            recovered = Err(format!("not an honest answer: {}", answer.text));
        }
        rows.push(Row {
            dependency: "SQLite",
            fault: "disk full",
            flow: format!("{flow:?}").to_lowercase(),
            got,
            took,
            recovered,
        });
    }
    table::print(&rows);
}
