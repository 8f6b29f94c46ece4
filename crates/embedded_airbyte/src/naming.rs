//! How streams of a source are named in a destination: namespace definition, format and prefix.

use airbyte_protocol::StreamDescriptor;

/// How a destination's streams are named.
#[derive(Debug, Clone)]
pub(crate) struct Naming {
    pub(crate) definition: String,
    pub(crate) format: Option<String>,
    pub(crate) prefix: Option<String>,
}

impl Naming {
    /// The destination's name of a source's stream.
    pub(crate) fn apply(&self, stream: &StreamDescriptor) -> StreamDescriptor {
        let namespace = match self.definition.as_str() {
            "source" => stream.namespace.clone(),
            "customformat" => {
                let own = stream.namespace.as_deref().unwrap_or_default();
                let format = self.format.as_deref().unwrap_or_default();
                let text = format.replace("${SOURCE_NAMESPACE}", own);
                (!text.trim().is_empty()).then_some(text)
            }
            _ => None,
        };
        let prefix = self.prefix.as_deref().unwrap_or_default();
        let prefix = if prefix.trim().is_empty() { "" } else { prefix };
        StreamDescriptor {
            name: format!("{prefix}{}", stream.name),
            namespace,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming(definition: &str, format: Option<&str>, prefix: Option<&str>) -> Naming {
        Naming {
            definition: definition.to_owned(),
            format: format.map(str::to_owned),
            prefix: prefix.map(str::to_owned),
        }
    }

    fn named(namespace: Option<&str>, name: &str) -> StreamDescriptor {
        StreamDescriptor {
            name: name.to_owned(),
            namespace: namespace.map(str::to_owned),
        }
    }

    #[test]
    fn streams_are_named_by_definition_format_and_prefix() {
        let lake = naming(
            "customformat",
            Some("lake_${SOURCE_NAMESPACE}"),
            Some("raw_"),
        );
        assert_eq!(
            lake.apply(&named(Some("sales"), "orders")),
            named(Some("lake_sales"), "raw_orders")
        );
        let bare = naming("customformat", Some("${SOURCE_NAMESPACE}"), Some(" "));
        assert_eq!(bare.apply(&named(None, "orders")), named(None, "orders"));
        let own = named(Some("s"), "orders");
        assert_eq!(naming("source", None, None).apply(&own), own);
        assert_eq!(
            naming("destination", None, None).apply(&own),
            named(None, "orders")
        );
    }
}
