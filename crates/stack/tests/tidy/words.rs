//! The words that docs/style.md replaces appear in no help text, error, log line, comment or page.

use std::path::Path;

use regex::{Regex, RegexBuilder};

use crate::tree::{files, none, text};

/// What to look for, and what to write instead.
const REPLACED: &[(&str, &str)] = &[
    (r"\b(told|tells)\b", "reports, returns, publishes, logs"),
    (r"\b(said|says)\b", "reports, returns, states"),
    (r"\bin vain\b", "without success; timed out"),
    (r"\b(is|are|was|were) no ([a-km-z]|l[^o])", "is not a"),
    (r"\b(is|was|has|have|been) begun\b", "started"),
    (r"\bbrought to an end\b", "completed"),
    (r"\bin force\b", "active, current"),
    (
        r"\bof (its|their|his|her) own\b",
        "separate; its own, before the noun",
    ),
    (r"\bwhoever\b", "a caller who"),
    (r"\b(nobody|somebody)\b", "no caller; a caller, a person"),
    (
        r"\b(do|does) not read [^a-z]",
        "cannot be parsed, is malformed",
    ),
    (r"\b(gives|gave|given|giving) up\b", "stops retrying, fails"),
    (
        r"\b(goes|went|going) on (with|from|at|where|to)\b",
        "continues, resumes",
    ),
    (r"\b(hands|handed) back\b", "releases, returns"),
    (r"\b(came|comes) of\b", "resulted from, result"),
    (r"\bby hand\b", "manually"),
    (r"\blately\b", "recently"),
    (r"\banew\b", "again"),
    (r"\b(undone|undoes)\b", "rolled back, rolls back"),
    (r"\b(at all events|all the same)\b", "in any case, anyway"),
];

/// Phrases that contain such words and stay: identifiers on the wire, and standard English.
const KEPT: &[&str] = &[
    "there is no",
    "there are no",
    "there was no",
    "`undone`",
    "\"undone\"",
    "undone = ",
    "stepstatus::undone",
    "echo nobody",
    "rename = \"said\"",
];

#[test]
fn no_text_uses_a_replaced_word() {
    let replaced: Vec<(Regex, &str)> = REPLACED
        .iter()
        .map(|(pattern, instead)| (insensitive(pattern), *instead))
        .collect();
    // A phrase may continue in the next line of a comment or a string.
    let line_break = Regex::new(r"\\?\n\s*(//[/!]?|#)?\s*").unwrap();
    let kept = insensitive(&KEPT.join("|"));
    let mut faults = Vec::new();
    for path in read_by_people() {
        let whole = text(&path);
        let prose = line_break.replace_all(&whole, " ");
        let prose = kept.replace_all(&prose, "");
        for (pattern, instead) in &replaced {
            for found in pattern.find_iter(&prose) {
                let (from, to) = (found.start().saturating_sub(40), found.end() + 20);
                let around: String = prose
                    .char_indices()
                    .filter(|(at, _)| (from..to).contains(at))
                    .map(|(_, letter)| letter)
                    .collect();
                faults.push(format!("{}: …{around}… (write: {instead})", path.display()));
            }
        }
    }
    none(&faults, "docs/style.md lists words and what to use instead");
}

fn insensitive(pattern: &str) -> Regex {
    RegexBuilder::new(pattern)
        .case_insensitive(true)
        .build()
        .unwrap()
}

/// The files of the checkout whose texts people read, without the page that lists the words.
fn read_by_people() -> Vec<std::path::PathBuf> {
    let is_test = |path: &Path| path.components().any(|part| part.as_os_str() == "tests");
    let mut found: Vec<_> = files(".rs")
        .into_iter()
        .filter(|path| !is_test(path))
        .collect();
    for ending in [
        ".md",
        ".sh",
        ".yml",
        ".env.example",
        "justfile",
        "Dockerfile",
    ] {
        found.extend(files(ending));
    }
    found.retain(|path| path != Path::new("docs/style.md"));
    found
}
