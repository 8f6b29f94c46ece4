//! Lines from a connector's pipe, each looked at where it was read, without a bound that a
//! misbehaving connector could push.

use std::ops::Range;

use memchr::memchr;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes read from a pipe at once.
pub(super) const READ_LEN: usize = 256 * 1024;
/// A longer line's buffer is not kept.
const CAPACITY_KEPT: usize = 8 * READ_LEN;
/// Bytes of text that are handed out as a line although no line end has come.
pub(crate) const PIECE_LEN: usize = 64 * 1024;
/// A line of this size cannot be a record.
pub(super) const LINE_LEN_MAX: usize = 128 * 1024 * 1024;

/// Reads lines of any connector's output.
pub(crate) struct LineReader<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where the next line starts.
    start: usize,
    /// Up to where no line end was found.
    searched: usize,
    ended: bool,
    /// Whether a long line is handed out in pieces, so that text without line ends fills no memory.
    pieces: bool,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            buffer: Vec::with_capacity(READ_LEN),
            start: 0,
            searched: 0,
            ended: false,
            pieces: false,
        }
    }

    /// A reader of text: what is longer than [`PIECE_LEN`] comes in several lines.
    pub(crate) fn of_text(input: R) -> Self {
        Self {
            pieces: true,
            ..Self::new(input)
        }
    }

    /// Reads more. Dropping the future loses nothing.
    async fn fill(&mut self) -> std::io::Result<()> {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        if self.buffer.len() > LINE_LEN_MAX {
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                format!("a line is longer than {LINE_LEN_MAX} bytes"),
            ));
        }
        if self.buffer.capacity() > CAPACITY_KEPT && self.buffer.len() < READ_LEN {
            self.buffer.shrink_to(READ_LEN);
        }
        self.buffer.reserve(READ_LEN);
        self.ended = self.input.read_buf(&mut self.buffer).await? == 0;
        Ok(())
    }

    /// The next line, or `None` at the end of the output. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> std::io::Result<Option<&[u8]>> {
        loop {
            if let Some(line) = self.cut() {
                return Ok(Some(&self.buffer[line]));
            }
            if self.ended {
                return Ok(None);
            }
            self.fill().await?;
        }
    }

    fn cut(&mut self) -> Option<Range<usize>> {
        let (start, mut end) = match memchr(b'\n', &self.buffer[self.searched..]) {
            Some(offset) => {
                let line = (self.start, self.searched + offset);
                self.start = line.1 + 1;
                self.searched = self.start;
                line
            }
            None => {
                self.searched = self.buffer.len();
                if self.pieces && self.buffer.len() - self.start >= PIECE_LEN {
                    let piece = self.start..self.buffer.len();
                    self.start = piece.end;
                    return Some(piece);
                }
                if !self.ended || self.start == self.buffer.len() {
                    return None;
                }
                let line = (self.start, self.buffer.len());
                self.start = line.1;
                line
            }
        };
        if end > start && self.buffer[end - 1] == b'\r' {
            end -= 1;
        }
        Some(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_end_with_either_ending_or_the_output() {
        let mut reader = LineReader::new(&b"a\r\n\nlast"[..]);
        assert_eq!(reader.next().await.unwrap(), Some(&b"a"[..]));
        assert_eq!(reader.next().await.unwrap(), Some(&b""[..]));
        assert_eq!(reader.next().await.unwrap(), Some(&b"last"[..]));
        assert_eq!(reader.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn text_without_line_ends_comes_in_pieces_and_none_is_lost() {
        let text = "y".repeat(10 * READ_LEN);
        let mut reader = LineReader::of_text(text.as_bytes());
        let mut read = 0;
        while let Some(piece) = reader.next().await.unwrap() {
            assert!(piece.len() < 2 * READ_LEN, "{}", piece.len());
            read += piece.len();
        }
        assert_eq!(read, text.len());
    }

    #[tokio::test]
    async fn the_room_of_a_long_line_is_given_back() {
        let long = "x".repeat(64 * READ_LEN);
        let text = format!("{long}\n{}", "short\n".repeat(2 * READ_LEN));
        let mut reader = LineReader::new(text.as_bytes());
        assert_eq!(reader.next().await.unwrap(), Some(long.as_bytes()));
        while reader.next().await.unwrap().is_some() {}
        assert!(reader.buffer.capacity() <= CAPACITY_KEPT);
    }

    #[tokio::test]
    async fn lines_longer_than_one_read_are_whole() {
        let long = "x".repeat(3 * READ_LEN);
        let text = format!("{long}\nshort\n{long}\n");
        let mut reader = LineReader::new(text.as_bytes());
        for expected in [&long, "short", &long] {
            assert_eq!(reader.next().await.unwrap(), Some(expected.as_bytes()));
        }
        assert_eq!(reader.next().await.unwrap(), None);
    }
}
