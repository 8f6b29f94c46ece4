//! Files of JSON objects, one per line.

use std::io::{BufRead as _, BufReader, Read};

use serde_json::value::RawValue;

use super::config::Options;
use super::input::{self, RECORD_BYTES_MAX};
use super::locate::Found;
use super::progress::Position;
use crate::failure::Failure;

/// A file's lines.
pub(super) struct JsonlRows {
    input: BufReader<Box<dyn Read>>,
    line: Vec<u8>,
    /// Where the next line begins.
    at: Position,
    shown: String,
}

impl JsonlRows {
    /// Opens the file; lines come from that position on.
    pub(super) fn open(file: &Found, options: &Options, from: Position) -> Result<Self, Failure> {
        let input = input::open(file, options, from.offset)?;
        Ok(Self {
            input: BufReader::with_capacity(1 << 17, input),
            line: Vec::new(),
            at: from,
            shown: file.shown.clone(),
        })
    }

    /// The next line that is not empty; nothing at the file's end.
    ///
    /// # Errors
    /// If a line is not valid JSON, with the file and the line.
    pub(super) fn next(&mut self) -> Result<Option<&RawValue>, Failure> {
        loop {
            self.line.clear();
            let mut limited = (&mut self.input).take(RECORD_BYTES_MAX + 1);
            let read = limited.read_until(b'\n', &mut self.line);
            self.at.line += 1;
            let read = read.map_err(|e| self.malformed(&e.to_string()))? as u64;
            if read == 0 {
                return Ok(None);
            }
            if read > RECORD_BYTES_MAX {
                let what = format!("it is longer than {} MB", RECORD_BYTES_MAX >> 20);
                return Err(self.malformed(&what));
            }
            if self.at.offset == 0 && self.line.starts_with("\u{feff}".as_bytes()) {
                self.line.drain(..3);
            }
            self.at.offset += read;
            if self.line.iter().any(|byte| !byte.is_ascii_whitespace()) {
                break;
            }
        }
        self.at.row += 1;
        let text = std::str::from_utf8(&self.line)
            .map_err(|_| self.malformed("it is not UTF-8; set \"encoding\""))?;
        let value: &RawValue = serde_json::from_str(text)
            .map_err(|e| self.malformed(&format!("it is not valid JSON: {e}")))?;
        if !value.get().starts_with('{') {
            return Err(self.malformed("it is not a JSON object"));
        }
        Ok(Some(value))
    }

    /// Where the next line begins.
    pub(super) fn position(&self) -> Position {
        self.at
    }

    /// A failure about the present line.
    pub(super) fn malformed(&self, what: &str) -> Failure {
        let line = self.at.line;
        Failure::config(format!("{}, line {line}: {what}", self.shown))
    }
}
