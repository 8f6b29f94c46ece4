//! `aam catalog plan`.

use std::process::ExitCode;

use catalog::plan::{self, Acceptance, Basis, Decisions};

use super::compared::Compared;
use crate::output::{self, Format};
use crate::output::{out, outln};

/// Plans the changes from one catalog to another: decisions, steps, the resulting catalog, and the
/// way back.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    compared: Compared,
    /// The policy that decides: a keyword, or a file with a JSON document.
    #[arg(long, value_name = "WORD|FILE", default_value = "propose")]
    policy: String,
    #[command(flatten)]
    chosen: Chosen,
}

/// Decisions about a plan's changes.
#[derive(Debug, clap::Args)]
pub(crate) struct Chosen {
    /// Accepts proposals: `all`, or change ids separated by commas.
    #[arg(long, value_delimiter = ',', num_args = 1.., value_name = "all|ID")]
    accept: Vec<String>,
    /// Keeps the old shape of these changes; change ids separated by commas.
    #[arg(long, value_delimiter = ',', num_args = 1.., value_name = "ID")]
    defer: Vec<String>,
    /// Leaves an addition out, or treats a rename as a removal and an addition.
    #[arg(long, value_delimiter = ',', num_args = 1.., value_name = "ID")]
    reject: Vec<String>,
}

impl Chosen {
    /// The decisions in the form that a plan takes.
    pub(crate) fn decisions(&self) -> Decisions {
        let accept = match self.accept.as_slice() {
            [] => Acceptance::Nothing,
            [word] if word == "all" => Acceptance::All,
            ids => Acceptance::Ids(ids.to_vec()),
        };
        Decisions {
            accept,
            defer: self.defer.clone(),
            reject: self.reject.clone(),
        }
    }
}

pub(super) fn run(arguments: &Arguments, format: Format) -> anyhow::Result<ExitCode> {
    let catalogs = arguments.compared.read()?;
    let here = std::env::current_dir()?;
    let policy = settings::drift_policy::read(&arguments.policy, &here)?.policy()?;
    let basis = Basis {
        policy: Some(&policy),
        ..Basis::default()
    };
    let (current, new) = (&catalogs.current, &catalogs.new);
    let plan = plan::plan_for(current, new, &catalogs.capabilities, &basis);
    let decided = plan.decide(&arguments.chosen.decisions())?;
    let applied = plan::apply(current, new, &plan, &decided, &catalogs.capabilities);
    match format {
        Format::Json => output::json(&plan.with_outcome(&decided, &applied))?,
        Format::Table => {
            out!("{}", plan.to_text_in(output::style()));
            let plan = plan.without_catalogs(&decided, &applied);
            section("Decided", &plan.summary);
            let words = plan.actions.iter().map(ToString::to_string);
            section("Steps", &words.collect::<Vec<_>>());
            let lost = plan.irreversible.iter();
            let lost = lost.map(|one| format!("{}: {}", one.stream, one.what));
            section("Not restored by a rollback", &lost.collect::<Vec<_>>());
            section("Notes", &applied.notes);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn section(name: &str, lines: &[String]) {
    if !lines.is_empty() {
        outln!("\n{name}");
        for line in lines {
            outln!("  {line}");
        }
    }
}
