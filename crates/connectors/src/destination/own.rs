//! The columns that a destination fills itself: ids, moments and what was changed on the way.

use std::sync::Arc;

use chrono::DateTime;
use serde_json::value::RawValue;

/// Makes the values of one stream's rows.
pub(crate) struct Own {
    sync_id: Option<i64>,
    /// The usual `_airbyte_meta`: nothing was changed.
    unchanged: Arc<str>,
    /// `emitted_at` and its text: many records in a row share it.
    moment: (i64, Arc<str>),
    /// Random bits of this process.
    seed: u64,
    made: u32,
}

/// Bits of an id that are random; the count takes the other 32 that are free.
const SEED_BITS: u32 = 42;

impl Own {
    pub(crate) fn new(sync_id: Option<i64>) -> Self {
        Self {
            sync_id,
            unchanged: Arc::from(meta_text(sync_id, "")),
            moment: (i64::MIN, Arc::from("")),
            seed: seed(),
            made: 0,
        }
    }

    /// The moment at which a record was read, in a fixed width, so that texts compare as moments do.
    pub(crate) fn extracted_at(&mut self, emitted_at: i64) -> Arc<str> {
        if self.moment.0 != emitted_at {
            let moment = DateTime::from_timestamp_millis(emitted_at).unwrap_or_default();
            let text = moment.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
            self.moment = (emitted_at, Arc::from(text));
        }
        Arc::clone(&self.moment.1)
    }

    /// A version 7 UUID: the record's time, a count, random bits. Within a process and a moment,
    /// later ones are greater.
    pub(crate) fn next_id(&mut self, emitted_at: i64) -> Arc<str> {
        let millis = u64::try_from(emitted_at).unwrap_or(0);
        let id = id(millis, self.made, self.seed);
        self.made = self.made.wrapping_add(1);
        if self.made == 0 {
            self.seed = seed();
        }
        id
    }

    /// `_airbyte_meta`: the record's own changes, then the columns whose value did not fit here.
    pub(crate) fn meta<'n>(
        &self,
        changes: Option<&RawValue>,
        unfit: impl Iterator<Item = &'n str>,
    ) -> Arc<str> {
        let given = changes.map_or("", |changes| changes.get().trim());
        let given = given
            .strip_prefix('[')
            .and_then(|list| list.strip_suffix(']'));
        let given = given.unwrap_or_default().trim().to_owned();
        let own = unfit.map(|property| {
            serde_json::json!({
                "field": property,
                "change": "NULLED",
                "reason": "DESTINATION_TYPECAST_ERROR",
            })
            .to_string()
        });
        let given = Some(given).filter(|given| !given.is_empty());
        let list: Vec<String> = given.into_iter().chain(own).collect();
        if list.is_empty() {
            return Arc::clone(&self.unchanged);
        }
        Arc::from(meta_text(self.sync_id, &list.join(",")))
    }
}

fn seed() -> u64 {
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    (high ^ low) & ((1 << SEED_BITS) - 1)
}

/// The count lies around the bits that say which version of UUID it is.
fn id(millis: u64, count: u32, seed: u64) -> Arc<str> {
    let [_, _, high, low] = (count >> 20).to_be_bytes();
    let rest = (u64::from(count & 0xf_ffff) << SEED_BITS) | seed;
    let mut bits = [high, low, 0, 0, 0, 0, 0, 0, 0, 0];
    bits[2..].copy_from_slice(&rest.to_be_bytes());
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &bits).into_uuid();
    hyphenated(id.as_bytes())
}

fn meta_text(sync_id: Option<i64>, changes: &str) -> String {
    match sync_id {
        Some(sync_id) => format!("{{\"sync_id\":{sync_id},\"changes\":[{changes}]}}"),
        None => format!("{{\"changes\":[{changes}]}}"),
    }
}

/// The usual text of a UUID. The library's own is slow in builds that do not optimise it.
fn hyphenated(bytes: &[u8; 16]) -> Arc<str> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_as_the_library_does() {
        let id = uuid::Uuid::new_v4();
        assert_eq!(*hyphenated(id.as_bytes()), *id.to_string());
    }

    #[test]
    fn ids_of_one_moment_differ_and_grow() {
        let counts = (0..32).map(|bit| 1_u32 << bit);
        let mut ids: Vec<Arc<str>> = counts
            .map(|count| id(1_700_000_000_000, count, 7))
            .collect();
        assert!(ids.is_sorted(), "{ids:?}");
        ids.dedup();
        assert_eq!(ids.len(), 32);
    }
}
