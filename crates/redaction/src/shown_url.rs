//! URLs for display, without user information, which is secret.

use url::Url;

/// A URL without user information.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownUrl(String);

impl From<&str> for ShownUrl {
    fn from(text: &str) -> Self {
        Self(shown_text(text))
    }
}

impl ShownUrl {
    /// The URL, followed by a note.
    pub fn noted(text: &str, note: &str) -> Self {
        Self(format!("{}{note}", shown_text(text)))
    }
}

impl std::fmt::Display for ShownUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The URL without its user information.
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Neither can fail if there is something to remove.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

/// As [`shown`], for a URL as text, valid or not.
pub fn shown_text(text: &str) -> String {
    if let Ok(url) = Url::parse(text) {
        let shown = shown(&url);
        // Parsing adds a slash to a bare host.
        return match text.ends_with('/') {
            true => shown,
            false => shown.trim_end_matches('/').to_owned(),
        };
    }
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let rest = match authority.rfind('@') {
        Some(at) => &rest[at + 1..],
        None => rest,
    };
    match scheme {
        "" => rest.to_owned(),
        scheme => format!("{scheme}://{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_user_information() {
        for (text, expected) in [
            ("http://u:p@host:1/api", "http://host:1/api"),
            ("http://u@host", "http://host"),
            ("http://:p@host/", "http://host/"),
            ("http://u:p%40x@[::1]:8000/v1", "http://[::1]:8000/v1"),
            ("http://u:p@ bad host/x", "http:// bad host/x"),
            ("http://u:p@x@host:port/@", "http://host:port/@"),
            ("u:p@host", "u:p@host"),
            ("http://host/a@b", "http://host/a@b"),
        ] {
            assert_eq!(shown_text(text), expected, "{text}");
        }
    }
}
