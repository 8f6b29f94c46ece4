//! Airbyte's errors for cron expressions that it rejects.

use schedule::Quartz;
use serde_json::json;

use crate::fault::Fault;

/// Rejects anything but a Quartz expression that Airbyte accepts.
pub(super) fn check_cron(expression: &str) -> Result<(), Fault> {
    match Quartz::parse(expression) {
        Ok(_) => Ok(()),
        Err(error) => Err(cron_fault(
            "invalid-expression",
            expression,
            error.to_string(),
        )),
    }
}

/// A fault with one of the problem types that crons have.
pub(super) fn cron_fault(kind: &str, expression: &str, detail: String) -> Fault {
    let kind = match kind {
        "missing-cron-data" => "error:cron-validation/missing-cron-data",
        "invalid-timezone" => "error:cron-validation/invalid-timezone",
        "unsupported-timezone" => "error:cron-validation/unsupported-timezone",
        _ => "error:cron-validation/invalid-expression",
    };
    Fault::Typed {
        kind,
        data: json!({"cronExpression": expression, "validationErrorMessage": detail}),
        detail,
    }
}
