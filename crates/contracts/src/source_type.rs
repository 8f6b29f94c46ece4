//! Source types as people write them: `Salesforce`, `salesforce`, `source-salesforce` and
//! `airbyte/source-salesforce` are equivalent.

/// The type in lower case, without image owner, tag and `source-`.
pub fn normalised(text: &str) -> String {
    let lower = text.trim().to_lowercase();
    let image = lower.rsplit('/').next().unwrap_or(&lower);
    let image = image.split(':').next().unwrap_or(image);
    let name = image.strip_prefix("source-").unwrap_or(image);
    name.split([' ', '_'])
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

#[cfg(test)]
mod tests {
    use super::normalised;

    #[test]
    fn normalizes_every_spelling() {
        for text in [
            "Salesforce",
            "salesforce",
            "source-salesforce",
            "airbyte/source-salesforce:2.1",
        ] {
            assert_eq!(normalised(text), "salesforce");
        }
        assert_eq!(normalised("Google Ads"), "google-ads");
        assert_eq!(normalised("  "), "");
    }
}
