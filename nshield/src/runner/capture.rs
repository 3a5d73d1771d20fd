//! Reads both outputs of a child into memory, up to a limit.
//!
//! What was read stays here when a read is cancelled, so that a run that ends at its deadline
//! still shows what it printed.

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{ChildStderr, ChildStdout};

/// Bytes read at a time.
const CHUNK: usize = 16 * 1024;

/// How reading goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    OverLimit,
}

#[derive(Debug)]
pub(super) struct Capture {
    out: Stream<ChildStdout>,
    err: Stream<ChildStderr>,
    limit: usize,
    /// Something was left out.
    over: bool,
}

/// `pipe` is gone at the end of file.
#[derive(Debug)]
struct Stream<P> {
    pipe: Option<P>,
    bytes: Vec<u8>,
}

impl Capture {
    pub(super) fn new(out: Option<ChildStdout>, err: Option<ChildStderr>, limit: usize) -> Self {
        Self {
            out: Stream {
                pipe: out,
                bytes: Vec::new(),
            },
            err: Stream {
                pipe: err,
                bytes: Vec::new(),
            },
            limit,
            over: false,
        }
    }

    /// Returns whether both outputs were read to their end.
    pub(super) fn ended(&self) -> bool {
        self.out.pipe.is_none() && self.err.pipe.is_none()
    }

    /// Reads the next bytes of either output. Cancel safe; never ready once both have ended.
    pub(super) async fn read(&mut self) -> Progress {
        let room = self
            .limit
            .saturating_sub(self.out.bytes.len() + self.err.bytes.len());
        let progress = tokio::select! {
            progress = self.out.read(room), if self.out.pipe.is_some() => progress,
            progress = self.err.read(room), if self.err.pipe.is_some() => progress,
            else => std::future::pending().await,
        };
        self.over |= progress == Progress::OverLimit;
        progress
    }

    /// Returns standard output, standard error and whether both were read to their end and nothing
    /// was left out.
    pub(super) fn into_parts(self) -> (Vec<u8>, Vec<u8>, bool) {
        let whole = self.ended() && !self.over;
        (self.out.bytes, self.err.bytes, whole)
    }
}

impl<P: AsyncRead + Unpin> Stream<P> {
    /// Reads at most one byte more than there is room for: that byte tells "exactly full" from
    /// "over". A read error ends the stream like its end of file.
    async fn read(&mut self, room: usize) -> Progress {
        let Some(pipe) = &mut self.pipe else {
            return std::future::pending().await;
        };
        self.bytes.reserve(CHUNK.min(room + 1));
        let most = u64::try_from(room + 1)
            .unwrap_or(u64::MAX)
            .min(CHUNK as u64);
        match pipe.take(most).read_buf(&mut self.bytes).await {
            Ok(0) | Err(_) => self.pipe = None,
            Ok(read) if read > room => {
                self.bytes.truncate(self.bytes.len() - (read - room));
                return Progress::OverLimit;
            }
            Ok(_) => {}
        }
        Progress::More
    }
}
