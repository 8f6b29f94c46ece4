//! The orchestrator as a separate process.

use std::process::ExitCode;

use settings::Settings;

#[tokio::main]
async fn main() -> ExitCode {
    service_kit::process::run("orchestrator", async |settings: Settings, stopping| {
        let registry = service_kit::process::registry(&settings).await?;
        orchestrator::Application::build(&settings, registry, stopping)
            .await?
            .run()
            .await?;
        Ok(())
    })
    .await
}
