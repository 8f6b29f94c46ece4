//! `aam status`.

use std::process::ExitCode;

use contracts::Readiness;
use redaction::shown_url::shown;
use settings::{Settings, variables};
use url::Url;

use crate::client::place;
use crate::output::{self, Format};

/// Each service with its status, or why it does not respond.
async fn all(
    settings: &Settings,
) -> anyhow::Result<Vec<(&'static str, Url, Result<Readiness, String>)>> {
    let urls = &settings.service_urls;
    let http = http_client::build()?;
    let mut all = Vec::new();
    for (name, url, variable) in [
        (
            "orchestrator",
            &urls.orchestrator,
            variables::ORCHESTRATOR_URL,
        ),
        ("auth_broker", &urls.auth_broker, variables::AUTH_BROKER_URL),
        (
            "drift_repair_agent",
            &urls.drift_repair,
            variables::DRIFT_REPAIR_URL,
        ),
    ] {
        let answer = match http.get(url.join("/ready")?).send().await {
            // Not being ready is a response too.
            Ok(answer) => answer
                .json::<Readiness>()
                .await
                .map_err(|_| "returned an unexpected response".to_owned()),
            Err(_) => Err(format!(
                "does not respond; {variable} configures its address"
            )),
        };
        all.push((name, url.clone(), answer));
    }
    Ok(all)
}

pub(crate) async fn run(settings: &Settings, format: Format) -> anyhow::Result<ExitCode> {
    let all = all(settings).await?;
    let ready = all
        .iter()
        .all(|(.., answer)| answer.as_ref().is_ok_and(|answer| answer.ready));
    match format {
        Format::Json => {
            let services: Vec<_> = all
                .iter()
                .map(|(name, url, answer)| match answer {
                    Ok(answer) => serde_json::json!({"service": name, "url": shown(url), "ready": answer.ready, "dependencies": answer.dependencies}),
                    Err(error) => serde_json::json!({"service": name, "url": shown(url), "ready": false, "error": error}),
                })
                .collect();
            output::json(&services)?;
        }
        Format::Table => output::table(
            ["SERVICE", "ADDRESS", "DEPENDENCY", "STATE", "MS", "ERROR"],
            all.iter()
                .flat_map(|(name, url, answer)| rows(name, url, answer)),
        ),
    }
    Ok(if ready {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Rows for the service and its dependencies.
fn rows(name: &str, url: &Url, answer: &Result<Readiness, String>) -> Vec<[String; 6]> {
    let state = |ready| if ready { "ready" } else { "NOT READY" }.to_owned();
    let (ready, error, dependencies) = match answer {
        Ok(answer) => (answer.ready, String::new(), answer.dependencies.as_slice()),
        Err(error) => (false, error.clone(), [].as_slice()),
    };
    let service = [
        name.to_owned(),
        place(url),
        String::new(),
        state(ready),
        String::new(),
        error,
    ];
    let below = dependencies.iter().map(|dependency| {
        [
            String::new(),
            String::new(),
            dependency.name.clone(),
            state(dependency.ready),
            format!("{:.1}", dependency.latency_ms),
            dependency.error.clone().unwrap_or_default(),
        ]
    });
    std::iter::once(service).chain(below).collect()
}
