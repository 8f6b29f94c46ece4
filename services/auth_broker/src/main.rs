//! The auth broker as a separate process.

use std::process::ExitCode;

use settings::Settings;

#[tokio::main]
async fn main() -> ExitCode {
    service_kit::process::run("auth_broker", async |settings: Settings, stopping| {
        let registry = service_kit::process::broker_registry(&settings).await?;
        auth_broker::Application::build(&settings, registry, stopping)
            .await?
            .run()
            .await?;
        Ok(())
    })
    .await
}
