//! Positions in the server's log.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A position; the server writes it as two hexadecimal numbers, `16/B374D848`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::source_postgres) struct Lsn(pub(in crate::source_postgres) u64);

impl std::fmt::Display for Lsn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

impl std::str::FromStr for Lsn {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let half = |text: &str| u32::from_str_radix(text, 16).map(u64::from);
        let (high, low) = text.split_once('/').ok_or("a log position has no slash")?;
        match (half(high), half(low)) {
            (Ok(high), Ok(low)) => Ok(Self(high << 32 | low)),
            _ => Err("a log position is not hexadecimal"),
        }
    }
}

impl Serialize for Lsn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lsn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
