//! `aam datasource` and `aam sink`, which share their implementation.

use std::process::ExitCode;

use anyhow::Context as _;
use contracts::{ConnectorTypes, OperationView};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use settings::Settings;
use uuid::Uuid;

use super::query;
use crate::client::Client;
use crate::commands::configuration::Configuration;
use crate::output::outln;
use crate::output::{self, Format};

/// Datasource or sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noun {
    Datasource,
    Sink,
}

impl Noun {
    fn as_str(self) -> &'static str {
        match self {
            Self::Datasource => "datasource",
            Self::Sink => "sink",
        }
    }
}

/// Creates, lists, shows and removes them.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Creates one; its connector checks the configuration first.
    Create {
        /// Its name.
        name: String,
        /// Its connector, for example `mysql` or `s3`.
        #[arg(long = "type", short = 't')]
        kind: String,
        #[command(flatten)]
        config: Configuration,
        /// Skips the connection check.
        #[arg(long)]
        no_check: bool,
        /// A workspace, by id or name; default: the only one.
        #[arg(long)]
        workspace: Option<String>,
    },
    /// Lists them.
    List {
        /// Only those of this connector.
        #[arg(long = "type", short = 't')]
        kind: Option<String>,
    },
    /// Shows one with its configuration; secrets are masked.
    Show {
        /// Its id or name.
        endpoint: String,
    },
    /// Removes one that no ingestion uses.
    Delete {
        /// Its id or name.
        endpoint: String,
    },
    /// Lists the available connectors, or shows the configuration of one.
    Types {
        /// A connector, for example `mysql`.
        kind: Option<String>,
    },
}

/// An entry of either list.
#[derive(Debug, Deserialize)]
struct Item {
    #[serde(alias = "sourceId", alias = "destinationId")]
    id: Uuid,
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Deserialize)]
struct List {
    #[serde(alias = "sources", alias = "destinations")]
    items: Vec<Item>,
}

pub(crate) async fn run(
    settings: &Settings,
    format: Format,
    noun: Noun,
    command: Command,
) -> anyhow::Result<ExitCode> {
    let client = Client::orchestrator(settings)?;
    let base = format!("/{}", noun.as_str());
    match command {
        Command::Create {
            name,
            kind,
            config,
            no_check,
            workspace,
        } => {
            let mut body = json!({"name": name, "type": kind, "config": config.read()?});
            if let Some(workspace) = workspace {
                body["workspace"] = workspace.into();
            }
            let path = query(&base, &[("check", no_check.then_some("false"))]);
            let made: Value = client.post(&path, &body).await?;
            match format {
                Format::Json => output::json(&made)?,
                Format::Table => outln!(
                    "{name} is created: {}",
                    made["id"].as_str().unwrap_or_default()
                ),
            }
        }
        Command::List { kind } => {
            let path = query(&base, &[("type", kind.as_deref())]);
            let listed: Value = client.get(&path).await?;
            list(format, noun, listed)?;
        }
        Command::Show { endpoint } => {
            let id = find(&client, noun, &endpoint).await?;
            let shown: Value = client.get(&format!("{base}/{id}")).await?;
            show(format, &shown)?;
        }
        Command::Delete { endpoint } => {
            let id = find(&client, noun, &endpoint).await?;
            let path = format!("{base}/{id}");
            let goes_on: Option<OperationView> =
                client.call(Method::DELETE, &path, None::<&()>).await?;
            match (goes_on, format) {
                (Some(operation), Format::Json) => output::json(&operation)?,
                (Some(operation), Format::Table) => outln!(
                    "Airbyte cannot be reached; the removal continues in the background: aam \
                     operations {} --watch",
                    operation.id
                ),
                (None, Format::Table) => outln!("Removed {endpoint}."),
                (None, Format::Json) => {}
            }
        }
        Command::Types { kind } => types(&client, format, &base, kind.as_deref()).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(format: Format, noun: Noun, listed: Value) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(&listed);
    }
    let list: List = serde_json::from_value(listed).context("reading the response")?;
    if list.items.is_empty() {
        let noun = noun.as_str();
        outln!("No {noun}s yet; `aam {noun} create` creates one.");
        return Ok(());
    }
    output::table(
        ["ID", "NAME", "TYPE"],
        list.items
            .into_iter()
            .map(|item| [item.id.to_string(), item.name, item.kind]),
    );
    Ok(())
}

