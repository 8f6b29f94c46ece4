//! `aam catalog diff`.

use std::process::ExitCode;

use catalog::plan::{self, Severity, Style};

use super::compared::Compared;
use crate::output;

/// Compares two catalogs and says what each difference means.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    compared: Compared,
    /// How it is told.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Ends with 10 when something safe or worth a warning changed, with 20 when something breaks
    /// or may lose values; 0 else, 2 on trouble.
    #[arg(long)]
    exit_code: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Format {
    /// In words, by stream, the gravest first.
    #[default]
    Text,
    /// The plan as JSON.
    Json,
    /// Airbyte's `CatalogDiff` as JSON.
    Airbyte,
    /// In words, for a comment on a change request.
    Markdown,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let catalogs = arguments.compared.read()?;
    let plan = plan::plan(&catalogs.current, &catalogs.new, &catalogs.capabilities);
    match arguments.format {
        Format::Airbyte => output::json(&catalog::diff::airbyte(
            &catalogs.old,
            &catalogs.new,
            &catalogs.configured,
        ))?,
        Format::Json => output::json(&plan)?,
        Format::Text => print!("{}", plan.to_text_in(output::style())),
        Format::Markdown => print!("{}", plan.to_text_in(Style::Markdown)),
    }
    let code = match plan.severity {
        _ if !arguments.exit_code => 0,
        Severity::Info => 0,
        Severity::Safe | Severity::Warning => 10,
        Severity::Breaking | Severity::DataLoss => 20,
    };
    Ok(ExitCode::from(code))
}
