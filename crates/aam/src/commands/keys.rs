//! `aam keys`.

use std::process::ExitCode;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use contracts::{KeyCreated, KeyRequest, KeyView, Role};
use reqwest::Method;
use serde_json::{Value, json};
use shared::settings::Settings;

use crate::client::{Client, path_to};
use crate::output::{self, Format};

/// Makes, lists and revokes API keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Makes one and prints it, once.
    Create {
        /// What it is called in the audit log, for instance whose it is.
        name: String,
        /// What its holder may do.
        #[arg(long, value_enum)]
        role: Grant,
        /// When it ends by itself: after days or hours (`30d`, `12h`), or a time (RFC 3339).
        #[arg(long)]
        expires: Option<String>,
    },
    /// Lists all, revoked ones too.
    List,
    /// Revokes one; services notice within 5 s.
    Revoke {
        /// Its id or its name.
        key: String,
    },
}

/// What the holder of a key may do.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Grant {
    /// Reads.
    Viewer,
    /// Also onboards, syncs, heals, changes and deletes connections.
    Operator,
    /// Also keys, credentials and the audit log.
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
                    println!("{}", made.key);
                    eprintln!(
                        "Keep it now: it is not shown again. It is `{}` with the role {}; AAM_API_KEY is where `aam` looks for it.",
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
                    println!("No keys yet; `aam keys create` makes one.");
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
                .with_context(|| format!("no key is called `{key}`; `aam keys list` lists them"))?;
            let path = path_to("keys", &found.id.to_string());
            client
                .call::<Value>(Method::DELETE, &path, None::<&()>)
                .await?;
            match format {
                Format::Json => output::json(&json!({"id": found.id, "revoked": true}))?,
                Format::Table => println!("Revoked key {} ({}).", found.name, found.prefix),
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
                (None, None) => "in force".to_owned(),
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
            format!("--expires {text}: give days or hours (`30d`, `12h`) or a time like 2027-01-01T00:00:00Z")
        })
}
