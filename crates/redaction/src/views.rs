//! A text after decoding its escapes, with the origin of each byte.

/// Maximum nesting of escapes: JSON inside JSON inside a URL.
const LEVELS: usize = 3;

/// A text with some of its escapes decoded.
pub(super) struct View {
    bytes: Vec<u8>,
    /// For each byte, its origin in the text; empty if the bytes are in their original places.
    origins: Vec<(u32, u32)>,
}

/// A kind of escapes to decode.
#[derive(Clone, Copy)]
enum Escapes {
    /// `\n`, `\"`, `\u00e9`, `\xe9`.
    Backslash,
    /// `%C3%A9`.
    Percent,
    /// As `Percent`, with `+` for a space.
    Form,
    /// `&amp;`, `&#39;`.
    Entity,
}

impl View {
    /// The text itself and every way to decode its escapes.
    pub(super) fn all(text: &str) -> Vec<Self> {
        let mut all = vec![Self {
            bytes: text.as_bytes().to_vec(),
            origins: Vec::new(),
        }];
        // Offsets have four bytes; no log line is longer.
        if u32::try_from(text.len()).is_err() {
            return all;
        }
        let mut begun = 0;
        for _ in 0..LEVELS {
            let end = all.len();
            for at in begun..end {
                for escapes in [
                    Escapes::Backslash,
                    Escapes::Percent,
                    Escapes::Form,
                    Escapes::Entity,
                ] {
                    if let Some(view) = all[at].decoded(escapes)
                        && !all.iter().any(|known| known.bytes == view.bytes)
                    {
                        all.push(view);
                    }
                }
            }
            begun = end;
        }
        all
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The origin in the text of a range of the view.
    pub(super) fn origin(&self, (start, end): (usize, usize)) -> (usize, usize) {
        if self.origins.is_empty() || start >= end {
            return (start, end);
        }
        let (first, last) = (self.origins[start], self.origins[end - 1]);
        (first.0 as usize, last.1 as usize)
    }

    fn place(&self, start: usize, end: usize) -> (u32, u32) {
        let (start, end) = self.origin((start, end));
        (start as u32, end as u32)
    }

    /// The view with one kind of escapes decoded; none if it contains none.
    fn decoded(&self, escapes: Escapes) -> Option<Self> {
        let first = |byte: &u8| match escapes {
            Escapes::Backslash => *byte == b'\\',
            Escapes::Percent => *byte == b'%',
            Escapes::Form => *byte == b'+',
            Escapes::Entity => *byte == b'&',
        };
        if !self.bytes.iter().any(first) {
            return None;
        }
        let mut view = Self {
            bytes: Vec::with_capacity(self.bytes.len()),
            origins: Vec::with_capacity(self.bytes.len()),
        };
        let mut at = 0;
        while at < self.bytes.len() {
            let rest = &self.bytes[at..];
            let decoded = match escapes {
                Escapes::Backslash => backslash(rest),
                Escapes::Percent => percent(rest),
                Escapes::Form if rest[0] == b'+' => Some((vec![b' '], 1)),
                Escapes::Form => percent(rest),
                Escapes::Entity => entity(rest),
            };
            let (bytes, length) = decoded.unwrap_or_else(|| (vec![rest[0]], 1));
            let place = self.place(at, at + length);
            view.origins.extend(bytes.iter().map(|_| place));
            view.bytes.extend(bytes);
            at += length;
        }
        Some(view)
    }
}

fn hex(digits: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok()?;
    let is_hex = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u32::from_str_radix(text, 16).ok())?
}

fn encoded(character: char) -> Vec<u8> {
    character.to_string().into_bytes()
}

fn percent(rest: &[u8]) -> Option<(Vec<u8>, usize)> {
    let value = hex(rest.strip_prefix(b"%")?.get(..2)?)?;
    Some((vec![value as u8], 3))
}

/// The escapes of JSON, and of Python's and Rust's debug formats.
fn backslash(rest: &[u8]) -> Option<(Vec<u8>, usize)> {
    let rest = rest.strip_prefix(b"\\")?;
    let plain = match rest.first()? {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'f' => 12,
        other @ (b'"' | b'\'' | b'\\' | b'/') => *other,
        b'x' => {
            let value = hex(rest.get(1..3)?)?;
            return Some((encoded(char::from_u32(value)?), 4));
        }
        b'U' => {
            let value = hex(rest.get(1..9)?)?;
            return Some((encoded(char::from_u32(value)?), 10));
        }
        b'u' if rest.get(1) == Some(&b'{') => {
            let end = rest.iter().take(9).position(|byte| *byte == b'}')?;
            let value = hex(&rest[2..end])?;
            return Some((encoded(char::from_u32(value)?), end + 2));
        }
        b'u' => return utf16(rest),
        _ => return None,
    };
    Some((vec![plain], 2))
}

/// `uXXXX`, or a surrogate pair.
fn utf16(rest: &[u8]) -> Option<(Vec<u8>, usize)> {
    let high = hex(rest.get(1..5)?)?;
    if let Some(character) = char::from_u32(high) {
        return Some((encoded(character), 6));
    }
    let low = rest.get(5..)?.strip_prefix(b"\\u")?;
    let low = hex(low.get(..4)?)?;
    let pair = [u16::try_from(high).ok()?, u16::try_from(low).ok()?];
    let character = char::decode_utf16(pair).next()?.ok()?;
    Some((encoded(character), 12))
}

fn entity(rest: &[u8]) -> Option<(Vec<u8>, usize)> {
    let end = rest.iter().take(12).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(rest.get(1..end)?).ok()?;
    if rest[0] != b'&' {
        return None;
    }
    let character = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let value = match number.strip_prefix(['x', 'X']) {
                Some(digits) => hex(digits.as_bytes())?,
                None => number.parse().ok()?,
            };
            char::from_u32(value)?
        }
    };
    Some((encoded(character), end + 1))
}
