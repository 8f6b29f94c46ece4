//! `aam probe`: reports as an exit code whether a service responds. The container image therefore
//! needs no HTTP client.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use redaction::shown_url::shown;
use reqwest::Url;
use settings::variables;

const PATIENCE: Duration = Duration::from_secs(3);

/// Liveness endpoint of each AAM program: the variable of its port, the default port, the path.
const PROGRAMS: [(&str, &str, &str); 4] = [
    (variables::SERVICE_PORT_ORCHESTRATOR, "8001", "health"),
    (variables::SERVICE_PORT_AUTH_BROKER, "8002", "health"),
    (variables::SERVICE_PORT_DRIFT_REPAIR, "8003", "health"),
    (
        variables::SERVICE_PORT_EMBEDDED_AIRBYTE,
        "8000",
        "api/public/v1/health",
    ),
];

pub(crate) async fn run(url: Option<Url>) -> anyhow::Result<ExitCode> {
    let client = http_client::build()?;
    match url {
        Some(url) => ask(&client, url).await?,
        None => {
            let mut answers = 0;
            for (variable, port, path) in PROGRAMS {
                let port = std::env::var(variable).unwrap_or_else(|_| port.to_owned());
                let url = Url::parse(&format!("http://127.0.0.1:{port}/{path}"))?;
                match ask(&client, url).await {
                    Ok(()) => answers += 1,
                    Err(error) if is_absent(&error) => {}
                    Err(error) => return Err(error),
                }
            }
            anyhow::ensure!(answers > 0, "no AAM service answers on this machine");
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn ask(client: &reqwest::Client, url: Url) -> anyhow::Result<()> {
    let asked = client.get(url.clone()).timeout(PATIENCE).send().await;
    let answer = asked.with_context(|| format!("no answer from {}", shown(&url)))?;
    let status = answer.status();
    anyhow::ensure!(status.is_success(), "{} answered {status}", shown(&url));
    Ok(())
}

/// Whether the connection was refused, so that no program listens at the address.
fn is_absent(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<reqwest::Error>()
        .is_some_and(reqwest::Error::is_connect)
}
