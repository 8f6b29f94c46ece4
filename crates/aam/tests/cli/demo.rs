//! `aam demo` passes, can be run again, and prints commands that work as printed.

use std::path::Path;

use crate::given::{FREE_PORTS, Folder, Up};

#[test]
fn the_demo_passes_and_can_be_run_again_in_the_same_folder() {
    let folder = Folder::new();
    for run in ["first", "second"] {
        let text = folder.aam(&["demo", "--dir", "here"]).success();
        for message in [
            "catalog v1 -> v2",
            "Source and destination are equal, cell by cell.",
        ] {
            assert!(text.contains(message), "{run} run: {text}");
        }
        let compared: Vec<&str> = text
            .lines()
            .filter(|line| line.contains(" columns: "))
            .collect();
        assert_eq!(compared.len(), 4, "{run} run: {text}");
        for line in compared {
            assert!(line.ends_with(": equal"), "{run} run: {line}");
        }
    }
    assert!(
        !folder.path().join(".aam").exists(),
        "it wrote outside its folder"
    );
}

#[test]
fn the_commands_printed_by_the_demo_work() {
    let folder = Folder::new();
    let text = folder.aam(&["demo", "--dir", "here"]).success();
    let (_, rest) = text
        .split_once("Continue from here")
        .expect("commands follow");
    let commands: Vec<&str> = rest
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .collect();
    let [up, others @ ..] = commands.as_slice() else {
        panic!("{text}");
    };
    // The line's own assignments take precedence over the free ports. Without `exec` a shell would
    // stay between the test and the program.
    let words: Vec<&str> = up.split(' ').collect();
    let program = words.iter().position(|word| !word.contains('=')).unwrap();
    let line = format!(
        "{} exec {}",
        words[..program].join(" "),
        words[program..].join(" ")
    );
    let mut command = folder.command(Path::new("sh"), FREE_PORTS);
    let up = Up::of(command.args(["-c", &line]), &folder);
    let mut printed = Vec::new();
    for command in others {
        printed.push(folder.shell(command, &up.addresses()).success());
    }
    assert_eq!(printed.len(), 4, "{commands:?}");
    assert!(
        printed[0].contains("airports (SQLite) is ACTIVE"),
        "{printed:?}"
    );
    assert!(printed[1].contains("succeeded"), "{printed:?}");
    assert!(printed[3].contains("+ column capital: text"), "{printed:?}");
    assert!(printed[3].contains("catalog v2 -> v3"), "{printed:?}");
}

#[test]
fn keeps_a_folder_that_no_demo_created() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("mine")).unwrap();
    let kept = folder.write("mine/precious.txt", "do not empty me");
    let message = folder.aam(&["demo", "--dir", "mine"]).failed(1);
    assert!(
        message.contains("mine is not a folder of an earlier demo"),
        "{message}"
    );
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "do not empty me");
}
