//! The outcome of each stream of a read, and of the read as a whole.

use airbyte_protocol::{StreamDescriptor, StreamStatus};

use crate::failure::Failure;
use crate::output::Output;

/// The streams read so far.
#[derive(Default)]
pub(crate) struct Outcomes {
    streams: usize,
    failures: Vec<(StreamDescriptor, Failure)>,
}

impl Outcomes {
    /// Reports to the platform how a stream ended. A failure does not end the read, because other
    /// streams may succeed.
    pub(crate) fn add(
        &mut self,
        stream: &StreamDescriptor,
        outcome: Result<(), Failure>,
        output: &mut Output,
    ) -> Result<(), Failure> {
        self.streams += 1;
        match outcome {
            Ok(()) => output.status(stream, StreamStatus::Complete),
            Err(failure) => {
                let failure = failure.in_stream(stream);
                output.error(&failure)?;
                output.status(stream, StreamStatus::Incomplete)?;
                self.failures.push((stream.clone(), failure));
                Ok(())
            }
        }
    }

    /// # Errors
    /// When a stream failed: a success would let the destination drop what it has of that stream.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let Some((_, first)) = self.failures.first() else {
            return Ok(());
        };
        let names: Vec<String> = self.failures.iter().map(|(of, _)| of.to_string()).collect();
        let message = format!(
            "{} of {} streams could not be read ({}): {}",
            self.failures.len(),
            self.streams,
            names.join(", "),
            first.message
        );
        let mut whole = Failure::config(message);
        whole.kind = first.kind;
        Err(whole)
    }
}
