//! `aam gc`.

use std::process::ExitCode;

use contracts::Orphan;
use reqwest::Method;
use settings::Settings;

use crate::client::Client;
use crate::output::outln;
use crate::output::{self, Format, counted};

/// Lists objects in Airbyte that this installation created and no connection or operation owns.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Deletes them, connections before their sources.
    #[arg(long)]
    apply: bool,
    /// Only objects older than this, in seconds; a running operation may still claim newer ones.
    #[arg(long, default_value_t = 900)]
    older_than: u32,
}

pub(crate) async fn run(
    settings: &Settings,
    format: Format,
    arguments: Arguments,
) -> anyhow::Result<ExitCode> {
    let client = Client::orchestrator(settings)?;
    let path = format!("/orphans?older_than={}", arguments.older_than);
    let method = if arguments.apply {
        Method::DELETE
    } else {
        Method::GET
    };
    let orphans: Vec<Orphan> = client.call(method, &path, None::<&()>).await?;
    if format == Format::Json {
        output::json(&orphans)?;
        return Ok(ExitCode::SUCCESS);
    }
    let found = counted(orphans.len(), "orphan");
    output::table(
        ["KIND", "ID", "NAME"],
        orphans.into_iter().map(|orphan| {
            let kind = format!("{:?}", orphan.kind).to_lowercase();
            [kind, orphan.id.to_string(), orphan.name]
        }),
    );
    outln!(
        "{found}{}.",
        if arguments.apply {
            " removed"
        } else {
            "; --apply deletes them"
        }
    );
    Ok(ExitCode::SUCCESS)
}
