//! Types as text.

use serde_json::Value;

use super::{Type, ValueType};

/// A schema's type as text: `whole number`, `text or list of numbers`.
pub fn describe(schema: &Value) -> String {
    Type::of(schema).to_string()
}

/// The type as text, without null.
impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut first = true;
        for one in self.values.iter() {
            if !first {
                f.write_str(" or ")?;
            }
            first = false;
            f.write_str(word(one))?;
            if let (ValueType::Array, Some(items)) = (one, &self.items) {
                write!(f, " of {items}")?;
            }
        }
        if first {
            f.write_str("only null")?;
        }
        Ok(())
    }
}

fn word(one: ValueType) -> &'static str {
    match one {
        ValueType::Boolean => "yes/no",
        ValueType::Integer => "whole number",
        ValueType::Number => "number",
        ValueType::Date => "date",
        ValueType::TimeWithoutTimezone => "time",
        ValueType::TimeWithTimezone => "time with zone",
        ValueType::TimestampWithoutTimezone => "date and time",
        ValueType::TimestampWithTimezone => "date and time with zone",
        ValueType::String => "text",
        ValueType::Binary => "binary",
        ValueType::Object => "object",
        ValueType::Array => "list",
        ValueType::Union => "several types",
        ValueType::Unknown => "anything",
    }
}
