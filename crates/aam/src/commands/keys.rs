//! `aam keys`.

use std::process::ExitCode;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use contracts::{KeyCreated, KeyRequest, KeyView, Role};
use reqwest::Method;
use serde_json::{Value, json};
use settings::Settings;

use crate::client::{Client, path_to};
use crate::output::outln;
use crate::output::{self, Format};

/// Creates, lists and revokes API keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Creates a key and prints it, once.
    Create {
        /// Its name in the audit log, for example its owner's.
        name: String,
        /// What the key permits.
        #[arg(long, value_enum)]
        role: Grant,
        /// When it expires: after days or hours (`30d`, `12h`), or at a time (RFC 3339).
        #[arg(long)]
        expires: Option<String>,
    },
    /// Lists all keys, including revoked ones.
    List,
    /// Revokes a key; services notice within 5 s.
    Revoke {
        /// Its id or its name.
        key: String,
    },
}

/// What a key permits.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Grant {
    /// Reads.
    Viewer,
    /// Also onboards, syncs, heals, changes and deletes connections.
    Operator,
    /// Also manages keys and credentials and reads the audit log.
    Admin,
}

impl From<Grant> for Role {
    fn from(grant: Grant) -> Self {
        match grant {
            Grant::Viewer => Self::Viewer,
            Grant::Operator => Self::Operator,
            Grant::Admin => Self::Admin,
        }
    }
}

pub(crate) async fn run(
    settings: &Settings,
    format: Format,
    command: Command,
) -> anyhow::Result<ExitCode> {
    let client = Client::orchestrator(settings)?;
    match command {
        Command::Create {
            name,
            role,
            expires,
        } => {
            let expires_at = expires.as_deref().map(end).transpose()?;
            let body = KeyRequest {
                name,
                role: role.into(),
                expires_at,
            };
            let made: KeyCreated = client.post("/keys", &body).await?;
            match format {
                Format::Json => output::json(&made)?,
                Format::Table => {
                    outln!("{}", made.key);
                    eprintln!(
                        "Store it now: it is not shown again. The key is named `{}` and has the \
                         role {}; `aam` reads its key from AAM_API_KEY.",
                        made.view.name,
                        made.view.role.as_str()
                    );
                }
            }
        }
        Command::List => {
            let all: Vec<KeyView> = client.get("/keys").await?;
            match format {
                Format::Json => output::json(&all)?,
                Format::Table if all.is_empty() => {
                    outln!("No keys yet; `aam keys create` creates one.");
                }
                Format::Table => list(all),
            }
        }
        Command::Revoke { key } => {
            let all: Vec<KeyView> = client.get("/keys").await?;
            let found = all
                .into_iter()
                .filter(|view| view.id.to_string() == key || view.name == key)
                .min_by_key(|view| view.revoked_at.is_some())
                .with_context(|| format!("no key is named `{key}`; `aam keys list` lists them"))?;
            let path = path_to("keys", &found.id.to_string());
            client
                .call::<Value>(Method::DELETE, &path, None::<&()>)
                .await?;
            match format {
                Format::Json => output::json(&json!({"id": found.id, "revoked": true}))?,
                Format::Table => outln!("Revoked key {} ({}).", found.name, found.prefix),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(all: Vec<KeyView>) {
    output::table(
        ["ID", "NAME", "ROLE", "BEGINS", "LAST USED", "STATE"],
        all.into_iter().map(|key| {
            let state = match (key.revoked_at, key.expires_at) {
                (Some(at), _) => format!("revoked {}", output::time(at)),
                (None, Some(end)) if end <= Utc::now() => format!("expired {}", output::time(end)),
                (None, Some(end)) => format!("until {}", output::time(end)),
                (None, None) => "active".to_owned(),
            };
            [
                key.id.to_string(),
                key.name,
                key.role.as_str().to_owned(),
                key.prefix,
                key.last_used_at.map(output::time).unwrap_or_default(),
                state,
            ]
        }),
    );
}

fn end(text: &str) -> anyhow::Result<DateTime<Utc>> {
    let span = |unit: char, of: fn(i64) -> Option<TimeDelta>| {
        let number = text.strip_suffix(unit)?.parse().ok()?;
        Utc::now().checked_add_signed(of(number)?)
    };
    span('d', TimeDelta::try_days)
        .or_else(|| span('h', TimeDelta::try_hours))
        .or_else(|| text.parse().ok())
        .with_context(|| {
            format!(
                "--expires {text}: expected days or hours (`30d`, `12h`) or a time such as \
                 2027-01-01T00:00:00Z"
            )
        })
}
