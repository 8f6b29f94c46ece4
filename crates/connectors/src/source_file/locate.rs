//! Which files a configuration is about, and which streams they make.

use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

use chrono::DateTime;
use glob::{MatchOptions, Pattern};

use super::config::{Config, Format, Options};
use crate::failure::Failure;
use crate::paths::Limits;

/// How deep `**` looks.
const DEPTH_MAX: usize = 32;

/// How many files a configuration may be about.
const FILES_MAX: usize = 100_000;

const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// A stream's files, in the order in which they are read: by when they were changed, then by name.
#[derive(Debug)]
pub(super) struct Located {
    pub(super) name: String,
    pub(super) files: Vec<Found>,
    pub(super) options: Options,
    /// What was looked for.
    pub(super) pattern: String,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Its real path.
    pub(super) path: PathBuf,
    /// Its path as the configuration's would go on.
    pub(super) shown: String,
    /// When it was changed, in a fixed width, so that texts compare as moments do.
    pub(super) modified: String,
    pub(super) format: Format,
    pub(super) gzip: bool,
    pub(super) tabs: bool,
}

/// The streams of a configuration.
///
/// # Errors
/// Paths that may not be touched, files of no known format, two streams of one name.
pub(super) fn locate(config: &Config) -> Result<Vec<Located>, Failure> {
    let limits = Limits::from_environment();
    let common = config.options.validated()?;
    let streams = if !config.streams.is_empty() {
        let mut streams = Vec::with_capacity(config.streams.len());
        for stream in &config.streams {
            let options = stream.options.or(&config.options).validated()?;
            let pattern = format!("{}/{}", config.path.trim_end_matches('/'), stream.glob);
            let files = matching(&limits, &pattern, &options)?;
            streams.push(Located {
                name: stream.name.clone(),
                files,
                options,
                pattern,
            });
        }
        streams
    } else if has_wildcard(&config.path) {
        let files = matching(&limits, &config.path, &common)?;
        let name = config.stream_name.clone();
        vec![Located {
            name: name.unwrap_or_else(|| name_of_glob(&config.path)),
            files,
            options: common,
            pattern: config.path.clone(),
        }]
    } else {
        of_path(&limits, config, &common)?
    };
    for (at, stream) in streams.iter().enumerate() {
        if streams[..at].iter().any(|other| other.name == stream.name) {
            let name = &stream.name;
            let message =
                format!("two files or globs make a stream {name}; name them by \"streams\"");
            return Err(Failure::config(message));
        }
    }
    Ok(streams)
}

/// A file or a folder.
fn of_path(limits: &Limits, config: &Config, options: &Options) -> Result<Vec<Located>, Failure> {
    let path = limits.resolve(&config.path).map_err(Failure::config)?;
    let written = config.path.trim_end_matches('/');
    let is_folder = path.is_dir();
    let located = |name: String, files: Vec<Found>, pattern: &str| Located {
        name,
        files,
        options: options.clone(),
        pattern: pattern.to_owned(),
    };
    if !is_folder {
        if !path.exists() {
            let message = format!("there is no file or folder {}", config.path);
            return Err(Failure::config(message));
        }
        let file = found(limits, &path, written.to_owned(), options)?.ok_or_else(|| {
            let message =
                format!("{written} does not say by its name what it holds: set \"format\"");
            Failure::config(message)
        })?;
        let name = config.stream_name.clone();
        let name = name.unwrap_or_else(|| name_of_file(written));
        return Ok(vec![located(name, vec![file], written)]);
    }
    let pattern = format!("{written}/*");
    let files = matching(limits, &pattern, options)?;
    if files.is_empty() {
        return Err(nothing(&pattern));
    }
    Ok(match &config.stream_name {
        Some(name) => vec![located(name.clone(), files, &pattern)],
        None => {
            let each = files.into_iter().map(|file| {
                let shown = file.shown.clone();
                located(name_of_file(&shown), vec![file], &shown)
            });
            let mut each: Vec<Located> = each.collect();
            each.sort_by(|a, b| a.name.cmp(&b.name));
            each
        }
    })
}

pub(super) fn nothing(pattern: &str) -> Failure {
    Failure::config(format!("no file matches {pattern}"))
}

