//! Connector specifications: read from each connector once and kept by version.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use airbyte_protocol::{ConnectorSpecification, DestinationSyncMode};
use sea_orm::{ActiveModelTrait, EntityTrait, Set};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::connector::command::{self, Verb};
use crate::connector::python;
use crate::definitions::{Definition, Launch};
use crate::engine::Engine;
use crate::fault::{Fault, stored, to_json};
use crate::secrets::Redactor;
use crate::store::entities::spec;

/// A connector's specification, read.
pub(crate) struct Spec {
    pub(crate) message: ConnectorSpecification,
    pub(crate) schema: Value,
    validator: jsonschema::Validator,
}

/// Specifications in memory. Each connector is asked by one caller at a time, so that it starts, or
/// is installed, only once.
#[derive(Default)]
pub(crate) struct Specs {
    known: std::sync::Mutex<HashMap<Uuid, Arc<Known>>>,
}

/// A connector's version and its specification.
type Known = Mutex<Option<(String, Arc<Spec>)>>;

impl Specs {
    fn of(&self, definition: Uuid) -> Arc<Known> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(definition).or_default().clone()
    }
}

impl Spec {
    fn new(message: ConnectorSpecification) -> Result<Self, Fault> {
        let schema: Value = stored("specification", message.connection_specification.get())?;
        let validator = jsonschema::validator_for(&schema).map_err(|error| {
            Fault::Unexpected(format!(
                "the connector's specification is not a valid JSON schema: {}",
                error.masked()
            ))
        })?;
        Ok(Self {
            message,
            schema,
            validator,
        })
    }

    /// Refuses a configuration that breaks the schema, naming every field and no value.
    pub(crate) fn validate(&self, configuration: &Value) -> Result<(), Fault> {
        let faults: Vec<String> = self
            .validator
            .iter_errors(configuration)
            .map(|error| {
                let at = error.instance_path().to_string().replace('/', ".");
                format!("${at}: {}", error.masked())
            })
            .collect();
        if faults.is_empty() {
            return Ok(());
        }
        Err(Fault::Unprocessable(format!(
            "json schema validation failed when comparing the data to the json schema. Errors: {}",
            faults.join(", ")
        )))
    }

    /// Write modes that a connection may choose, `overwrite_dedup` included where the platform
    /// adds it.
    pub(crate) fn destination_modes(&self, supports_refreshes: bool) -> Vec<DestinationSyncMode> {
        use DestinationSyncMode::{AppendDedup, Overwrite, OverwriteDedup};
        let mut modes = self.message.supported_destination_sync_modes.clone();
        let both = modes.contains(&AppendDedup) && modes.contains(&Overwrite);
        if supports_refreshes && both && !modes.contains(&OverwriteDedup) {
            modes.push(OverwriteDedup);
        }
        modes
    }
}

/// The specification that a declarative source's manifest holds; without one it takes no
/// configuration.
fn of_manifest(manifest: &Value) -> Result<ConnectorSpecification, Fault> {
    let spec = &manifest["spec"];
    let schema = spec.get("connection_specification").cloned();
    let schema = schema.unwrap_or_else(|| json!({"type": "object", "properties": {}}));
    let message = json!({"connectionSpecification": schema,
        "documentationUrl": spec["documentation_url"], "advanced_auth": spec["advanced_auth"]});
    serde_json::from_str(&message.to_string()).map_err(|error| {
        Fault::Unprocessable(format!("the manifest's spec cannot be used: {error}"))
    })
}

impl Engine {
    /// A connector's specification, by running `spec` when this version was not seen before.
    pub(crate) async fn spec(&self, definition: &Definition) -> Result<Arc<Spec>, Fault> {
        if let Some(manifest) = definition.manifest() {
            return Ok(Arc::new(Spec::new(of_manifest(&manifest.content)?)?));
        }
        let version = format!("{} {}", definition.version, definition.launch.fingerprint());
        let known = self.specs.of(definition.id);
        let mut known = known.lock().await;
        if let Some((of, spec)) = known.as_ref()
            && *of == version
        {
            return Ok(spec.clone());
        }
        let key = (definition.id, version.clone());
        let row = spec::Entity::find_by_id(key).one(self.store.read()).await?;
        let message: ConnectorSpecification = match row {
            Some(row) => stored("specification", &row.spec)?,
            None => {
                let message = self.ask_for_spec(definition).await?;
                let transaction = self.store.write().await?;
                spec::ActiveModel {
                    definition_id: Set(definition.id),
                    version: Set(version.clone()),
                    spec: Set(to_json(&message)),
                }
                .insert(&transaction)
                .await?;
                transaction.commit().await?;
                message
            }
        };
        let spec = Arc::new(Spec::new(message)?);
        *known = Some((version, spec.clone()));
        Ok(spec)
    }

    async fn ask_for_spec(&self, definition: &Definition) -> Result<ConnectorSpecification, Fault> {
        // Installing a connector takes minutes, which is too long to wait for a form.
        if let Launch::Python(package) = &definition.launch
            && let Some(specification) = python::shipped(package)
        {
            return Ok(specification);
        }
        let finished = command::run(
            &self.runner,
            definition,
            Verb::Spec,
            None,
            &Redactor::default(),
            self.timing.command,
        )
        .await
        .map_err(|source| Fault::File {
            path: definition.launch.path(),
            source,
        })?;
        let result = finished.result.map_err(|failure| {
            Fault::Unexpected(format!(
                "Something went wrong in the connector {}: {}",
                definition.name, failure.external_message
            ))
        })?;
        serde_json::from_str(result.get()).map_err(|error| {
            Fault::Unexpected(format!(
                "the connector {} answered no usable specification: {error}",
                definition.name
            ))
        })
    }
}
