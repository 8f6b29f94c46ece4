//! The one user of a community installation and its one organization, as Airbyte makes them.

use serde_json::{Value, json};
use uuid::Uuid;

/// The user's id and the organization's.
pub(crate) const DEFAULT_ID: Uuid = Uuid::nil();
/// The permission that makes the user the instance's admin.
pub(crate) const PERMISSION_ID: Uuid = Uuid::from_u128(1);
/// The organization's name.
pub(crate) const ORGANIZATION_NAME: &str = "Default Organization";
/// The user's name.
pub(crate) const USER_NAME: &str = "Default User";
/// The address of both, since none was configured.
pub(crate) const EMAIL: &str = "user@example.com";

/// The organization as the public API shows it.
pub(crate) fn organization() -> Value {
    json!({
        "organizationId": DEFAULT_ID,
        "organizationName": ORGANIZATION_NAME,
        "email": EMAIL,
    })
}

/// The user as the Config API shows it.
pub(crate) fn user(workspace: Option<Uuid>) -> Value {
    json!({
        "userId": DEFAULT_ID,
        "authUserId": DEFAULT_ID.to_string(),
        "authProvider": "airbyte",
        "name": USER_NAME,
        "email": EMAIL,
        "status": "registered",
        "defaultWorkspaceId": workspace,
        "metadata": {},
    })
}

/// The user's permission as the Config API shows it.
pub(crate) fn permission() -> Value {
    json!({
        "permissionId": PERMISSION_ID,
        "permissionType": "instance_admin",
        "userId": DEFAULT_ID,
        "organizationId": DEFAULT_ID,
    })
}
