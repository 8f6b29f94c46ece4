//! The source's own part of the configuration.

use secrecy::SecretString;
use sqlx::PgConnection;

use crate::failure::Failure;
use crate::postgres::{Config, connect};
use crate::server::Settings;

/// How changes are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Replication {
    /// By a cursor that the connection chooses.
    Standard,
    /// By the numbers of transactions.
    Xmin,
    /// By the server's log.
    Cdc(Cdc),
}

/// Settings of logical replication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cdc {
    pub(super) slot: String,
    pub(super) publication: String,
    /// Whether everything is read again if the slot has lost changes; otherwise that is a failure.
    pub(super) resyncs: bool,
}

/// The source's settings.
pub(super) struct SourceSettings {
    config: Config,
    /// Names of the schemas to read; nothing means all.
    pub(super) schemas: Option<Vec<String>>,
    pub(super) replication: Replication,
}

impl SourceSettings {
    pub(super) fn parse(config: &SecretString) -> Result<Self, Failure> {
        let settings = Settings::parse(config)?;
        let replication = match settings.object("replication_method")? {
            None => Replication::Standard,
            Some(method) => match method.text("method")?.as_deref() {
                None | Some("Standard") => Replication::Standard,
                Some("Xmin") => Replication::Xmin,
                Some("CDC") => Replication::Cdc(cdc(&method)?),
                Some(_) => {
                    return Err(Failure::config(
                        "\"replication_method.method\" has to be Standard, Xmin or CDC",
                    ));
                }
            },
        };
        Ok(Self {
            config: Config::of(&settings)?,
            schemas: settings.texts("schemas")?,
            replication,
        })
    }

    /// Opens a session that cannot write.
    pub(super) async fn connect(&self) -> Result<PgConnection, Failure> {
        connect(&self.config, "SET default_transaction_read_only = on;").await
    }

    /// Opens a session that can move and copy slots.
    pub(super) async fn connect_writing(&self) -> Result<PgConnection, Failure> {
        connect(&self.config, "SET lc_monetary = 'C';").await
    }
}

fn cdc(method: &Settings) -> Result<Cdc, Failure> {
    let of = |name: &str| {
        method.text(name)?.ok_or_else(|| {
            Failure::config(format!(
                "the configuration needs \"replication_method.{name}\""
            ))
        })
    };
    let only = |name: &str, value: &str| match method.text(name)? {
        Some(given) if given != value => Err(Failure::config(format!(
            "\"replication_method.{name}\" can only be {value}"
        ))),
        _ => Ok(()),
    };
    only("plugin", "pgoutput")?;
    only(
        "lsn_commit_behaviour",
        "After loading Data in the destination",
    )?;
    let resyncs = match method
        .text("invalid_cdc_cursor_position_behavior")?
        .as_deref()
    {
        None | Some("Fail sync") => false,
        Some("Re-sync data") => true,
        Some(_) => {
            return Err(Failure::config(
                "\"replication_method.invalid_cdc_cursor_position_behavior\" has to be Fail sync or Re-sync data",
            ));
        }
    };
    Ok(Cdc {
        slot: of("replication_slot")?,
        publication: of("publication")?,
        resyncs,
    })
}
