//! Changes a column's type. A value that the new type cannot hold becomes null, which the row
//! records.

use sqlx::PgConnection;

use super::table::execute;
use crate::failure::Failure;
use crate::postgres::{literal, quoted};

/// How values of one type become values of another.
enum Conversion {
    /// Always.
    Lossless(&'static str),
    /// Where the server can cast their text.
    Text(&'static str),
}

/// `{}` stands for the column.
fn conversion(was: &str, becomes: &str) -> Conversion {
    match (was, becomes) {
        ("jsonb", "text") => Conversion::Lossless("{} #>> '{}'"),
        ("bytea", "text") => Conversion::Lossless("translate(encode({}, 'base64'), E'\\n', '')"),
        (_, "jsonb") => Conversion::Lossless("to_jsonb({})"),
        ("boolean" | "bigint", "text") | ("bigint", "numeric") | (_, "character varying") => {
            Conversion::Lossless("{}::text")
        }
        ("numeric", "bigint") => {
            Conversion::Text("CASE WHEN {} = trunc({}) THEN trunc({})::text ELSE 'no' END")
        }
        ("jsonb", _) => Conversion::Text("{} #>> '{}'"),
        (_, "text") => Conversion::Lossless("{}::text"),
        _ => Conversion::Text("{}::text"),
    }
}

/// Changes the column's type.
pub(super) async fn retype(
    connection: &mut PgConnection,
    table: &str,
    column: &str,
    was: &str,
    becomes: &str,
) -> Result<(), Failure> {
    let name = quoted(column);
    // `'{}'` is a path in some of them, so that only what is not quoted is the column.
    let filled = |template: &str| {
        template
            .replace("'{}'", "\u{1}")
            .replace("{}", &name)
            .replace('\u{1}', "'{}'")
    };
    let using = match conversion(was, becomes) {
        Conversion::Lossless(template) if becomes == "numeric" => {
            format!("({})::numeric", filled(template))
        }
        Conversion::Lossless(template) => filled(template),
        Conversion::Text(template) => {
            let text = filled(template);
            // Only a function can catch what a cast refuses.
            execute(
                connection,
                format!(
                    "CREATE OR REPLACE FUNCTION pg_temp._airbyte_cast(value text, shape {becomes}) \
                     RETURNS {becomes} LANGUAGE plpgsql AS $$ BEGIN RETURN value::{becomes}; \
                     EXCEPTION WHEN data_exception THEN RETURN NULL; END $$"
                ),
            )
            .await?;
            let cast = format!("pg_temp._airbyte_cast({text}, NULL::{becomes})");
            let change = serde_json::json!([{
                "field": column, "change": "NULLED", "reason": "DESTINATION_TYPECAST_ERROR",
            }]);
            let change = literal(&change.to_string());
            execute(
                connection,
                format!(
                    "UPDATE {table} SET \"_airbyte_meta\" = jsonb_set(\"_airbyte_meta\", '{{changes}}', \
                     coalesce(\"_airbyte_meta\" -> 'changes', '[]') || {change}::jsonb) \
                     WHERE {name} IS NOT NULL AND {cast} IS NULL"
                ),
            )
            .await?;
            cast
        }
    };
    let sql = format!("ALTER TABLE {table} ALTER COLUMN {name} TYPE {becomes} USING {using}");
    let altered = execute(connection, sql).await;
    altered.map_err(|failure| {
        let message = format!(
            "column {column} of {table} is {was} and has to become {becomes}: {}",
            failure.message
        );
        let mut explained = Failure::config(message);
        explained.kind = failure.kind;
        explained
    })
}
