//! `aam heal`.

use std::process::ExitCode;

use catalog::plan::{Decision, Decisions};
use contracts::{HealAnswer, HealBody, HealOutcome};
use settings::Settings;

use super::catalog::Chosen;
use crate::client::Client;
use crate::output::{self, Format, counted};
use crate::output::{out, outln};

/// Compares a connection with its source, applies harmless and accepted changes, and shows the
/// rest.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A connection's id or name.
    connection: String,
    #[command(flatten)]
    chosen: Chosen,
    /// Heals only if the plan still has this hash.
    #[arg(long)]
    plan_hash: Option<String>,
}

pub(crate) async fn run(
    settings: &Settings,
    format: Format,
    arguments: Arguments,
) -> anyhow::Result<ExitCode> {
    let client = Client::orchestrator(settings)?;
    let connection = client.connection(&arguments.connection).await?;
    let Decisions {
        accept,
        defer,
        reject,
    } = arguments.chosen.decisions();
    let body = HealBody {
        plan_hash: arguments.plan_hash,
        accept: Some(accept),
        defer,
        reject,
        sketches: None,
    };
    let answer: HealAnswer = client
        .post(&format!("/connections/{}/heal", connection.id), &body)
        .await?;
    match format {
        Format::Json => output::json(&answer)?,
        Format::Table => print(&arguments.connection, &answer),
    }
    Ok(ExitCode::SUCCESS)
}

fn print(connection: &str, answer: &HealAnswer) {
    if let Some(plan) = &answer.plan {
        out!("{}", plan.to_text_in(output::style()));
    }
    for note in &answer.notes {
        outln!("{note}");
    }
    let proposed = answer.plan.iter().flat_map(|plan| &plan.changes);
    let accepted = proposed
        .filter(|change| change.decision == Decision::NeedsAcceptance)
        .filter(|change| !answer.pending.contains(&change.id))
        .count();
    if answer.outcome == HealOutcome::Healed && accepted > 0 {
        outln!("Accepted {}.", counted(accepted, "change"));
    }
    match answer.outcome {
        HealOutcome::NoDrift => {}
        HealOutcome::Healed => outln!(
            "Healed: catalog v{} -> v{}. A sync follows.",
            answer.previous_version.unwrap_or_default(),
            answer.new_version.unwrap_or_default()
        ),
        HealOutcome::Proposed => outln!("Nothing was changed."),
        HealOutcome::Paused => outln!("The connection was deactivated."),
        HealOutcome::Waiting => outln!("A job is running; the heal continues when it has ended."),
    }
    if !answer.pending.is_empty() {
        let waits = if answer.pending.len() == 1 {
            "waits"
        } else {
            "wait"
        };
        outln!(
            "{} {waits} for acceptance: aam heal {connection:?} --accept all   (or --accept {})",
            counted(answer.pending.len(), "change"),
            answer.pending.join(",")
        );
    }
}
