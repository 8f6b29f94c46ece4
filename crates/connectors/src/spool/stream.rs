//! One stream's rows on their way into files: batches in memory, the file that is being written, and
//! files that are ready. Rows keep their order through all three, and a state covers a beginning of it.

use std::fs::File;
use std::time::Instant;

use super::encoder::{Batch, Encoder, Format};
use crate::destination::State;
use crate::failure::Failure;

/// Batches smaller than that are joined.
const JOINED_BYTES: usize = 256 << 10;

/// A complete file that readers do not see yet.
pub(crate) struct Written<F> {
    pub(crate) handle: File,
    /// What the store knows of it.
    pub(crate) file: F,
}

struct Open<F> {
    encoder: Encoder,
    file: F,
}

/// A stream.
pub(super) struct Stream<F> {
    format: Format,
    batches: Vec<Batch>,
    /// How many of the batches a state covers.
    covered: usize,
    /// What the batches take.
    pub(super) bytes: usize,
    open: Option<Open<F>>,
    /// Whether a state covers all of the open file.
    open_covered: bool,
    ready: Vec<Written<F>>,
    /// How many of the ready files a state covers.
    ready_covered: usize,
    /// States to be echoed once what they cover is seen.
    pub(super) states: Vec<State>,
    /// Since when the first of them waits.
    pub(super) waiting: Option<Instant>,
    pub(super) complete: bool,
}

impl<F> Stream<F> {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            batches: Vec::new(),
            covered: 0,
            bytes: 0,
            open: None,
            open_covered: false,
            ready: Vec::new(),
            ready_covered: 0,
            states: Vec::new(),
            waiting: None,
            complete: false,
        }
    }

    pub(super) fn add(&mut self, batch: Batch) {
        self.bytes += batch.bytes();
        let uncovered = self.batches.len() > self.covered;
        match self.batches.last_mut() {
            Some(last) if uncovered && last.bytes() < JOINED_BYTES => last.append(batch),
            _ => self.batches.push(batch),
        }
    }

    /// A state covers everything so far.
    pub(super) fn cover(&mut self) {
        self.covered = self.batches.len();
        self.open_covered = self.open.is_some();
        self.ready_covered = self.ready.len();
    }

    /// Writes batches into the open file: those that a state covers, or all where there are none.
    pub(super) fn flush(
        &mut self,
        create: impl FnOnce() -> Result<(File, F), Failure>,
        file_bytes_max: u64,
    ) -> Result<(), Failure> {
        let covered = self.covered > 0;
        let count = if covered {
            self.covered
        } else {
            self.batches.len()
        };
        if count == 0 {
            return Ok(());
        }
        // What a state covers may be shown, the rest not: they part here.
        if !covered && self.open_covered {
            self.close()?;
        }
        let batches: Vec<Batch> = self.batches.drain(..count).collect();
        self.covered = 0;
        self.bytes = self.batches.iter().map(Batch::bytes).sum();
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let (handle, file) = create()?;
                let encoder = Encoder::new(handle, &self.format)?;
                self.open_covered = covered;
                self.open.insert(Open { encoder, file })
            }
        };
        open.encoder.write(batches)?;
        if open.encoder.written() >= file_bytes_max {
            self.close()?;
        }
        Ok(())
    }

    /// Parts that the open file keeps in mind until its end.
    pub(super) fn chunks(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.encoder.chunks())
    }

    /// Ends the open file.
    pub(super) fn close(&mut self) -> Result<(), Failure> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let handle = open.encoder.finish()?;
        self.ready.push(Written {
            handle,
            file: open.file,
        });
        if std::mem::take(&mut self.open_covered) {
            self.ready_covered = self.ready.len();
        }
        Ok(())
    }

    /// The files with everything that a state covers.
    pub(super) fn take_covered(
        &mut self,
        create: impl FnOnce() -> Result<(File, F), Failure>,
    ) -> Result<Vec<Written<F>>, Failure> {
        if self.covered > 0 {
            self.flush(create, u64::MAX)?;
        }
        if self.open_covered {
            self.close()?;
        }
        let covered = std::mem::take(&mut self.ready_covered);
        Ok(self.ready.drain(..covered).collect())
    }
}
