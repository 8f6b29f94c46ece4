//! A text file's characters: unpacked, decoded into UTF-8, from a given position on. Positions
//! count what comes out.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::rc::Rc;

use encoding_rs::{CoderResult, Decoder, UTF_8};
use flate2::read::MultiGzDecoder;

use super::config::Options;
use super::locate::Found;
use crate::failure::Failure;

/// Maximum length of a record, which is how much of an unclosed quote is read before it is
/// detected.
pub(super) const RECORD_BYTES_MAX: u64 = 64 << 20;

/// Columns that a stream may have. More are names of a map that became columns; each of them makes the
/// catalog larger, and everything that compares and stores it.
pub(super) const COLUMNS_MAX: usize = 10_000;

const BUFFER: usize = 1 << 17;

/// Opens the file.
///
/// # Errors
/// When it cannot be read, or ends before that position.
pub(super) fn open(file: &Found, options: &Options, from: u64) -> Result<Box<dyn Read>, Failure> {
    let unreadable = |e| Failure::config(format!("{} cannot be read: {e}", file.shown));
    let mut plain = File::open(&file.path).map_err(unreadable)?;
    if !file.gzip && options.encoding == UTF_8 {
        plain.seek(SeekFrom::Start(from)).map_err(unreadable)?;
        return Ok(Box::new(plain));
    }
    let unpacked: Box<dyn Read> = if file.gzip {
        Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(
            BUFFER, plain,
        )))
    } else {
        Box::new(plain)
    };
    let mut decoded: Box<dyn Read> = if options.encoding == UTF_8 {
        unpacked
    } else {
        Box::new(Decoded {
            from: unpacked,
            decoder: options.encoding.new_decoder(),
            raw: vec![0; BUFFER],
            raw_at: 0..0,
            text: vec![0; 4 * BUFFER],
            text_at: 0..0,
            ended: false,
        })
    };
    let skipped = io::copy(&mut (&mut decoded).take(from), &mut io::sink()).map_err(unreadable)?;
    if skipped < from {
        return Err(Failure::config(format!(
            "{} is shorter than it was when its reading began",
            file.shown
        )));
    }
    Ok(decoded)
}

/// Text of another encoding as UTF-8.
struct Decoded {
    from: Box<dyn Read>,
    decoder: Decoder,
    raw: Vec<u8>,
    raw_at: std::ops::Range<usize>,
    text: Vec<u8>,
    text_at: std::ops::Range<usize>,
    ended: bool,
}

impl Read for Decoded {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.text_at.is_empty() {
            if self.ended {
                return Ok(0);
            }
            let mut last = false;
            if self.raw_at.is_empty() {
                let count = self.from.read(&mut self.raw)?;
                self.raw_at = 0..count;
                last = count == 0;
            }
            let raw = &self.raw[self.raw_at.clone()];
            let (result, read, written, malformed) =
                self.decoder.decode_to_utf8(raw, &mut self.text, last);
            if malformed {
                let message = "it holds bytes that are not of its encoding";
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            self.raw_at.start += read;
            self.text_at = 0..written;
            self.ended = last && result == CoderResult::InputEmpty;
        }
        let count = self.text_at.len().min(out.len());
        let from = self.text_at.start;
        out[..count].copy_from_slice(&self.text[from..from + count]);
        self.text_at.start += count;
        Ok(count)
    }
}

/// Counts what is read, and fails when a record takes too much of it.
pub(super) struct Limited<R> {
    from: R,
    read: u64,
    /// Where the current record starts, as set by its reader.
    record_at: Rc<Cell<u64>>,
}

impl<R> Limited<R> {
    pub(super) fn new(from: R, record_at: Rc<Cell<u64>>) -> Self {
        Self {
            from,
            read: 0,
            record_at,
        }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.read.saturating_sub(self.record_at.get()) > RECORD_BYTES_MAX {
            let message = format!("a record is longer than {} MB", RECORD_BYTES_MAX >> 20);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let count = self.from.read(out)?;
        self.read += count as u64;
        Ok(count)
    }
}
