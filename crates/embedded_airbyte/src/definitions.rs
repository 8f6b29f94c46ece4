//! The connectors this engine can run: the native ones, packages of the Python index, those of this
//! machine, and what users defined.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use indexmap::IndexMap;
use sha2::{Digest, Sha256};
use uuid::{Uuid, uuid};

use crate::connector::python::{self, Package};
use crate::options::{ConnectorKind, LocalConnector};
use crate::{Error, fault::Fault};

/// Definition id of the native `source-sqlite`.
pub const SOURCE_SQLITE: Uuid = uuid!("a3a4f2f8-8f2e-4d0e-9c55-0d1c2f4b7e01");
/// Definition id of the native `destination-sqlite`.
pub const DESTINATION_SQLITE: Uuid = uuid!("a3a4f2f8-8f2e-4d0e-9c55-0d1c2f4b7e02");
/// Definition id of `source-postgres`, as in Airbyte's registry.
pub const SOURCE_POSTGRES: Uuid = uuid!("decd338e-5647-4c0b-adf4-da0e75f5a750");
/// Definition id of `destination-postgres`, as in Airbyte's registry.
pub const DESTINATION_POSTGRES: Uuid = uuid!("25c5221d-dce2-4163-ade9-739ef790f503");
/// Definition id of `destination-dev-null`, as in Airbyte's registry.
pub const DESTINATION_DEV_NULL: Uuid = uuid!("a7bcc9d8-13b3-4e49-b80d-d020b90045e3");
/// Definition id of `source-mysql`, as in Airbyte's registry.
const SOURCE_MYSQL: Uuid = uuid!("435bb9a5-7887-4809-aa58-28c27df0d7ad");
/// Definition id of the native source of CSV, JSONL and Parquet files.
pub const SOURCE_LOCAL_FILES: Uuid = uuid!("a3a4f2f8-8f2e-4d0e-9c55-0d1c2f4b7e03");
/// Definition id of the native `destination-parquet`.
pub const DESTINATION_PARQUET: Uuid = uuid!("a3a4f2f8-8f2e-4d0e-9c55-0d1c2f4b7e04");
/// Definition id of `destination-s3`, as in Airbyte's registry.
pub const DESTINATION_S3: Uuid = uuid!("4816b78f-1489-44c1-9060-4b19d5fa9362");

const DOCUMENTATION: &str =
    "https://docs.airbyte.com/platform/understanding-airbyte/airbyte-protocol";

/// What a connector is started from.
#[derive(Debug, Clone)]
pub(crate) enum Launch {
    /// An executable of this machine and its first arguments.
    Program {
        program: PathBuf,
        args: Vec<OsString>,
    },
    /// A package of the Python index, installed by the first use.
    Python(Arc<Package>),
    /// An image on this machine: `repository:tag`.
    Docker(String),
}

impl Launch {
    /// What failures to start it name.
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Self::Program { program, .. } => program.clone(),
            Self::Python(package) => PathBuf::from(package.connector()),
            Self::Docker(image) => PathBuf::from(image),
        }
    }

    /// Whether it is a native destination that keeps the states it has committed with its rows.
    pub(crate) fn keeps_states(&self, own: &Path) -> bool {
        let Self::Program { program, args } = self else {
            return false;
        };
        let named = |name: &&str| args.get(1).is_some_and(|arg| arg == name);
        program == own
            && args.first().is_some_and(|arg| arg == "connector")
            && connectors::EXACT.iter().any(named)
    }

    /// Changes whenever the executable or its arguments do, so that cached specs follow.
    pub(crate) fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        let (program, args) = match self {
            Self::Program { program, args } => (program, args),
            Self::Python(package) => return package.version.clone(),
            Self::Docker(image) => return image.clone(),
        };
        hash.update(program.as_os_str().as_bytes());
        for arg in args {
            hash.update([0]);
            hash.update(arg.as_bytes());
        }
        let changed = std::fs::metadata(program)
            .and_then(|metadata| metadata.modified())
            .ok()
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        if let Some(changed) = changed {
            hash.update(changed.as_nanos().to_le_bytes());
        }
        hex::encode(&hash.finalize()[..8])
    }
}

