//! The program behind scripts/bench.sh: measures the release build beside it and prints a table.
//!
//! `figures all FOLDER` runs everything, `figures sync FOLDER` the syncs alone, `figures api FOLDER MINUTES` the requests;
//! the other forms are the processes it measures.

#![allow(clippy::print_stdout, reason = "a program that prints figures")]

mod api;
mod engine;
mod faker;
mod parquet_files;
mod postgres;
mod process;
mod rows;
mod starts;
mod syncs;
mod table;

use std::path::PathBuf;

use anyhow::Context as _;

use crate::table::Table;

fn main() -> anyhow::Result<()> {
    // Cargo adds `--bench`.
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let form = args.next().unwrap_or_default();
    let mut path = |what: &str| -> anyhow::Result<PathBuf> {
        Ok(args.next().with_context(|| format!("no {what}"))?.into())
    };
    match form.as_str() {
        "all" => all(&path("folder")?),
        "sync" => sync(&path("folder")?),
        "api" => {
            let folder = path("folder")?;
            let minutes = path("number of minutes")?;
            let minutes = minutes
                .to_string_lossy()
                .parse()
                .context("no number of minutes")?;
            api(&folder, minutes)
        }
        "bare-handler" => api::bare::serve(&path("registry")?, &path("file of bytes")?),
        "bare-insert" => rows::bare(&path("source")?, &path("destination")?),
        _ => anyhow::bail!(
            "usage: figures all|sync FOLDER, figures api FOLDER MINUTES; scripts/bench.sh makes the folder"
        ),
    }
}

fn all(folder: &std::path::Path) -> anyhow::Result<()> {
    let mut table = Table::new()?;
    starts::sizes(&mut table)?;
    starts::one_process(&mut table, folder)?;
    let services = starts::four_processes(&mut table, folder)?;
    rows::measure(&mut table, folder, services)?;
    syncs::measure(&mut table, folder)?;
    table.finish()
}

fn api(folder: &std::path::Path, minutes: u64) -> anyhow::Result<()> {
    let mut table = Table::new()?;
    api::measure(&mut table, folder, minutes)?;
    table.finish()
}

fn sync(folder: &std::path::Path) -> anyhow::Result<()> {
    let mut table = Table::new()?;
    syncs::measure(&mut table, folder)?;
    table.finish()
}
