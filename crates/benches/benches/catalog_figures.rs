//! Measures parsing, comparing and planning catalogs, next to a pass over the same two documents
//! that only validates the JSON. Each run is a separate process; the median counts.
//!
//! `catalog_figures FOLDER` measures every `NAME.old.json` there with its `NAME.new.json`.

#![allow(clippy::print_stdout, reason = "a program that prints figures")]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use catalog::plan::{self, Capabilities, Decisions};
use catalog::{Interner, SyncCatalog};
use serde::de::IgnoredAny;

type Failure = Box<dyn std::error::Error>;

const RUNS: usize = 7;

fn main() -> Result<(), Failure> {
    // Cargo adds `--bench`.
    let arguments = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let arguments: Vec<String> = arguments.collect();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        [folder] => measure(Path::new(folder)),
        [form, old, new] => run(form, Path::new(old), Path::new(new)),
        _ => Err("usage: catalog_figures FOLDER".into()),
    }
}

/// Prints microseconds and peak memory.
fn run(form: &str, old: &Path, new: &Path) -> Result<(), Failure> {
    let begun = Instant::now();
    match form {
        "skim" => {
            for path in [old, new] {
                let text = std::fs::read(path)?;
                let _: IgnoredAny = serde_json::from_slice(&text)?;
            }
        }
        "read" => {
            both(old, new)?;
        }
        _ => {
            let (current, discovered) = both(old, new)?;
            let capabilities = Capabilities::default();
            let plan = plan::plan(&current, &discovered, &capabilities);
            if form == "apply" {
                let decided = plan.decide(&Decisions::none())?;
                plan::apply(&current, &discovered, &plan, &decided, &capabilities);
            }
        }
    }
    println!("{} {}", begun.elapsed().as_micros(), peak());
    Ok(())
}

fn both(old: &Path, new: &Path) -> Result<(SyncCatalog, SyncCatalog), Failure> {
    let mut interner = Interner::default();
    let mut parsed = |path: &Path| -> Result<SyncCatalog, Failure> {
        let text = std::fs::read_to_string(path)?;
        Ok(SyncCatalog::parse_with(&text, &mut interner)?)
    };
    Ok((parsed(old)?, parsed(new)?))
}

/// The peak memory of this process, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1024
}

fn measure(folder: &Path) -> Result<(), Failure> {
    let mut names: Vec<(u64, String)> = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if let Some(name) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.strip_suffix(".old.json"))
        {
            names.push((entry.metadata()?.len(), name.to_owned()));
        }
    }
    names.sort_unstable();
    println!(
        "{:<24} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>7} {:>7} {:>8}",
        "two catalogs",
        "MB",
        "JSON ms",
        "read ms",
        "plan ms",
        "apply ms",
        "read",
        "plan",
        "apply",
        "memory"
    );
    for (_, name) in names {
        let (old, new) = (
            folder.join(format!("{name}.old.json")),
            folder.join(format!("{name}.new.json")),
        );
        let size = old.metadata()?.len() + new.metadata()?.len();
        let (skim, _) = middle("skim", &old, &new)?;
        let (read, _) = middle("read", &old, &new)?;
        let (plan, memory) = middle("plan", &old, &new)?;
        let (apply, _) = middle("apply", &old, &new)?;
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let times = |time: Duration| time.as_secs_f64() / skim.as_secs_f64();
        println!(
            "{name:<24} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>6.1}x {:>6.1}x {:>6.1}x {:>7.1}x",
            size as f64 / 1e6,
            ms(skim),
            ms(read),
            ms(plan),
            ms(apply),
            times(read),
            times(plan),
            times(apply),
            memory as f64 / size as f64,
        );
    }
    Ok(())
}

/// The median time of several processes, and the largest peak.
fn middle(form: &str, old: &Path, new: &Path) -> Result<(Duration, u64), Failure> {
    let mut times = Vec::new();
    let mut most = 0;
    for _ in 0..RUNS {
        let output = Command::new(std::env::current_exe()?)
            .arg(form)
            .args([old, new])
            .output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        let text = String::from_utf8(output.stdout)?;
        let (micros, bytes) = text.trim().split_once(' ').ok_or("two numbers")?;
        times.push(Duration::from_micros(micros.parse()?));
        most = most.max(bytes.parse()?);
    }
    times.sort_unstable();
    Ok((times[RUNS / 2], most))
}
