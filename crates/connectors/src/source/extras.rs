//! Cells of a row beside those of its record: what rows are ordered by, as the server writes it.

/// The extra cells of one row; its memory is used again for the next.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extras {
    bytes: Vec<u8>,
    /// Where each cell ends; nothing for null.
    ends: Vec<Option<usize>>,
}

impl Extras {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub(crate) fn push(&mut self, cell: Option<&[u8]>) {
        self.bytes.extend_from_slice(cell.unwrap_or_default());
        self.ends.push(cell.map(|_| self.bytes.len()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The cells; nothing for null.
    pub(crate) fn cells(&self) -> impl Iterator<Item = Option<&[u8]>> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let end = (*end)?;
            let cell = &self.bytes[start..end];
            start = end;
            Some(cell)
        })
    }

    /// The cells as texts; nothing when one of them is none.
    pub(crate) fn texts(&self) -> Option<Vec<String>> {
        let text = |cell: Option<&[u8]>| String::from_utf8(cell?.to_vec()).ok();
        self.cells().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_come_back_as_they_went_in() {
        let mut extras = Extras::default();
        for cell in [Some(&b"a"[..]), None, Some(b""), Some(b"bc")] {
            extras.push(cell);
        }
        let cells: Vec<_> = extras.cells().collect();
        assert_eq!(cells, [Some(&b"a"[..]), None, Some(b""), Some(b"bc")]);
        assert_eq!(extras.texts(), None);
        extras.clear();
        extras.push(Some(b"x"));
        assert_eq!(extras.texts(), Some(vec!["x".to_owned()]));
    }
}
