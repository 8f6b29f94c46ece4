//! `aam catalog diff`.

use std::process::ExitCode;

use catalog::plan::{self, Severity, Style};

use super::compared::Compared;
use crate::output;
use crate::output::out;

/// Compares two catalogs and explains each difference.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    compared: Compared,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Exits with 10 if all changes are safe or warnings, with 20 if a change is breaking or may
    /// lose values; with 0 if nothing changed, with 2 on errors.
    #[arg(long)]
    exit_code: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Format {
    /// Plain text, grouped by stream, most severe changes first.
    #[default]
    Text,
    /// The plan as JSON.
    Json,
    /// Airbyte's `CatalogDiff` as JSON.
    Airbyte,
    /// Markdown, for a comment on a change request.
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
        Format::Text => out!("{}", plan.to_text_in(output::style())),
        Format::Markdown => out!("{}", plan.to_text_in(Style::Markdown)),
    }
    let code = match plan.severity {
        _ if !arguments.exit_code => 0,
        Severity::Info => 0,
        Severity::Safe | Severity::Warning => 10,
        Severity::Breaking | Severity::DataLoss => 20,
    };
    Ok(ExitCode::from(code))
}
