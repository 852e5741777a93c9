//! A watch's body as lines, without a buffer for those that wait.

use bytes::Bytes;
use http_body_util::BodyExt;
use kube::client::Body;

use crate::io::answer::{Failure, chain};

/// Longest event that is read: etcd takes 1.5 MB; anything beyond this is not an object.
pub(super) const LONGEST: usize = 64 * 1024 * 1024;

/// Lines of a body. Holds memory only while a line is incomplete.
pub(super) struct Lines {
    body: Body,
    frame: Bytes,
    rest: Vec<u8>,
}

impl Lines {
    pub(super) fn new(body: Body) -> Self {
        Self { body, frame: Bytes::new(), rest: Vec::new() }
    }

    /// The next line that is not empty; none at the end. Safe to drop between polls.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            if let Some(end) = self.frame.iter().position(|b| *b == b'\n') {
                let line = self.frame.split_to(end + 1);
                let line = if self.rest.is_empty() {
                    line
                } else {
                    self.rest.extend_from_slice(&line);
                    Bytes::from(std::mem::take(&mut self.rest))
                };
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return Ok(Some(line));
            }
            self.rest.extend_from_slice(&self.frame);
            self.frame = Bytes::new();
            if self.rest.len() > LONGEST {
                return Err(Failure::Garbage(format!("an event is larger than {} MB", LONGEST / (1024 * 1024))));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.frame = frame.into_data().unwrap_or_default(),
                Some(Err(e)) => return Err(Failure::Lost(format!("watch cut off: {}", chain(&e)))),
                None if self.rest.iter().all(u8::is_ascii_whitespace) => return Ok(None),
                None => return Err(Failure::Garbage("watch ended in the middle of an event".to_owned())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    async fn lines(bytes: &'static [u8]) -> (Vec<String>, Option<Failure>) {
        let mut lines = Lines::new(Body::from(bytes.to_vec()));
        let mut out = Vec::new();
        loop {
            match lines.next().await {
                Ok(Some(line)) => out.push(String::from_utf8_lossy(&line).trim().to_owned()),
                Ok(None) => return (out, None),
                Err(e) => return (out, Some(e)),
            }
        }
    }

    #[tokio::test]
    async fn whole_lines_come_out_and_half_a_line_is_garbage() {
        assert_eq!(lines(b"a\n\n  \nb\n").await, (vec!["a".into(), "b".into()], None));
        assert_eq!(lines(b"").await, (vec![], None));
        let (out, error) = lines(b"a\n{\"ty").await;
        assert_eq!(out, ["a"]);
        assert!(matches!(error, Some(Failure::Garbage(_))));
    }
}
