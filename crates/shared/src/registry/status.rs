//! The possible states of rows.

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
            /// The spelling in the table and the API.
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
    /// The state of a connection.
    ConnectionStatus {
        /// Being onboarded.
        Pending = "PENDING",
        /// In use.
        Active = "ACTIVE",
        /// Its catalog is being changed.
        Healing = "HEALING",
        /// Onboarding failed, or a heal could not be rolled back; the row has the reason.
        Failed = "FAILED",
        /// Deactivated.
        Inactive = "INACTIVE",
    }
}

states! {
    /// The state of a job.
    JobStatus {
        /// Not started.
        Pending = "pending",
        /// An attempt is running, or the next one is pending.
        Running = "running",
        /// Succeeded.
        Succeeded = "succeeded",
        /// Failed.
        Failed = "failed",
        /// Canceled by a user, or because its connection was deactivated.
        Cancelled = "cancelled",
    }
}

impl JobStatus {
    /// Parses Airbyte's job status; an unknown one becomes pending, never success or failure.
    pub fn from_airbyte(text: &str) -> Self {
        match text {
            "running" | "incomplete" => Self::Running,
            "succeeded" => Self::Succeeded,
            "failed" => Self::Failed,
            "cancelled" => Self::Cancelled,
            _ => Self::Pending,
        }
    }

    /// Whether the state is final.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

states! {
    /// The kind of an operation.
    OperationKind {
        /// Creates a connection.
        Onboard = "onboard",
        /// Changes a connection's catalog.
        Heal = "heal",
        /// Changes a connection's name, schedule, policy or status.
        Update = "update",
        /// Rolls a connection back to an earlier catalog version.
        Rollback = "rollback",
        /// Deletes a connection and the objects created for it.
        Delete = "delete",
        /// Starts a sync, or a refresh of some streams, once nothing else is running.
        Sync = "sync",
        /// Starts a sync that a caller requested.
        Trigger = "trigger",
        /// Creates a shared source or destination.
        CreateActor = "create_actor",
        /// Deletes a source or a destination.
        DeleteActor = "delete_actor",
    }
}

states! {
    /// The state of an operation.
    OperationStatus {
        /// Waiting for a process to claim it.
        Pending = "pending",
        /// Claimed.
        Running = "running",
        /// Succeeded.
        Succeeded = "succeeded",
        /// Rolled back; the row has the error.
        Failed = "failed",
        /// Ended, but watched for objects that a timed-out create may still produce.
        Settling = "settling",
    }
}

states! {
    /// The state of a step.
    StepStatus {
        /// Its effect may or may not have been applied.
        Intended = "intended",
        /// Its effect was applied.
        Done = "done",
        /// It failed without effect.
        Failed = "failed",
        /// Its effect was rolled back.
        Undone = "undone",
    }
}

states! {
    /// The state of a shared source or destination.
    ActorStatus {
        /// Being created.
        Pending = "pending",
        /// In use, or available.
        Active = "active",
        /// Being deleted: no connection may start to use it.
        Deleting = "deleting",
    }
}
