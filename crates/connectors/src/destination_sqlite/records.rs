//! Turning a stream's records into rows of bound values, many at a time.

use std::fmt;
use std::sync::Arc;

use chrono::DateTime;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use sqlx::Arguments as _;
use sqlx::sqlite::SqliteArguments;

use super::cells::{Cell, unbindable};
use super::columns::Column;
use super::statements::rows_per_statement;
use super::target::Target;
use crate::failure::Failure;

/// A batch goes when its values take that many bytes, however few its rows.
const BATCH_BYTES: usize = 4 << 20;

/// Rows with all their values, ready for one statement.
pub(super) struct Batch {
    pub(super) arguments: SqliteArguments,
    pub(super) rows: usize,
    /// Whether a row has a null in its key.
    pub(super) null_in_key: bool,
    /// Whether a row says that it was deleted in the source.
    pub(super) deleted: bool,
}

/// Gathers the rows of one target.
pub(super) struct Gatherer {
    target: Target,
    rows_max: usize,
    arguments: SqliteArguments,
    rows: usize,
    bytes: usize,
    null_in_key: bool,
    deleted: bool,
    cells: Vec<Cell>,
    /// Columns whose value did not fit, in the present row.
    unfit: Vec<usize>,
    /// The usual `_airbyte_meta`: nothing was changed.
    unchanged: Arc<str>,
    /// `emitted_at` and its text: many records in a row share it.
    moment: (i64, Arc<str>),
    /// Random bits of this process, and a count: ids that nobody else makes.
    seed: [u8; 16],
    made: u32,
}

impl Gatherer {
    pub(super) fn new(target: Target) -> Self {
        let columns = target.all_columns().count();
        Self {
            rows_max: rows_per_statement(columns),
            arguments: SqliteArguments::default(),
            rows: 0,
            bytes: 0,
            null_in_key: false,
            deleted: false,
            cells: Vec::with_capacity(target.columns.len()),
            unfit: Vec::new(),
            unchanged: Arc::from(meta(target.sync_id, "")),
            moment: (i64::MIN, Arc::from("")),
            seed: uuid::Uuid::new_v4().into_bytes(),
            made: 0,
            target,
        }
    }

    /// Adds a record; a full batch is returned.
    pub(super) fn add(
        &mut self,
        data: &RawValue,
        emitted_at: i64,
        changes: Option<&RawValue>,
    ) -> Result<Option<Batch>, Failure> {
        self.cells.clear();
        self.cells.resize(self.target.columns.len(), Cell::Null);
        self.unfit.clear();
        let fields = Fields {
            columns: &self.target.columns,
            cells: &mut self.cells,
            unfit: &mut self.unfit,
        };
        let mut data = serde_json::Deserializer::from_str(data.get());
        fields.deserialize(&mut data).map_err(|e| {
            let stream = &self.target.stream;
            Failure::system(format!("a record of stream {stream} is not an object")).because(e)
        })?;
        self.inspect();
        let columns = self.cells.len();
        if self.rows == 0 {
            self.arguments.reserve(self.rows_max * (columns + 4), 0);
        }
        for cell in self.cells.drain(..) {
            self.bytes += cell.size();
            cell.bind(&mut self.arguments)?;
        }
        self.bind_own(emitted_at, changes)?;
        self.rows += 1;
        let full = self.rows == self.rows_max || self.bytes >= BATCH_BYTES;
        Ok(if full { self.take() } else { None })
    }

    /// The rows gathered so far, if there are any.
    pub(super) fn take(&mut self) -> Option<Batch> {
        if self.rows == 0 {
            return None;
        }
        self.bytes = 0;
        Some(Batch {
            arguments: std::mem::take(&mut self.arguments),
            rows: std::mem::take(&mut self.rows),
            null_in_key: std::mem::take(&mut self.null_in_key),
            deleted: std::mem::take(&mut self.deleted),
        })
    }

    fn inspect(&mut self) {
        if let Some(dedup) = &self.target.dedup {
            self.null_in_key |= match &dedup.key_columns {
                Some(positions) => positions
                    .iter()
                    .any(|position| self.cells[*position].is_null()),
                // Inside a JSON column: only SQLite can say.
                None => true,
            };
        }
        if let Some(position) = self.target.deleted_at {
            self.deleted |= !self.cells[position].is_null();
        }
    }

