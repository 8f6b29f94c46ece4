//! Every step of every operation, in the order they are made. The failpoints, and the tests that kill
//! a process at each of them, are generated from this list.

use crate::registry::status::OperationKind;

/// One step of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The operation it is a step of.
    pub kind: OperationKind,
    /// As the registry names it.
    pub name: &'static str,
}

/// A moment of a step at which a process may die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Nothing is written yet.
    Before,
    /// The intent is written, the effect has not happened.
    Intended,
    /// The effect happened, and nobody wrote down that it did.
    Acted,
    /// It is written down.
    After,
}

impl Point {
    /// Every moment, in order.
    pub const ALL: &[Self] = &[Self::Before, Self::Intended, Self::Acted, Self::After];

    /// As failpoints name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Intended => "intended",
            Self::Acted => "acted",
            Self::After => "after",
        }
    }
}

macro_rules! steps {
    ($($(#[$doc:meta])* $module:ident = $kind:ident { $($(#[$sdoc:meta])* $step:ident = $name:literal),* $(,)? })*) => {
        $(
            $(#[$doc])*
            pub mod $module {
                use super::{OperationKind, Step};
                $($(#[$sdoc])* pub const $step: Step = Step { kind: OperationKind::$kind, name: $name };)*
            }
        )*
        /// Every step.
        pub const ALL: &[Step] = &[$($($module::$step),*),*];
    };
}

steps! {
    /// Making a connection.
    onboard = Onboard {
        /// Makes the source in Airbyte.
        CREATE_SOURCE = "create_source",
        /// Tries whether the source works.
        CHECK_SOURCE = "check_source",
        /// Reads its schema, and warms Airbyte's cache of it for the next step.
        DISCOVER_SCHEMA = "discover_schema",
        /// Makes the connection in Airbyte.
        CREATE_CONNECTION = "create_connection",
        /// Sets the schedule, where there is one: a connection is made without.
        SET_SCHEDULE = "set_schedule",
        /// Stores version 1, ids and ACTIVE, and ends the operation, in one write.
        COMMIT_VERSION = "commit_version",
    }
    /// Putting another catalog in force, by plan or as it was sent.
    heal = Heal {
        /// Changes the connection in Airbyte and reads it back.
        UPDATE_CONNECTION = "update_connection",
        /// Stores the next version and ACTIVE, and ends the operation, in one write.
        COMMIT_VERSION = "commit_version",
    }
    /// Putting an earlier catalog in force again.
    rollback = Rollback {
        /// Changes the connection in Airbyte and reads it back.
        UPDATE_CONNECTION = "update_connection",
        /// Stores the next version and ACTIVE, and ends the operation, in one write.
        COMMIT_VERSION = "commit_version",
    }
    /// Changing name, schedule, policy or status.
    update = Update {
        /// Changes the connection in Airbyte.
        UPDATE_CONNECTION = "update_connection",
        /// Stores what was changed and ends the operation, in one write.
        COMMIT_CHANGE = "commit_change",
    }
    /// Removing a connection.
    delete = Delete {
        /// Cancels the job that runs.
        CANCEL_JOB = "cancel_job",
        /// Removes the connection from Airbyte.
        DELETE_CONNECTION = "delete_connection",
        /// Removes the source from Airbyte, if AAM made it and nothing else uses it.
        DELETE_SOURCE = "delete_source",
        /// Removes the row and ends the operation, in one write.
        FORGET = "forget",
    }
    /// Starting a sync.
    trigger = Trigger {
        /// Starts the job in Airbyte.
        START_JOB = "start_job",
        /// Stores the job and ends the operation.
        RECORD_JOB = "record_job",
    }
    /// Starting what a heal left to be done.
    sync = Sync {
        /// Starts a refresh job of the streams of one mode.
        START_REFRESH = "start_refresh",
        /// Starts a sync, where nothing is to be read again.
        START_SYNC = "start_sync",
    }
    /// Making a source or a destination that connections share.
    create_actor = CreateActor {
        /// Makes it in Airbyte.
        CREATE_ACTOR = "create_actor",
        /// Tries whether it works, unless the caller wants none of that.
        CHECK_ACTOR = "check_actor",
        /// Stores its id and ends the operation, in one write.
        COMMIT_ACTOR = "commit_actor",
    }
    /// Removing a source or a destination that nothing uses.
    delete_actor = DeleteActor {
        /// Removes it from Airbyte.
        DELETE_ACTOR = "delete_actor",
        /// Removes the row and ends the operation, in one write.
        FORGET_ACTOR = "forget_actor",
    }
}

impl Step {
    /// The name of the failpoint at one of its moments, for instance
    /// `onboard.create_source.acted`.
    pub fn failpoint(self, point: Point) -> String {
        format!("{}.{}.{}", self.kind.as_str(), self.name, point.as_str())
    }
}
