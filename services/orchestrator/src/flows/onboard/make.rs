//! The steps of an onboarding. A step that another process started first checks whether its effect
//! was already applied.

use std::sync::Arc;

use crate::domain::schedule;
use catalog::SyncCatalog;
use contracts::{ErrorCode, FieldError, OnboardRequest, ScheduleType};
use operations::destination_streams;
use operations::steps::onboard as step;
use operations::{Step, StepOutput, StepRunner};
use redaction::Redactor;
use serde_json::Value;
use shared::airbyte::{self, ActorKind, ErrorKind};
use shared::registry::entities::operation_step;
use shared::registry::now;
use shared::registry::onboarding::Made;
use shared::registry::operations::Lease;
use shared::registry::status::StepStatus;
use shared::registry::versions::{NewVersion, Origin};
use uuid::Uuid;

use super::super::discover::{self, Offer};
use super::super::late_creates::{self, SETTLING};
use super::super::owned_objects::OwnedObjects;
use super::super::prepare::{Prepared, PreparedSource};
use super::InitialStatus;
use crate::domain::ownership_tag;
use crate::flows::Error;
use crate::state::State;

/// An onboarding that this process runs.
pub(super) struct Making<'a> {
    pub(super) state: &'a State,
    pub(super) lease: &'a Lease,
    /// Whether a create may still take effect although its object was not found.
    pub(super) uncertain: bool,
    /// Whether an earlier onboarding of the same connection failed.
    pub(super) again: bool,
    request: &'a OnboardRequest,
    prepared: &'a Prepared,
    initial_status: InitialStatus,
    /// The steps that a previous process recorded.
    earlier: &'a [operation_step::Model],
    mark: String,
}

impl<'a> Making<'a> {
    /// Starts a new onboarding.
    pub(super) fn begin(
        state: &'a State,
        request: &'a OnboardRequest,
        prepared: &'a Prepared,
        initial_status: InitialStatus,
        lease: &'a Lease,
    ) -> Self {
        Self::resume(state, request, prepared, initial_status, lease, &[])
    }

    /// Resumes the onboarding of another process.
    pub(super) fn resume(
        state: &'a State,
        request: &'a OnboardRequest,
        prepared: &'a Prepared,
        initial_status: InitialStatus,
        lease: &'a Lease,
        earlier: &'a [operation_step::Model],
    ) -> Self {
        Self {
            state,
            lease,
            uncertain: false,
            again: false,
            request,
            prepared,
            initial_status,
            earlier,
            mark: ownership_tag::of(state.installation, lease.connection_id),
        }
    }

    /// Whether the auth broker stores a part of the configuration.
    pub(super) fn is_sealed(&self) -> bool {
        let config = &self.request.source_config;
        config.as_ref().is_some_and(|map| !map.is_empty())
    }

    /// The redactor for the configuration's secrets.
    pub(super) fn redactor(&self) -> Arc<Redactor> {
        self.prepared.redactor.clone()
    }

    /// Deletes what an earlier onboarding of the same connection left behind.
    pub(super) async fn clear(&self) -> Result<(), Error> {
        let lasting = OwnedObjects {
            workspace: self.prepared.workspace_id,
            connection: self.lease.connection_id,
            name: &self.request.connection_name,
            keep: None,
        };
        lasting.remove(self.state).await?;
        Ok(())
    }

    /// Runs all steps, in order.
    pub(super) async fn make(&mut self, run: StepRunner<'_>) -> Result<(), Error> {
        let source_id = match &self.prepared.source {
            PreparedSource::Shared(id) => *id,
            PreparedSource::Own(configuration) => {
                let name = format!("{}{}", self.request.connection_name, self.mark);
                let create = self.create_source(&name, configuration);
                let created = run.step(step::CREATE_SOURCE, &name, create).await;
                self.settled(created)?
            }
        };
        let intent = source_id.to_string();
        run.step(step::CHECK_SOURCE, &intent, self.check(source_id))
            .await?;
        let offer = run
            .step(step::DISCOVER_SCHEMA, &intent, self.discover(source_id))
            .await?;
        discover::refuse_conflicts(
            self.state,
            self.request,
            self.prepared,
            &offer.catalog,
            None,
            |other| self.is_ours(other, source_id),
        )
        .await?;
        let create = self.create_connection(source_id, &offer.catalog);
        let created = run.step(step::CREATE_CONNECTION, &intent, create).await;
        let connection_id = self.settled(created)?;
        // Another onboarding may have passed the same check concurrently.
        discover::refuse_conflicts(
            self.state,
            self.request,
            self.prepared,
            &offer.catalog,
            Some(connection_id),
            |other| self.is_ours(other, source_id),
        )
        .await?;
        if let Some(schedule) = self.schedule()? {
            run.step(
                step::SET_SCHEDULE,
                &intent,
                self.set(connection_id, &schedule),
            )
            .await?;
        }
        let made = Made {
            source_id,
            connection_id,
            source_catalog_id: offer.catalog_id,
            status: self.initial_status.status(),
        };
        run.commit(step::COMMIT_VERSION, self.commit(made, &offer.catalog))
            .await
    }

