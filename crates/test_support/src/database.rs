//! A database of one test's own: a SQLite file, or a PostgreSQL database dropped with the test.

use sqlx::{AssertSqlSafe, Connection as _};

/// The server that scripts/test.sh starts; its database `postgres` is the way in.
const SERVER: &str = "AAM_TEST_POSTGRES_URL";

/// Where a stack's registry is.
#[derive(Debug)]
pub enum Database {
    /// In the stack's own folder.
    Sqlite,
    /// A separate PostgreSQL database.
    Postgres {
        /// Its URL.
        url: String,
        /// Its name.
        name: String,
        /// A pooler in front of it.
        pooler: Option<Pooler>,
    },
}

/// A pgbouncer in transaction mode.
#[derive(Debug)]
pub struct Pooler {
    process: std::process::Child,
    _folder: tempfile::TempDir,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn server() -> String {
    let url = std::env::var(SERVER);
    url.unwrap_or_else(|_| {
        panic!("{SERVER} is not set; scripts/test.sh starts a server and sets it")
    })
}

impl Database {
    /// A new, empty PostgreSQL database.
    pub async fn postgres() -> Self {
        let (url, name) = create().await;
        // As hosted databases want it.
        let url = format!("{url}?sslmode=require");
        Self::Postgres {
            url,
            name,
            pooler: None,
        }
    }

    /// The same behind a pgbouncer in transaction mode.
    pub async fn pgbouncer() -> Self {
        let (url, name) = create().await;
        let (credentials, host) = url
            .strip_prefix("postgresql://")
            .unwrap()
            .split_once('@')
            .unwrap();
        let (user, password) = credentials.split_once(':').unwrap();
        let port = host.split('/').next().unwrap().rsplit(':').next().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let users = folder.path().join("users.txt");
        std::fs::write(&users, format!("\"{user}\" \"{password}\"\n")).unwrap();
        let listen = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let config = folder.path().join("pgbouncer.ini");
        std::fs::write(
            &config,
            format!(
                "[databases]\n* = host=127.0.0.1 port={port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
                 listen_port = {listen}\nauth_type = scram-sha-256\nauth_file = {}\npool_mode = transaction\n\
                 default_pool_size = 8\nmax_client_conn = 200\nunix_socket_dir =\nlogfile = {}\n",
                users.display(),
                folder.path().join("log").display()
            ),
        )
        .unwrap();
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|me| {
            use std::os::unix::fs::MetadataExt as _;
            me.uid() == 0
        });
        let mut command = std::process::Command::new(if is_root { "setpriv" } else { "pgbouncer" });
        if is_root {
            // pgbouncer refuses to run as root.
            open_to_all(folder.path());
            command.args([
                "--reuid",
                "65534",
                "--regid",
                "65534",
                "--clear-groups",
                "pgbouncer",
            ]);
        }
        let path = format!(
            "{}:/usr/sbin",
            std::env::var_os("PATH")
                .unwrap_or_default()
                .to_string_lossy()
        );
        let process = command
            .env("PATH", path)
            .arg("-q")
            .arg(&config)
            .spawn()
            .expect("pgbouncer starts");
        let url = format!("postgresql://{credentials}@127.0.0.1:{listen}/{name}");
        let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
        let options = options.extra_float_digits(None);
        crate::eventually(async || sqlx::PgConnection::connect_with(&options).await.map(drop))
            .await;
        Self::Postgres {
            url,
            name,
            pooler: Some(Pooler {
                process,
                _folder: folder,
            }),
        }
    }

    /// Takes the pooler away, so that the database cannot be reached any more.
    pub fn cut(&mut self) {
        if let Self::Postgres { pooler, .. } = self {
            pooler.take();
        }
    }

    /// The variables that point a service at it.
    pub fn variables(&self) -> Vec<(String, String)> {
        match self {
            Self::Sqlite => Vec::new(),
            Self::Postgres { url, pooler, .. } => {
                let mode = if pooler.is_some() {
                    "transaction"
                } else {
                    "session"
                };
                vec![
                    ("DATABASE_URL".to_owned(), url.clone()),
                    ("AAM_DATABASE_POOLER".to_owned(), mode.to_owned()),
                ]
            }
        }
    }
}

async fn create() -> (String, String) {
    let server = server();
    let name = format!("aam_{}", uuid::Uuid::new_v4().simple());
    let mut connection = sqlx::PgConnection::connect(&server).await.unwrap();
    let create = format!("CREATE DATABASE {name}");
    sqlx::raw_sql(AssertSqlSafe(create))
        .execute(&mut connection)
        .await
        .unwrap();
    let base = server.rsplit_once('/').unwrap().0;
    (format!("{base}/{name}"), name)
}

fn open_to_all(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let readable = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(entry.unwrap().path(), readable).unwrap();
    }
}

impl Database {
    /// Runs statements, in PostgreSQL.
    pub async fn execute(&self, statements: &str) {
        let Self::Postgres { url, .. } = self else {
            panic!("a SQLite database is its stack's");
        };
        let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
    }

    /// Closes every connection to it, on the server's side.
    pub async fn close_connections(&self) {
        let Self::Postgres { name, .. } = self else {
            panic!("a SQLite database has none");
        };
        let mut connection = sqlx::PgConnection::connect(&server()).await.unwrap();
        sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1")
            .bind(name)
            .execute(&mut connection)
            .await
            .unwrap();
    }

    /// The configuration with which `source-postgres` reads it.
    pub fn source_config(&self) -> serde_json::Value {
        let Self::Postgres { url, .. } = self else {
            panic!("a SQLite database is its stack's");
        };
        let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
        let password = url.split(['/', ':', '@']).nth(4);
        serde_json::json!({
            "host": options.get_host(),
            "port": options.get_port(),
            "database": options.get_database(),
            "username": options.get_username(),
            "password": password,
            "schemas": ["public"],
        })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Self::Postgres { name, pooler, .. } = self else {
            return;
        };
        pooler.take();
        let drop_it = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        // A separate runtime: the test's may be gone, and does not wait in a drop.
        let dropper = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                if let Ok(mut connection) = sqlx::PgConnection::connect(&server()).await {
                    let _ = sqlx::raw_sql(AssertSqlSafe(drop_it))
                        .execute(&mut connection)
                        .await;
                }
            });
        });
        let _ = dropper.join();
    }
}
