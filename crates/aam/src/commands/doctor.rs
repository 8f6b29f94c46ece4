//! `aam doctor`: finds what is wrong with this installation and suggests remedies.

use std::os::unix::fs::PermissionsExt as _;
use std::process::ExitCode;

use contracts::{Caller, DependencyState};
use local::home;
use serde::Serialize;
use settings::{DatabaseTarget, Settings, Source};
use shared::airbyte::Airbyte;
use shared::registry::Registry;

use crate::client::Client;
use crate::output::{self, Format};

#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    ok: bool,
    #[serde(rename = "said")]
    message: String,
}

pub(crate) async fn run(source: &Source, format: Format) -> anyhow::Result<ExitCode> {
    let findings = match Settings::from_source(source) {
        Ok(settings) => look(&settings).await,
        Err(error) => vec![Finding {
            check: "settings",
            ok: false,
            message: error.to_string(),
        }],
    };
    let all_ok = findings.iter().all(|finding| finding.ok);
    match format {
        Format::Json => output::json(&findings)?,
        Format::Table => output::table(
            ["CHECK", "STATE", "FOUND"],
            findings.into_iter().map(|finding| {
                let state = if finding.ok { "ok" } else { "PROBLEM" };
                [finding.check.to_owned(), state.to_owned(), finding.message]
            }),
        ),
    }
    Ok(if all_ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn look(settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![Finding {
        check: "settings",
        ok: true,
        message: format!("data directory {}", settings.home.path().display()),
    }];
    findings.push(keys(settings));
    let registry = registry(settings).await;
    let is_there = registry.ok;
    findings.push(registry);
    if is_there {
        findings.push(secret_key(settings).await);
    }
    findings.extend(disk(settings));
    findings.extend(airbyte(settings).await);
    findings.extend(services(settings).await);
    if let Some(url) = &settings.redis_url {
        findings.push(finding(
            "redis",
            service_kit::redis::ping(url).await,
            "answers",
        ));
    }
    findings
}

fn finding<E: std::error::Error + 'static>(
    check: &'static str,
    result: Result<(), E>,
    fine: &str,
) -> Finding {
    match result {
        Ok(()) => Finding {
            check,
            ok: true,
            message: fine.to_owned(),
        },
        Err(error) => Finding {
            check,
            ok: false,
            message: context::error_chain(&error),
        },
    }
}

fn keys(settings: &Settings) -> Finding {
    let folder = settings.home.path().join("keys");
    let loose: Vec<String> = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            entry
                .metadata()
                .is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
        })
        .map(|entry| entry.path().display().to_string())
        .collect();
    if loose.is_empty() {
        return Finding {
            check: "keys",
            ok: true,
            message: "readable by their owner only".to_owned(),
        };
    }
    let message = format!(
        "others can read {}: run chmod 600 on them, and replace them if they may have been read",
        loose.join(", ")
    );
    Finding {
        check: "keys",
        ok: false,
        message,
    }
}

async fn secret_key(settings: &Settings) -> Finding {
    let checked = match stack::check_key(settings).await {
        // Tables that do not exist yet hold nothing.
        Err(stack::KeyError::Registry(_)) => Ok(()),
        checked => checked,
    };
    let fine = match settings.secret_key_at_hand() {
        Ok(Some(_)) => "opens the stored secrets",
        _ => "not available here; the auth broker has it",
    };
    finding("secret key", checked, fine)
}

async fn registry(settings: &Settings) -> Finding {
    let check = "registry";
    let opened = match Registry::connect(&settings.database, settings.pooler) {
        Ok(registry) => registry.migration_states().await,
        Err(error) => Err(error),
    };
    match opened {
        Err(error) => Finding {
            check,
            ok: false,
            message: context::error_chain(&error),
        },
        Ok(states) => {
            let missing = states.iter().filter(|state| !state.applied).count();
            let message = match missing {
                0 => "reachable and up to date".to_owned(),
                n => format!(
                    "{n} migrations are missing; services apply them at startup, or run: aam \
                     migrate up"
                ),
            };
            Finding {
                check,
                ok: true,
                message,
            }
        }
    }
}

async fn airbyte(settings: &Settings) -> Vec<Finding> {
    let (client, http) = match (settings.airbyte_client(), settings.airbyte.http()) {
        (Ok(client), Ok(http)) => (client, http),
        // The auth broker of a production stack, for example, never calls Airbyte.
        (Err(home::Error::MissingKey { .. }), _) if settings.airbyte.embedded => {
            let message =
                "no Airbyte is configured here, and the keys of the embedded one are elsewhere";
            return vec![Finding {
                check: "airbyte",
                ok: true,
                message: message.to_owned(),
            }];
        }
        (Err(error), _) => return vec![finding("airbyte", Err(error), "")],
        (_, Err(error)) => return vec![finding("airbyte", Err(error), "")],
    };
    let airbyte = Airbyte::new(settings.airbyte.urls.clone(), client, http);
    let reached = airbyte.health().await;
    if reached.is_err() && settings.airbyte.embedded {
        return vec![Finding {
            check: "airbyte",
            ok: false,
            message: format!(
                "no embedded Airbyte answers at {}; `aam up` starts it",
                airbyte.instance()
            ),
        }];
    }
    let is_there = reached.is_ok();
    let mut findings = vec![finding("airbyte", reached, airbyte.instance())];
    if is_there {
        let ready = airbyte.ready().await;
        findings.push(finding("airbyte credentials", ready, "accepted"));
    }
    findings
}

/// Checks the free space of the data directory's disk, if anything is written there.
fn disk(settings: &Settings) -> Option<Finding> {
    let is_used = matches!(settings.database, DatabaseTarget::Sqlite { .. })
        || settings.home.airbyte_db().exists();
    is_used.then(|| {
        finding(
            "disk",
            local::disk::check_free_space(settings.home.path()),
            "has free space",
        )
    })
}

/// Checks whether each service responds, is ready, and accepts the key that commands send.
async fn services(settings: &Settings) -> Vec<Finding> {
    let clients = [
        ("orchestrator", Client::orchestrator(settings)),
        ("auth_broker", Client::auth_broker(settings)),
        ("drift_repair_agent", Client::drift_repair(settings)),
    ];
    let asked = clients.map(async |(check, client)| match client {
        Ok(client) => service(check, &client).await,
        Err(error) => problem(check, format!("{error:#}")),
    });
    futures::future::join_all(asked).await
}

async fn service(check: &'static str, client: &Client) -> Finding {
    let readiness = match client.readiness().await {
        Ok(readiness) => readiness,
        Err(error) => return problem(check, format!("{error:#}")),
    };
    let is_missing = |dependency: &&DependencyState| !dependency.ready;
    let missing: Vec<String> = readiness
        .dependencies
        .iter()
        .filter(is_missing)
        .map(|dependency| {
            let error = dependency.error.as_deref().unwrap_or("is not ready");
            format!("{}: {error}", dependency.name)
        })
        .collect();
    if !missing.is_empty() {
        return problem(check, format!("responds, but {}", missing.join("; ")));
    }
    match client.get::<Caller>("whoami").await {
        Ok(caller) => Finding {
            check,
            ok: true,
            message: format!(
                "ready; authenticates you as `{}` ({})",
                caller.name,
                caller.role.as_str()
            ),
        },
        Err(error) => problem(
            check,
            format!("rejects the key in AAM_API_KEY, or requires one that is not set: {error:#}"),
        ),
    }
}

fn problem(check: &'static str, message: String) -> Finding {
    Finding {
        check,
        ok: false,
        message,
    }
}
