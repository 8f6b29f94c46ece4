//! Datasources, sinks and ingestions on the command line.

use crate::given::{Folder, Up};

#[test]
fn creates_changes_syncs_and_removes_an_ingestion() {
    let folder = Folder::new();
    let up = Up::start(&folder);
    let aam = |line: &str| up.aam(&folder, &line.split_whitespace().collect::<Vec<_>>());
    let made = aam("datasource create fields -t sqlite --set path=.aam/sample.db").fine();
    assert!(made.starts_with("fields is created: "), "{made}");
    let lake = format!("path={}", folder.path().join("lake").display());
    up.aam(
        &folder,
        &["sink", "create", "lake", "-t", "parquet", "--set", &lake],
    )
    .fine();
    let listed = aam("datasource list").fine();
    assert!(
        listed.contains("fields") && listed.contains("sqlite"),
        "{listed}"
    );
    assert!(
        aam("datasource list -t mysql")
            .fine()
            .starts_with("No datasources yet")
    );
    let shown = aam("datasource show fields").fine();
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
    let made = up.aam(&folder, &made).fine();
    assert!(
        made.starts_with("daily is active and syncs at 0 2 * * * (Europe/Berlin): "),
        "{made}"
    );
    let before = aam("ingestion status daily").fine();
    assert!(before.contains("last sync  never"), "{before}");
    assert!(!before.contains("on request"), "{before}");
    aam("ingestion sync daily --wait").fine();
    let after = aam("ingestion status daily").fine();
    assert!(
        after.contains("last sync  20") && after.contains("succeeded: 249 rows"),
        "{after}"
    );
    let changed = aam("ingestion update daily --every 90 minutes --status inactive").fine();
    assert!(
        changed.starts_with("daily is inactive and syncs every 90 minutes: "),
        "{changed}"
    );
    let said = aam("ingestion update daily --every some minutes").failed(1);
    assert!(said.contains("schedule.units"), "{said}");
    let listed = aam("ingestion list --output json").json();
    assert_eq!(listed["total"], 1);
    assert_eq!(listed["connections"][0]["schedule"]["units"], 90);
    assert!(aam("ingestion list").fine().contains("every 90 minutes"));

    assert_eq!(aam("operations").fine().trim(), "No operation is running.");
    let said = aam("sink delete lake").failed(1);
    assert!(
        said.contains("`daily`") && said.contains("code in_use"),
        "{said}"
    );
    assert_eq!(
        aam("ingestion delete daily").fine().trim(),
        "Deleted daily."
    );
    assert_eq!(aam("sink delete lake").fine().trim(), "Removed lake.");
    assert_eq!(
        aam("datasource delete fields").fine().trim(),
        "Removed fields."
    );
    let said = aam("datasource show fields").failed(1);
    assert!(said.contains("no datasource is named `fields`"), "{said}");
}

#[test]
fn reports_types_and_errors() {
    let folder = Folder::new();
    let up = Up::start(&folder);
    let aam = |line: &str| up.aam(&folder, &line.split_whitespace().collect::<Vec<_>>());
    let types = aam("datasource types").fine();
    let of = |name: &str| {
        let mut lines = types.lines();
        lines
            .find(|line| line.starts_with(name))
            .unwrap()
            .to_owned()
    };
    assert!(of("mysql ").contains("short fields"), "{types}");
    assert!(of("sqlite ").contains("its own"), "{types}");
    let s3 = aam("sink types s3").fine();
    for told in [
        "bucket_name",
        "required",
        "secret",
        "s3_bucket_name",
        "OWN FIELD",
    ] {
        assert!(s3.contains(told), "{told} is missing in {s3}");
    }
    let said = aam("datasource create m -t mysql --set hots=h").failed(1);
    for told in [
        "config.host: is required; did you misspell it as `hots`?",
        "code source_config_invalid",
    ] {
        assert!(said.contains(told), "{told} is missing in {said}");
    }
    let twice =
        "datasource create m -t mysql --no-check --set host=h --set database=d --set username=u";
    aam(twice).fine();
    aam(twice).fine();
    let said = aam("datasource delete m").failed(1);
    assert!(
        said.contains("2 datasources are named `m`; choose one by its id: "),
        "{said}"
    );
}
