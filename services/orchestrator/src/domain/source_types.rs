//! Finds the definition that a text names, or the most similar ones.

use contracts::source_type::normalised;
use shared::airbyte::types::Definition;

/// Maximum number of similar names.
const NEAREST: usize = 3;

/// Returns the definition that `text` names: by id, name, short name or image.
///
/// # Errors
/// Returns the most similar names.
pub(crate) fn find<'a>(
    definitions: &'a [Definition],
    text: &str,
) -> Result<&'a Definition, Vec<String>> {
    let wanted = normalised(text);
    let by = |matches: &dyn Fn(&Definition) -> bool| definitions.iter().find(|d| matches(d));
    by(&|definition| definition.id.to_string() == text.trim().to_lowercase())
        .or_else(|| by(&|definition| definition.docker_repository == text.trim()))
        .or_else(|| by(&|definition| definition.name.eq_ignore_ascii_case(text.trim())))
        .or_else(|| by(&|definition| definition.short_name() == wanted))
        .or_else(|| by(&|definition| normalised(&definition.name) == wanted))
        .ok_or_else(|| nearest(definitions, &wanted))
}

fn nearest(definitions: &[Definition], wanted: &str) -> Vec<String> {
    let mut scored: Vec<(f64, &str)> = definitions
        .iter()
        .map(|definition| {
            let by_name = strsim::jaro_winkler(&normalised(&definition.name), wanted);
            let by_image = strsim::jaro_winkler(definition.short_name(), wanted);
            (by_name.max(by_image), definition.name.as_str())
        })
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored
        .into_iter()
        .take(NEAREST)
        .map(|(_, name)| name.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definitions() -> Vec<Definition> {
        serde_json::from_str(
            r#"[{"id":"b117307c-14b6-41aa-9422-947e34922962","name":"Salesforce","dockerRepository":"airbyte/source-salesforce"},
                {"id":"decd338e-5647-4c0b-adf4-da0e75f5a750","name":"Postgres","dockerRepository":"airbyte/source-postgres"},
                {"id":"253487c0-2246-43ba-a21f-5116b20a2c50","name":"Google Ads","dockerRepository":"airbyte/source-google-ads"}]"#,
        )
        .unwrap()
    }

    #[test]
    fn every_spelling_finds_the_definition() {
        let all = definitions();
        for text in [
            "Salesforce",
            "salesforce",
            "source-salesforce",
            "airbyte/source-salesforce",
            "b117307c-14b6-41aa-9422-947e34922962",
        ] {
            assert_eq!(find(&all, text).unwrap().name, "Salesforce");
        }
        for text in ["google ads", "google-ads", "Google_Ads"] {
            assert_eq!(find(&all, text).unwrap().name, "Google Ads");
        }
    }

    #[test]
    fn a_misspelled_name_yields_similar_ones() {
        let all = definitions();
        assert_eq!(find(&all, "salesfroce").unwrap_err()[0], "Salesforce");
        assert_eq!(find(&all, "postgresql").unwrap_err()[0], "Postgres");
    }
}
