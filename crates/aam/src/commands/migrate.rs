//! `aam migrate`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;
use settings::Settings;
use shared::registry::Registry;

use crate::output::outln;
use crate::output::{self, Format};

/// Migrates the registry's database to the current schema.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Applies missing migrations.
    Up,
    /// Lists all migrations and whether they are applied.
    Status,
    /// Adds an empty migration to this checkout of the project.
    New {
        /// What it does, in snake_case.
        name: String,
    },
}

pub(crate) async fn run(
    settings: &impl Fn() -> anyhow::Result<Settings>,
    format: Format,
    command: Command,
) -> anyhow::Result<ExitCode> {
    let registry = || -> anyhow::Result<Registry> {
        let settings = settings()?;
        Ok(Registry::connect(&settings.database, settings.pooler)?)
    };
    match command {
        Command::Up => {
            let applied = registry()?
                .migrate()
                .await
                .context("migrating the registry")?;
            match format {
                Format::Json => output::json(&json!({ "applied": applied }))?,
                Format::Table if applied == 0 => outln!("The registry is already up to date."),
                Format::Table => outln!(
                    "Applied {}; the registry is up to date.",
                    output::counted(applied, "migration")
                ),
            }
        }
        Command::Status => {
            let states = registry()?
                .migration_states()
                .await
                .context("querying the registry")?;
            match format {
                Format::Json => {
                    let states: Vec<_> = states
                        .iter()
                        .map(|state| json!({"name": state.name, "applied": state.applied}))
                        .collect();
                    output::json(&states)?;
                }
                Format::Table => output::table(
                    ["MIGRATION", "STATE"],
                    states.into_iter().map(|state| {
                        let word = if state.applied { "applied" } else { "missing" };
                        [state.name, word.to_owned()]
                    }),
                ),
            }
        }
        Command::New { name } => add(&name)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn add(name: &str) -> anyhow::Result<()> {
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    anyhow::ensure!(fits, "`{name}` is not a snake_case name");
    let list = Path::new("migrations/src/lib.rs");
    let text = std::fs::read_to_string(list)
        .context("migrations/src/lib.rs does not exist here; run this at the top of a checkout")?;
    let module = format!("m{}_{name}", chrono::Utc::now().format("%Y%m%d_%H%M%S"));
    let new =
        listed(&text, &module).context("migrations/src/lib.rs has an unexpected structure")?;
    let path = format!("migrations/src/{module}.rs");
    std::fs::write(&path, TEMPLATE)?;
    std::fs::write(list, new)?;
    outln!("Created {path} and listed it in migrations/src/lib.rs.");
    Ok(())
}

/// The list of migrations with one appended, formatted like rustfmt's output.
fn listed(text: &str, module: &str) -> Option<String> {
    let last_module = text.rfind("\nmod m")? + 1;
    let end_of_modules = last_module + text[last_module..].find('\n')?;
    let begin_of_list = end_of_modules + text[end_of_modules..].find("vec![")?;
    let end_of_list = begin_of_list + text[begin_of_list..].find(']')? + 1;
    let mut list = "vec![\n".to_owned();
    for entry in text[begin_of_list..end_of_list].split("Box::new(").skip(1) {
        let entry = entry.split(')').next()?;
        list.push_str(&format!("            Box::new({entry}),\n"));
    }
    list.push_str(&format!(
        "            Box::new({module}::Migration),\n        ]"
    ));
    Some(format!(
        "{}\nmod {module};{}{list}{}",
        &text[..end_of_modules],
        &text[end_of_modules..begin_of_list],
        &text[end_of_list..]
    ))
}

const TEMPLATE: &str = r#"//! What this migration is for.

#![expect(
    elided_lifetimes_in_paths,
    reason = "the migration trait is written with elided lifetimes"
)]

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}
"#;
