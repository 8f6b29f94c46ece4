//! Running connectors: their processes, their directories, their one-shot commands.

pub(crate) mod ahead;
pub(crate) mod command;
mod confinement;
pub(crate) mod docker;
pub(crate) mod failure;
pub(crate) mod lines;
pub(crate) mod process;
pub(crate) mod python;
mod sweep;

pub(crate) use ahead::LinesAhead;
pub(crate) use failure::{FailureReason, Kind, Origin};
pub(crate) use lines::LineReader;
pub(crate) use process::{Connector, Environment, NotReady, RunDirectory, Runner};
