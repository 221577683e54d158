//! A long body that is sent piece by piece, so that the server holds no second copy of it while it goes out.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;

/// How much of a body is handed over at a time, in bytes.
const PIECE: usize = 64 << 10;

/// Texts that make a body together.
pub(super) struct Pieces(VecDeque<Bytes>);

impl Pieces {
    pub(super) fn of(texts: Vec<String>) -> Self {
        Self(texts.into_iter().map(Bytes::from).filter(|text| !text.is_empty()).collect())
    }
}

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.0.iter().map(|text| u64::try_from(text.len()).unwrap_or(u64::MAX)).sum())
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let Some(text) = self.0.front_mut() else { return Poll::Ready(None) };
        let piece = text.split_to(text.len().min(PIECE));
        if text.is_empty() {
            self.0.pop_front();
        }
        Poll::Ready(Some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;

    use super::*;

    #[actix_web::test]
    async fn all_of_the_texts_come_in_order_and_their_length_is_known() {
        let texts = [String::new(), "a".repeat(PIECE), "b".repeat(2 * PIECE + 1), "}".to_owned()];
        let pieces = Pieces::of(texts.to_vec());
        assert_eq!(pieces.size(), BodySize::Sized(texts.concat().len() as u64));
        assert_eq!(to_bytes(pieces).await.unwrap(), texts.concat());
    }
}
