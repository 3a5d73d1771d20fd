//! Answers that are made while they are sent: 10,000 open incidents take 40 MB as JSON, and nobody
//! needs them in one place.
//!
//! A host is looked up when its turn comes and shown as it stands at that moment. To keep all of
//! them as they were when the answer began would cost a copy of every state that changes while
//! somebody reads slowly.

use std::cmp::Reverse;
use std::error::Error;
use std::iter;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;
use vcm_recovery::ids::HostName;
use vcm_recovery::state::HostState;
use vcm_recovery::time::Time;

use crate::board::Board;

/// A piece has at least so many bytes, the last one excepted: few writes, and little memory for each
/// reader. It is larger by what the last host in it takes.
const PIECE: usize = 32 * 1024;

/// The body of an answer that consists of these texts. What fits into one piece is sent with its
/// length. An error breaks the answer off, so that nobody takes a part for the whole.
pub(super) fn body<E>(
    texts: impl Iterator<Item = Result<String, E>> + Send + Unpin + 'static,
) -> Body
where
    E: Error + Send + Sync + Unpin + 'static,
{
    let mut pieces = Pieces(texts.fuse());
    let Some(first) = pieces.next() else {
        return Body::empty();
    };
    match (first, pieces.next()) {
        (Ok(whole), None) => Body::from(whole),
        (first, second) => Body::new(Streamed(iter::once(first).chain(second).chain(pieces))),
    }
}

/// The texts, put together to pieces.
struct Pieces<I>(iter::Fuse<I>);

impl<E, I: Iterator<Item = Result<String, E>>> Iterator for Pieces<I> {
    type Item = Result<Bytes, E>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut piece = String::new();
        while piece.len() < PIECE
            && let Some(text) = self.0.next()
        {
            match text {
                Ok(text) => piece.push_str(&text),
                Err(error) => return Some(Err(error)),
            }
        }
        (!piece.is_empty()).then(|| Ok(Bytes::from(piece)))
    }
}

/// Pieces as a body: the next is made when the one before was taken.
struct Streamed<I>(I);

impl<E, I: Iterator<Item = Result<Bytes, E>> + Unpin> HttpBody for Streamed<I> {
    type Data = Bytes;
    type Error = E;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, E>>> {
        Poll::Ready(self.0.next().map(|piece| piece.map(Frame::data)))
    }
}

/// What stands around rows.
pub(super) struct Around {
    /// Before the first.
    pub(super) before: &'static str,
    /// After the last.
    pub(super) after: &'static str,
    /// In place of both when there is no row.
    pub(super) none: &'static str,
}

impl Around {
    /// The rows with what stands around them.
    pub(super) fn rows(
        self,
        rows: impl Iterator<Item = String> + Send,
    ) -> impl Iterator<Item = String> + Send {
        let mut rows = rows.fuse();
        let (mut begun, mut ended) = (false, false);
        iter::from_fn(move || {
            let row = rows.next();
            match row {
                Some(row) if begun => Some(row),
                Some(row) => {
                    begun = true;
                    Some(self.before.to_owned() + &row)
                }
                None if ended => None,
                None => {
                    ended = true;
                    Some(if begun { self.after } else { self.none }.to_owned())
                }
            }
        })
    }
}

/// Something of a host by which it can be found again, and when it was.
#[derive(Debug)]
pub(super) struct Found<K> {
    pub(super) at: Time,
    pub(super) host: HostName,
    pub(super) key: K,
}

/// What `of` names of each host, the newest first. Only names are kept.
pub(super) fn newest_first<K>(
    board: &Board,
    of: impl Fn(&HostState) -> Vec<(Time, K)>,
) -> Vec<Found<K>> {
    let names = board.names();
    let states = names.iter().filter_map(|name| board.host(name));
    let found = states.flat_map(|state| {
        let host = state.host.clone();
        of(&state).into_iter().map(move |(at, key)| Found {
            at,
            host: host.clone(),
            key,
        })
    });
    let mut found: Vec<Found<K>> = found.collect();
    found.sort_by_key(|found| Reverse(found.at));
    found
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn texts(sizes: &[usize]) -> impl Iterator<Item = Result<String, Infallible>> + Send + use<> {
        let sizes = sizes.to_vec();
        sizes.into_iter().map(|size| Ok("x".repeat(size)))
    }

    #[test]
    fn a_piece_ends_with_the_text_that_makes_it_large_enough_and_the_rest_is_not_made() {
        let mut made = 0;
        let counted = texts(&[PIECE - 1, 0, 1, 5, 7]).inspect(|_| made += 1);
        let mut pieces = Pieces(counted.fuse());
        assert_eq!(pieces.next().unwrap().unwrap().len(), PIECE);
        drop(pieces);
        assert_eq!(made, 3);
        let sizes = Pieces(texts(&[PIECE - 1, 0, 1, 5, 7]).fuse());
        let sizes: Vec<usize> = sizes.map(|piece| piece.unwrap().len()).collect();
        assert_eq!(sizes, [PIECE, 12]);
        assert!(Pieces(texts(&[0, 0]).fuse()).next().is_none());
    }

    #[test]
    fn what_fits_into_one_piece_has_a_length_and_what_does_not_has_none() {
        for (sizes, length) in [
            (vec![], Some(0)),
            (vec![3, 4], Some(7)),
            (vec![PIECE, 4], None),
        ] {
            assert_eq!(body(texts(&sizes)).size_hint().exact(), length, "{sizes:?}");
        }
    }

    #[tokio::test]
    async fn an_error_breaks_the_answer_off() {
        #[derive(Debug, thiserror::Error)]
        #[error("it cannot be written")]
        struct Unwritable;
        let large = || Ok("x".repeat(PIECE));
        for texts in [
            vec![Err(Unwritable)],
            vec![large(), Err(Unwritable), large()],
            vec![large(), large(), Ok("x".to_owned()), Err(Unwritable)],
        ] {
            let body = body(texts.into_iter());
            assert!(axum::body::to_bytes(body, usize::MAX).await.is_err());
        }
    }

    #[test]
    fn what_stands_around_rows_depends_on_whether_there_are_any() {
        let around = |rows: &[&str]| {
            let table = Around {
                before: "<table>",
                after: "</table>",
                none: "None.",
            };
            let rows: Vec<String> = rows.iter().map(|&row| row.to_owned()).collect();
            table.rows(rows.into_iter()).collect::<String>()
        };
        assert_eq!(around(&[]), "None.");
        assert_eq!(around(&["a"]), "<table>a</table>");
        assert_eq!(around(&["a", "b"]), "<table>ab</table>");
    }
}
