//! The forms of a secret to search for: the whole secret, each of its lines, and its base64 and
//! hexadecimal forms.

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};

/// Shorter secrets would garble every line that happens to contain them; they are only redacted
/// where a value is expected.
const ANYWHERE_LEN_MIN: usize = 4;
/// Shorter lines of a long secret reveal little, and occur in other texts too.
const LINE_LEN_MIN: usize = 8;
/// Shorter pieces of base64 occur in other texts too.
const ENCODED_LEN_MIN: usize = 6;

/// Compiled search patterns for secrets.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    anywhere: Option<AhoCorasick>,
    short: Vec<SecretString>,
}

impl Patterns {
    pub(super) fn of(secrets: &[SecretString]) -> Self {
        let mut anywhere: Vec<Vec<u8>> = Vec::new();
        let mut short = Vec::new();
        for secret in secrets {
            let text = secret.expose_secret();
            if text.trim().len() < ANYWHERE_LEN_MIN {
                short.push(text.trim().to_owned().into());
                continue;
            }
            for whole in [text, text.trim()] {
                anywhere.push(whole.into());
                // The encoded text often contains more than the secret: `user:password`.
                base64_forms(whole.as_bytes(), &mut anywhere);
                let hexadecimal = hex::encode(whole);
                anywhere.push(hexadecimal.to_uppercase().into());
                anywhere.push(hexadecimal.into());
            }
            for line in text.lines().map(str::trim) {
                if line.len() >= LINE_LEN_MIN && !line.starts_with("-----") {
                    anywhere.push(line.into());
                }
            }
        }
        anywhere.sort();
        anywhere.dedup();
        let anywhere = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(&anywhere);
        Self {
            // Fails only for an unbounded number of patterns.
            anywhere: anywhere.ok(),
            short,
        }
    }

    /// Finds secrets; returns the index of the first byte and of the one after the last.
    pub(super) fn find(&self, bytes: &[u8]) -> Vec<(usize, usize)> {
        let mut found: Vec<(usize, usize)> = Vec::new();
        if let Some(anywhere) = &self.anywhere {
            let all = anywhere.find_overlapping_iter(bytes);
            found.extend(all.map(|at| (at.start(), at.end())));
        }
        for secret in &self.short {
            let secret = secret.expose_secret().as_bytes();
            let places = memchr::memmem::find_iter(bytes, secret);
            let places = places.map(|start| (start, start + secret.len()));
            found.extend(places.filter(|(start, end)| is_value(bytes, *start, *end)));
        }
        found
    }
}

/// Whether a value is expected at this place: after `=`, `:`, a bracket or a quote, up to the next
/// word.
fn is_value(bytes: &[u8], start: usize, end: usize) -> bool {
    let before = bytes[..start].trim_ascii_end();
    let is_begun = before.last().is_some_and(|byte| {
        matches!(
            byte,
            b'=' | b':' | b'"' | b'\'' | b'`' | b'(' | b'[' | b'{' | b','
        )
    });
    let is_ended = bytes
        .get(end)
        .is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte < 0x80);
    is_begun && is_ended
}

/// The parts of the secret's base64 that are independent of the text before and after it.
fn base64_forms(secret: &[u8], forms: &mut Vec<Vec<u8>>) {
    for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
        for before in 0..3_usize {
            let mut text = vec![0; before];
            text.extend_from_slice(secret);
            let encoded = engine.encode(&text);
            // Each character has six bits: leave out those that contain a bit of the surrounding
            // text.
            let start = (before * 8).div_ceil(6);
            let end = text.len() * 8 / 6;
            if let Some(stable) = encoded.get(start..end)
                && stable.len() >= ENCODED_LEN_MIN
            {
                forms.push(stable.into());
            }
        }
    }
}
