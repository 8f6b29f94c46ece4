//! Datasources, sinks and ingestions on the command line.

use crate::given::{Folder, Up};

#[test]
fn creates_changes_syncs_and_removes_an_ingestion() {
    let folder = Folder::new();
    let up = Up::start(&folder);
    let aam = |line: &str| up.aam(&folder, &line.split_whitespace().collect::<Vec<_>>());
    let made = aam("datasource create fields -t sqlite --set path=.aam/sample.db").success();
    assert!(made.starts_with("fields is created: "), "{made}");
    let lake = format!("path={}", folder.path().join("lake").display());
    up.aam(
        &folder,
        &["sink", "create", "lake", "-t", "parquet", "--set", &lake],
    )
    .success();
    let listed = aam("datasource list").success();
    assert!(
        listed.contains("fields") && listed.contains("sqlite"),
        "{listed}"
    );
    assert!(
        aam("datasource list -t mysql")
            .success()
            .starts_with("No datasources yet")
    );
    let shown = aam("datasource show fields").success();
    assert!(
        shown.starts_with("fields (sqlite): ") && shown.contains("sample.db"),
        "{shown}"
    );

    let made = [
        "ingestion",
        "create",
        "--source",
        "fields",
        "--sink",
        "lake",
        "--name",
        "daily",
        "--cron",
        "0 2 * * *",
        "--time-zone",
        "Europe/Berlin",
        "--stream",
        "countries",
    ];
    let made = up.aam(&folder, &made).success();
    assert!(
        made.starts_with("daily is active and syncs at 0 2 * * * (Europe/Berlin): "),
        "{made}"
    );
    let before = aam("ingestion status daily").success();
    assert!(before.contains("last sync  never"), "{before}");
    assert!(!before.contains("on request"), "{before}");
    aam("ingestion sync daily --wait").success();
    let after = aam("ingestion status daily").success();
    assert!(
        after.contains("last sync  20") && after.contains("succeeded: 249 rows"),
        "{after}"
    );
    let changed = aam("ingestion update daily --every 90 minutes --status inactive").success();
    assert!(
        changed.starts_with("daily is inactive and syncs every 90 minutes: "),
        "{changed}"
    );
    let message = aam("ingestion update daily --every some minutes").failed(1);
    assert!(message.contains("schedule.units"), "{message}");
    let listed = aam("ingestion list --output json").json();
    assert_eq!(listed["total"], 1);
    assert_eq!(listed["connections"][0]["schedule"]["units"], 90);
    assert!(aam("ingestion list").success().contains("every 90 minutes"));

    assert_eq!(
        aam("operations").success().trim(),
        "No operation is running."
    );
    let message = aam("sink delete lake").failed(1);
    assert!(
        message.contains("`daily`") && message.contains("code in_use"),
        "{message}"
    );
    assert_eq!(
        aam("ingestion delete daily").success().trim(),
        "Deleted daily."
    );
    assert_eq!(aam("sink delete lake").success().trim(), "Removed lake.");
    assert_eq!(
        aam("datasource delete fields").success().trim(),
        "Removed fields."
    );
    let message = aam("datasource show fields").failed(1);
    assert!(
        message.contains("no datasource is named `fields`"),
        "{message}"
    );
}

#[test]
fn reports_types_and_errors() {
    let folder = Folder::new();
    let up = Up::start(&folder);
    let aam = |line: &str| up.aam(&folder, &line.split_whitespace().collect::<Vec<_>>());
    let types = aam("datasource types").success();
    let of = |name: &str| {
        let mut lines = types.lines();
        lines
            .find(|line| line.starts_with(name))
            .unwrap()
            .to_owned()
    };
    assert!(of("mysql ").contains("short fields"), "{types}");
    assert!(of("sqlite ").contains("connector's own"), "{types}");
    let s3 = aam("sink types s3").success();
    for text in [
        "bucket_name",
        "required",
        "secret",
        "s3_bucket_name",
        "OWN FIELD",
    ] {
        assert!(s3.contains(text), "{text} is missing in {s3}");
    }
    let message = aam("datasource create m -t mysql --set hots=h").failed(1);
    for text in [
        "config.host: is required; did you misspell it as `hots`?",
        "code source_config_invalid",
    ] {
        assert!(message.contains(text), "{text} is missing in {message}");
    }
    let twice =
        "datasource create m -t mysql --no-check --set host=h --set database=d --set username=u";
    aam(twice).success();
    aam(twice).success();
    let message = aam("datasource delete m").failed(1);
    assert!(
        message.contains("2 datasources are named `m`; choose one by its id: "),
        "{message}"
    );
}
