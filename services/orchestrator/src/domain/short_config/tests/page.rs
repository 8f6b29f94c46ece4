//! `docs/short_configurations.md` matches the tables.

use crate::domain::short_config::ActorKind;
use crate::domain::short_config::table::{COMMON, Connector, Field, Scalar};

const PAGE: &str = include_str!("../../../../../../docs/short_configurations.md");

fn heading(connector: &Connector) -> String {
    let role = match connector.role {
        ActorKind::Source => "source",
        ActorKind::Destination => "destination",
    };
    format!("`{}` as {role}", connector.type_name)
}

fn row(field: &Field) -> String {
    let real: Vec<String> = (field.places())
        .map(|place| {
            let path = place.path.replace(".0.", "[0].");
            format!("`{path}`")
        })
        .collect();
    let default = match field.default {
        None => String::new(),
        Some(Scalar::Integer(number)) => number.to_string(),
        Some(Scalar::Text("")) => "empty".to_owned(),
        Some(Scalar::Text(text)) => format!("`{text}`"),
    };
    let real = if real.is_empty() {
        "in that of `host`".to_owned()
    } else {
        real.join(" or ")
    };
    let required = if field.required { "yes" } else { "" };
    let name = format!("`{}`", field.name);
    let cells = [&name, &real, required, &default, field.description];
    let cells = cells.map(|cell| {
        if cell.is_empty() {
            " ".to_owned()
        } else {
            format!(" {cell} ")
        }
    });
    format!("|{}|", cells.join("|"))
}

#[test]
fn every_table_is_on_the_page() {
    let mut tables = Vec::new();
    for section in PAGE.split("\n## ").skip(1) {
        let (title, text) = section.split_once('\n').unwrap();
        let rows: Vec<String> = (text.lines())
            .filter(|line| line.starts_with("| `"))
            .map(str::to_owned)
            .collect();
        if !rows.is_empty() {
            tables.push((title.to_owned(), rows));
        }
    }
    let expected: Vec<(String, Vec<String>)> = (COMMON.iter())
        .map(|connector| {
            let rows = connector.fields.iter().map(row).collect();
            (heading(connector), rows)
        })
        .collect();
    assert_eq!(tables, expected);
}
