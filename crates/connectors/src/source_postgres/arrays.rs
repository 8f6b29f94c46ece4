//! Arrays as the server writes them, `{1,NULL,{"a b"}}`, as JSON arrays. Elements are parted by
//! commas; arrays of the one type where they are not, `box`, are not read as arrays.

use super::cells;
use super::types::Kind;

/// Appends the array; `false` where it cannot be read, or an element does not fit. What was
/// appended then is taken back.
pub(super) fn write(element: &Kind, raw: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    // `[2:4]={…}`: bounds other than 1 have no counterpart.
    let from = match raw.first() {
        Some(b'[') => raw
            .iter()
            .position(|byte| *byte == b'=')
            .map_or(raw.len(), |at| at + 1),
        _ => 0,
    };
    let mut reader = Reader {
        raw,
        at: from,
        element,
        cell: Vec::new(),
    };
    let whole = reader.array(out) == Some(()) && reader.at == raw.len();
    if !whole {
        out.truncate(start);
    }
    whole
}

struct Reader<'a> {
    raw: &'a [u8],
    at: usize,
    element: &'a Kind,
    /// An element without its quotes and escapes.
    cell: Vec<u8>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.raw.get(self.at).copied()
    }

    /// From an opening brace to behind its closing one. The depth is the server's: six at most.
    fn array(&mut self, out: &mut Vec<u8>) -> Option<()> {
        if self.peek()? != b'{' {
            return None;
        }
        self.at += 1;
        out.push(b'[');
        let mut first = true;
        loop {
            match self.peek()? {
                b'}' => {
                    self.at += 1;
                    out.push(b']');
                    return Some(());
                }
                b',' if !first => self.at += 1,
                _ if !first => return None,
                _ => {}
            }
            if !first {
                out.push(b',');
            }
            first = false;
            match self.peek()? {
                b'{' => self.array(out)?,
                b'"' => {
                    self.at += 1;
                    self.quoted()?;
                    cells::write(self.element, &self.cell, out).then_some(())?;
                }
                _ => {
                    self.bare()?;
                    if self.cell == b"NULL" {
                        out.extend_from_slice(b"null");
                    } else {
                        cells::write(self.element, &self.cell, out).then_some(())?;
                    }
                }
            }
        }
    }

    fn quoted(&mut self) -> Option<()> {
        self.cell.clear();
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'"' => return Some(()),
                b'\\' => {
                    self.cell.push(self.peek()?);
                    self.at += 1;
                }
                other => self.cell.push(other),
            }
        }
    }

    fn bare(&mut self) -> Option<()> {
        self.cell.clear();
        loop {
            match self.peek()? {
                b',' | b'}' => return Some(()),
                other => self.cell.push(other),
            }
            self.at += 1;
        }
    }
}
