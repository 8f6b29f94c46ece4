//! What the destinations that write whole files share. Rows become files beside where they are to be
//! seen; a file is shown whole, and a state is echoed once the files with all its rows are. A file that
//! is shown holds nothing that no state covers, unless its stream completed: what is read again after
//! a failure is not there yet.

mod encoder;
mod lines;
mod names;
mod stream;
mod writer;

pub(crate) use encoder::{Format, Gatherer};
pub(crate) use lines::LineGatherer;
pub(crate) use names::safe_name;
pub(crate) use stream::Written;
pub(crate) use writer::{Limits, Store, Way};

use std::path::Path;

use airbyte_protocol::StreamDescriptor;

use crate::destination::{QUEUE, read};
use crate::failure::Failure;
use crate::output::Output;
use writer::Writer;

/// Writes stdin's records into a store and echoes states. `streams`: how each is written.
///
/// # Errors
/// As the store, and when the input cannot be read; what is whole by then is committed.
pub(crate) async fn write<S: Store>(
    store: S,
    streams: Vec<Way>,
    gatherers: Vec<(StreamDescriptor, Gatherer)>,
    limits: Limits,
    output: &mut Output,
) -> Result<(), Failure> {
    let (sender, receiver) = tokio::sync::mpsc::channel(QUEUE);
    let reader = std::thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || read(std::io::stdin().lock(), gatherers, sender))?;
    let mut writer = Writer::new(store, streams, limits, output);
    writer.consume(receiver).await?;
    let read = reader
        .join()
        .map_err(|_| Failure::system("reading the input failed"))?;
    if let Err(failure) = read {
        writer.abandon().await?;
        return Err(failure);
    }
    writer.finish().await
}

/// A failure to write a file, in words.
pub(crate) fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let shown = path.display();
    match error.kind() {
        StorageFull | QuotaExceeded => Failure::system("the disk is full"),
        PermissionDenied | ReadOnlyFilesystem => {
            Failure::config(format!("{shown} may not be written"))
        }
        _ => Failure::system(format!("{shown} cannot be written: {error}")),
    }
    .because(error)
}
