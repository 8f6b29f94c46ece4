//! A full disk under the registry.

use test_support::{Database, Stack, StackBuilder, eventually, skip};

use crate::flows::{Flow, Shop};
use crate::table;

/// Kilobytes of the disk.
const DISK_KB: u64 = 64 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn work_stopped_by_a_full_disk_resumes_with_free_space() {
    let Some(builder) = StackBuilder::one_process().on_disk(DISK_KB) else {
        skip(
            "disk",
            "this user has no mount namespaces, so no small disk",
        );
        return;
    };
    let mut shop = Shop::new(builder.start().await).await;
    let ballast = shop.stack.home().join("ballast");
    let mut rows = Vec::new();
    for &flow in Flow::ALL {
        let fill = async |_: &Stack| {
            // As much as there is room for.
            let filled =
                std::fs::write(&ballast, vec![0; usize::try_from(DISK_KB).unwrap() * 1024]);
            assert!(filled.is_err(), "the disk is larger than it should be");
        };
        let mend = async |_: &Stack| std::fs::remove_file(&ballast).unwrap();
        let row = shop.row("SQLite", "disk full", flow, fill, mend);
        rows.push(row.await);
    }
    table::print(&rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_on_a_full_disk_is_not_ready_until_there_is_room() {
    let Some(builder) = StackBuilder::one_process().on_disk(DISK_KB) else {
        skip(
            "disk",
            "this user has no mount namespaces, so no small disk",
        );
        return;
    };
    let stack = builder.start().await;
    let services = [&stack.api, &stack.broker_api, &stack.agent_api];
    for service in services {
        service.anonymous().get("/ready").await.expect(200);
    }
    let ballast = stack.home().join("ballast");
    let filled = std::fs::write(&ballast, vec![0; usize::try_from(DISK_KB).unwrap() * 1024]);
    assert!(filled.is_err(), "the disk is larger than it should be");
    for service in services {
        let ready = service.anonymous().get("/ready").await.expect(503);
        let all = ready["dependencies"].as_array().unwrap();
        let disk = all.iter().find(|dependency| dependency["name"] == "disk");
        let said = disk.unwrap()["error"].as_str().unwrap();
        assert!(said.contains("is full"), "{ready}");
    }
    std::fs::remove_file(&ballast).unwrap();
    for service in services {
        service.anonymous().get("/ready").await.expect(200);
    }
}

/// What PostgreSQL answers to a write when its disk is full.
const FULL: &str = "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file \"base/1/2\": No space left on device'
    USING ERRCODE = 'disk_full'; END $$";

/// Every write to the tables whose names are LIKE `tables` fails from now on.
async fn fill(stack: &Stack, tables: &str) {
    let full = format!(
        "{FULL}; DO $$ DECLARE name text; BEGIN
         FOR name IN SELECT tablename FROM pg_tables
             WHERE schemaname = 'public' AND tablename LIKE '{tables}' LOOP
             EXECUTE format('CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON %I
                 FOR EACH ROW EXECUTE FUNCTION full_disk()', name);
         END LOOP; END $$"
    );
    stack.database.execute(&full).await;
}

async fn make_room(stack: &Stack) {
    let mend = "DROP FUNCTION full_disk() CASCADE";
    stack.database.execute(mend).await;
}

async fn on_postgresql() -> Shop {
    let stack = StackBuilder::four_processes(Database::postgres().await)
        .with("AAM_LEASE_SECONDS", "3")
        .start()
        .await;
    Shop::new(stack).await
}

#[tokio::test(flavor = "multi_thread")]
async fn work_stopped_by_a_full_disk_of_postgresql_resumes_with_free_space() {
    let mut shop = on_postgresql().await;
    let mut rows = Vec::new();
    for (fault, tables) in [
        ("disk full", "%"),
        // The worst moment: Airbyte has the new catalog already.
        ("disk full for new versions", "sync_catalog_versions"),
    ] {
        for &flow in Flow::ALL {
            let fill = async |stack: &Stack| fill(stack, tables).await;
            let row = shop.row("PostgreSQL", fault, flow, fill, make_room);
            rows.push(row.await);
        }
    }
    table::print(&rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_could_not_be_stored_is_stored_without_another_request() {
    let mut shop = on_postgresql().await;
    let before = shop.prepare(Flow::Heal).await;
    fill(&shop.stack, "sync_catalog_versions").await;
    let refused = shop.ask(Flow::Heal, &before).await;
    refused.expect_problem(503, "registry_unavailable");
    make_room(&shop.stack).await;
    let newest = eventually(async || {
        let path = format!("/connections/{}/catalogs", shop.id);
        let all = shop.stack.api.get(&path).await.expect(200);
        if all.as_array().unwrap().len() == 2 {
            Ok(all[0].clone())
        } else {
            Err(all)
        }
    })
    .await;
    assert_eq!(newest["origin"], "repair", "{newest}");
    let row = shop.connection().await;
    assert_eq!(row["status"], "ACTIVE", "{row}");
}
