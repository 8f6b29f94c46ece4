//! The table that a matrix prints.

use std::time::Duration;

use test_support::Answer;

/// A row: one fault in one flow.
pub(crate) struct Row {
    pub(crate) dependency: &'static str,
    pub(crate) fault: &'static str,
    pub(crate) flow: String,
    pub(crate) got: String,
    pub(crate) took: Duration,
    pub(crate) recovered: Result<(), String>,
}

/// What a caller got, and whether it is an honest answer: a success, or problem details that are
/// not about the caller and not a 500.
pub(crate) fn read(answer: &Answer) -> (String, bool) {
    if answer.status < 300 {
        return (answer.status.to_string(), true);
    }
    let problem: serde_json::Value = serde_json::from_str(&answer.text).unwrap_or_default();
    let code = problem["code"].as_str().unwrap_or("no problem details");
    let is_told = answer
        .headers
        .get("content-type")
        .is_some_and(|kind| kind == "application/problem+json");
    let waits = answer.status != 503 || answer.headers.contains_key("retry-after");
    let is_honest = matches!(answer.status, 409 | 502..=504) && is_told && waits;
    (format!("{} {code}", answer.status), is_honest)
}

/// Prints the table; fails when a row does.
#[expect(clippy::print_stdout, reason = "the table is what the test is for")]
pub(crate) fn print(rows: &[Row]) {
    println!("| before | fault | flow | the caller got | after | nothing leaked, recovered |");
    println!("|---|---|---|---|---|---|");
    for row in rows {
        let recovered = match &row.recovered {
            Ok(()) => "yes".to_owned(),
            Err(said) => format!("NO: {said}"),
        };
        println!(
            "| {} | {} | {} | {} | {:.1} s | {recovered} |",
            row.dependency,
            row.fault,
            row.flow,
            row.got,
            row.took.as_secs_f64()
        );
    }
    let failed = rows.iter().filter(|row| row.recovered.is_err()).count();
    assert_eq!(failed, 0, "rows of the table above");
}
