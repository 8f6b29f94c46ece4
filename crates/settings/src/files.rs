//! `aam.toml` and `.env`. They contain secrets: errors name file, line and variable, and never
//! quote the content.

use std::collections::BTreeMap;
use std::path::Path;

use crate::{Error, variables};

/// The variables of an `aam.toml`, with names in lower case; empty if there is no file.
///
/// # Errors
/// Returns an error if the file exists but cannot be parsed.
pub(super) fn toml(path: &Path) -> Result<BTreeMap<String, String>, Error> {
    let Some(text) = read(path)? else {
        return Ok(BTreeMap::new());
    };
    // The parser of `config` would quote the malformed line.
    if let Err(error) = text.parse::<::toml::Table>() {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.get(..start).unwrap_or(&text);
        let line = before.matches('\n').count() + 1;
        return Err(fault(path, &text, line, "is not valid TOML"));
    }
    let unreadable = |_| fault(path, &text, 1, "contains something other than variables");
    let file = config::Config::builder()
        .add_source(config::File::from_str(&text, config::FileFormat::Toml))
        .build()
        .map_err(unreadable)?;
    let values = file
        .try_deserialize::<BTreeMap<String, config::Value>>()
        .map_err(unreadable)?;
    let values = values
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_lowercase(), value.into_string().ok()?)));
    Ok(values.collect())
}

/// The variables of a `.env`, with names in lower case; empty if there is no file.
///
/// # Errors
/// Returns an error if the file exists but cannot be parsed.
pub(super) fn dotenv(path: &Path) -> Result<BTreeMap<String, String>, Error> {
    let Some(text) = read(path)? else {
        return Ok(BTreeMap::new());
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if let Ok(values) = parse(text) {
        return Ok(values);
    }
    // A value may span lines, so the fault starts after the longest valid part.
    let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
    let reads = ends.iter().rposition(|end| parse(&text[..*end]).is_ok());
    let line = reads.map_or(1, |index| index + 2);
    let what = "is malformed: enclose a value with spaces, `#` or quotes in single quotes";
    Err(fault(path, text, line, what))
}

fn parse(text: &str) -> Result<BTreeMap<String, String>, dotenvy::Error> {
    dotenvy::from_read_iter(text.as_bytes())
        .map(|line| line.map(|(name, value)| (name.to_lowercase(), value)))
        .collect()
}

fn read(path: &Path) -> Result<Option<String>, Error> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::Unreadable(format!("{}: {error}", path.display()))),
    }
}

/// A fault at a line, counted from 1.
fn fault(path: &Path, text: &str, line: usize, what: &str) -> Error {
    let name = text
        .lines()
        .nth(line - 1)
        .and_then(|line| line.split_once('='))
        .map(|(name, _)| name.trim().trim_start_matches("export ").trim())
        .filter(|name| is_known(name));
    let variable = name.map_or_else(String::new, |name| format!(", {name}"));
    Error::Unreadable(format!("{}, line {line}{variable}: {what}", path.display()))
}

/// Any other name might be part of a value.
fn is_known(name: &str) -> bool {
    let name = name.to_uppercase();
    let name = name.strip_suffix("_FILE").unwrap_or(&name);
    variables::ALL.iter().any(|(known, ..)| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(name: &str, text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let read = if name == ".env" {
            dotenv(&path)
        } else {
            toml(&path)
        };
        read.unwrap_err().to_string()
    }

    #[test]
    fn a_fault_names_file_line_and_variable_but_not_the_text() {
        for (name, text, line, variable) in [
            (
                ".env",
                "A=1\nAAM_API_KEY=\"PLANT unbalanced\nB=2\n",
                2,
                Some("AAM_API_KEY"),
            ),
            (
                ".env",
                "SECRET_KEY=PLANT two words\n",
                1,
                Some("SECRET_KEY"),
            ),
            (
                ".env",
                "A='1\n2'\n\n# note\nexport SECRET_KEY_FILE=a PLANT\n",
                5,
                Some("SECRET_KEY_FILE"),
            ),
            (".env", "A=1\nPLANT\n", 2, None),
            (".env", "PLANT=a b\n", 1, None),
            (".env", "SECRET_KEY='PLANT", 1, Some("SECRET_KEY")),
            (
                "aam.toml",
                "LOG_LEVEL = \"info\"\nSECRET_KEY = PLANT\n",
                2,
                Some("SECRET_KEY"),
            ),
            ("aam.toml", "SECRET_KEY = \"PLANT\n", 1, Some("SECRET_KEY")),
            ("aam.toml", "PLANT\n", 1, None),
            (
                "aam.toml",
                "SECRET_KEY = \"a\"\nSECRET_KEY = \"PLANT\"\n",
                2,
                Some("SECRET_KEY"),
            ),
        ] {
            let message = wrong(name, text);
            assert!(!message.contains("PLANT"), "{message}");
            let place = match variable {
                Some(variable) => format!("{name}, line {line}, {variable}: "),
                None => format!("{name}, line {line}: "),
            };
            assert!(message.contains(&place), "{place} is not in {message}");
        }
    }

    #[test]
    fn reads_valid_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        assert!(dotenv(&path).unwrap().is_empty());
        std::fs::write(
            &path,
            "\u{feff}LOG_LEVEL=debug\nA='two words'\nB=\"1\n2\"\n",
        )
        .unwrap();
        let values = dotenv(&path).unwrap();
        assert_eq!(values["log_level"], "debug");
        assert_eq!(values["a"], "two words");
        assert_eq!(values["b"], "1\n2");
        let path = folder.path().join("aam.toml");
        std::fs::write(
            &path,
            "LOG_LEVEL = \"debug\"\nSERVICE_PORT_ORCHESTRATOR = 1\n",
        )
        .unwrap();
        assert_eq!(toml(&path).unwrap()["service_port_orchestrator"], "1");
    }
}
