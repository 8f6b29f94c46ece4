//! CSV files, record by record.

use std::cell::Cell;
use std::collections::HashSet;
use std::io::{Cursor, Read as _};
use std::rc::Rc;

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::config::Options;
use super::input::{self, COLUMNS_MAX, Limited};
use super::locate::Found;
use super::progress::Position;
use crate::failure::Failure;

/// Appended to the file: if it does not arrive as a separate record, a quote was left open.
const END: &[u8] = b"\n\x02\x03\x02\x03\n";

type Input = Limited<Box<dyn std::io::Read>>;

/// A file's records.
pub(super) struct CsvRows {
    reader: Reader<Input>,
    record: ByteRecord,
    /// Where the reader begins.
    base: Position,
    record_at: Rc<Cell<u64>>,
    rows: u64,
    shown: String,
    header: Vec<String>,
}

impl CsvRows {
    /// Opens the file and reads its header; records come from that position on.
    pub(super) fn open(file: &Found, options: &Options, from: Position) -> Result<Self, Failure> {
        let mut rows = Self::start(file, options, Position::default())?;
        let named = options.header;
        if !rows.advance()? {
            return Ok(rows);
        }
        rows.header = header(&rows.record, named, &file.shown)?;
        if from != Position::default() {
            let header = std::mem::take(&mut rows.header);
            rows = Self::start(file, options, from)?;
            rows.header = header;
        } else if !named {
            let header = std::mem::take(&mut rows.header);
            rows = Self::start(file, options, Position::default())?;
            rows.header = header;
        }
        rows.rows = from.row;
        Ok(rows)
    }

    fn start(file: &Found, options: &Options, from: Position) -> Result<Self, Failure> {
        let text = input::open(file, options, from.offset)?;
        let record_at = Rc::new(Cell::new(0));
        let marked: Box<dyn std::io::Read> = Box::new(text.chain(Cursor::new(END)));
        let separator = if file.tabs { b'\t' } else { b',' };
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(options.delimiter.unwrap_or(separator))
            .quoting(options.quote.is_some())
            .quote(options.quote.unwrap_or(b'"'))
            .escape(options.escape)
            .double_quote(options.escape.is_none())
            .buffer_capacity(1 << 17)
            .from_reader(Limited::new(marked, Rc::clone(&record_at)));
        Ok(Self {
            reader,
            record: ByteRecord::new(),
            base: from,
            record_at,
            rows: 0,
            shown: file.shown.clone(),
            header: Vec::new(),
        })
    }

    /// The columns' names.
    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// The next record; nothing at the file's end.
    ///
    /// # Errors
    /// Malformed ones, with the file and the line.
    pub(super) fn next(&mut self) -> Result<Option<&ByteRecord>, Failure> {
        if !self.advance()? {
            return Ok(None);
        }
        if self.record.len() != self.header.len() {
            let (has, wanted) = (self.record.len(), self.header.len());
            let what = format!("it has {has} fields where the header has {wanted}");
            return Err(self.malformed(&what));
        }
        self.rows += 1;
        Ok(Some(&self.record))
    }

    /// Where the next record begins.
    pub(super) fn position(&self) -> Position {
        let next = self.reader.position();
        Position {
            offset: self.base.offset + next.byte(),
            line: self.base.line + next.line() - 1,
            row: self.rows,
        }
    }

    /// How many bytes were read.
    pub(super) fn offset(&self) -> u64 {
        self.base.offset + self.reader.position().byte()
    }

    fn advance(&mut self) -> Result<bool, Failure> {
        self.record_at.set(self.reader.position().byte());
        let line = self.line();
        match self.reader.read_byte_record(&mut self.record) {
            Ok(_) => {}
            Err(error) => return Err(self.at(line, &error.to_string())),
        }
        let last = self.record.iter().next_back().unwrap_or_default();
        if self.record.len() == 1 && *last == END[1..END.len() - 1] {
            return Ok(false);
        }
        if self.record.is_empty() || last.ends_with(END) {
            return Err(self.at(line, "a quote is opened and never closed"));
        }
        Ok(true)
    }

    fn line(&self) -> u64 {
        self.base.line + self.reader.position().line()
    }

    /// A failure about the present record.
    pub(super) fn malformed(&self, what: &str) -> Failure {
        let line = self.record.position().map_or(1, csv::Position::line);
        self.at(self.base.line + line, what)
    }

    fn at(&self, line: u64, what: &str) -> Failure {
        Failure::config(format!("{}, line {line}: {what}", self.shown))
    }
}

/// The columns' names: each once, none empty.
fn header(record: &ByteRecord, named: bool, shown: &str) -> Result<Vec<String>, Failure> {
    if record.len() > COLUMNS_MAX {
        let count = record.len();
        return Err(Failure::config(format!(
            "{shown}, line 1: it has {count} columns; a stream may have {COLUMNS_MAX}"
        )));
    }
    let mut names: Vec<String> = Vec::with_capacity(record.len());
    let mut taken: HashSet<String> = HashSet::with_capacity(record.len());
    for (at, field) in record.iter().enumerate() {
        let text = std::str::from_utf8(field).map_err(|_| {
            Failure::config(format!(
                "{shown}, line 1: it is not UTF-8; set \"encoding\""
            ))
        })?;
        let text = text.trim_start_matches('\u{feff}').trim();
        let wanted = match (named, text) {
            (false, _) | (true, "") => format!("f{at}"),
            (true, text) => text.to_owned(),
        };
        let mut name = wanted.clone();
        let mut number = 0;
        while !taken.insert(name.clone()) {
            number += 1;
            name = format!("{wanted}_{number}");
        }
        names.push(name);
    }
    Ok(names)
}
