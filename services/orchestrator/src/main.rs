//! The orchestrator as a separate process.

use std::process::ExitCode;

use shared::settings::Settings;

#[tokio::main]
async fn main() -> ExitCode {
    shared::process::run("orchestrator", async |settings: Settings, stopping| {
        let registry = shared::process::registry(&settings).await?;
        orchestrator::Application::build(&settings, registry, stopping)
            .await?
            .run()
            .await?;
        Ok(())
    })
    .await
}
