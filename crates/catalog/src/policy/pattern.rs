//! Patterns for names: `*` matches any text, `?` one character, `[ab]` one of a set.

use airbyte_protocol::StreamDescriptor;
use serde::{Serialize, Serializer};

/// A valid pattern. Case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(glob::Pattern);

/// Replaces a wildcard of the narrower pattern when two are compared: a character that only a
/// wildcard of the wider one can match.
const ANYTHING: &str = "\u{1}";

impl Pattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// Returns a description of what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        const LONGEST: usize = 200;
        if text.is_empty() {
            return Err("is empty; omit it to match every name".to_owned());
        }
        if text.chars().count() > LONGEST {
            return Err(format!("has more than {LONGEST} characters"));
        }
        if text.contains("**") {
            return Err(format!(
                "{text:?} contains `**`; one `*` stands for any text"
            ));
        }
        let pattern = glob::Pattern::new(text);
        pattern
            .map(Self)
            .map_err(|error| format!("{text:?} is not a pattern: {}", error.msg))
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(super) fn matches_stream(&self, stream: &StreamDescriptor) -> bool {
        self.0.matches(&stream.name)
            || (stream.namespace.as_ref())
                .is_some_and(|namespace| self.0.matches(&format!("{namespace}.{}", stream.name)))
    }

    pub(super) fn matches_path(&self, path: &[String]) -> bool {
        !path.is_empty() && self.0.matches(&path.join("."))
    }

    /// Whether every text that the other pattern matches certainly matches this one. If the
    /// patterns' form does not show it, the answer is no.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let (wide, narrow) = (self.as_str(), other.as_str());
        if wide == narrow {
            return true;
        }
        let literal_but_stars = !wide.contains(['?', '[']);
        let literal = !narrow.contains(['*', '?', '[']);
        let comparable = literal || (literal_but_stars && !narrow.contains('['));
        comparable && self.0.matches(&narrow.replace(['*', '?'], ANYTHING))
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn a_pattern_covers_only_what_it_certainly_matches() {
        let covering = [
            ("*", "anything*at[all]"),
            ("orders", "orders"),
            ("orders*", "orders"),
            ("public.*", "public.orders*"),
            ("*a*", "*a?b*"),
            ("order?", "orders"),
        ];
        // `[all]` is a set, whose content is not compared.
        let (first, rest) = covering.split_first().unwrap();
        assert!(!pattern(first.0).covers(&pattern(first.1)));
        for (wide, narrow) in rest {
            assert!(pattern(wide).covers(&pattern(narrow)), "{wide} {narrow}");
        }
        let others = [
            ("orders", "orders*"),
            ("order?", "order*"),
            ("a*", "*a"),
            ("a?c", "a*c"),
        ];
        for (wide, narrow) in others {
            assert!(!pattern(wide).covers(&pattern(narrow)), "{wide} {narrow}");
        }
    }

    #[test]
    fn rejects_invalid_patterns() {
        for (text, fault) in [
            ("", "is empty"),
            ("a[", "is not a pattern"),
            ("a**b", "one `*` stands for any text"),
        ] {
            assert!(Pattern::parse(text).unwrap_err().contains(fault), "{text}");
        }
        assert!(Pattern::parse(&"a".repeat(201)).is_err());
    }

    /// Patterns come from requests: none may take exponential time.
    #[test]
    fn many_stars_match_in_bounded_time() {
        let many = pattern(&format!("{}b", "*a".repeat(99)));
        let stream = StreamDescriptor {
            name: "a".repeat(20_000),
            namespace: None,
        };
        assert!(!many.matches_stream(&stream));
    }
}
