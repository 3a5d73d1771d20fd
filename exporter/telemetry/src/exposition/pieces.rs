//! An encoding in pieces, so that a large one never needs its whole size at once: the allocator
//! keeps what it once had to find in one place.

use std::convert::Infallible;
use std::fmt;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body::{Body, Frame, SizeHint};

/// Bytes of a piece.
const PIECE: usize = 32 * 1024;

/// The level of gzip. Prometheus asks for gzip at each scrape and most often is near: the least
/// work counts, not the least bytes.
const LEVEL: u32 = 1;

/// What is written, in pieces.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    full: Vec<Bytes>,
    open: Vec<u8>,
}

impl Pieces {
    pub(super) fn finish(mut self) -> Encoding {
        self.close();
        Encoding {
            pieces: self.full.into(),
        }
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.full.push(std::mem::take(&mut self.open).into());
        }
    }

    fn append(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.open.is_empty() {
                self.open.reserve_exact(PIECE);
            }
            let room = PIECE - self.open.len();
            let (fits, rest) = bytes.split_at(room.min(bytes.len()));
            self.open.extend_from_slice(fits);
            if self.open.len() == PIECE {
                self.close();
            }
            bytes = rest;
        }
    }
}

impl fmt::Write for Pieces {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.append(text.as_bytes());
        Ok(())
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compresses what is written, piece by piece.
pub(super) struct Gzip {
    text: Vec<u8>,
    encoder: GzEncoder<Pieces>,
}

impl Gzip {
    pub(super) fn new() -> Self {
        Self {
            text: Vec::with_capacity(PIECE),
            encoder: GzEncoder::new(Pieces::default(), Compression::new(LEVEL)),
        }
    }

    pub(super) fn finish(mut self) -> io::Result<Encoding> {
        self.compress()?;
        Ok(self.encoder.finish()?.finish())
    }

    fn compress(&mut self) -> io::Result<()> {
        self.encoder.write_all(&self.text)?;
        self.text.clear();
        Ok(())
    }
}

impl fmt::Write for Gzip {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.text.len() + text.len() > PIECE {
            // Pieces in memory take everything.
            self.compress().map_err(|_| fmt::Error)?;
        }
        self.text.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// A complete encoding, shared by everybody who gets it.
#[derive(Debug, Clone)]
pub struct Encoding {
    pieces: Arc<[Bytes]>,
}

impl Encoding {
    /// Returns its size in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }

    /// Returns all of it in one piece.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.pieces.concat()
    }
}

/// An [`Encoding`] as the body of an answer.
#[derive(Debug)]
pub struct EncodingBody {
    encoding: Encoding,
    sent: usize,
    left: u64,
}

impl From<Encoding> for EncodingBody {
    fn from(encoding: Encoding) -> Self {
        let left = encoding.size() as u64;
        Self {
            encoding,
            sent: 0,
            left,
        }
    }
}

impl Body for EncodingBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.encoding.pieces.get(self.sent).cloned();
        if let Some(piece) = &piece {
            self.sent += 1;
            self.left -= piece.len() as u64;
        }
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    /// Pieces of every length around the limits, one longer than a piece.
    fn texts() -> impl Iterator<Item = String> {
        [0, 1, PIECE - 1, PIECE, 7, PIECE + 1, 3 * PIECE, 5]
            .into_iter()
            .zip('a'..)
            .map(|(length, letter)| letter.to_string().repeat(length))
    }

    #[test]
    fn nothing_is_lost_at_the_edges_of_pieces() {
        let whole: String = texts().collect();
        let (mut pieces, mut gzip) = (Pieces::default(), Gzip::new());
        for text in texts() {
            pieces.write_str(&text).unwrap();
            gzip.write_str(&text).unwrap();
        }
        let plain = pieces.finish();
        assert_eq!(plain.to_vec(), whole.as_bytes());
        assert_eq!(plain.size(), whole.len());
        assert!(plain.pieces.iter().all(|piece| piece.len() <= PIECE));
        let mut unpacked = String::new();
        let compressed = gzip.finish().unwrap().to_vec();
        GzDecoder::new(&*compressed)
            .read_to_string(&mut unpacked)
            .unwrap();
        assert_eq!(unpacked, whole);
    }

    #[test]
    fn a_body_knows_its_size_and_its_end() {
        let mut pieces = Pieces::default();
        texts().for_each(|text| pieces.write_str(&text).unwrap());
        let encoding = pieces.finish();
        let mut body = EncodingBody::from(encoding.clone());
        assert_eq!(body.size_hint().exact(), Some(encoding.size() as u64));
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut sent = Vec::new();
        while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut context) {
            sent.extend(frame.into_data().unwrap());
        }
        assert!(body.is_end_stream());
        assert_eq!(sent, encoding.to_vec());
    }
}
