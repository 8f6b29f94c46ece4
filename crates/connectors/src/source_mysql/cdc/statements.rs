//! Statements of the log that are about a table as a whole.

/// What a statement does to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    None,
    /// Its columns may be others from here on.
    Reshapes,
    /// Its rows are gone, without a word on any of them.
    Empties,
}

/// The effect of a statement, made in the database `current`, on a table.
pub(super) fn effect(statement: &str, current: &str, database: &str, table: &str) -> Effect {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    let tokens = statement.split(|c| !is_part(c));
    let tokens: Vec<&str> = tokens.filter(|token| !token.is_empty()).collect();
    let verb = tokens.first().map(|verb| verb.to_ascii_lowercase());
    let is = |token: Option<&&str>, name: &str| token.is_some_and(|t| t.eq_ignore_ascii_case(name));
    // A name that is more than one token can only be looked for.
    let is_plain = table.chars().all(is_part) && database.chars().all(is_part);
    let anywhere = || match is_plain {
        true => tokens.iter().any(|token| is(Some(token), table)),
        false => statement.to_lowercase().contains(&table.to_lowercase()),
    };
    let is_here = current == database || statement.contains(database);
    let named = || {
        let target = tokens.iter().skip_while(|token| !is(Some(token), "table"));
        let skipped = ["table", "if", "not", "exists"];
        let mut target =
            target.skip_while(|token| skipped.iter().any(|word| is(Some(token), word)));
        let (first, second) = (target.next(), target.next());
        !is_plain && anywhere()
            || current == database && is(first, table)
            || is(first, database) && is(second, table)
    };
    match verb.as_deref() {
        Some("alter" | "create") if is_here && named() => Effect::Reshapes,
        Some("rename") if is_here && anywhere() => Effect::Reshapes,
        Some("drop" | "truncate") if is_here && anywhere() => Effect::Empties,
        _ => Effect::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_statements_about_the_table_count() {
        let cases = [
            ("ALTER TABLE t ADD b int", Effect::Reshapes),
            ("alter table `shop`.`t` drop a", Effect::Reshapes),
            ("ALTER TABLE IF EXISTS t ADD b int", Effect::Reshapes),
            ("CREATE OR REPLACE TABLE t (id int)", Effect::Reshapes),
            ("RENAME TABLE t TO old, new TO t", Effect::Reshapes),
            ("TRUNCATE t", Effect::Empties),
            ("DROP TABLE IF EXISTS `t`", Effect::Empties),
            ("CREATE TABLE other (t int)", Effect::None),
            ("ALTER TABLE other ADD t int", Effect::None),
            ("ALTER TABLE elsewhere.t ADD b int", Effect::None),
            ("SAVEPOINT t", Effect::None),
            ("COMMIT", Effect::None),
        ];
        for (statement, expected) in cases {
            let made = effect(statement, "shop", "shop", "t");
            assert_eq!(made, expected, "{statement}");
        }
        let of_another = |statement| effect(statement, "elsewhere", "shop", "t");
        assert_eq!(of_another("ALTER TABLE t ADD b int"), Effect::None);
        assert_eq!(of_another("ALTER TABLE shop.t ADD b int"), Effect::Reshapes);
        let exotic = effect("ALTER TABLE `a b` ADD c int", "shop", "shop", "a b");
        assert_eq!(exotic, Effect::Reshapes);
    }
}
