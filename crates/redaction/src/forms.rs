//! What is looked for: a secret as a whole, each of its lines, and its base64 and hexadecimal forms.

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};

/// Shorter secrets garble every line that happens to contain them; they are looked for only where a
/// value stands.
const ANYWHERE_LEN_MIN: usize = 4;
/// Shorter lines of a long secret say little, and stand in other texts as well.
const LINE_LEN_MIN: usize = 8;
/// Shorter pieces of base64 stand in other texts as well.
const ENCODED_LEN_MIN: usize = 6;

/// Forms of secrets, ready to be looked for.
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
                // What is encoded is often more than the secret: `user:password`.
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
            // Only patterns without end do not make one.
            anywhere: anywhere.ok(),
            short,
        }
    }

    /// Where a secret stands, by its first byte and the one after its last.
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

/// Whether a place is where a value stands: after `=`, `:`, a bracket or a quote, up to the next word.
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

/// The parts of base64 that are the same whatever stands before and after the secret.
fn base64_forms(secret: &[u8], forms: &mut Vec<Vec<u8>>) {
    for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
        for before in 0..3_usize {
            let mut text = vec![0; before];
            text.extend_from_slice(secret);
            let encoded = engine.encode(&text);
            // Six bits a character: those with a bit of what stands around the secret are left out.
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
