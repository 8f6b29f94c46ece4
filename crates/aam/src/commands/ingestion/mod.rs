//! `aam datasource`, `aam sink` and `aam ingestion`: the ingestion API.

pub(crate) mod endpoint;
pub(crate) mod ingestions;

/// A path with a query.
fn query(path: &str, pairs: &[(&str, Option<&str>)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    match query.finish().as_str() {
        "" => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}
