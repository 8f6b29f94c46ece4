//! One attempt of a job: source and destination run side by side, records stream between them,
//! states are kept once the destination has echoed them.

mod attempt;
mod checkpoint;
mod ends;
mod feed;
mod generations;
mod log;
mod plan;
mod replicate;
mod resume;
mod source;
mod tracker;
mod write;

pub(crate) use attempt::attempt;
pub(crate) use checkpoint::change_stats;
pub(crate) use generations::begin as begin_generations;
pub(crate) use log::{lines as log_lines, note as log_note};
pub(crate) use tracker::{StreamStats, Tracker};

use crate::connector::FailureReason;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Succeeded,
    Failed,
    /// On request.
    Cancelled,
    /// The engine stops; the attempt is failed and repeated at the next start.
    Interrupted,
}

/// An attempt that ended.
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) failures: Vec<FailureReason>,
    pub(crate) stats: Vec<StreamStats>,
}
