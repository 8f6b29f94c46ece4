//! Watching an onboarding, updating, rolling back, deleting, and removing leftovers.

use crate::given::{Folder, Up, sqlite};

#[test]
fn watches_updates_rolls_back_and_deletes_a_connection() {
    let folder = Folder::new();
    let up = Up::start(&folder);
    let sample = folder.path().join(".aam/sample.db");
    let path = format!("path={}", sample.display());
    let onboard = [
        "onboard", "airports", "-t", "sqlite", "--set", &path, "--watch",
    ];
    let watched = up.aam(&folder, &onboard).success();
    let steps: Vec<&str> = watched
        .lines()
        .filter(|line| line.contains(" done "))
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    assert_eq!(
        steps[..4],
        [
            "create_source",
            "check_source",
            "discover_schema",
            "create_connection"
        ],
        "{watched}"
    );
    assert!(
        watched.contains("airports is ACTIVE with catalog v1"),
        "{watched}"
    );

    let refused = [
        "onboard",
        "broken",
        "-t",
        "sqlite",
        "--set",
        "path=missing.db",
        "--watch",
    ];
    let _ = up.aam(&folder, &refused).failed(1);

    sqlite(&sample, "ALTER TABLE countries ADD COLUMN capital TEXT");
    up.aam(&folder, &["heal", "airports"]).success();
    up.aam(&folder, &["sync", "airports", "--wait"]).success();
    let back = [
        "rollback",
        "airports",
        "--to",
        "1",
        "--expected-version",
        "2",
    ];
    let text = up.aam(&folder, &back).success();
    assert!(
        text.starts_with("The catalog of version 1 is now current as version 3."),
        "{text}"
    );
    let message = up.aam(&folder, &back).failed(1);
    assert!(
        message.contains("code version_conflict, request "),
        "{message}"
    );

    let update = [
        "update", "airports", "--name", "fields", "--status", "inactive",
    ];
    assert_eq!(
        up.aam(&folder, &update).success().trim(),
        "fields is INACTIVE."
    );
    let message = up.aam(&folder, &["sync", "fields"]).failed(1);
    assert!(message.contains("deactivated"), "{message}");

    let all = up.aam(&folder, &["operations", "fields"]).success();
    for kind in ["onboard", "heal", "rollback", "update"] {
        assert!(all.contains(kind), "{all}");
    }
    assert_eq!(
        up.aam(&folder, &["delete", "fields"]).success().trim(),
        "Deleted fields."
    );
    let message = up.aam(&folder, &["delete", "fields"]).failed(1);
    assert!(
        message.contains("no connection is named `fields`"),
        "{message}"
    );
    let none = up.aam(&folder, &["gc", "--older-than", "0"]).success();
    assert!(none.contains("0 orphans"), "{none}");
}