    /// The created object; remembers whether a second one may still appear.
    fn settled(&mut self, created: Result<(Uuid, bool), Error>) -> Result<Uuid, Error> {
        match created {
            Ok((made, uncertain)) => {
                self.uncertain |= uncertain;
                Ok(made)
            }
            Err(error) => {
                self.uncertain |= error.is_ambiguous();
                Err(error)
            }
        }
    }

    /// Whether another process may have applied the step's effect.
    fn was_started(&self, step: Step) -> bool {
        self.earlier.iter().any(|earlier| {
            earlier.step == step.name
                && matches!(earlier.status, StepStatus::Intended | StepStatus::Done)
        })
    }

    async fn find_source(&self) -> Result<Option<Uuid>, airbyte::Error> {
        let workspace = Some(self.prepared.workspace_id);
        let sources = (self.state.airbyte).actor_list(ActorKind::Source, workspace);
        let ours = sources
            .await?
            .into_iter()
            .find(|source| source.name.ends_with(&self.mark));
        Ok(ours.map(|source| source.id))
    }

    /// Creates the source; returns whether a second one may still appear.
    async fn create_source(
        &self,
        name: &str,
        configuration: &Value,
    ) -> Result<StepOutput<(Uuid, bool)>, Error> {
        let started = self.was_started(step::CREATE_SOURCE);
        if started && let Some(found) = late_creates::look_for(|| self.find_source()).await? {
            return self.adopt(found, name, configuration).await;
        }
        let (airbyte, prepared) = (&self.state.airbyte, self.prepared);
        let created = airbyte
            .actor_create(
                ActorKind::Source,
                name,
                prepared.workspace_id,
                prepared.definition.id,
                configuration,
            )
            .await;
        match created {
            Ok(source) => Ok(StepOutput::with_reference((source.id, started), source.id)),
            // It may have been created anyway: then its tag identifies it as ours.
            Err(error) if error.is_ambiguous() => {
                match late_creates::look_for(|| self.find_source()).await? {
                    Some(found) => self.adopt(found, name, configuration).await,
                    None => Err(error.into()),
                }
            }
            Err(airbyte::Error {
                kind:
                    ErrorKind::Rejected {
                        status: 422,
                        message,
                        ..
                    },
                ..
            }) => Err(Error::fields(
                ErrorCode::SourceConfigInvalid,
                vec![FieldError {
                    field: "source_config".to_owned(),
                    message,
                }],
            )),
            Err(error) => Err(error.into()),
        }
    }

    /// Adopts a source with our tag. An earlier onboarding may have created it with another
    /// configuration.
    async fn adopt(
        &self,
        found: Uuid,
        name: &str,
        configuration: &Value,
    ) -> Result<StepOutput<(Uuid, bool)>, Error> {
        let airbyte = &self.state.airbyte;
        airbyte
            .actor_replace(ActorKind::Source, found, name, configuration)
            .await?;
        Ok(StepOutput::with_reference((found, false), found))
    }

    async fn check(&self, source_id: Uuid) -> Result<StepOutput<()>, Error> {
        let checked = self
            .state
            .airbyte
            .actor_check(ActorKind::Source, source_id)
            .await;
        checked.map_err(|error| match error.kind {
            ErrorKind::Connector { ref message, .. } => {
                Error::refused(ErrorCode::SourceCheckFailed, message.clone())
            }
            _ => discover::deleted_meanwhile(error, "source_id"),
        })?;
        Ok(StepOutput::new(()))
    }

