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
pub(crate) use writer::{Limits, Store, Writer};

use std::path::Path;

use crate::failure::Failure;

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
