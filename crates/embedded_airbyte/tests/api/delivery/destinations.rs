//! Destinations of the loops: how each is set up, and the ids that are there.

use std::path::Path;
use std::sync::Arc;

use futures::TryStreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{ClientOptions, ObjectStore as _, ObjectStoreExt as _};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::RowAccessor as _;
use serde_json::{Value, json};

use super::store::Store;
use crate::harness::{Api, Place, text};
use crate::postgres::Database;
use crate::sqlite;

const BUCKET: &str = "lake";
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(30);

/// Where rows go.
pub(super) enum Destination {
    Sqlite,
    Postgres(Database),
    Parquet,
    S3 {
        endpoint: String,
        /// Two loops may share a server.
        folder: String,
        _own: Option<Store>,
    },
}

impl Destination {
    pub(super) fn sqlite() -> Self {
        Self::Sqlite
    }

    pub(super) async fn postgres() -> Self {
        Self::Postgres(Database::new("").await)
    }

    /// On the server that `AAM_TEST_S3_URL` names, or on one of the test's own.
    pub(super) async fn s3() -> Self {
        let given = std::env::var("AAM_TEST_S3_URL").ok();
        let own = given.is_none().then(Store::start);
        let endpoint = given.unwrap_or_else(|| own.as_ref().unwrap().endpoint.clone());
        if own.is_none() {
            let client = http_client::builder();
            let client = client.timeout(DEADLINE).build().unwrap();
            // What is there already is as well.
            let made = client.put(format!("{endpoint}/{BUCKET}"));
            made.send().await.unwrap();
        }
        Self::S3 {
            endpoint,
            folder: uuid::Uuid::new_v4().simple().to_string(),
            _own: own,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
            Self::Parquet => "Parquet",
            Self::S3 { .. } => "S3",
        }
    }

    /// The modes that it has.
    pub(super) fn modes(&self) -> &'static [&'static str] {
        match self {
            Self::Sqlite | Self::Postgres(_) => &[
                "incremental_append",
                "incremental_deduped_history",
                "full_refresh_overwrite",
                "full_refresh_append",
            ],
            Self::Parquet | Self::S3 { .. } => &[
                "incremental_append",
                "full_refresh_overwrite",
                "full_refresh_append",
            ],
        }
    }

    /// Makes it known to the engine; its id.
    pub(super) async fn create(&self, api: &Api, place: &Place) -> String {
        let configuration = match self {
            Self::Sqlite => return api.destination("sqlite").await,
            Self::Postgres(database) => {
                let mut configuration = database.configuration();
                configuration["destinationType"] = json!("postgres");
                configuration
            }
            Self::Parquet => json!({"destinationType": "parquet", "path": place.path("lake"),
                "commit_interval_seconds": 0}),
            Self::S3 {
                endpoint, folder, ..
            } => json!({"destinationType": "s3", "s3_bucket_name": BUCKET,
                "s3_bucket_path": folder, "s3_bucket_region": "", "s3_endpoint": endpoint,
                "access_key_id": "id", "secret_access_key": "secret",
                "commit_interval_seconds": 0, "format": {"format_type": "JSONL",
                "compression": {"compression_type": "No Compression"}}}),
        };
        let body = json!({"name": "target", "workspaceId": api.workspace().await,
            "configuration": configuration});
        let (status, destination) = api.post("/destinations", body).await;
        assert_eq!(status, 200, "{destination}");
        text(&destination["destinationId"])
    }

    /// The ids in a table, sorted.
    pub(super) async fn ids(&self, place: &Place, table: &str) -> Vec<String> {
        let query = format!("SELECT \"Id\" FROM \"{table}\" ORDER BY 1");
        let mut ids = match self {
            Self::Sqlite => sqlite::rows(&place.warehouse(), &query).await,
            Self::Postgres(database) => {
                let rows = database.rows(&query).await;
                rows.iter()
                    .map(|row| row[1..row.len() - 1].to_owned())
                    .collect()
            }
            Self::Parquet => parquet_ids(&place.path("lake").join(table)),
            Self::S3 {
                endpoint, folder, ..
            } => object_ids(endpoint, &format!("{folder}/{table}")).await,
        };
        ids.sort();
        ids
    }

    pub(super) async fn drop(self) {
        if let Self::Postgres(database) = self {
            database.drop().await;
        }
    }
}

fn parquet_ids(folder: &Path) -> Vec<String> {
    let mut ids = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
        let schema = reader.metadata().file_metadata().schema_descr_ptr();
        let names = schema.columns().iter();
        let at = names.enumerate().find(|(_, column)| column.name() == "Id");
        let at = at.unwrap().0;
        for row in reader.get_row_iter(None).unwrap() {
            ids.push(row.unwrap().get_string(at).unwrap().clone());
        }
    }
    ids
}

fn client(endpoint: &str) -> AmazonS3 {
    let options = ClientOptions::new().with_allow_http(true);
    let builder = AmazonS3Builder::new().with_bucket_name(BUCKET);
    let builder = builder.with_endpoint(endpoint).with_region("us-east-1");
    let builder = builder
        .with_access_key_id("id")
        .with_secret_access_key("secret");
    let builder = builder.with_virtual_hosted_style_request(false);
    builder.with_client_options(options).build().unwrap()
}

async fn object_ids(endpoint: &str, folder: &str) -> Vec<String> {
    let store = Arc::new(client(endpoint));
    let folder = object_store::path::Path::from(folder);
    let objects: Vec<_> = store.list(Some(&folder)).try_collect().await.unwrap();
    let mut ids = Vec::new();
    for object in objects {
        let content = store.get(&object.location).await.unwrap();
        let content = content.bytes().await.unwrap();
        for line in content.split(|byte| *byte == b'\n') {
            if let Ok(line) = serde_json::from_slice::<Value>(line) {
                ids.push(text(&line["_airbyte_data"]["Id"]));
            }
        }
    }
    ids
}
