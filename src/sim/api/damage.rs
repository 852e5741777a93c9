//! Breaks reply bodies: as the faults say, and with the link they travel on.

use bytes::Bytes;
use futures::StreamExt;
use serde_json::Value;
use tokio::sync::watch;

use super::body::{ApiBody, Reset};
use super::faults::{Fault, Link};

/// Breaks a body as the faults say.
pub(super) fn damage(body: ApiBody, met: &[Fault]) -> ApiBody {
    met.iter().fold(body, |body, fault| match (fault, body) {
        (Fault::HangAfter(bytes), ApiBody::Whole(Some(whole))) => {
            ApiBody::Hanging(Some(whole.slice(..whole.len().min(*bytes))))
        }
        (Fault::HangAfter(bytes), ApiBody::Stream(chunks)) => {
            ApiBody::stream(futures::stream::unfold((chunks, *bytes), async |(mut chunks, left)| {
                if left == 0 {
                    std::future::pending::<()>().await;
                }
                let chunk = chunks.next().await?;
                let chunk = chunk.map(|chunk| chunk.slice(..chunk.len().min(left)));
                let sent = chunk.as_ref().map_or(0, Bytes::len);
                Some((chunk, (chunks, left - sent)))
            }))
        }
        (Fault::Truncate, ApiBody::Whole(Some(whole))) => ApiBody::Whole(Some(whole.slice(..whole.len() / 2))),
        (Fault::Garbage, _) => ApiBody::Whole(Some(Bytes::from_static(b"\x00\xff\x1b[31m<html>\xfe not JSON \x07"))),
        (Fault::Huge(bytes), ApiBody::Whole(Some(whole))) => ApiBody::Whole(Some(inflate(&whole, *bytes))),
        (_, body) => body,
    })
}

/// Lets a stream share its link's fate: frozen while that hangs, reset when it refuses. On a
/// socket the connection does the same; in process there is nothing else that would.
pub(super) fn linked(body: ApiBody, link: watch::Receiver<Link>) -> ApiBody {
    let ApiBody::Stream(chunks) = body else { return body };
    ApiBody::stream(futures::stream::unfold(Some((chunks, link)), async |state| {
        let (mut chunks, mut link) = state?;
        let mut cut = link.clone();
        let next = async {
            let chunk = chunks.next().await;
            let up = link.wait_for(|link| *link == Link::Up).await.is_ok();
            chunk.filter(|_| up)
        };
        tokio::select! {
            biased;
            _ = cut.wait_for(|link| *link == Link::Refused) => Some((Err(Reset), None)),
            chunk = next => chunk.map(|chunk| (chunk, Some((chunks, link)))),
        }
    }))
}

/// Puts an annotation of this size on every object of a reply.
fn inflate(body: &Bytes, size: usize) -> Bytes {
    let Ok(mut value) = serde_json::from_slice::<Value>(body) else {
        return body.clone();
    };
    let grow = |object: &mut Value| {
        if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut)
            && let Some(notes) = meta.entry("annotations").or_insert_with(|| serde_json::json!({})).as_object_mut()
        {
            notes.insert("huge".to_owned(), "x".repeat(size).into());
        }
    };
    match value.get_mut("items").and_then(Value::as_array_mut) {
        Some(items) => items.iter_mut().for_each(grow),
        None => grow(&mut value),
    }
    Bytes::from(value.to_string())
}
