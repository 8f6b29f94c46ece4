//! Ending the generations before a target's, so that readers see the old rows or the new ones and
//! nothing between.

use sqlx::{PgConnection, Row as _};

use super::statements::append;
use super::table::execute;
use super::target::Target;
use crate::failure::Failure;
use crate::postgres::{qualified, quoted};

/// Ends the generations before the target's, by the staged table or row by row; or adds the staged
/// rows, unless an earlier attempt did (`added`).
pub(super) async fn conclude(
    connection: &mut PgConnection,
    target: &Target,
    added: bool,
) -> Result<(), Failure> {
    if target.replaces {
        return replace(connection, target).await;
    }
    if target.adds {
        let staging = qualified(&target.schema, &target.staging_name());
        if !added {
            super::table::ensure(connection, target, &target.table).await?;
            execute(connection, append(target, &staging, &target.final_table())).await?;
        }
        return execute(connection, format!("DROP TABLE {staging}")).await;
    }
    let generation = target.generation.unwrap_or(0);
    let table = target.final_table();
    let older = format!("coalesce(\"_airbyte_generation_id\", -1) < {generation}");
    execute(connection, format!("DELETE FROM {table} WHERE {older}")).await
}

/// Replaces the final table by the staged one.
async fn replace(connection: &mut PgConnection, target: &Target) -> Result<(), Failure> {
    let table = target.final_table();
    let staging = qualified(&target.schema, &target.staging_name());
    let there: Option<String> = sqlx::query_scalar("SELECT to_regclass($1)::text")
        .bind(&table)
        .fetch_one(&mut *connection)
        .await?;
    if there.is_none() {
        return rename(connection, target, &staging).await;
    }
    if has_dependents(connection, &table).await? {
        return refill(connection, target, &table, &staging).await;
    }
    let grants = grants(connection, &table).await?;
    execute(connection, format!("DROP TABLE {table}")).await?;
    rename(connection, target, &staging).await?;
    for grant in grants {
        execute(connection, grant).await?;
    }
    Ok(())
}

async fn rename(
    connection: &mut PgConnection,
    target: &Target,
    staging: &str,
) -> Result<(), Failure> {
    let name = quoted(&target.table);
    execute(
        connection,
        format!("ALTER TABLE {staging} RENAME TO {name}"),
    )
    .await
}

/// Whether views, or anything else that people made, would be lost with the table.
async fn has_dependents(connection: &mut PgConnection, table: &str) -> Result<bool, Failure> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_class'::regclass \
         AND d.refobjid = $1::regclass AND d.deptype = 'n')",
    )
    .bind(table)
    .fetch_one(connection)
    .await?)
}

/// Puts the new rows into the old table. TRUNCATE would be quicker, but who reads in an older
/// snapshot would see an empty table.
async fn refill(
    connection: &mut PgConnection,
    target: &Target,
    table: &str,
    staging: &str,
) -> Result<(), Failure> {
    let mut kept = target.clone();
    kept.replaces = false;
    super::table::ensure(connection, &kept, &kept.table).await?;
    execute(connection, format!("DELETE FROM {table}")).await?;
    execute(connection, append(target, staging, table)).await?;
    execute(connection, format!("DROP TABLE {staging}")).await
}

/// The rights that others were given on the table, as statements.
async fn grants(connection: &mut PgConnection, table: &str) -> Result<Vec<String>, Failure> {
    let rows = sqlx::query(
        "SELECT DISTINCT a.privilege_type, CASE WHEN a.grantee = 0 THEN 'PUBLIC' \
         ELSE quote_ident(pg_get_userbyid(a.grantee)) END, a.is_grantable \
         FROM pg_class c, aclexplode(c.relacl) AS a \
         WHERE c.oid = $1::regclass AND a.grantee <> c.relowner",
    )
    .bind(table)
    .fetch_all(connection)
    .await?;
    let mut grants = Vec::with_capacity(rows.len());
    for row in rows {
        let (privilege, grantee): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let option = if row.try_get(2)? {
            " WITH GRANT OPTION"
        } else {
            ""
        };
        grants.push(format!("GRANT {privilege} ON {table} TO {grantee}{option}"));
    }
    Ok(grants)
}
