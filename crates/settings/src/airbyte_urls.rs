//! The base URLs of Airbyte's two APIs, one derived from the other where that is possible.

use url::Url;

/// Base URLs without a trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AirbyteUrls {
    /// The public API, for example `http://localhost:8000/api/public/v1`.
    pub public: String,
    /// The Config API, for example `http://localhost:8000/api/v1`.
    pub config: String,
}

const PUBLIC_PATH: &str = "/api/public/v1";
const CONFIG_PATH: &str = "/api/v1";
const CLOUD_PUBLIC: &str = "https://api.airbyte.com/v1";
const CLOUD_CONFIG: &str = "https://cloud.airbyte.com/api/v1";

impl AirbyteUrls {
    /// Both base URLs of a self-managed instance at `root`.
    pub fn of_instance(root: &Url) -> Self {
        let root = root.as_str().trim_end_matches('/');
        Self {
            public: format!("{root}{PUBLIC_PATH}"),
            config: format!("{root}{CONFIG_PATH}"),
        }
    }

    /// Derives both base URLs from the given one: either API's base URL or the root of a
    /// self-managed instance, or Airbyte Cloud's. `None` if the Config API's base URL cannot be
    /// derived and is not given.
    pub fn derive(given: &Url, config: Option<Url>) -> Option<Self> {
        let given = given.as_str().trim_end_matches('/');
        let config = config.map(|url| url.as_str().trim_end_matches('/').to_owned());
        if let Some(root) = given.strip_suffix(PUBLIC_PATH) {
            let config = config.unwrap_or_else(|| format!("{root}{CONFIG_PATH}"));
            return Some(Self {
                public: given.to_owned(),
                config,
            });
        }
        if given == CLOUD_PUBLIC {
            let config = config.unwrap_or_else(|| CLOUD_CONFIG.to_owned());
            return Some(Self {
                public: given.to_owned(),
                config,
            });
        }
        if let Some(root) = given.strip_suffix(CONFIG_PATH) {
            let config = config.unwrap_or_else(|| given.to_owned());
            return Some(Self {
                public: format!("{root}{PUBLIC_PATH}"),
                config,
            });
        }
        Some(Self {
            public: given.to_owned(),
            config: config?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derive(given: &str, config: Option<&str>) -> Option<(String, String)> {
        let config = config.map(|text| Url::parse(text).unwrap());
        AirbyteUrls::derive(&Url::parse(given).unwrap(), config).map(|u| (u.public, u.config))
    }

    #[test]
    fn derives_the_config_base_from_the_public_one() {
        let oss = (
            "http://h:8000/api/public/v1".to_owned(),
            "http://h:8000/api/v1".to_owned(),
        );
        assert_eq!(
            derive("http://h:8000/api/public/v1", None),
            Some(oss.clone())
        );
        assert_eq!(
            derive("http://h:8000/api/public/v1/", None),
            Some(oss.clone())
        );
        assert_eq!(derive("http://h:8000/api/v1", None), Some(oss));
        assert_eq!(
            derive("https://api.airbyte.com/v1", None),
            Some((
                "https://api.airbyte.com/v1".into(),
                "https://cloud.airbyte.com/api/v1".into()
            ))
        );
    }

    #[test]
    fn requires_any_other_config_base() {
        assert_eq!(derive("http://proxy/airbyte", None), None);
        assert_eq!(
            derive("http://proxy/airbyte", Some("http://proxy/config")),
            Some(("http://proxy/airbyte".into(), "http://proxy/config".into()))
        );
    }
}
