//! Redis, as far as it is asked whether it answers.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

const PATIENCE: Duration = Duration::from_secs(2);

/// Answers when Redis does.
///
/// # Errors
/// When it cannot be reached or refuses.
pub async fn ping(url: &SecretString) -> Result<(), redis::RedisError> {
    let client = redis::Client::open(url.expose_secret())?;
    let config = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    redis::cmd("PING").query_async::<()>(&mut connection).await
}
