//! `check` and `discover`, and the catalogs that were discovered.
//!
//! Both are synchronous jobs: they answer with what happened, failures included.

use airbyte_protocol::{Catalog, CheckStatus, ConnectionStatus};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set,
    sea_query::{Expr, ExprTrait, OnConflict},
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::actors::Configured;
use crate::connector::command::{self, Finished, Verb};
use crate::connector::{FailureReason, Kind, Origin};
use crate::engine::Engine;
use crate::fault::Fault;
use crate::options::ConnectorKind;
use crate::store::entities::discovered_catalog;
use crate::time::now_ms;

/// A call that was made to a connector, or the memory of one.
pub(crate) struct SynchronousJob {
    pub(crate) id: Uuid,
    pub(crate) config_type: &'static str,
    pub(crate) config_id: Option<Uuid>,
    pub(crate) created_at: i64,
    pub(crate) ended_at: i64,
    pub(crate) configuration_updated: bool,
    pub(crate) log: Vec<String>,
    pub(crate) failure: Option<FailureReason>,
}

impl SynchronousJob {
    /// What Airbyte shows when no connector had to be asked.
    pub(crate) fn remembered(config_type: &'static str) -> Self {
        Self {
            id: Uuid::new_v4(),
            config_type,
            config_id: None,
            created_at: 0,
            ended_at: 0,
            configuration_updated: false,
            log: Vec::new(),
            failure: None,
        }
    }
}

/// A discovered catalog and its id, or neither, and how it came about.
pub(crate) struct Discovery {
    pub(crate) catalog: Option<(Uuid, String)>,
    pub(crate) job: SynchronousJob,
    /// Whether the connector was asked.
    pub(crate) ran: bool,
}

/// A check's verdict, or none when the connector crashed, and how it came about.
pub(crate) struct Checked {
    pub(crate) verdict: Option<ConnectionStatus>,
    pub(crate) job: SynchronousJob,
}

impl Engine {
    /// The source's catalog: the stored one for this version and configuration, however old,
    /// unless `fresh`.
    pub(crate) async fn discover(&self, source: Uuid, fresh: bool) -> Result<Discovery, Fault> {
        let source = self.configured(ConnectorKind::Source, source).await?;
        let hash = hex::encode(Sha256::digest(source.configuration.to_string()));
        let version = source.definition.version.clone();
        if !fresh {
            let found = discovered_catalog::Entity::find()
                .filter(discovered_catalog::Column::ActorId.eq(source.row.id))
                .filter(discovered_catalog::Column::Version.eq(&version))
                .filter(discovered_catalog::Column::ConfigurationHash.eq(&hash))
                .order_by_desc(discovered_catalog::Column::Fetch)
                .one(self.store.read())
                .await?;
            if let Some(row) = found {
                return Ok(Discovery {
                    catalog: Some((row.id, row.catalog)),
                    job: SynchronousJob::remembered("discover_schema"),
                    ran: false,
                });
            }
        }
        let (finished, mut job) = self.ask(&source, Verb::Discover, "discover_schema").await?;
        let text = match finished.result {
            Ok(catalog) => catalog.get().to_owned(),
            Err(failure) => {
                job.failure = Some(*failure);
                return Ok(Discovery {
                    catalog: None,
                    job,
                    ran: true,
                });
            }
        };
        if let Err(error) = serde_json::from_str::<Catalog>(&text) {
            let message = format!("the connector's catalog is malformed: {error}");
            job.failure = Some(FailureReason::new(
                Origin::Source,
                Kind::SystemError,
                message,
            ));
            return Ok(Discovery {
                catalog: None,
                job,
                ran: true,
            });
        }
        let id = catalog_id(source.row.id, &version, &hash, &text);
        let transaction = self.store.write().await?;
        let fetch = latest_fetch(&transaction).await? + 1;
        discovered_catalog::Entity::insert(discovered_catalog::ActiveModel {
            id: Set(id),
            actor_id: Set(source.row.id),
            version: Set(version),
            configuration_hash: Set(hash),
            catalog: Set(text.clone()),
            fetch: Set(fetch),
            fetched_at: Set(self.clock.now_ms()),
        })
        .on_conflict(
            OnConflict::column(discovered_catalog::Column::Id)
                .update_columns([
                    discovered_catalog::Column::Fetch,
                    discovered_catalog::Column::FetchedAt,
                ])
                .to_owned(),
        )
        .exec(&transaction)
        .await?;
        transaction.commit().await?;
        Ok(Discovery {
            catalog: Some((id, text)),
            job,
            ran: true,
        })
    }

