//! Schedules as Airbyte takes them.

use contracts::{FieldError, Schedule, ScheduleType};
use serde_json::Value;

/// A schedule that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parsed;

impl Parsed {
    /// Airbyte's `scheduleType`.
    pub(crate) fn airbyte_type(&self) -> &'static str {
        "manual"
    }

    /// Airbyte's `scheduleData`; `manual` goes without.
    pub(crate) fn airbyte_data(&self) -> Option<Value> {
        None
    }
}

/// Understands a schedule.
pub(crate) fn parse(schedule: &Schedule) -> Result<Parsed, Vec<FieldError>> {
    if schedule.kind == ScheduleType::Manual {
        return Ok(Parsed);
    }
    Err(vec![FieldError {
        field: "schedule.type".to_owned(),
        message: "only `manual` is supported".to_owned(),
    }])
}
