//! The sources of settings, and the parsing of single values, collecting all faults.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use contracts::DriftPolicy;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;
use uuid::Uuid;

use crate::airbyte_urls::AirbyteUrls;
use crate::database_url::DatabaseTarget;
use crate::drift_policy;
use crate::{AirbyteSettings, Error, Fault, files, variables};

/// Settings files in the working directory; later ones take precedence.
pub(super) const SETTINGS_FILES: [&str; 2] = ["aam.toml", ".env"];

/// The merged variables of a process.
#[derive(Clone)]
pub struct Source {
    values: BTreeMap<String, String>,
    working_directory: PathBuf,
}

impl Source {
    /// Contains only the given variables.
    pub fn of(
        values: impl IntoIterator<Item = (String, String)>,
        working_directory: PathBuf,
    ) -> Self {
        let values = values
            .into_iter()
            .map(|(name, value)| (name.to_lowercase(), value))
            .collect();
        Self {
            values,
            working_directory,
        }
    }

    /// `aam.toml`, `.env` and the environment of this process; later ones take precedence.
    ///
    /// # Errors
    /// Returns an error if a file exists but cannot be read.
    pub fn process() -> Result<Self, Error> {
        let working_directory =
            std::env::current_dir().map_err(|error| Error::Unreadable(error.to_string()))?;
        let [toml, dotenv] = SETTINGS_FILES.map(|name| working_directory.join(name));
        let mut values = files::toml(&toml)?;
        values.extend(files::dotenv(&dotenv)?);
        for (name, value) in std::env::vars_os() {
            if let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) {
                values.insert(name.to_lowercase(), value);
            }
        }
        Ok(Self {
            values,
            working_directory,
        })
    }

    /// Overrides some variables, as flags do.
    #[must_use]
    pub fn with(mut self, overrides: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        self.values.extend(
            overrides
                .into_iter()
                .map(|(name, value)| (name.to_lowercase(), value)),
        );
        self
    }

    /// The directory that relative paths start from.
    pub fn working_directory(&self) -> &Path {
        &self.working_directory
    }

    /// A trimmed value; an empty one counts as absent.
    pub fn get(&self, variable: &str) -> Option<&str> {
        let value = self.values.get(&variable.to_lowercase())?.trim();
        (!value.is_empty()).then_some(value)
    }

    pub(super) fn reader(&self) -> Reader<'_> {
        Reader {
            source: self,
            faults: Vec::new(),
        }
    }
}