    fn bind_own(&mut self, emitted_at: i64, changes: Option<&RawValue>) -> Result<(), Failure> {
        if self.moment.0 != emitted_at {
            let moment = DateTime::from_timestamp_millis(emitted_at).unwrap_or_default();
            // A fixed width, so that texts compare as the moments do.
            self.moment = (
                emitted_at,
                Arc::from(moment.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()),
            );
        }
        let id = self.next_id(emitted_at);
        let meta = self.meta(changes);
        let arguments = &mut self.arguments;
        arguments.add(id).map_err(unbindable)?;
        arguments
            .add(Arc::clone(&self.moment.1))
            .map_err(unbindable)?;
        arguments.add(meta).map_err(unbindable)?;
        if let Some(generation) = self.target.generation {
            arguments.add(generation).map_err(unbindable)?;
        }
        Ok(())
    }

    /// A version 7 UUID from the record's time, this process's random bits and a count.
    fn next_id(&mut self, emitted_at: i64) -> Arc<str> {
        self.made = self.made.wrapping_add(1);
        if self.made == 0 {
            self.seed = uuid::Uuid::new_v4().into_bytes();
        }
        let mut random = [0_u8; 10];
        random[..4].copy_from_slice(&self.made.to_be_bytes());
        random[4..].copy_from_slice(&self.seed[..6]);
        let millis = u64::try_from(emitted_at).unwrap_or(0);
        let id = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        hyphenated(id.as_bytes())
    }

    fn meta(&self, changes: Option<&RawValue>) -> Arc<str> {
        let given = changes.map_or("", |changes| changes.get().trim());
        let given = given
            .strip_prefix('[')
            .and_then(|list| list.strip_suffix(']'));
        let given = given.unwrap_or_default().trim();
        if given.is_empty() && self.unfit.is_empty() {
            return Arc::clone(&self.unchanged);
        }
        let own = self.unfit.iter().map(|position| {
            serde_json::json!({
                "field": self.target.columns[*position].property,
                "change": "NULLED",
                "reason": "DESTINATION_TYPECAST_ERROR",
            })
            .to_string()
        });
        let given = Some(given.to_owned()).filter(|given| !given.is_empty());
        let list: Vec<String> = given.into_iter().chain(own).collect();
        Arc::from(meta(self.target.sync_id, &list.join(",")))
    }
}

fn meta(sync_id: Option<i64>, changes: &str) -> String {
    match sync_id {
        Some(sync_id) => format!("{{\"sync_id\":{sync_id},\"changes\":[{changes}]}}"),
        None => format!("{{\"changes\":[{changes}]}}"),
    }
}

/// The usual text of a UUID. The library's own is slow in builds that do not optimise it.
fn hyphenated(bytes: &[u8; 16]) -> Arc<str> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text.into()
}

/// Reads a record's object straight into its columns' cells.
struct Fields<'a> {
    columns: &'a [Column],
    cells: &'a mut [Cell],
    unfit: &'a mut Vec<usize>,
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // Records have their columns' order most of the time.
        let mut expected = 0;
        while let Some(position) = map.next_key_seed(Name {
            columns: self.columns,
            expected,
        })? {
            let value: &RawValue = map.next_value()?;
            let Some(position) = position else { continue };
            expected = position + 1;
            match Cell::of(self.columns[position].kind, value) {
                Some(cell) => self.cells[position] = cell,
                None => self.unfit.push(position),
            }
        }
        Ok(())
    }
}

/// Finds the column of a property, the expected one first.
struct Name<'a> {
    columns: &'a [Column],
    expected: usize,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a property's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let is = |position: &usize| {
            self.columns
                .get(*position)
                .is_some_and(|c| c.property == name)
        };
        let expected = Some(self.expected).filter(is);
        Ok(expected.or_else(|| (0..self.columns.len()).find(is)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_as_the_library_does() {
        let id = uuid::Uuid::new_v4();
        assert_eq!(*hyphenated(id.as_bytes()), *id.to_string());
    }
}
