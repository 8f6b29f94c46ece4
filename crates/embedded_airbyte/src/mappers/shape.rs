//! What mappers make of a stream's schema, cursor and key: the destination sees the outcome.

use airbyte_protocol::ConfiguredStream;
use serde_json::{Map, Value, json, value::RawValue};

use super::Mapper;
use crate::fault::{Fault, stored};

/// A stream as the destination is to see it.
pub(crate) struct Shape {
    schema: Value,
    renamed: Vec<(String, String)>,
}

impl Shape {
    /// The shape of `stream` after its mappers.
    pub(crate) fn of(schema: &RawValue, mappers: &[Mapper]) -> Result<Self, Fault> {
        let mut shape = Self {
            schema: stored("schema", schema.get())?,
            renamed: Vec::new(),
        };
        for mapper in mappers {
            match mapper {
                Mapper::Rows(_) => {}
                Mapper::Filtering { target } => {
                    if let Some(columns) = shape.columns() {
                        columns.shift_remove(target);
                    }
                }
                Mapper::Renaming { from, to } => shape.rename(from, to, None),
                Mapper::Hashing { target, output, .. } => {
                    let text = json!({"type": ["null", "string"]});
                    shape.rename(target, output, Some(text));
                }
            }
        }
        Ok(shape)
    }

    /// Gives a configured stream the new schema, and its cursor and key the new names.
    pub(crate) fn write_to(&self, stream: &mut ConfiguredStream) -> Result<(), Fault> {
        let text = self.schema.to_string();
        stream.stream.json_schema = stored("schema", &text)?;
        for (from, to) in &self.renamed {
            let own = &mut stream.stream;
            let cursors = [&mut stream.cursor_field, &mut own.default_cursor_field];
            let keys = stream.primary_key.iter_mut();
            let keys = keys.chain(&mut own.source_defined_primary_key);
            for path in cursors.into_iter().chain(keys) {
                if let Some(first) = path.first_mut().filter(|first| *first == from) {
                    first.clone_from(to);
                }
            }
        }
        Ok(())
    }

    fn columns(&mut self) -> Option<&mut Map<String, Value>> {
        self.schema.get_mut("properties")?.as_object_mut()
    }

    /// Keeps the column's place among the others.
    fn rename(&mut self, from: &str, to: &str, schema: Option<Value>) {
        if let Some(columns) = self.columns() {
            let renamed = std::mem::take(columns).into_iter().map(|(name, column)| {
                if name == from {
                    (to.to_owned(), schema.clone().unwrap_or(column))
                } else {
                    (name, column)
                }
            });
            *columns = renamed.collect();
        }
        self.renamed.push((from.to_owned(), to.to_owned()));
    }
}
