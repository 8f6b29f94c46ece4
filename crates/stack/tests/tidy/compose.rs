//! `docker-compose.yml` hands every variable to the services that read it, and to no other; each secret
//! may come as a file there too; and the two Dockerfiles make the same image.

use std::collections::BTreeMap;

use settings::variables;
use test_support::workspace_root;

const ORCHESTRATOR: &str = "orchestrator";
const BROKER: &str = "auth_broker";
const AGENT: &str = "drift_repair_agent";
const AIRBYTE: &str = "embedded_airbyte";

const EVERY: &[&str] = &[ORCHESTRATOR, BROKER, AGENT, AIRBYTE];
const SERVICES: &[&str] = &[ORCHESTRATOR, BROKER, AGENT];
const CALLERS: &[&str] = &[ORCHESTRATOR, AGENT];

/// Who reads which variable in containers.
const READERS: &[(&str, &[&str])] = &[
    ("AIRBYTE_API_URL", CALLERS),
    ("AIRBYTE_BASE_URL", CALLERS),
    ("AIRBYTE_CONFIG_API_URL", CALLERS),
    ("AIRBYTE_CLIENT_ID", &[ORCHESTRATOR, AGENT, AIRBYTE]),
    ("AIRBYTE_CLIENT_SECRET", &[ORCHESTRATOR, AGENT, AIRBYTE]),
    ("AIRBYTE_PROXY_URL", CALLERS),
    ("AIRBYTE_WORKSPACE_ID", CALLERS),
    ("AIRBYTE_DESTINATION_ID", CALLERS),
    ("AAM_HTTP_TIMEOUT_SECONDS", CALLERS),
    ("DATABASE_URL", SERVICES),
    ("SUPABASE_DB_URL", SERVICES),
    ("AUTH_BROKER_DATABASE_URL", &[BROKER]),
    ("AAM_DATABASE_POOLER", SERVICES),
    ("AAM_LEASE_SECONDS", SERVICES),
    ("AAM_DRIFT_POLICY", SERVICES),
    ("REDIS_URL", &[ORCHESTRATOR]),
    ("SECRET_KEY", &[BROKER]),
    ("SERVICE_TOKEN_KEY", SERVICES),
    ("AIRBYTE_SECRET_KEY", &[AIRBYTE]),
    ("AAM_API_KEY", SERVICES),
    ("AAM_RATE_LIMIT", SERVICES),
    ("AAM_REQUESTS_MAX", EVERY),
    ("AAM_ALLOWED_HOSTS", EVERY),
    ("SALESFORCE_CLIENT_ID", &[BROKER]),
    ("SALESFORCE_CLIENT_SECRET", &[BROKER]),
    ("SALESFORCE_REFRESH_TOKEN", &[BROKER]),
    ("EMBEDDED_AIRBYTE_MODE", &[AIRBYTE]),
    ("AAM_CONNECTOR_HOSTS", &[AIRBYTE]),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", EVERY),
    ("LOG_LEVEL", EVERY),
    ("RUST_LOG", EVERY),
    ("LOG_FORMAT", EVERY),
    ("ENVIRONMENT", EVERY),
];
/// What is the stack's own business, with the value that its containers get.
const FIXED: &[(&str, &[&str])] = &[
    ("BIND_ADDRESS", EVERY),
    ("ORCHESTRATOR_URL", SERVICES),
    ("AUTH_BROKER_URL", SERVICES),
    ("DRIFT_REPAIR_URL", SERVICES),
];
/// Where the image keeps its data, and ports, which are published instead.
const ELSEWHERE: &[&str] = &[
    "AAM_HOME",
    "AAM_DATA_ROOTS",
    "SERVICE_PORT_ORCHESTRATOR",
    "SERVICE_PORT_AUTH_BROKER",
    "SERVICE_PORT_DRIFT_REPAIR",
    "SERVICE_PORT_EMBEDDED_AIRBYTE",
];

type Variables = BTreeMap<String, String>;

fn file(name: &str) -> String {
    std::fs::read_to_string(workspace_root().join(name)).unwrap()
}

