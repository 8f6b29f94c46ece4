//! The messages of `pgoutput`, version 1 of its protocol.

/// A change, or what stands around changes.
#[derive(Debug, PartialEq)]
pub(super) enum Message<'a> {
    /// A transaction: where its commit is, and when, in microseconds since 2000.
    Begin {
        commit_lsn: u64,
        at: i64,
    },
    /// Its end: the position behind it.
    Commit {
        end_lsn: u64,
    },
    /// What a table's rows look like from here on.
    Relation(Relation<'a>),
    Insert {
        relation: u32,
        new: Tuple<'a>,
    },
    /// `old` is the row as it was, or only its key where that changed.
    Update {
        relation: u32,
        old: Option<Tuple<'a>>,
        new: Tuple<'a>,
    },
    Delete {
        relation: u32,
        old: Tuple<'a>,
    },
    Truncate {
        relations: Vec<u32>,
    },
    /// Origins, types, and what later servers may send.
    Other,
}

/// A table's columns.
#[derive(Debug, PartialEq)]
pub(super) struct Relation<'a> {
    pub(super) oid: u32,
    /// Names and types, in the order of the tuples.
    pub(super) columns: Vec<(&'a str, u32)>,
}

/// A row's cells.
pub(super) type Tuple<'a> = Vec<Cell<'a>>;

/// A cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell<'a> {
    Null,
    /// A large value that did not change: the log does not have it.
    Unchanged,
    Text(&'a [u8]),
}

/// Reads a message; nothing where it is cut short or no such message.
pub(super) fn parse(bytes: &[u8]) -> Option<Message<'_>> {
    let mut reader = Reader(bytes);
    Some(match reader.byte()? {
        b'B' => Message::Begin {
            commit_lsn: reader.u64()?,
            at: i64::from_be_bytes(reader.array()?),
        },
        b'C' => {
            reader.byte()?;
            reader.u64()?;
            Message::Commit {
                end_lsn: reader.u64()?,
            }
        }
        b'R' => Message::Relation(reader.relation()?),
        b'I' => {
            let relation = reader.u32()?;
            reader.byte()?;
            let new = reader.tuple()?;
            Message::Insert { relation, new }
        }
        b'U' => {
            let relation = reader.u32()?;
            let old = match reader.byte()? {
                b'N' => None,
                _ => {
                    let old = reader.tuple()?;
                    reader.byte()?;
                    Some(old)
                }
            };
            let new = reader.tuple()?;
            Message::Update { relation, old, new }
        }
        b'D' => {
            let relation = reader.u32()?;
            reader.byte()?;
            let old = reader.tuple()?;
            Message::Delete { relation, old }
        }
        b'T' => {
            let count = reader.u32()?;
            reader.byte()?;
            let relations = (0..count).map(|_| reader.u32()).collect::<Option<_>>()?;
            Message::Truncate { relations }
        }
        _ => Message::Other,
    })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = std::str::from_utf8(self.take(end)?).ok()?;
        self.byte()?;
        Some(text)
    }

    fn relation(&mut self) -> Option<Relation<'a>> {
        let oid = self.u32()?;
        let (_schema, _name, _identity) = (self.text()?, self.text()?, self.byte()?);
        let count = self.u16()?;
        let mut columns = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let _flags = self.byte()?;
            let name = self.text()?;
            columns.push((name, self.u32()?));
            let _modifier = self.u32()?;
        }
        Some(Relation { oid, columns })
    }

    fn tuple(&mut self) -> Option<Tuple<'a>> {
        let count = self.u16()?;
        let mut cells = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            cells.push(match self.byte()? {
                b'n' => Cell::Null,
                b'u' => Cell::Unchanged,
                b't' => {
                    let length = usize::try_from(self.u32()?).ok()?;
                    Cell::Text(self.take(length)?)
                }
                _ => return None,
            });
        }
        Some(cells)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_and_cut_ones_refused() {
        let update = b"U\0\0\0\x07K\0\x02t\0\0\0\x011nN\0\x02t\0\0\0\x012u";
        let expected = Message::Update {
            relation: 7,
            old: Some(vec![Cell::Text(b"1"), Cell::Null]),
            new: vec![Cell::Text(b"2"), Cell::Unchanged],
        };
        assert_eq!(parse(update), Some(expected));
        for length in 0..update.len() {
            assert_eq!(parse(&update[..length]), None, "{length}");
        }
        assert_eq!(parse(b"Yxyz"), Some(Message::Other));
    }
}
