//! Entry to line and back: every line carries the hash of the one before, and its own. Pure.
//!
//! A line is one JSON object that ends in `,"hash":"<64 hex>"}`; the hash is taken over
//! the exact bytes before that ending, so that no byte of a line is outside it.

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use crate::domain::stamp::Timestamp;
use crate::domain::version::sha256_hex;

/// What the first line of a file has in place of an earlier hash.
pub const START: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Between the hashed bytes and the hash.
const MARK: &[u8] = br#","hash":""#;
/// After the hash.
const END: &[u8] = br#""}"#;
const HEX: usize = 64;

/// Where a chain stands: its newest line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Position of the next line, from 0.
    pub next: u64,
    /// Hash of the newest line.
    pub hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self { next: 0, hash: START.to_owned() }
    }
}

/// One line, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Position in its file, from 0.
    pub seq: u64,
    /// When it was written, by the writer's clock.
    pub at: Timestamp,
    /// What it says.
    pub entry: Entry,
    /// Its hash.
    pub hash: String,
}

/// The last line of a file is not complete: its writer died, or is writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Its position, from 0.
    pub seq: u64,
    /// How many bytes of it there are.
    pub bytes: usize,
}

#[derive(Serialize)]
struct Written<'a> {
    seq: u64,
    prev: &'a str,
    at: Timestamp,
    entry: &'a Entry,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    seq: u64,
    prev: String,
    at: Timestamp,
    entry: Entry,
    hash: String,
}

impl Head {
    /// The bytes of the next line with its line feed; the head moves on to it.
    pub fn append(&mut self, at: Timestamp, entry: &Entry) -> Result<Vec<u8>, serde_json::Error> {
        let mut line = serde_json::to_vec(&Written { seq: self.next, prev: &self.hash, at, entry })?;
        line.pop();
        let hash = sha256_hex(&line);
        line.extend_from_slice(MARK);
        line.extend_from_slice(hash.as_bytes());
        line.extend_from_slice(END);
        line.push(b'\n');
        *self = Head { next: self.next + 1, hash };
        Ok(line)
    }

    /// Checks the next line (without its line feed); the head moves on to it only if it is good.
    pub fn check(&mut self, line: &[u8]) -> Result<Line, &'static str> {
        let tail = MARK.len() + HEX + END.len();
        let (hashed, ending) =
            line.len().checked_sub(tail).and_then(|at| line.split_at_checked(at)).ok_or("not a journal line")?;
        let hash = ending
            .strip_prefix(MARK)
            .and_then(|rest| rest.strip_suffix(END))
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .ok_or("not a journal line")?;
        if sha256_hex(hashed) != hash {
            return Err("its bytes do not match its hash");
        }
        let read: Read = serde_json::from_slice(line).map_err(|_| "it is not an entry this version knows")?;
        if read.seq != self.next {
            return Err("it is not at its place: a line before it was removed, added or moved");
        }
        if read.prev != self.hash {
            return Err("it does not follow the line before it");
        }
        if (read.seq == 0) != matches!(read.entry, Entry::Begin(_)) {
            return Err("only the first line begins a file");
        }
        *self = Head { next: self.next + 1, hash: read.hash.clone() };
        Ok(Line { seq: read.seq, at: read.at, entry: read.entry, hash: read.hash })
    }
}
