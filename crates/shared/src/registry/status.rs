//! The closed sets of states that rows may be in.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
        #[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
        pub enum $name {
            $($(#[$vdoc])* #[sea_orm(string_value = $text)] #[serde(rename = $text)] $variant),*
        }

        impl $name {
            /// The state as the table and the API spell it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                match text { $($text => Ok(Self::$variant),)* _ => Err(()) }
            }
        }
    };
}

states! {
    /// Where a connection is in its life.
    ConnectionStatus {
        /// Being onboarded.
        Pending = "PENDING",
        /// In use.
        Active = "ACTIVE",
        /// Its catalog is being changed.
        Healing = "HEALING",
        /// Onboarding failed, or a heal could not be undone; the reason is beside it.
        Failed = "FAILED",
        /// Switched off.
        Inactive = "INACTIVE",
    }
}

states! {
    /// Where a job is.
    JobStatus {
        /// Not started.
        Pending = "pending",
        /// An attempt runs, or the next one waits.
        Running = "running",
        /// Done.
        Succeeded = "succeeded",
        /// Gave up.
        Failed = "failed",
        /// Stopped by a person, or because its connection was switched off.
        Cancelled = "cancelled",
    }
}

impl JobStatus {
    /// Airbyte's word for a job's state; an unknown one is pending, never success or failure.
    pub fn from_airbyte(text: &str) -> Self {
        match text {
            "running" | "incomplete" => Self::Running,
            "succeeded" => Self::Succeeded,
            "failed" => Self::Failed,
            "cancelled" => Self::Cancelled,
            _ => Self::Pending,
        }
    }

    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

states! {
    /// What an operation does.
    OperationKind {
        /// Makes a connection.
        Onboard = "onboard",
        /// Changes a connection's catalog.
        Heal = "heal",
        /// Changes a connection's name, schedule, policy or status.
        Update = "update",
        /// Puts an earlier catalog version in force again.
        Rollback = "rollback",
        /// Removes a connection and what was made for it.
        Delete = "delete",
        /// Starts a sync, or a refresh of some streams, when nothing else runs.
        Sync = "sync",
        /// Starts a sync that somebody asked for.
        Trigger = "trigger",
        /// Makes a source or a destination of its own.
        CreateActor = "create_actor",
        /// Removes a source or a destination.
        DeleteActor = "delete_actor",
    }
}

states! {
    /// Where an operation is.
    OperationStatus {
        /// Waiting for a process to take it.
        Pending = "pending",
        /// Taken.
        Running = "running",
        /// Done.
        Succeeded = "succeeded",
        /// Undone; the error is beside it.
        Failed = "failed",
        /// Ended, and watched for what a create that timed out may still make.
        Settling = "settling",
    }
}

states! {
    /// Where a step is.
    StepStatus {
        /// Its effect may or may not have happened.
        Intended = "intended",
        /// Its effect happened.
        Done = "done",
        /// It failed without effect.
        Failed = "failed",
        /// Its effect was taken back.
        Undone = "undone",
    }
}

states! {
    /// Where a source or destination of its own is in its life.
    ActorStatus {
        /// Being made.
        Pending = "pending",
        /// In use, or free to be used.
        Active = "active",
        /// Being removed: nothing may begin to use it.
        Deleting = "deleting",
    }
}
