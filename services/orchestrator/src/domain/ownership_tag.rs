//! The ownership tag at the end of the name of every object that AAM creates in Airbyte. Airbyte
//! has neither idempotent creates nor unique names; by the tag AAM recognizes its own objects.

use uuid::Uuid;

/// ` [aam-<installation>-<connection>]`, each the last 12 hex digits: a v7 id starts with a
/// timestamp.
pub(crate) fn of(installation: Uuid, connection: Uuid) -> String {
    format!(" [aam-{}-{}]", tail(installation), tail(connection))
}

/// The tail of the connection's id, from a name that ends in a tag of this installation.
pub(crate) fn connection(installation: Uuid, name: &str) -> Option<&str> {
    let (_, mark) = name.strip_suffix(']')?.rsplit_once(" [aam-")?;
    let (of_installation, of_connection) = mark.split_once('-')?;
    (of_installation == tail(installation)).then_some(of_connection)
}

/// The name as a person gave it, without a tag of this installation.
pub(crate) fn without(installation: Uuid, name: &str) -> &str {
    match connection(installation, name) {
        Some(_) => name.rsplit_once(" [aam-").map_or(name, |(given, _)| given),
        None => name,
    }
}

/// The last 12 hex digits of an id.
pub(crate) fn tail(id: Uuid) -> String {
    let text = id.simple().to_string();
    text[text.len() - 12..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_identifies_installation_and_connection() {
        let installation = Uuid::parse_str("a1b2c3d4-e5f6-7890-abcd-ef1234567890").unwrap();
        let connection = Uuid::parse_str("01890000-0000-7000-8000-0123456789ab").unwrap();
        assert_eq!(
            of(installation, connection),
            " [aam-ef1234567890-0123456789ab]"
        );
        let name = format!("shop{}", of(installation, connection));
        assert_eq!(self::connection(installation, &name), Some("0123456789ab"));
        assert_eq!(self::connection(connection, &name), None);
        assert_eq!(self::connection(installation, "shop"), None);
        assert_eq!(without(installation, &name), "shop");
        assert_eq!(without(connection, &name), name);
    }
}
