//! The mark at the end of the name of everything AAM makes in Airbyte. Airbyte has neither
//! idempotent creates nor unique names; by the mark AAM finds its own things again.

use uuid::Uuid;

/// ` [aam-<installation>-<connection>]`, each the last 12 hex digits: the head of a v7 id is time.
pub(crate) fn of(installation: Uuid, connection: Uuid) -> String {
    format!(" [aam-{}-{}]", tail(installation), tail(connection))
}

fn tail(id: Uuid) -> String {
    let text = id.simple().to_string();
    text[text.len() - 12..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_tells_installation_and_connection() {
        let installation = Uuid::parse_str("a1b2c3d4-e5f6-7890-abcd-ef1234567890").unwrap();
        let connection = Uuid::parse_str("01890000-0000-7000-8000-0123456789ab").unwrap();
        assert_eq!(
            of(installation, connection),
            " [aam-ef1234567890-0123456789ab]"
        );
    }
}
