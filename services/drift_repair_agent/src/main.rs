//! The drift-repair agent as a separate process.

use std::process::ExitCode;

use shared::settings::Settings;

#[tokio::main]
async fn main() -> ExitCode {
    shared::process::run(
        "drift_repair_agent",
        async |settings: Settings, stopping| {
            let registry = shared::process::registry(&settings).await?;
            drift_repair_agent::Application::build(&settings, registry, stopping)
                .await?
                .run()
                .await?;
            Ok(())
        },
    )
    .await
}