/// One connector.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) id: Uuid,
    pub(crate) kind: ConnectorKind,
    pub(crate) name: String,
    pub(crate) docker_repository: String,
    pub(crate) version: String,
    pub(crate) supports_refreshes: bool,
    pub(crate) launch: Launch,
    /// What a user added to this Airbyte, instead of what it came with.
    pub(crate) custom: Option<Custom>,
}

/// What only a definition has that a user made.
#[derive(Debug)]
pub(crate) struct Custom {
    /// The workspace that may use it.
    pub(crate) workspace_id: Uuid,
    pub(crate) documentation_url: Option<String>,
    /// A declarative source: what is run is the manifest, by the shared runner.
    pub(crate) manifest: Option<Manifest>,
}

/// A declarative source's manifest and its version, counted from 1.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) content: serde_json::Value,
    pub(crate) version: i64,
}

/// The image of all declarative sources.
pub(crate) const MANIFEST_RUNNER: &str = "airbyte/source-declarative-manifest";

impl Definition {
    /// What `configuration.sourceType` and `destinationType` say.
    pub(crate) fn short_name(&self) -> &str {
        let last = self.connector();
        last.strip_prefix("source-")
            .or_else(|| last.strip_prefix("destination-"))
            .unwrap_or(last)
    }

    /// The image's last part: what people call the connector.
    pub(crate) fn connector(&self) -> &str {
        self.docker_repository
            .rsplit('/')
            .next()
            .unwrap_or(&self.docker_repository)
    }

    /// `repository:version`.
    pub(crate) fn image(&self) -> String {
        format!("{}:{}", self.docker_repository, self.version)
    }

    /// Where the protocol it speaks is documented.
    pub(crate) fn documentation_url(&self) -> &str {
        let own = self.custom.as_ref();
        own.and_then(|custom| custom.documentation_url.as_deref())
            .unwrap_or(DOCUMENTATION)
    }

    /// The manifest of a declarative source.
    pub(crate) fn manifest(&self) -> Option<&Manifest> {
        self.custom.as_ref()?.manifest.as_ref()
    }

    /// Whether a workspace may use it.
    pub(crate) fn usable_in(&self, workspace: Uuid) -> bool {
        let own = self.custom.as_ref();
        own.is_none_or(|custom| custom.workspace_id == workspace)
    }
}

/// All connectors, native ones first.
pub(crate) struct Definitions {
    by_id: RwLock<IndexMap<Uuid, Arc<Definition>>>,
    program: PathBuf,
}

impl Definitions {
    /// The native connectors, the packages of the Python index, and `local`, which takes the place
    /// of those with its id or image.
    pub(crate) fn new(program: &Path, local: &[LocalConnector]) -> Result<Self, Error> {
        let native = |id, kind, name: &str, image: &str, supports_refreshes| Definition {
            id,
            kind,
            name: name.to_owned(),
            docker_repository: format!("aam/{image}"),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            supports_refreshes,
            launch: Launch::Program {
                program: program.to_owned(),
                args: vec!["connector".into(), image.into()],
            },
            custom: None,
        };
        let replaced = |definition: &Definition| {
            local.iter().any(|local| {
                local.definition_id == definition.id
                    || local.docker_repository == definition.docker_repository
            })
        };
        let packaged = python::packages().iter().map(from_package);
        let mut by_id = IndexMap::new();
        let (source, destination) = (ConnectorKind::Source, ConnectorKind::Destination);
        for definition in [
            native(SOURCE_SQLITE, source, "SQLite", "source-sqlite", false),
            native(
                DESTINATION_SQLITE,
                destination,
                "SQLite",
                "destination-sqlite",
                true,
            ),
            native(
                SOURCE_POSTGRES,
                source,
                "Postgres",
                "source-postgres",
                false,
            ),
            native(
                DESTINATION_POSTGRES,
                destination,
                "Postgres",
                "destination-postgres",
                true,
            ),
            native(
                DESTINATION_DEV_NULL,
                destination,
                "End-to-End Testing (/dev/null)",
                "destination-dev-null",
                true,
            ),
            native(SOURCE_MYSQL, source, "MySQL", "source-mysql", false),
            native(
                SOURCE_LOCAL_FILES,
                source,
                "Local files",
                "source-local-files",
                false,
            ),
            native(
                DESTINATION_PARQUET,
                destination,
                "Parquet",
                "destination-parquet",
                true,
            ),
            native(DESTINATION_S3, destination, "S3", "destination-s3", true),
        ]
        .into_iter()
        .chain(packaged)
        .filter(|definition| !replaced(definition))
        .chain(local.iter().map(from_local))
        {
            let id = definition.id;
            if by_id.insert(id, Arc::new(definition)).is_some() {
                return Err(Error::DefinedTwice(id));
            }
        }
        Ok(Self {
            by_id: RwLock::new(by_id),
            program: program.to_owned(),
        })
    }