/// `  KEY: value` at exactly that depth.
fn pair(line: &str, depth: usize) -> Option<(&str, &str)> {
    let rest = line.strip_prefix(&" ".repeat(depth))?;
    let (key, value) = rest.split_once(':')?;
    (!key.starts_with([' ', '#', '-'])).then_some((key, value.trim()))
}

/// Each service's environment, anchors merged.
fn environments(text: &str) -> BTreeMap<String, Variables> {
    let mut anchors: BTreeMap<String, Variables> = BTreeMap::new();
    let mut services: BTreeMap<String, Variables> = BTreeMap::new();
    let (mut anchor, mut service, mut in_environment) = (None, None, false);
    for line in text.lines() {
        if let Some((key, value)) = pair(line, 0) {
            anchor = (key.starts_with("x-"))
                .then(|| value.strip_prefix('&').map(str::to_owned))
                .flatten();
            service = None;
        } else if let (Some(anchor), Some((key, value))) = (&anchor, pair(line, 2)) {
            let of = anchors.entry(anchor.clone()).or_default();
            of.insert(key.to_owned(), value.to_owned());
        } else if let Some((key, _)) = pair(line, 2) {
            service = Some(key.to_owned());
        } else if let Some((key, _)) = pair(line, 4) {
            in_environment = key == "environment";
        } else if let (true, Some(service), Some((key, value))) =
            (in_environment, &service, pair(line, 6))
        {
            let of = services.entry(service.clone()).or_default();
            if key == "<<" {
                for name in value.split(['[', ']', ',', ' ']) {
                    if let Some(name) = name.strip_prefix('*') {
                        of.extend(anchors[name].clone());
                    }
                }
            } else {
                of.insert(key.to_owned(), value.to_owned());
            }
        }
    }
    services
}

#[test]
fn every_variable_reaches_the_services_that_read_it_and_no_other() {
    let environments = environments(&file("docker-compose.yml"));
    let known = READERS.iter().chain(FIXED).map(|(name, _)| *name);
    let known: Vec<&str> = known.chain(ELSEWHERE.iter().copied()).collect();
    for (variable, ..) in variables::ALL {
        assert!(
            known.contains(variable),
            "who reads {variable} in containers?"
        );
    }
    for (variable, readers) in READERS.iter().chain(FIXED) {
        for service in EVERY {
            let value = environments[*service].get(*variable);
            assert_eq!(
                value.is_some(),
                readers.contains(service),
                "{variable} of {service}: {value:?}"
            );
            let is_fixed = FIXED.iter().any(|(fixed, _)| fixed == variable);
            if let Some(value) = value.filter(|_| !is_fixed) {
                let handed_on = format!("${{{variable}");
                assert!(
                    value.contains(&handed_on),
                    "{variable} of {service}: {value}"
                );
            }
        }
    }
}

#[test]
fn every_secret_may_come_as_a_file() {
    let compose = file("docker-compose.yml");
    let init = file("deploy/compose_init.sh");
    let environments = environments(&compose);
    for secret in variables::SECRETS {
        let mount =
            format!("source: \"${{{secret}_FILE:-/dev/null}}\", target: /run/aam/given/{secret}}}");
        assert!(compose.contains(&mount), "{mount}");
        let taken = init.lines().any(|line| {
            line.contains(&format!("given {secret})")) || line.contains(&format!(" {secret} "))
        });
        assert!(taken, "init does not take {secret}");
        let readers = READERS.iter().find(|(name, _)| name == secret).unwrap().1;
        for service in readers {
            // Both spellings of the database have one file.
            let variable = match *secret {
                "DATABASE_URL" => "SUPABASE_DB_URL",
                other => other,
            };
            let at = environments[*service].get(&format!("{variable}_FILE"));
            let at = at.unwrap_or_else(|| panic!("{service} has no {variable}_FILE"));
            let path = at.strip_prefix("/run/aam/keys/").unwrap();
            assert!(init.contains(path), "init makes no {path}");
        }
    }
}

#[test]
fn both_dockerfiles_make_the_same_image() {
    let shared = |name: &str| {
        let text = file(name);
        let (_, shared) = text.split_once("\n# -- From here on").unwrap();
        shared.split_once('\n').unwrap().1.to_owned()
    };
    assert_eq!(shared("Dockerfile"), shared("deploy/Dockerfile.local"));
}
