//! Reads a source's output in a separate task: the source continues writing while its lines are
//! processed.

use std::sync::Arc;

use memchr::{memchr, memrchr};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::lines::{LINE_LEN_MAX, READ_LEN};

/// Bytes that may have been read and not been looked at, unless one line alone is longer.
const AHEAD_LEN: usize = 4 * 1024 * 1024;
/// Pieces of output, each of whole lines, that may wait.
const PIECES: usize = AHEAD_LEN / READ_LEN;

/// Whole lines, and their share of what may wait.
struct Piece {
    lines: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

/// Lines of an output that is read ahead.
pub(crate) struct LinesAhead {
    pieces: mpsc::Receiver<std::io::Result<Piece>>,
    piece: Option<Piece>,
    /// Where the next line starts.
    start: usize,
    ended: bool,
}

impl LinesAhead {
    /// Starts reading, until the output ends or this is dropped.
    pub(crate) fn new(input: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let (sender, pieces) = mpsc::channel(PIECES);
        tokio::spawn(read(input, sender));
        Self {
            pieces,
            piece: None,
            start: 0,
            ended: false,
        }
    }

    /// The next line without its end, if it was read already.
    pub(crate) fn ready(&mut self) -> Option<&[u8]> {
        let lines = &self.piece.as_ref()?.lines;
        let rest = lines.get(self.start..).filter(|rest| !rest.is_empty())?;
        let line = match memchr(b'\n', rest) {
            Some(end) => {
                self.start += end + 1;
                &rest[..end]
            }
            None => {
                self.start += rest.len();
                rest
            }
        };
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// Whether the output has ended; lines may still be ready.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Waits for more lines. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the output cannot be read, or a line is too long.
    pub(crate) async fn fill(&mut self) -> std::io::Result<()> {
        // Its room is for the reader before anything is waited for.
        self.piece = None;
        self.start = 0;
        match self.pieces.recv().await {
            Some(piece) => self.piece = Some(piece?),
            None => self.ended = true,
        }
        Ok(())
    }
}

/// Reads until the end of the output, or until the receiver is dropped.
async fn read(mut input: impl AsyncRead + Unpin, pieces: mpsc::Sender<std::io::Result<Piece>>) {
    let room = Arc::new(Semaphore::new(AHEAD_LEN));
    let mut buffer = Vec::with_capacity(READ_LEN);
    loop {
        buffer.reserve(READ_LEN);
        let searched = buffer.len();
        let lines = match input.read_buf(&mut buffer).await {
            Ok(0) => std::mem::take(&mut buffer),
            Ok(_) => match memrchr(b'\n', &buffer[searched..]) {
                Some(end) => {
                    let rest = buffer.split_off(searched + end + 1);
                    std::mem::replace(&mut buffer, rest)
                }
                None if buffer.len() > LINE_LEN_MAX => {
                    let text = format!("a line is longer than {LINE_LEN_MAX} bytes");
                    let error = std::io::Error::new(std::io::ErrorKind::InvalidData, text);
                    // The receiver was dropped, so there is nothing to report.
                    let _ = pieces.send(Err(error)).await;
                    return;
                }
                None => continue,
            },
            Err(error) => {
                let _ = pieces.send(Err(error)).await;
                return;
            }
        };
        if lines.is_empty() {
            return;
        }
        let share = u32::try_from(lines.len().min(AHEAD_LEN)).unwrap_or(u32::MAX);
        let _room = Arc::clone(&room)
            .acquire_many_owned(share)
            .await
            .expect("the semaphore is never closed");
        if pieces.send(Ok(Piece { lines, _room })).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(text: Vec<u8>) -> Vec<Vec<u8>> {
        let mut lines = LinesAhead::new(std::io::Cursor::new(text));
        let mut found = Vec::new();
        while !lines.ended() {
            lines.fill().await.unwrap();
            while let Some(line) = lines.ready() {
                found.push(line.to_vec());
            }
        }
        found
    }

    #[tokio::test]
    async fn lines_end_with_either_ending_or_the_output() {
        let found = all(b"a\r\n\nlast".to_vec()).await;
        assert_eq!(found, [&b"a"[..], b"", b"last"]);
        assert!(all(Vec::new()).await.is_empty());
    }

    #[tokio::test]
    async fn long_lines_are_whole_and_short_ones_behind_them_too() {
        let long = vec![b'x'; 3 * AHEAD_LEN];
        let mut text = long.clone();
        text.extend(b"\nshort\n");
        text.extend(&long);
        let found = all(text).await;
        assert_eq!(found.len(), 3);
        assert!(found[0] == long && found[1] == b"short" && found[2] == long);
    }

    #[tokio::test]
    async fn no_more_is_read_ahead_than_there_is_room_for() {
        let (mut writer, reader) = tokio::io::duplex(READ_LEN);
        let mut lines = LinesAhead::new(reader);
        let line = vec![b'y'; READ_LEN - 1];
        let feeding = tokio::spawn(async move {
            use tokio::io::AsyncWriteExt as _;
            let mut fed = 0;
            let patience = std::time::Duration::from_millis(200);
            loop {
                let both = async {
                    writer.write_all(&line).await?;
                    writer.write_all(b"\n").await
                };
                match tokio::time::timeout(patience, both).await {
                    Ok(Ok(())) => fed += READ_LEN,
                    _ => return fed,
                }
            }
        });
        let fed = feeding.await.unwrap();
        assert!((AHEAD_LEN / 2..2 * AHEAD_LEN).contains(&fed), "{fed}");
        lines.fill().await.unwrap();
        assert_eq!(lines.ready().map(<[u8]>::len), Some(READ_LEN - 1));
    }
}