fn show(format: Format, shown: &Value) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(shown);
    }
    let text = |member: &str| shown[member].as_str().unwrap_or_default();
    outln!("{} ({}): {}", text("name"), text("type"), text("id"));
    let members = shown["config"].as_object().into_iter().flatten();
    output::table(
        ["CONFIGURATION", ""],
        members.map(|(name, value)| {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            [name.clone(), value]
        }),
    );
    Ok(())
}

async fn types(
    client: &Client,
    format: Format,
    base: &str,
    kind: Option<&str>,
) -> anyhow::Result<()> {
    let path = format!("{base}/types");
    let path = query(&path, &[("type", kind), ("schema", kind.map(|_| "true"))]);
    let answer: ConnectorTypes = client.get(&path).await?;
    if format == Format::Json {
        return output::json(&answer);
    }
    let Some(one) = answer.types.first().filter(|_| kind.is_some()) else {
        output::table(
            ["TYPE", "NAME", "CONFIGURED BY"],
            answer.types.into_iter().map(|one| {
                let by = match one.fields {
                    Some(_) => "short fields",
                    None => "connector's own",
                };
                [one.name, one.title, by.to_owned()]
            }),
        );
        return Ok(());
    };
    outln!(
        "{}: {}, {}:{}",
        one.name,
        one.title,
        one.docker_repository,
        one.docker_image_tag
    );
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let marked = |field: &Value, member: &str| {
        let is_set = field[member].as_bool().unwrap_or(false);
        if is_set {
            member.to_owned()
        } else {
            String::new()
        }
    };
    if let Some(fields) = one.fields.as_ref().and_then(Value::as_array) {
        output::table(
            ["FIELD", "TYPE", "", "", "DEFAULT", "WHAT FOR"],
            fields.iter().map(|field| {
                [
                    text(&field["name"]),
                    text(&field["type"]),
                    marked(field, "required"),
                    marked(field, "secret"),
                    text(&field["default"]),
                    text(&field["description"]),
                ]
            }),
        );
        outln!();
        outln!("The connector's own fields are accepted too:");
    }
    let schema = one.schema.as_ref().unwrap_or(&Value::Null);
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let properties = schema["properties"].as_object().into_iter().flatten();
    output::table(
        ["OWN FIELD", "TYPE", "", "WHAT FOR"],
        properties.map(|(name, property)| {
            let is_required = required.iter().any(|one| one == name.as_str());
            [
                name.clone(),
                text(&property["type"]),
                if is_required { "required" } else { "" }.to_owned(),
                text(&property["title"]),
            ]
        }),
    );
    Ok(())
}

/// Finds the id of a datasource or sink by id or name.
pub(super) async fn find(client: &Client, noun: Noun, text: &str) -> anyhow::Result<Uuid> {
    if let Ok(id) = Uuid::parse_str(text) {
        return Ok(id);
    }
    let noun = noun.as_str();
    let path = query(&format!("/{noun}"), &[("name", Some(text))]);
    let list: List = client.get(&path).await?;
    match list.items.as_slice() {
        [only] => Ok(only.id),
        [] => anyhow::bail!("no {noun} is named `{text}`; `aam {noun} list` lists them"),
        several => {
            let ids: Vec<String> = several.iter().map(|item| item.id.to_string()).collect();
            anyhow::bail!(
                "{} {noun}s are named `{text}`; choose one by its id: {}",
                several.len(),
                ids.join(", ")
            )
        }
    }
}