    /// How an image is run here: as the connector that came with the engine under that name, by
    /// the package that runs manifests, as the native connector of its name, or by Docker.
    pub(crate) fn launch_of(&self, repository: &str, tag: &str) -> (Launch, bool) {
        let all = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        let own = all
            .values()
            .find(|known| known.custom.is_none() && known.docker_repository == repository);
        match own {
            Some(known) => (known.launch.clone(), known.supports_refreshes),
            None if repository == MANIFEST_RUNNER => {
                (Launch::Python(python::manifest_runner()), false)
            }
            None => {
                let name = repository.rsplit('/').next().unwrap_or(repository);
                let launch = match connectors::NAMES.contains(&name) {
                    true => Launch::Program {
                        program: self.program.clone(),
                        args: vec!["connector".into(), name.into()],
                    },
                    false => Launch::Docker(format!("{repository}:{tag}")),
                };
                let native = matches!(launch, Launch::Program { .. });
                (launch, native && name.starts_with("destination-"))
            }
        }
    }

    /// Adds or replaces what a user defined.
    pub(crate) fn put(&self, definition: Definition) -> Arc<Definition> {
        let definition = Arc::new(definition);
        let mut all = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(definition.id, definition.clone());
        definition
    }

    /// Forgets what a user defined.
    pub(crate) fn remove(&self, id: Uuid) {
        let mut all = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        all.shift_remove(&id);
    }

    /// The definition with this id, if it is of this kind.
    pub(crate) fn get(&self, kind: ConnectorKind, id: Uuid) -> Result<Arc<Definition>, Fault> {
        let all = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        all.get(&id)
            .filter(|definition| definition.kind == kind)
            .cloned()
            .ok_or_else(|| {
                let what = match kind {
                    ConnectorKind::Source => "source definition",
                    ConnectorKind::Destination => "destination definition",
                };
                Fault::not_found(what, id)
            })
    }

    /// The definition that a configuration calls by its short name.
    pub(crate) fn by_short_name(
        &self,
        kind: ConnectorKind,
        name: &str,
    ) -> Result<Arc<Definition>, Fault> {
        self.list(kind)
            .into_iter()
            .find(|definition| definition.custom.is_none() && definition.short_name() == name)
            .ok_or_else(|| Fault::UnknownType(name.to_owned()))
    }

    /// All definitions of a kind.
    pub(crate) fn list(&self, kind: ConnectorKind) -> Vec<Arc<Definition>> {
        let all = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        all.values()
            .filter(|definition| definition.kind == kind)
            .cloned()
            .collect()
    }
}

/// The image that Airbyte runs a package's connector from.
fn repository(package: &Package) -> String {
    format!("airbyte/{}", package.connector())
}

fn from_package(package: &Arc<Package>) -> Definition {
    Definition {
        id: package.definition_id,
        kind: ConnectorKind::Source,
        name: package.name.clone(),
        docker_repository: repository(package),
        version: package.version.clone(),
        supports_refreshes: false,
        launch: Launch::Python(package.clone()),
        custom: None,
    }
}

fn from_local(local: &LocalConnector) -> Definition {
    Definition {
        id: local.definition_id,
        kind: local.kind,
        name: local.name.clone(),
        docker_repository: local.docker_repository.clone(),
        version: local.version.clone(),
        supports_refreshes: local.supports_refreshes,
        launch: Launch::Program {
            program: local.program.clone(),
            args: local.args.iter().map(Into::into).collect(),
        },
        custom: None,
    }
}