    /// Whether an actor's configuration works.
    pub(crate) async fn check(&self, kind: ConnectorKind, id: Uuid) -> Result<Checked, Fault> {
        let actor = self.configured(kind, id).await?;
        self.check_configured(&actor).await
    }

    /// Like [`Engine::check`], for an actor at hand.
    pub(crate) async fn check_configured(&self, actor: &Configured) -> Result<Checked, Fault> {
        let config_type = match actor.definition.kind {
            ConnectorKind::Source => "check_connection_source",
            ConnectorKind::Destination => "check_connection_destination",
        };
        let (finished, mut job) = self.ask(actor, Verb::Check, config_type).await?;
        let verdict = match finished.result {
            Ok(raw) => match serde_json::from_str::<ConnectionStatus>(raw.get()) {
                Ok(mut verdict) => {
                    verdict.message = verdict.message.map(|text| actor.redactor.clean(&text));
                    Some(verdict)
                }
                Err(error) => {
                    let message = format!("the connector's verdict is malformed: {error}");
                    job.failure = Some(FailureReason::new(
                        origin(actor.definition.kind),
                        Kind::SystemError,
                        message,
                    ));
                    None
                }
            },
            // A failure that the connector reports is final.
            Err(failure) if failure.from_trace_message => {
                let message = Some(failure.external_message.clone());
                job.failure = Some(*failure);
                Some(ConnectionStatus {
                    status: CheckStatus::Failed,
                    message,
                })
            }
            Err(failure) => {
                job.failure = Some(*failure);
                None
            }
        };
        Ok(Checked { verdict, job })
    }

    async fn ask(
        &self,
        actor: &Configured,
        verb: Verb,
        config_type: &'static str,
    ) -> Result<(Finished, SynchronousJob), Fault> {
        let _slot = self.jobs.command_slot().await;
        let created_at = now_ms();
        let run = command::run(
            &self.runner,
            &actor.definition,
            verb,
            Some(&actor.configuration),
            &actor.redactor,
            self.timing.command,
        );
        let finished = tokio::select! {
            finished = run => finished,
            () = self.jobs.stop.cancelled() => {
                return Err(Fault::Unexpected("the engine is stopping".to_owned()));
            }
        };
        let mut finished = finished.map_err(|source| Fault::File {
            path: actor.definition.launch.path(),
            source,
        })?;
        for configuration in &finished.controls {
            self.actor_control(actor, configuration).await?;
        }
        let job = SynchronousJob {
            id: Uuid::new_v4(),
            config_type,
            config_id: Some(actor.row.definition_id),
            created_at,
            ended_at: now_ms(),
            configuration_updated: !finished.controls.is_empty(),
            log: std::mem::take(&mut finished.log),
            failure: None,
        };
        Ok((finished, job))
    }

    /// A discovered catalog by its id.
    pub(crate) async fn catalog(&self, id: Uuid) -> Result<Option<String>, Fault> {
        let row = discovered_catalog::Entity::find_by_id(id)
            .one(self.store.read())
            .await?;
        Ok(row.map(|row| row.catalog))
    }
}

/// Who is blamed for a connector's failure.
pub(crate) fn origin(kind: ConnectorKind) -> Origin {
    match kind {
        ConnectorKind::Source => Origin::Source,
        ConnectorKind::Destination => Origin::Destination,
    }
}

async fn latest_fetch<C: ConnectionTrait>(db: &C) -> Result<i64, Fault> {
    let latest: Option<Option<i64>> = discovered_catalog::Entity::find()
        .select_only()
        .column_as(Expr::col(discovered_catalog::Column::Fetch).max(), "latest")
        .into_tuple()
        .one(db)
        .await?;
    Ok(latest.flatten().unwrap_or_default())
}

/// The same content for the same connector and configuration has the same id.
fn catalog_id(source: Uuid, version: &str, hash: &str, catalog: &str) -> Uuid {
    let mut digest = Sha256::new();
    digest.update(source.as_bytes());
    for part in [version, hash, catalog] {
        digest.update(part.len().to_le_bytes());
        digest.update(part);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.finalize()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
