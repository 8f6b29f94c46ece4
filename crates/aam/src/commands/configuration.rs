//! A connector's configuration on the command line.

use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::{Map, Value};

/// `--config` and `--set`.
#[derive(Debug, clap::Args)]
pub(crate) struct Configuration {
    /// The connector's configuration as JSON, or `@FILE`. Keep secrets in a credential, or at least
    /// in a file: the shell's history records the command line.
    #[arg(long)]
    config: Option<String>,
    /// Sets one member of the configuration; a value that is valid JSON is parsed as JSON.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
}

impl Configuration {
    /// Merges the options; `--set` takes precedence over `--config`.
    pub(crate) fn read(&self) -> anyhow::Result<Map<String, Value>> {
        let mut config: Map<String, Value> = match self.config.as_deref() {
            None => Map::new(),
            Some(text) => {
                let text = match text.strip_prefix('@') {
                    Some(path) => std::fs::read_to_string(PathBuf::from(path))
                        .with_context(|| format!("reading {path}"))?,
                    None => text.to_owned(),
                };
                serde_json::from_str(&text).context("--config is not a JSON object")?
            }
        };
        for pair in &self.set {
            let (name, value) = pair.split_once('=').context("--set requires NAME=VALUE")?;
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
            config.insert(name.to_owned(), value);
        }
        Ok(config)
    }
}
