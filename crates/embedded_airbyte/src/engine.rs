//! What every request and every job shares.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use local::seal::SealingKey;
use sea_orm::{ActiveModelTrait, EntityTrait, PaginatorTrait, Set};
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::clock::Clock;
use crate::connector::Runner;
use crate::definitions::{DESTINATION_SQLITE, Definitions};
use crate::fault::Fault;
use crate::hostility::Hostility;
use crate::jobs::Supervisor;
use crate::options::{ConnectorAccess, ConnectorKind, Options, RetryPolicy, Timing};
use crate::scheduler::Scheduler;
use crate::specs::Specs;
use crate::store::Store;
use crate::store::entities::{actor, setting, workspace};
use crate::time::now_ms;
use crate::tokens::Tokens;
use crate::{Error, private_directory};

/// The engine.
pub(crate) struct Engine {
    pub(crate) store: Store,
    pub(crate) definitions: Definitions,
    pub(crate) specs: Specs,
    pub(crate) runner: Runner,
    pub(crate) seal: SealingKey,
    pub(crate) tokens: Tokens,
    pub(crate) jobs: Supervisor,
    pub(crate) retry: RetryPolicy,
    pub(crate) timing: Timing,
    pub(crate) logs: PathBuf,
    pub(crate) clock: Clock,
    pub(crate) scheduler: Scheduler,
    pub(crate) hostility: Hostility,
    runtime: Handle,
}

impl Engine {
    /// Opens the data directory, kills what a dead engine left, and makes what a first start
    /// needs.
    pub(crate) async fn open(options: &Options) -> Result<Arc<Self>, Error> {
        let home = &options.home;
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Home { path, source }
        };
        private_directory(home).map_err(failed(home))?;
        let home = &home.canonicalize().map_err(failed(home))?;
        let logs = home.join("logs");
        private_directory(&logs).map_err(failed(&logs))?;
        let store = Store::open(home).await?;
        // Only now is it sure that no other engine's connectors are in there.
        let program = options.connector_program.clone();
        let runner = Runner::new(
            home,
            home.join("runs"),
            program,
            &ConnectorAccess {
                data_roots: &options.data_roots,
                own: &options.own_files,
                hosts: options.connector_hosts.as_deref(),
            },
            options.connector_memory,
            &options.docker_program,
        )
        .map_err(failed(home))?;
        runner.sweep().map_err(failed(&home.join("runs")))?;
        let signing_key = signing_key(&store, &options.seal_key).await?;
        let engine = Self {
            definitions: Definitions::new(&options.connector_program, &options.local_connectors)?,
            specs: Specs::default(),
            runner,
            seal: options.seal_key.clone(),
            tokens: Tokens::new(
                options.client_id.clone(),
                options.client_secret.clone(),
                &signing_key,
                options.token_lifetime,
            ),
            jobs: Supervisor::new(options.sync_slots),
            retry: options.retry.clone(),
            timing: options.timing.clone(),
            logs,
            clock: options.clock.clone(),
            scheduler: Scheduler::default(),
            hostility: Hostility::new(options.mode),
            runtime: Handle::try_current().map_err(Error::Runtime)?,
            store,
        };
        engine.first_start(home).await?;
        engine
            .definitions_load()
            .await
            .map_err(|fault| Error::Definitions(fault.into()))?;
        Ok(Arc::new(engine))
    }

    /// Runs work to its end on the engine's runtime, also when the caller hangs up. An HTTP
    /// worker's own runtime must not own connectors: they die with the thread that started them.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        self.runtime.spawn(work).await.map_err(Fault::Task)?
    }

    /// Starts background work.
    pub(crate) fn spawn<F>(&self, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        drop(self.jobs.tasks.spawn_on(work, &self.runtime));
    }

    async fn first_start(&self, home: &Path) -> Result<(), Error> {
        let transaction = self.store.write().await?;
        if workspace::Entity::find().count(&transaction).await? > 0 {
            return Ok(());
        }
        let workspace_id = Uuid::new_v4();
        let now = now_ms();
        workspace::ActiveModel {
            id: Set(workspace_id),
            name: Set("default".to_owned()),
            notifications: Set("{}".to_owned()),
            created_at: Set(now),
            deleted: Set(false),
        }
        .insert(&transaction)
        .await?;
        actor::ActiveModel {
            id: Set(Uuid::new_v4()),
            kind: Set(ConnectorKind::Destination.as_str().to_owned()),
            workspace_id: Set(workspace_id),
            definition_id: Set(DESTINATION_SQLITE),
            name: Set("local".to_owned()),
            configuration: Set(json!({"path": home.join("warehouse.db")}).to_string()),
            secrets: Set("{}".to_owned()),
            resource_allocation: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
            deleted: Set(false),
        }
        .insert(&transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// The key that signs tokens: made once, so that tokens outlive a restart.
async fn signing_key(store: &Store, seal: &SealingKey) -> Result<Vec<u8>, Error> {
    const NAME: &str = "token_signing_key";
    let transaction = store.write().await?;
    if let Some(found) = setting::Entity::find_by_id(NAME.to_owned())
        .one(&transaction)
        .await?
    {
        let key = seal
            .open(&found.value, NAME.as_bytes())
            .map_err(|_| Error::SealKey)?;
        return Ok(key.expose_secret().to_vec());
    }
    let mut key = vec![0; 32];
    local::random::fill(&mut key);
    setting::ActiveModel {
        name: Set(NAME.to_owned()),
        value: Set(seal.seal(&key, NAME.as_bytes())),
    }
    .insert(&transaction)
    .await?;
    transaction.commit().await?;
    Ok(key)
}
