//! `aam connections`.

use std::process::ExitCode;

use contracts::{CatalogComparison, CatalogVersion, ConnectionView, JobView};
use serde_json::json;
use settings::Settings;

use crate::client::Client;
use crate::output::{self, Format};
use crate::output::{out, outln};

/// Lists connections, shows one with its catalog versions and jobs, or compares two of its
/// versions.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A connection's id or name.
    connection: Option<String>,
    /// Compares two of its catalog versions; without a range, the current version with the previous
    /// one.
    #[arg(
        long,
        value_name = "FROM..TO",
        num_args = 0..=1,
        default_missing_value = "..",
        requires = "connection"
    )]
    diff: Option<Range>,
}

/// Two versions; the service chooses an end that is omitted.
#[derive(Debug, Clone, Copy)]
struct Range {
    from: Option<i32>,
    to: Option<i32>,
}

impl std::str::FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("{text:?} is not a range of versions such as 1..2");
        let number = |text: &str| match text {
            "" => Ok(None),
            number => number.parse().map(Some).map_err(|_| refused()),
        };
        let (from, to) = text.split_once("..").ok_or_else(refused)?;
        Ok(Self {
            from: number(from)?,
            to: number(to)?,
        })
    }
}

pub(crate) async fn run(
    settings: &Settings,
    format: Format,
    arguments: Arguments,
) -> anyhow::Result<ExitCode> {
    let client = Client::orchestrator(settings)?;
    match (arguments.connection, arguments.diff) {
        (None, _) => list(&client, format).await?,
        (Some(connection), None) => show(&client, format, &connection).await?,
        (Some(connection), Some(range)) => compare(&client, format, &connection, range).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(client: &Client, format: Format) -> anyhow::Result<()> {
    let all: Vec<ConnectionView> = client.get("/connections").await?;
    match format {
        Format::Json => output::json(&all),
        Format::Table if all.is_empty() => {
            outln!("No connections yet; `aam onboard` creates one.");
            Ok(())
        }
        Format::Table => {
            output::table(
                ["ID", "NAME", "SOURCE", "STATUS", "CATALOG"],
                all.into_iter().map(|connection| {
                    [
                        connection.id.to_string(),
                        connection.name,
                        connection.source_type,
                        connection.status,
                        format!("v{}", connection.catalog_version),
                    ]
                }),
            );
            Ok(())
        }
    }
}

async fn show(client: &Client, format: Format, connection: &str) -> anyhow::Result<()> {
    let connection = client.connection(connection).await?;
    let versions: Vec<CatalogVersion> = client
        .get(&format!("/connections/{}/catalogs", connection.id))
        .await?;
    let jobs: Vec<JobView> = client
        .get(&format!("/connections/{}/jobs", connection.id))
        .await?;
    if format == Format::Json {
        return output::json(
            &json!({"connection": connection, "catalogs": versions, "jobs": jobs}),
        );
    }
    outln!(
        "{} ({}) is {}",
        connection.name,
        connection.source_type,
        connection.status
    );
    if let Some(reason) = &connection.status_reason {
        outln!("{reason}");
    }
    outln!();
    output::table(
        ["CATALOG", "ORIGIN", "SINCE"],
        versions.into_iter().map(|version| {
            [
                format!("v{}", version.version),
                version.origin,
                output::time(version.created_at),
            ]
        }),
    );
    outln!();
    output::table(
        ["JOB", "TYPE", "STATUS", "ROWS", "ENDED", "ERROR"],
        jobs.into_iter().map(|job| {
            [
                job.job_id,
                job.job_type,
                job.status,
                job.rows_synced
                    .map_or_else(String::new, |rows| rows.to_string()),
                job.completed_at.map(output::time).unwrap_or_default(),
                job.error_message.unwrap_or_default(),
            ]
        }),
    );
    Ok(())
}

async fn compare(
    client: &Client,
    format: Format,
    connection: &str,
    range: Range,
) -> anyhow::Result<()> {
    let connection = client.connection(connection).await?;
    let ends = [("from", range.from), ("to", range.to)];
    let query: Vec<String> = ends
        .iter()
        .filter_map(|(name, number)| Some(format!("{name}={}", (*number)?)))
        .collect();
    let path = format!(
        "/connections/{}/catalogs/diff?{}",
        connection.id,
        query.join("&")
    );
    let compared: CatalogComparison = client.get(&path).await?;
    if format == Format::Json {
        return output::json(&compared);
    }
    outln!("{} v{} -> v{}", connection.name, compared.from, compared.to);
    out!("{}", compared.comparison().to_text_in(output::style()));
    Ok(())
}