    async fn discover(&self, source_id: Uuid) -> Result<StepOutput<Offer>, Error> {
        let offer = discover::offer(self.state, self.request, self.prepared, source_id).await?;
        Ok(StepOutput::new(offer))
    }

    /// A connection is identified by its source, if that is ours only, otherwise by the tag in its
    /// name.
    fn is_ours(&self, found: &airbyte::types::Connection, source_id: Uuid) -> bool {
        found.source_id == source_id
            && (self.prepared.shared_source().is_none() || found.name.ends_with(&self.mark))
    }

    async fn connection_of(&self, source_id: Uuid) -> Result<Option<Uuid>, airbyte::Error> {
        let all = self
            .state
            .airbyte
            .connection_list(self.prepared.workspace_id);
        let ours = all
            .await?
            .into_iter()
            .find(|found| self.is_ours(found, source_id) && found.status != "deprecated");
        Ok(ours.map(|found| found.connection_id))
    }

    /// Creates the connection; returns whether a second one may still appear.
    async fn create_connection(
        &self,
        source_id: Uuid,
        catalog: &SyncCatalog,
    ) -> Result<StepOutput<(Uuid, bool)>, Error> {
        let started = self.was_started(step::CREATE_CONNECTION);
        if started
            && let Some(found) = late_creates::look_for(|| self.connection_of(source_id)).await?
        {
            return Ok(StepOutput::with_reference((found, false), found));
        }
        let naming = discover::naming(self.request);
        let new = airbyte::NewConnection {
            name: match self.prepared.source {
                PreparedSource::Own(_) => self.request.connection_name.clone(),
                PreparedSource::Shared(_) => {
                    format!("{}{}", self.request.connection_name, self.mark)
                }
            },
            status: self.initial_status.as_airbyte(),
            source_id,
            destination_id: self.prepared.destination_id,
            configurations: airbyte::Configurations {
                streams: catalog.to_public_streams(),
            },
            namespace_definition: naming.definition.as_str().to_owned(),
            namespace_format: naming.format,
            prefix: Some(naming.prefix).filter(|prefix| !prefix.is_empty()),
        };
        match self.state.airbyte.connection_create(&new).await {
            Ok(made) => Ok(StepOutput::with_reference(
                (made.connection_id, started),
                made.connection_id,
            )),
            Err(error) if error.is_ambiguous() => {
                match late_creates::look_for(|| self.connection_of(source_id)).await? {
                    Some(found) => Ok(StepOutput::with_reference((found, false), found)),
                    None => Err(error.into()),
                }
            }
            Err(airbyte::Error {
                kind:
                    ErrorKind::Rejected {
                        problem, message, ..
                    },
                ..
            }) if problem == "connection-conflicting-destination-stream" => {
                Err(destination_streams::conflict(&message))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The schedule, if Airbyte is to run it.
    fn schedule(&self) -> Result<Option<schedule::Parsed>, Error> {
        let given = self.request.schedule.as_ref();
        let Some(given) = given.filter(|given| given.kind != ScheduleType::Manual) else {
            return Ok(None);
        };
        let parsed = schedule::parse(given);
        parsed
            .map(Some)
            .map_err(|faults| Error::fields(ErrorCode::Invalid, faults))
    }

    /// The public API supports neither intervals nor time zones.
    async fn set(&self, connection: Uuid, to: &schedule::Parsed) -> Result<StepOutput<()>, Error> {
        let data = to.airbyte_data();
        let mut update = airbyte::ConnectionUpdate::of(connection);
        update.schedule_type = Some(to.airbyte_type());
        update.schedule_data = data.as_ref();
        self.state.airbyte.connection_update(&update).await?;
        Ok(StepOutput::new(()))
    }

    async fn commit(&self, mut made: Made, catalog: &SyncCatalog) -> Result<(), Error> {
        let read = self
            .state
            .airbyte
            .connection_read(made.connection_id)
            .await?;
        made.source_catalog_id = read.source_catalog_id.or(made.source_catalog_id);
        let document = catalog.to_document();
        let version = NewVersion {
            origin: Origin::Onboarding,
            fingerprint: &catalog.fingerprint(),
            document: &document,
        };
        let row = self.state.connection(self.lease.connection_id).await?;
        let settle_until = self.uncertain.then(|| now() + SETTLING);
        self.state
            .registry
            .onboarding_succeed(self.lease, &row, made, &version, settle_until)
            .await?;
        Ok(())
    }
}
