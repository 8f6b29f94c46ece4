//! Short configurations: what people write for a common connector, in contrast to the connector's
//! own configuration, which Airbyte gets. The connector's own names are accepted too; a connector
//! without a table accepts only its own configuration. `docs/short_configurations.md` describes the
//! rules.

mod build;
mod databases;
mod faults;
mod formats;
mod kafka;
mod mask;
mod mongodb;
mod places;
mod s3;
mod schema;
mod shorten;
mod table;
#[cfg(test)]
mod tests;
mod violations;

use shared::airbyte::ActorKind;
use shared::airbyte::types::Definition;

pub(crate) use build::expand;
pub(crate) use mask::mask;
pub(crate) use shorten::shorten;
pub(crate) use table::Field;

/// The short name of a connector: `mongodb`, `postgres`, `s3`. It is the last segment of its image
/// without `source-`, `destination-` and `-v2`; without an image, its name.
pub(crate) fn type_name(definition: &Definition) -> String {
    let short = definition.short_name();
    if short.is_empty() {
        return contracts::source_type::normalised(&definition.name);
    }
    short.strip_suffix("-v2").unwrap_or(short).to_owned()
}

/// The short fields of a common connector, in the order in which a person fills them in; none for
/// other connectors.
pub(crate) fn fields(role: ActorKind, type_name: &str) -> Option<&'static [Field]> {
    table::connector(role, type_name).map(|connector| connector.fields)
}
