//! Connectors for relational databases: their own names are short already, except for schemas and
//! for objects that only some versions require.

use super::ActorKind;
use super::table::{Added, Connector, Field, Scalar};

const HOST: Field =
    Field::text("host", &["host"], "Name or address of the database server.").required();
const DATABASE: Field = Field::text("database", &["database"], "Name of the database.").required();
const USERNAME: Field =
    Field::text("username", &["username"], "The user to connect as.").required();
const PASSWORD: Field = Field::text("password", &["password"], "The user's password.").secret();
const SCHEMA: Field = Field::text(
    "schema",
    &["schemas[]"],
    "The one schema to read; without it and `schemas`, the connector's default.",
);
const SCHEMAS: Field = Field::list(
    "schemas",
    &["schemas"],
    "The schemas to read, by their exact names.",
);

const fn port(default: i64) -> Field {
    Field::integer("port", &["port"], "Port of the database server.")
        .or(Scalar::Integer(default))
        .shown()
}

const fn by_cursor(constant: &'static str) -> Added {
    Added {
        at: "replication_method",
        tag: "method",
        constant,
    }
}

pub(super) static SOURCE_MYSQL: Connector = Connector {
    role: ActorKind::Source,
    type_name: "mysql",
    fields: &[HOST, port(3306), DATABASE, USERNAME, PASSWORD],
    added: &[by_cursor("STANDARD")],
    parts: None,
};

pub(super) static SOURCE_POSTGRES: Connector = Connector {
    role: ActorKind::Source,
    type_name: "postgres",
    fields: &[
        HOST,
        port(5432),
        DATABASE,
        SCHEMA,
        SCHEMAS,
        USERNAME,
        PASSWORD,
    ],
    added: &[
        by_cursor("Standard"),
        Added {
            at: "tunnel_method",
            tag: "tunnel_method",
            constant: "NO_TUNNEL",
        },
    ],
    parts: None,
};

pub(super) static SOURCE_MSSQL: Connector = Connector {
    role: ActorKind::Source,
    type_name: "mssql",
    fields: &[
        HOST,
        port(1433),
        DATABASE,
        SCHEMA,
        SCHEMAS,
        // Newer versions accept a service principal instead.
        Field::text("username", &["username"], "The user to connect as."),
        PASSWORD,
    ],
    added: &[by_cursor("STANDARD")],
    parts: None,
};

pub(super) static DESTINATION_POSTGRES: Connector = Connector {
    role: ActorKind::Destination,
    type_name: "postgres",
    fields: &[
        HOST,
        port(5432),
        DATABASE,
        Field::text(
            "schema",
            &["schema"],
            "The schema of streams that have no namespace.",
        )
        .or(Scalar::Text("public"))
        .shown(),
        USERNAME,
        PASSWORD,
    ],
    added: &[],
    parts: None,
};
