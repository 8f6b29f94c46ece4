//! Reads catalogs from files: bare, in the envelope that `discover` prints, or within a response of
//! Airbyte's APIs.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use catalog::SyncCatalog;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// An object that contains a catalog; one that has `streams` is the catalog itself.
#[derive(Deserialize)]
struct Around<'a> {
    streams: Option<IgnoredAny>,
    #[serde(borrow)]
    catalog: Option<&'a RawValue>,
    #[serde(borrow, rename = "syncCatalog")]
    sync_catalog: Option<&'a RawValue>,
    #[serde(borrow)]
    configurations: Option<&'a RawValue>,
}

/// Returns the text of the catalog in a file; `-` is standard input.
pub(super) fn text(path: &Path) -> anyhow::Result<String> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map(|_| text)
            .context("reading standard input")?
    } else {
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?
    };
    if let Ok(around) = serde_json::from_str::<Around<'_>>(&text) {
        return Ok(inside(&around).map_or(text.clone(), str::to_owned));
    }
    // `discover` prints the catalog in an envelope, among other lines.
    let found = text.lines().find_map(|line| {
        let around = serde_json::from_str::<Around<'_>>(line).ok()?;
        inside(&around).map(str::to_owned)
    });
    Ok(found.unwrap_or(text))
}

fn inside<'a>(around: &Around<'a>) -> Option<&'a str> {
    if around.streams.is_some() {
        return None;
    }
    let held = [around.catalog, around.sync_catalog, around.configurations];
    held.into_iter().flatten().next().map(RawValue::get)
}

/// Reads the catalog in a file.
pub(super) fn read(path: &Path) -> anyhow::Result<SyncCatalog> {
    SyncCatalog::parse(&text(path)?).with_context(|| not_a_catalog(path))
}

/// The error for a file without a catalog.
pub(super) fn not_a_catalog(path: &Path) -> String {
    if path == Path::new("-") {
        return "standard input is not a catalog".to_owned();
    }
    format!("{} is not a catalog", path.display())
}
