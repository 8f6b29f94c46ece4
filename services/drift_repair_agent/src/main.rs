//! The drift-repair agent as a separate process.

use std::process::ExitCode;

use settings::Settings;

#[tokio::main]
async fn main() -> ExitCode {
    service_kit::process::run(
        "drift_repair_agent",
        async |settings: Settings, stopping| {
            let registry = service_kit::process::registry(&settings).await?;
            drift_repair_agent::Application::build(&settings, registry, stopping)
                .await?
                .run()
                .await?;
            Ok(())
        },
    )
    .await
}
