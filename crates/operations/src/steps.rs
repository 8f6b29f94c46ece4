//! Every step of every operation, in order. The failpoints, and the tests that kill a process at
//! each of them, are generated from this list.

use shared::registry::status::OperationKind;

/// One step of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The kind of operation it belongs to.
    pub kind: OperationKind,
    /// The name in the registry.
    pub name: &'static str,
}

/// A point in a step at which a process may crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Nothing is recorded yet.
    Before,
    /// The intent is recorded; the effect is not applied.
    Intended,
    /// The effect is applied but not recorded.
    Applied,
    /// The result is recorded.
    After,
}

impl Point {
    /// All points, in order.
    pub const ALL: &[Self] = &[Self::Before, Self::Intended, Self::Applied, Self::After];

    /// The name in failpoints.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Intended => "intended",
            Self::Applied => "acted",
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
    /// Creating a connection.
    onboard = Onboard {
        /// Creates the source in Airbyte.
        CREATE_SOURCE = "create_source",
        /// Checks the source.
        CHECK_SOURCE = "check_source",
        /// Discovers its schema, and warms Airbyte's cache of it for the next step.
        DISCOVER_SCHEMA = "discover_schema",
        /// Creates the connection in Airbyte.
        CREATE_CONNECTION = "create_connection",
        /// Sets the schedule, if there is one: a connection is created without.
        SET_SCHEDULE = "set_schedule",
        /// Stores version 1, ids and ACTIVE, and ends the operation, in one write.
        COMMIT_VERSION = "commit_version",
    }
    /// Applying another catalog, from a plan or as it was sent.
    heal = Heal {
        /// Changes the connection in Airbyte and reads it back.
        UPDATE_CONNECTION = "update_connection",
        /// Stores the next version and ACTIVE, and ends the operation, in one write.
        COMMIT_VERSION = "commit_version",
    }
    /// Rolling back to an earlier catalog.
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
        /// Stores the change and ends the operation, in one write.
        COMMIT_CHANGE = "commit_change",
    }
    /// Deleting a connection.
    delete = Delete {
        /// Cancels the running job.
        CANCEL_JOB = "cancel_job",
        /// Deletes the connection from Airbyte.
        DELETE_CONNECTION = "delete_connection",
        /// Deletes the source from Airbyte, if AAM created it and nothing else uses it.
        DELETE_SOURCE = "delete_source",
        /// Deletes the row and ends the operation, in one write.
        FORGET = "forget",
    }
    /// Starting a sync.
    trigger = Trigger {
        /// Starts the job in Airbyte.
        START_JOB = "start_job",
        /// Stores the job and ends the operation.
        RECORD_JOB = "record_job",
    }
    /// Starting the sync that a heal requires.
    sync = Sync {
        /// Starts a refresh job of the streams of one mode.
        START_REFRESH = "start_refresh",
        /// Starts a sync, if no stream needs a refresh.
        START_SYNC = "start_sync",
    }
    /// Creating a source or a destination that connections share.
    create_actor = CreateActor {
        /// Creates it in Airbyte.
        CREATE_ACTOR = "create_actor",
        /// Checks it, unless the caller skips the check.
        CHECK_ACTOR = "check_actor",
        /// Stores its id and ends the operation, in one write.
        COMMIT_ACTOR = "commit_actor",
    }
    /// Deleting a source or a destination that nothing uses.
    delete_actor = DeleteActor {
        /// Deletes it from Airbyte.
        DELETE_ACTOR = "delete_actor",
        /// Deletes the row and ends the operation, in one write.
        FORGET_ACTOR = "forget_actor",
    }
}

impl Step {
    /// The name of the failpoint at a point of the step, for example `onboard.create_source.acted`.
    pub fn failpoint(self, point: Point) -> String {
        format!("{}.{}.{}", self.kind.as_str(), self.name, point.as_str())
    }
}
