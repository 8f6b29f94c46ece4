//! The sources of settings, and how faults are reported.

use crate::*;

fn load(values: &[(&str, &str)]) -> Result<Settings, Error> {
    let home = tempfile::tempdir().unwrap();
    let values = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::from_source(&Source::of(values, home.path().to_owned()))
}

#[test]
fn a_rate_limit_consists_of_a_rate_and_a_burst() {
    let read = |text: &str| load(&[("AAM_RATE_LIMIT", text)]).map(|all| all.rate_limit);
    let limit = read("5/20").unwrap().unwrap();
    assert_eq!((limit.per_second.get(), limit.burst.get()), (5, 20));
    assert_eq!(read("off").unwrap(), None);
    assert!(read("").unwrap().is_some(), "unset");
    for wrong in ["0", "20/5", "many", "5/", "-1/3"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn defaults_suit_a_laptop() {
    let settings = load(&[]).unwrap();
    assert!(settings.airbyte.embedded);
    assert_eq!(
        settings.airbyte.urls.public,
        "http://127.0.0.1:8000/api/public/v1"
    );
    assert!(matches!(settings.database, DatabaseTarget::Sqlite { .. }));
    assert_eq!(settings.ports.orchestrator, 8001);
    assert_eq!(
        settings.service_urls.drift_repair.as_str(),
        "http://127.0.0.1:8003/"
    );
    assert!(settings.airbyte_client().unwrap().is_some());
}

#[test]
fn reports_all_faults_together_with_variable_and_example() {
    let error = load(&[
        ("SERVICE_PORT_ORCHESTRATOR", "eighty"),
        ("AIRBYTE_WORKSPACE_ID", "mine"),
        ("SECRET_KEY", "short"),
        ("DATABASE_URL", "mysql://x"),
        ("AIRBYTE_CLIENT_ID", "only-the-id"),
        ("AIRBYTE_API_URL", "https://proxy.example.com/airbyte"),
        ("LOG_FORMAT", "xml"),
    ])
    .unwrap_err();
    let text = error.to_string();
    for expected in [
        "SERVICE_PORT_ORCHESTRATOR: `eighty` is not a port",
        "for example: SERVICE_PORT_ORCHESTRATOR=8001",
        "AIRBYTE_WORKSPACE_ID",
        "SECRET_KEY: must contain at least 32 bytes",
        "DATABASE_URL: `mysql`",
        "AIRBYTE_CLIENT_SECRET",
        "AIRBYTE_CONFIG_API_URL: is required",
        "LOG_FORMAT: `xml` is not one of pretty, json",
    ] {
        assert!(text.contains(expected), "{expected} is missing in:\n{text}");
    }
}

#[test]
fn secrets_can_come_from_files_and_are_never_shown() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "aam_0123456789abcdef\n").unwrap();
    let settings = load(&[("AAM_API_KEY_FILE", file.path().to_str().unwrap())]).unwrap();
    assert_eq!(
        settings.api_key.as_ref().unwrap().expose_secret(),
        "aam_0123456789abcdef"
    );
    assert!(!format!("{settings:?}").contains("0123456789abcdef"));
}

#[test]
fn aliases_name_the_same_setting() {
    let settings = load(&[
        ("AIRBYTE_BASE_URL", "http://airbyte:8000/api/v1"),
        ("SUPABASE_DB_URL", "postgresql+asyncpg://u:p@h/d"),
    ])
    .unwrap();
    assert_eq!(
        settings.airbyte.urls.public,
        "http://airbyte:8000/api/public/v1"
    );
    assert!(!settings.airbyte.embedded);
    assert!(matches!(settings.database, DatabaseTarget::Postgres { .. }));
}

#[test]
fn production_requires_an_api_key() {
    let text = load(&[("ENVIRONMENT", "production")])
        .unwrap_err()
        .to_string();
    assert!(text.contains("AAM_API_KEY"), "{text}");
}

#[test]
fn the_drift_policy_is_a_keyword_or_a_file() {
    use catalog::policy::Word;

    let load = |given: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("good.json"),
            r#"{"rules": [{"severity": "info", "then": "apply"}]}"#,
        )
        .unwrap();
        std::fs::write(folder.path().join("word"), "\"pause\"\n").unwrap();
        std::fs::write(
            folder.path().join("bad.json"),
            r#"{"rules": [{"severity": ["harmles"], "then": "aply"}]}"#,
        )
        .unwrap();
        let values = [("AAM_DRIFT_POLICY".to_owned(), given.to_owned())];
        Settings::from_source(&Source::of(values, folder.path().to_owned()))
    };
    assert_eq!(load("").unwrap().drift_policy, Word::Propose.into());
    assert_eq!(load("auto").unwrap().drift_policy, Word::Auto.into());
    assert_eq!(load("word").unwrap().drift_policy, Word::Pause.into());
    let document = load("good.json").unwrap().drift_policy;
    assert_eq!(document.policy().unwrap().rules.len(), 1);
    assert_eq!(DriftPolicy::from_stored(&document.to_stored()), document);

    let refused = load("bad.json").unwrap_err().to_string();
    assert!(
        refused.contains(
            "AAM_DRIFT_POLICY: bad.json: rules[0].severity[0]: unknown severity \"harmles\""
        ) && refused.contains("rules[0].then: unknown action \"aply\""),
        "{refused}"
    );
    let refused = load("reckless").unwrap_err().to_string();
    assert!(
        refused.contains("AAM_DRIFT_POLICY: `reckless` is neither one of propose, auto,")
            && refused.contains("for example: AAM_DRIFT_POLICY=auto"),
        "{refused}"
    );
}

#[test]
fn an_empty_file_of_a_key_is_an_error_and_of_another_secret_means_none() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "\n").unwrap();
    let empty = empty.to_str().unwrap();
    for key in [
        "AAM_API_KEY",
        "SECRET_KEY",
        "SERVICE_TOKEN_KEY",
        "AIRBYTE_SECRET_KEY",
        "DATABASE_URL",
    ] {
        let variable = format!("{key}_FILE");
        let error = load(&[(&variable, empty)]).unwrap_err().to_string();
        assert!(error.contains("names an empty file"), "{error}");
    }
    let settings = load(&[
        ("REDIS_URL_FILE", empty),
        ("AIRBYTE_CLIENT_SECRET_FILE", empty),
        ("SALESFORCE_CLIENT_SECRET_FILE", empty),
    ])
    .unwrap();
    assert!(settings.redis_url.is_none() && settings.airbyte.client_secret.is_none());
}
