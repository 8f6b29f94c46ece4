//! The replication slot: whether it can be read, how far it is confirmed, and moving it on.

use sqlx::{PgConnection, Row as _};

use super::lsn::Lsn;
use crate::failure::Failure;
use crate::source_postgres::settings::Cdc;

fn parsed(text: &str) -> Result<Lsn, Failure> {
    text.parse()
        .map_err(|why| Failure::system("the server's log position cannot be read").because(why))
}

/// Looks at everything that has to be in place; up to where the slot is confirmed.
///
/// # Errors
/// Names what is missing and the statement that makes it.
pub(in crate::source_postgres) async fn inspect(
    connection: &mut PgConnection,
    cdc: &Cdc,
) -> Result<Lsn, Failure> {
    let level: String = sqlx::query_scalar("SELECT current_setting('wal_level')")
        .fetch_one(&mut *connection)
        .await?;
    if level != "logical" {
        return Err(Failure::config(format!(
            "\"replication_method\": the server's wal_level is {level}, and has to be logical"
        )));
    }
    let may: bool = sqlx::query_scalar(
        "SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user",
    )
    .fetch_one(&mut *connection)
    .await?;
    if !may {
        return Err(Failure::config(
            "\"username\": the user needs the right to replicate (ALTER ROLE … REPLICATION)",
        ));
    }
    let publications: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_publication WHERE pubname = $1")
            .bind(&cdc.publication)
            .fetch_one(&mut *connection)
            .await?;
    if publications == 0 {
        let name = &cdc.publication;
        return Err(Failure::config(format!(
            "\"replication_method.publication\": there is no publication {name} (CREATE PUBLICATION {name} FOR TABLE …)"
        )));
    }
    let name = &cdc.slot;
    let wrong =
        |what: &str| Failure::config(format!("\"replication_method.replication_slot\": {what}"));
    let slot = sqlx::query(
        "SELECT coalesce(plugin::text, ''), coalesce(database = current_database(), false), active, \
         coalesce(wal_status, '') = 'lost', coalesce(confirmed_flush_lsn::text, '0/0') \
         FROM pg_replication_slots WHERE slot_name = $1",
    )
    .bind(name)
    .fetch_optional(&mut *connection)
    .await?
    .ok_or_else(|| {
        wrong(&format!(
            "there is no slot {name} (SELECT pg_create_logical_replication_slot('{name}', 'pgoutput'))"
        ))
    })?;
    let plugin: String = slot.try_get(0)?;
    if plugin != "pgoutput" {
        return Err(wrong(&format!(
            "slot {name} has the plugin {plugin:?}, and needs pgoutput"
        )));
    }
    if !slot.try_get::<bool, _>(1)? {
        return Err(wrong(&format!("slot {name} is of another database")));
    }
    if slot.try_get::<bool, _>(2)? {
        let message = format!(
            "\"replication_method.replication_slot\": slot {name} is in use by another reader"
        );
        return Err(Failure::transient(message));
    }
    if slot.try_get::<bool, _>(3)? {
        return Err(wrong(&format!(
            "the server has removed log that slot {name} has not read yet; recreate the slot and clear the streams"
        )));
    }
    parsed(&slot.try_get::<String, _>(4)?)
}

/// Confirms everything before the position: the server may throw it away.
pub(super) async fn advance(
    connection: &mut PgConnection,
    cdc: &Cdc,
    to: Lsn,
) -> Result<(), Failure> {
    sqlx::query("SELECT pg_replication_slot_advance($1, $2::pg_lsn)")
        .bind(&cdc.slot)
        .bind(to.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

/// Makes a copy of the slot that lives as long as the session. It is consumed in its stead: what
/// is read now may never be stored.
pub(super) async fn copy(connection: &mut PgConnection, cdc: &Cdc) -> Result<String, Failure> {
    let name = format!("aam_{}", uuid::Uuid::new_v4().simple());
    sqlx::query("SELECT pg_copy_logical_replication_slot($1, $2, true)")
        .bind(&cdc.slot)
        .bind(&name)
        .execute(connection)
        .await
        .map_err(|error| {
            let failure = Failure::from(error);
            Failure::config(format!(
                "a temporary copy of replication slot {} cannot be made, for which max_replication_slots has to leave room: {}",
                cdc.slot, failure.message
            ))
        })?;
    Ok(name)
}

/// Up to where the log is written.
pub(super) async fn end_of_log(connection: &mut PgConnection) -> Result<Lsn, Failure> {
    let text: String = sqlx::query_scalar("SELECT pg_current_wal_flush_lsn()::text")
        .fetch_one(connection)
        .await?;
    parsed(&text)
}

/// The tables of the publication, and those that they are partitions of.
pub(in crate::source_postgres) async fn published(
    connection: &mut PgConnection,
    cdc: &Cdc,
) -> Result<Vec<(i64, i64)>, Failure> {
    Ok(sqlx::query_as(
        "SELECT t.oid::int8, coalesce(pg_partition_root(t.oid)::oid, t.oid)::int8 FROM \
         (SELECT format('%I.%I', schemaname, tablename)::regclass::oid AS oid \
         FROM pg_publication_tables WHERE pubname = $1) AS t",
    )
    .bind(&cdc.publication)
    .fetch_all(connection)
    .await?)
}
