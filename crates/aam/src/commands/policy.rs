//! `aam policy`: works on drift policies without any service.

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
use settings::drift_policy;

use crate::output::{self, Format, counted};
use crate::output::{out, outln};

/// Checks drift policies and explains them.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Validates a policy; exits with 0 if it is valid, with 1 otherwise.
    Check {
        /// A keyword, for example `propose`, or a JSON file.
        policy: String,
    },
    /// Explains a policy and, given a plan, which rule decides each change.
    Explain {
        /// A keyword, for example `propose`, or a JSON file.
        policy: String,
        /// A plan as JSON: the output of `aam catalog diff --format json`, `POST /repair/plan` or a
        /// heal.
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

/// Returns the policy as written and as parsed. Validation errors are kept apart from other errors.
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
                outln!("{fault}");
            }
            for warning in &warnings {
                outln!("warning: {warning}");
            }
            if faults.is_empty() {
                outln!("{given} is valid: {}.", counted(count, "rule"));
            } else {
                outln!("{given} is invalid: {}.", counted(faults.len(), "fault"));
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

/// The policy's decision about a change, and the reason.
#[derive(Debug, Serialize)]
struct Decided {
    id: String,
    kind: ChangeKind,
    stream: StreamDescriptor,
    path: Vec<String>,
    severity: Severity,
    action: Action,
    /// Index of the rule; absent if `otherwise` decides.
    rule: Option<usize>,
    reason: String,
}

fn explain(format: Format, given: &str, plan: Option<&Path>) -> anyhow::Result<ExitCode> {
    let policy = match read(given)? {
        Ok((_, policy)) => policy,
        Err(faults) => anyhow::bail!("{given} is invalid: {faults}"),
    };
    let decided = match plan {
        Some(path) => Some(decide(&policy, changes(path)?)),
        None => None,
    };
    match format {
        Format::Json => output::json(&json!({"policy": policy, "changes": decided}))?,
        Format::Table => {
            if given.parse::<Word>().is_ok() {
                outln!("{given} stands for {}\n", policy.to_json());
            }
            out!("{}", policy.to_text());
            if let Some(decided) = decided {
                outln!();
                print_decided(&policy, &decided);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the changes of a plan, which may be part of a response of the repair agent.
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
    read().with_context(|| format!("{} is not a plan", path.display()))
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
        outln!("The plan has no changes.");
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
        outln!(
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

/// The JSON keyword of the value.
fn word(value: &impl Serialize) -> String {
    let written = serde_json::to_value(value).unwrap_or_default();
    written.as_str().unwrap_or_default().to_owned()
}
