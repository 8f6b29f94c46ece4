//! Short configurations: what people write for a common connector, and the connector's own
//! configuration, which is what Airbyte gets. Real names are accepted beside short ones; a
//! connector without a table takes its own configuration only. `docs/short_configurations.md`
//! tells the rules.

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

/// The name people use for a connector: `mongodb`, `postgres`, `s3`. That is the last part of its
/// image without `source-`, `destination-` and `-v2`; without an image, its name.
pub(crate) fn type_name(definition: &Definition) -> String {
    let short = definition.short_name();
    if short.is_empty() {
        return shared::source_type::normalised(&definition.name);
    }
    short.strip_suffix("-v2").unwrap_or(short).to_owned()
}

/// The short fields of a common connector, in the order in which a person fills them in; none for
/// the others.
pub(crate) fn fields(role: ActorKind, type_name: &str) -> Option<&'static [Field]> {
    table::connector(role, type_name).map(|connector| connector.fields)
}
