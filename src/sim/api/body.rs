//! Response bodies: whole, streamed, or broken on purpose.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use http_body::{Body, Frame, SizeHint};

/// Why a body ended early: the fault that a scenario or a test asked for.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("connection reset by peer")]
pub struct Reset;

type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, Reset>> + Send>>;

/// A response body.
pub enum ApiBody {
    /// All of it at once; None when it has been taken.
    Whole(Option<Bytes>),
    /// Piece by piece, until the stream ends.
    Stream(Chunks),
    /// A first piece, then nothing, for ever.
    Hanging(Option<Bytes>),
}

impl ApiBody {
    /// A body that streams.
    pub fn stream(chunks: impl Stream<Item = Result<Bytes, Reset>> + Send + 'static) -> Self {
        Self::Stream(Box::pin(chunks))
    }
}

impl<T: Into<Bytes>> From<T> for ApiBody {
    fn from(bytes: T) -> Self {
        Self::Whole(Some(bytes.into()))
    }
}

impl Body for ApiBody {
    type Data = Bytes;
    type Error = Reset;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Reset>>> {
        match self.get_mut() {
            Self::Whole(bytes) => {
                let bytes = bytes.take().filter(|b| !b.is_empty());
                Poll::Ready(bytes.map(|b| Ok(Frame::data(b))))
            }
            Self::Stream(chunks) => chunks.as_mut().poll_next(cx).map(|next| next.map(|chunk| chunk.map(Frame::data))),
            Self::Hanging(bytes) => match bytes.take() {
                Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                None => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(Some(bytes)) => SizeHint::with_exact(bytes.len() as u64),
            Self::Whole(None) => SizeHint::with_exact(0),
            Self::Stream(_) | Self::Hanging(_) => SizeHint::default(),
        }
    }
}
