//! `aam credentials`.

use std::io::Read as _;
use std::process::ExitCode;

use anyhow::Context as _;
use contracts::CredentialMetadata;
use reqwest::Method;
use serde_json::{Map, Value, json};
use settings::Settings;

use crate::client::{Client, path_to};
use crate::output::outln;
use crate::output::{self, Format};

/// Stores, lists and removes credentials.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Stores a credential. Reads its secret members from a file or stdin, never from the command
    /// line.
    Put {
        /// Its id.
        id: String,
        /// The source type that it may be used for.
        #[arg(long = "source-type", short = 't')]
        source_type: String,
        /// A file with the secret members as a JSON object; `-` reads stdin.
        #[arg(long, default_value = "-")]
        secret_file: String,
        /// The other members as a JSON object.
        #[arg(long)]
        config: Option<String>,
    },
    /// Lists all credentials, with masked secrets.
    List,
    /// Removes a credential.
    Rm {
        /// Its id.
        id: String,
    },
}

pub(crate) async fn run(
    settings: &Settings,
    format: Format,
    command: Command,
) -> anyhow::Result<ExitCode> {
    let client = Client::auth_broker(settings)?;
    match command {
        Command::Put {
            id,
            source_type,
            secret_file,
            config,
        } => {
            let secret = read(&secret_file)?;
            let secret: Map<String, Value> =
                serde_json::from_str(&secret).context("the secret is not a JSON object")?;
            let config: Map<String, Value> = match config {
                Some(text) => {
                    serde_json::from_str(&text).context("--config is not a JSON object")?
                }
                None => Map::new(),
            };
            let body = json!({
                "source_type": source_type, "kind": "raw", "secret": secret, "config": config,
            });
            let stored: CredentialMetadata = client
                .call(Method::PUT, &path_to("credentials", &id), Some(&body))
                .await?;
            match format {
                Format::Json => output::json(&stored)?,
                Format::Table => outln!(
                    "Stored credential {} for {}.",
                    stored.credential_id,
                    stored.source_type
                ),
            }
        }
        Command::List => {
            let all: Vec<CredentialMetadata> = client.get("/credentials").await?;
            match format {
                Format::Json => output::json(&all)?,
                Format::Table if all.is_empty() => {
                    outln!("No credentials yet; `aam credentials put` stores one.");
                }
                Format::Table => output::table(
                    ["ID", "SOURCE", "FROM", "MEMBERS"],
                    all.into_iter().map(|credential| {
                        let members: Vec<_> = credential.configuration.keys().cloned().collect();
                        [
                            credential.credential_id,
                            credential.source_type,
                            credential.origin,
                            members.join(", "),
                        ]
                    }),
                ),
            }
        }
        Command::Rm { id } => {
            client
                .call::<Value>(Method::DELETE, &path_to("credentials", &id), None::<&()>)
                .await?;
            match format {
                Format::Json => output::json(&json!({"credential_id": id, "removed": true}))?,
                Format::Table => outln!("Removed credential {id}."),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &str) -> anyhow::Result<String> {
    if path == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("reading stdin")?;
        return Ok(text);
    }
    std::fs::read_to_string(path).with_context(|| format!("reading {path}"))
}
