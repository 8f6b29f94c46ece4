//! `aam policy`: policies about drift, looked at without any service.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use airbyte_protocol::StreamDescriptor;
use anyhow::Context as _;
use catalog::drift::{Change, ChangeKind, Severity};
use catalog::policy::{Action, Policy, Word};
use catalog::{Fault, Faults};
use contracts::DriftPolicy;
use serde::Serialize;
use serde_json::{Value, json};
use shared::drift_policy;

use crate::output::{self, Format, counted};

/// Checks policies about drift and tells what they mean.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Finds every fault of a policy; exit code 0 when it can be followed, 1 when not.
    Check {
        /// A word, for instance `propose`, or a JSON file.
        policy: String,
    },
    /// Tells a policy in words, and with a plan, which rule decides each change.
    Explain {
        /// A word, for instance `propose`, or a JSON file.
        policy: String,
        /// A plan as JSON: what `aam catalog diff --format json`, `POST /repair/plan` or a heal
        /// printed.
        #[arg(long)]
        plan: Option<PathBuf>,
    },
}

pub(crate) fn run(format: Format, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check { policy } => check(format, &policy),
        Command::Explain { policy, plan } => explain(format, &policy, plan.as_deref()),
    }
}

/// The policy as it was stated and as it is meant. Faults are kept apart from other troubles.
fn read(given: &str) -> anyhow::Result<Result<(DriftPolicy, Policy), Faults>> {
    match drift_policy::read(given, Path::new("")) {
        Ok(stated) => Ok(stated.policy().map(|policy| (stated, policy))),
        Err(drift_policy::Error::Bad { faults, .. }) => Ok(Err(faults)),
        Err(error) => Err(error.into()),
    }
}

fn check(format: Format, given: &str) -> anyhow::Result<ExitCode> {
    let (faults, warnings, count) = match read(given)? {
        Ok((_, policy)) => (Vec::new(), policy.warnings(), policy.rules.len()),
        Err(Faults(faults)) => (faults, Vec::new(), 0),
    };
    match format {
        Format::Json => {
            output::json(
                &json!({"ok": faults.is_empty(), "faults": faults, "warnings": warnings}),
            )?;
        }
        Format::Table => {
            for fault in &faults {
                println!("{fault}");
            }
            for warning in &warnings {
                println!("warning: {warning}");
            }
            if faults.is_empty() {
                println!("{given} can be followed: {}.", counted(count, "rule"));
            } else {
                println!(
                    "{given} cannot be followed: {}.",
                    counted(faults.len(), "fault")
                );
            }
        }
    }
    Ok(exit_code(&faults))
}

fn exit_code(faults: &[Fault]) -> ExitCode {
    if faults.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What the policy does about a change, and why.
#[derive(Debug, Serialize)]
struct Decided {
    id: String,
    kind: ChangeKind,
    stream: StreamDescriptor,
    path: Vec<String>,
    severity: Severity,
    action: Action,
    /// Index of the rule; absent where `otherwise` decides.
    rule: Option<usize>,
    reason: String,
}

fn explain(format: Format, given: &str, plan: Option<&Path>) -> anyhow::Result<ExitCode> {
    let policy = match read(given)? {
        Ok((_, policy)) => policy,
        Err(faults) => anyhow::bail!("{given} cannot be followed: {faults}"),
    };
    let decided = match plan {
        Some(path) => Some(decide(&policy, changes(path)?)),
        None => None,
    };
    match format {
        Format::Json => output::json(&json!({"policy": policy, "changes": decided}))?,
        Format::Table => {
            if given.parse::<Word>().is_ok() {
                println!("{given} stands for {}\n", policy.to_json());
            }
            print!("{}", policy.to_text());
            if let Some(decided) = decided {
                println!();
                print_decided(&policy, &decided);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The changes of a plan, which may stand inside an answer of the repair agent.
fn changes(path: &Path) -> anyhow::Result<Vec<Change>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let read = || -> anyhow::Result<Vec<Change>> {
        let mut document: Value = serde_json::from_str(&text)?;
        if let Some(plan) = document.get_mut("plan") {
            document = plan.take();
        }
        let changes = document.get_mut("changes").context("it has no `changes`")?;
        Ok(serde_json::from_value(changes.take())?)
    };
    read().with_context(|| format!("{} is no plan", path.display()))
}

fn decide(policy: &Policy, changes: Vec<Change>) -> Vec<Decided> {
    let decided = changes.into_iter().map(|change| {
        let (action, rule) = policy.decide_change(&change);
        let mut reason = policy.decided_by(rule);
        if action == Action::Propose && change.is_guess() {
            reason.push_str(", and the rename is not exact");
        }
        Decided {
            id: change.id,
            kind: change.kind,
            stream: change.stream,
            path: change.path,
            severity: change.severity,
            action,
            rule,
            reason,
        }
    });
    decided.collect()
}

fn print_decided(policy: &Policy, decided: &[Decided]) {
    if decided.is_empty() {
        println!("The plan has no changes.");
    }
    for change in decided {
        let place = if change.path.is_empty() {
            change.stream.to_string()
        } else {
            format!("{} {}", change.stream, change.path.join("."))
        };
        let sentence = match change.rule {
            Some(index) => policy.rules[index].sentence(),
            None => policy.last_sentence(),
        };
        println!(
            "{:<8} {}, {}, {}: {}: {}",
            change.action.as_str(),
            place,
            word(&change.kind),
            word(&change.severity),
            change.reason,
            sentence,
        );
    }
}

/// The word that documents use for the value.
fn word(value: &impl Serialize) -> String {
    let written = serde_json::to_value(value).unwrap_or_default();
    written.as_str().unwrap_or_default().to_owned()
}
