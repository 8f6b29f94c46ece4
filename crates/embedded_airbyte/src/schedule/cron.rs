//! What Airbyte says about a cron that it does not take.

use schedule::Quartz;
use serde_json::json;

use crate::fault::Fault;

/// Refuses what is no Quartz expression that Airbyte takes.
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