/// The files that match; links to folders are not followed.
fn matching(limits: &Limits, pattern: &str, options: &Options) -> Result<Vec<Found>, Failure> {
    // What comes before the first wildcard is a folder, and has to be one that may be touched.
    let is_plain = |part: &&str| !has_wildcard(part);
    let parts: Vec<&str> = pattern.split('/').collect();
    let plain = parts[..parts.len() - 1]
        .iter()
        .take_while(|p| is_plain(p))
        .count();
    let (base, rest) = (parts[..plain].join("/"), parts[plain..].join("/"));
    let base = match base.as_str() {
        "" if pattern.starts_with('/') => "/".to_owned(),
        "" => ".".to_owned(),
        _ => base,
    };
    if Path::new(&rest)
        .components()
        .any(|part| part == Component::ParentDir)
    {
        let message = format!("{pattern} goes up behind a wildcard");
        return Err(Failure::config(message));
    }
    let folder = limits.resolve(&base).map_err(Failure::config)?;
    let compiled = Pattern::new(&rest)
        .map_err(|e| Failure::config(format!("{pattern} is not a valid glob: {e}")))?;
    let depth = if rest.contains("**") {
        DEPTH_MAX
    } else {
        rest.split('/').count()
    };
    let mut names = Vec::new();
    walk(&folder, "", depth, &compiled, &mut names)?;
    let prefix = match base.as_str() {
        "." => String::new(),
        "/" => "/".to_owned(),
        other => format!("{other}/"),
    };
    let mut files = Vec::with_capacity(names.len());
    for name in names {
        let shown = format!("{prefix}{name}");
        files.extend(found(limits, &folder.join(&name), shown, options)?);
    }
    files.sort_by(|a, b| (&a.modified, &a.shown).cmp(&(&b.modified, &b.shown)));
    Ok(files)
}

fn walk(
    folder: &Path,
    prefix: &str,
    depth: usize,
    pattern: &Pattern,
    names: &mut Vec<String>,
) -> Result<(), Failure> {
    let unreadable = |e: std::io::Error| {
        Failure::config(format!(
            "the folder {} cannot be read: {e}",
            folder.display()
        ))
    };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        // Hidden files, and files whose names are not UTF-8, are ignored.
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else {
            continue;
        };
        let relative = format!("{prefix}{name}");
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_dir() {
            if depth > 1 {
                walk(
                    &entry.path(),
                    &format!("{relative}/"),
                    depth - 1,
                    pattern,
                    names,
                )?;
            }
        } else if pattern.matches_with(&relative, MATCHING) {
            if names.len() == FILES_MAX {
                let message = format!("more than {FILES_MAX} files match");
                return Err(Failure::config(message));
            }
            names.push(relative);
        }
    }
    Ok(())
}

/// The file, unless its name indicates another format.
fn found(
    limits: &Limits,
    path: &Path,
    shown: String,
    options: &Options,
) -> Result<Option<Found>, Failure> {
    let lower = shown.to_lowercase();
    let (stem, gzip) = match lower.strip_suffix(".gz") {
        Some(stem) => (stem, true),
        None => (lower.as_str(), false),
    };
    let by_name = match stem.rsplit('.').next() {
        Some("csv" | "tsv") => Some(Format::Csv),
        Some("jsonl" | "ndjson" | "json") => Some(Format::Jsonl),
        Some("parquet") if !gzip => Some(Format::Parquet),
        _ => None,
    };
    let Some(format) = options.format.or(by_name) else {
        return Ok(None);
    };
    let text = path
        .to_str()
        .ok_or_else(|| Failure::config(format!("the path of {shown} is not UTF-8")))?;
    // A link may lead out of what may be touched.
    let real = limits.resolve(text).map_err(Failure::config)?;
    let unreadable = |e| Failure::config(format!("{shown} cannot be read: {e}"));
    let metadata = std::fs::metadata(&real).map_err(unreadable)?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let modified = metadata.modified().map_err(unreadable)?;
    let micros = modified.duration_since(UNIX_EPOCH).map_or(0, |since| {
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    });
    let modified = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    Ok(Some(Found {
        path: real,
        modified: modified.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        format,
        gzip,
        tabs: stem.ends_with(".tsv"),
        shown,
    }))
}

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

fn name_of_file(shown: &str) -> String {
    let name = shown.rsplit('/').next().unwrap_or(shown);
    let stem = name.strip_suffix(".gz").unwrap_or(name);
    let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
    if stem.is_empty() { name } else { stem }.to_owned()
}

/// The last folder before the first wildcard, or what the files' names begin with.
fn name_of_glob(pattern: &str) -> String {
    let parts: Vec<&str> = pattern.split('/').collect();
    let plain = parts.iter().take_while(|part| !has_wildcard(part));
    match plain
        .filter(|part| !matches!(**part, "" | "." | ".."))
        .last()
    {
        Some(folder) => (*folder).to_owned(),
        None => "files".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_named_after_files_and_folders() {
        for (shown, name) in [
            ("shop/orders.csv", "orders"),
            ("orders.v2.csv.gz", "orders.v2"),
            ("data", "data"),
        ] {
            assert_eq!(name_of_file(shown), name);
        }
        for (pattern, name) in [
            ("/data/orders/*.csv", "orders"),
            ("data/**/*.parquet", "data"),
            ("./*.csv", "files"),
        ] {
            assert_eq!(name_of_glob(pattern), name);
        }
    }
}
