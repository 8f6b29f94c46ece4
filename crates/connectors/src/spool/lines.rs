//! Rows as lines of JSON, in the form that Airbyte's own destinations write.

use airbyte_protocol::StreamDescriptor;
use serde_json::value::RawValue;

use crate::destination::{Gather, Own};
use crate::failure::Failure;
use crate::parquet::Held;

/// Lines of one stream.
pub(crate) struct Lines {
    pub(super) text: Vec<u8>,
    pub(super) rows: usize,
}

impl Lines {
    pub(super) fn append(&mut self, other: Self) {
        self.text.extend_from_slice(&other.text);
        self.rows += other.rows;
    }
}

/// Gathers the lines of one stream.
pub(crate) struct LineGatherer {
    stream: StreamDescriptor,
    generation: Option<i64>,
    text: Vec<u8>,
    rows: usize,
    own: Own,
    held: Held,
}

impl LineGatherer {
    pub(crate) fn new(
        stream: StreamDescriptor,
        generation: Option<i64>,
        sync_id: Option<i64>,
        held: Held,
    ) -> Self {
        Self {
            stream,
            generation,
            text: Vec::new(),
            rows: 0,
            own: Own::new(sync_id),
            held,
        }
    }
}

impl Gather for LineGatherer {
    type Batch = Lines;

    fn add(
        &mut self,
        data: &RawValue,
        emitted_at: i64,
        changes: Option<&RawValue>,
    ) -> Result<Option<Lines>, Failure> {
        if !data.get().starts_with('{') {
            let stream = &self.stream;
            let message = format!("a record of stream {stream} is not an object");
            return Err(Failure::system(message));
        }
        let before = self.text.len();
        let out = &mut self.text;
        let id = self.own.next_id(emitted_at);
        let meta = self.own.meta(changes, std::iter::empty());
        for part in [
            "{\"_airbyte_raw_id\":\"",
            &id,
            "\",\"_airbyte_extracted_at\":",
            &emitted_at.to_string(),
            ",\"_airbyte_meta\":",
            &meta,
        ] {
            out.extend_from_slice(part.as_bytes());
        }
        if let Some(generation) = self.generation {
            out.extend_from_slice(b",\"_airbyte_generation_id\":");
            out.extend_from_slice(generation.to_string().as_bytes());
        }
        out.extend_from_slice(b",\"_airbyte_data\":");
        out.extend_from_slice(data.get().as_bytes());
        out.extend_from_slice(b"}\n");
        self.rows += 1;
        let row = self.text.len() - before;
        let full = self.held.add(row, self.text.len());
        Ok(if full { self.take() } else { None })
    }

    fn take(&mut self) -> Option<Lines> {
        if self.rows == 0 {
            return None;
        }
        self.held.remove(self.text.len());
        Some(Lines {
            text: std::mem::take(&mut self.text),
            rows: std::mem::take(&mut self.rows),
        })
    }
}
