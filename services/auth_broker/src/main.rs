//! The auth broker as a separate process.

use std::process::ExitCode;

use shared::settings::Settings;

#[tokio::main]
async fn main() -> ExitCode {
    shared::process::run("auth_broker", async |settings: Settings, stopping| {
        let registry = shared::process::broker_registry(&settings).await?;
        auth_broker::Application::build(&settings, registry, stopping)
            .await?
            .run()
            .await?;
        Ok(())
    })
    .await
}
