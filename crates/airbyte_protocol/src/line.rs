//! A protocol message on its line: parts that are not inspected stay text.
//!
//! Most lines are records, millions of them. They are split into their members and borrowed, not
//! read into values.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// Text that borrows from its line unless it holds escapes.
#[derive(Debug, Deserialize)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// An envelope with its members unread.
#[derive(Debug, Deserialize)]
pub struct Line<'a> {
    /// The protocol's word for what it holds, for instance `RECORD`.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    /// A row, split into its members.
    #[serde(borrow)]
    pub record: Option<RecordLine<'a>>,
    /// A checkpoint.
    #[serde(borrow)]
    pub state: Option<&'a RawValue>,
    /// A log line.
    #[serde(borrow)]
    pub log: Option<&'a RawValue>,
    /// Errors, estimates and stream statuses.
    #[serde(borrow)]
    pub trace: Option<&'a RawValue>,
    /// A request to the platform.
    #[serde(borrow)]
    pub control: Option<&'a RawValue>,
    /// A connector's specification.
    #[serde(borrow)]
    pub spec: Option<&'a RawValue>,
    /// The result of a check.
    #[serde(borrow, rename = "connectionStatus")]
    pub connection_status: Option<&'a RawValue>,
    /// The result of a discover.
    #[serde(borrow)]
    pub catalog: Option<&'a RawValue>,
}

/// A row with its data unread.
#[derive(Debug, Deserialize)]
pub struct RecordLine<'a> {
    /// The stream's name.
    #[serde(borrow)]
    pub stream: Option<Text<'a>>,
    /// The stream's namespace.
    #[serde(borrow)]
    pub namespace: Option<Text<'a>>,
    /// The row, meant to be an object.
    #[serde(borrow)]
    pub data: Option<&'a RawValue>,
    /// When the source read it.
    #[serde(borrow)]
    pub emitted_at: Option<&'a RawValue>,
    /// What was changed on the way.
    #[serde(borrow)]
    pub meta: Option<&'a RawValue>,
    /// The file that the row stands for.
    #[serde(borrow)]
    pub file_reference: Option<&'a RawValue>,
}

impl<'a> Line<'a> {
    /// The message on this line; `None` when it is plain text, which connectors mix in.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        if line.first() != Some(&b'{') {
            return None;
        }
        serde_json::from_slice(line).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_borrow_and_unknown_members_are_tolerated() {
        let line = br#"{"type":"RECORD","record":{"stream":"a","data":{"x":1},"emitted_at":1,"new":2},"z":0}"#;
        let record = Line::parse(line).unwrap().record.unwrap();
        assert!(matches!(record.stream.unwrap().0, Cow::Borrowed("a")));
        assert_eq!(record.data.unwrap().get(), r#"{"x":1}"#);
        assert!(Line::parse(b"plain text").is_none());
        assert!(Line::parse(b"{\"no\":\"type\"}").is_none());
    }
}