/// Parses values and collects faults.
pub(super) struct Reader<'a> {
    source: &'a Source,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    pub(super) fn fault(&mut self, variable: &'static str, problem: impl Into<String>) {
        let example = variables::example(variable);
        self.faults.push(Fault {
            variable,
            problem: problem.into(),
            example,
        });
    }

    pub(super) fn finish(self) -> Result<(), Error> {
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(Error::Invalid(self.faults))
        }
    }

    pub(super) fn text(&self, variable: &'static str) -> Option<String> {
        self.source.get(variable).map(str::to_owned)
    }

    pub(super) fn list(&self, variable: &'static str) -> Vec<String> {
        self.source
            .get(variable)
            .map(|text| {
                text.split(',')
                    .map(|item| item.trim().to_lowercase())
                    .filter(|i| !i.is_empty())
                    .collect()
            })
            .unwrap_or_default()
    }

    /// Reads a secret that would otherwise be replaced by a default: an empty file is an error.
    pub(super) fn key(&mut self, variable: &'static str) -> Option<SecretString> {
        let secret = self.secret(variable);
        if secret.is_none()
            && self.source.get(&format!("{variable}_FILE")).is_some()
            && !self.faults.iter().any(|fault| fault.variable == variable)
        {
            self.fault(variable, format!("{variable}_FILE names an empty file"));
        }
        secret
    }

    /// Reads a secret: the variable itself, else the content of the file that its `_FILE`
    /// counterpart names.
    pub(super) fn secret(&mut self, variable: &'static str) -> Option<SecretString> {
        debug_assert!(variables::SECRETS.contains(&variable), "{variable}");
        if let Some(value) = self.source.get(variable) {
            return Some(value.to_owned().into());
        }
        let path = self.source.get(&format!("{variable}_FILE"))?.to_owned();
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(text.trim().to_owned())
                .filter(|text| !text.is_empty())
                .map(Into::into),
            Err(error) => {
                self.fault(
                    variable,
                    format!("{variable}_FILE names {path}, which cannot be read: {error}"),
                );
                None
            }
        }
    }

    pub(super) fn optional_choice<T: Copy>(
        &mut self,
        variable: &'static str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(variable)?;
        let found = choices
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(&text));
        if found.is_none() {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            self.fault(
                variable,
                format!("`{text}` is not one of {}", names.join(", ")),
            );
        }
        found.map(|(_, value)| *value)
    }

    pub(super) fn choice<T: Copy>(
        &mut self,
        variable: &'static str,
        choices: &[(&str, T)],
        default: T,
    ) -> T {
        self.optional_choice(variable, choices).unwrap_or(default)
    }

    pub(super) fn port(&mut self, variable: &'static str, default: u16) -> u16 {
        let Some(text) = self.text(variable) else {
            return default;
        };
        text.parse().unwrap_or_else(|_| {
            self.fault(variable, format!("`{text}` is not a port (0 to 65535)"));
            default
        })
    }

    /// A whole number of seconds within bounds.
    pub(super) fn seconds(
        &mut self,
        variable: &'static str,
        bounds: std::ops::RangeInclusive<u64>,
        default: u64,
    ) -> Duration {
        let Some(text) = self.text(variable) else {
            return Duration::from_secs(default);
        };
        match text.parse() {
            Ok(seconds) if bounds.contains(&seconds) => Duration::from_secs(seconds),
            _ => {
                let (least, most) = (bounds.start(), bounds.end());
                let problem = format!("`{text}` is not a number of seconds from {least} to {most}");
                self.fault(variable, problem);
                Duration::from_secs(default)
            }
        }
    }

    /// An http or https URL.
    pub(super) fn web_url(&mut self, variable: &'static str) -> Option<Url> {
        self.url(variable)
    }

    fn url(&mut self, variable: &'static str) -> Option<Url> {
        let text = self.text(variable)?;
        match Url::parse(&text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Some(url),
            Ok(_) => {
                self.fault(variable, format!("`{text}` is not an http or https URL"));
                None
            }
            Err(error) => {
                self.fault(variable, format!("`{text}` is not a URL: {error}"));
                None
            }
        }
    }

    pub(super) fn service_url(&mut self, variable: &'static str, port: u16) -> Url {
        self.url(variable).unwrap_or_else(|| loopback(port))
    }

    /// Reads a proxy's URL, which may contain a password and is never shown.
    fn proxy(&mut self, variable: &'static str) -> Option<SecretString> {
        let text = self.secret(variable)?;
        let url = Url::parse(text.expose_secret());
        if url.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            return Some(text);
        }
        self.fault(variable, "is not an http or https URL");
        None
    }

    fn id(&mut self, variable: &'static str) -> Option<Uuid> {
        let text = self.text(variable)?;
        let id = Uuid::parse_str(&text).ok();
        if id.is_none() {
            self.fault(variable, format!("`{text}` is not a UUID"));
        }
        id
    }

    pub(super) fn drift_policy(&mut self) -> DriftPolicy {
        let Some(given) = self.text(variables::AAM_DRIFT_POLICY) else {
            return DriftPolicy::default();
        };
        let read = drift_policy::read(&given, self.source.working_directory());
        read.unwrap_or_else(|error| {
            let problem = context::error_chain(&error);
            self.fault(variables::AAM_DRIFT_POLICY, problem);
            DriftPolicy::default()
        })
    }

    pub(super) fn database(&mut self, variables: &[&'static str]) -> Option<DatabaseTarget> {
        let variable = *variables.iter().find(|name| {
            self.source.get(name).is_some() || self.source.get(&format!("{name}_FILE")).is_some()
        })?;
        let text = self.key(variable)?;
        match DatabaseTarget::parse(&text, self.source.working_directory()) {
            Ok(target) => Some(target),
            Err(error) => {
                self.fault(variable, error.to_string());
                None
            }
        }
    }

    pub(super) fn airbyte(&mut self, embedded_port: u16) -> AirbyteSettings {
        let variable = if self.source.get(variables::AIRBYTE_API_URL).is_some() {
            variables::AIRBYTE_API_URL
        } else {
            variables::AIRBYTE_BASE_URL
        };
        let embedded = self.source.get(variable).is_none();
        let config = self.url(variables::AIRBYTE_CONFIG_API_URL);
        let embedded_urls = AirbyteUrls::of_instance(&loopback(embedded_port));
        let urls = match self.url(variable) {
            None => embedded_urls,
            Some(given) => AirbyteUrls::derive(&given, config).unwrap_or_else(|| {
                self.fault(
                    variables::AIRBYTE_CONFIG_API_URL,
                    format!(
                        "is required: it cannot be derived from {variable}={given}, which does \
                         not end in /api/public/v1"
                    ),
                );
                embedded_urls
            }),
        };
        let client_id = self.text(variables::AIRBYTE_CLIENT_ID);
        let client_secret = self.secret(variables::AIRBYTE_CLIENT_SECRET);
        if client_id.is_some() != client_secret.is_some() {
            let missing = if client_id.is_some() {
                variables::AIRBYTE_CLIENT_SECRET
            } else {
                variables::AIRBYTE_CLIENT_ID
            };
            self.fault(
                missing,
                "the client id and the client secret must be set together; this one is unset",
            );
        }
        AirbyteSettings {
            urls,
            embedded,
            proxy: self.proxy(variables::AIRBYTE_PROXY_URL),
            client_id,
            client_secret,
            workspace_id: self.id(variables::AIRBYTE_WORKSPACE_ID),
            destination_id: self.id(variables::AIRBYTE_DESTINATION_ID),
        }
    }
}

fn loopback(port: u16) -> Url {
    Url::parse(&format!("http://127.0.0.1:{port}"))
        .expect("a loopback address and a port make a URL")
}
