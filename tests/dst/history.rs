//! What happened in a run, line by line: hashed always, kept when somebody wants to read it.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

/// What happened.
#[derive(Default)]
pub struct History {
    hash: u64,
    kept: Option<Vec<String>>,
}

impl History {
    /// A history; with `keep`, one that can be read.
    pub fn new(keep: bool) -> Self {
        Self { hash: 0, kept: keep.then(Vec::new) }
    }

    /// Something happened.
    pub fn add(&mut self, at: Duration, line: &str) {
        // Keys that are fixed: the same history has the same hash in every process.
        let mut hasher = DefaultHasher::new();
        (self.hash, at, without_heads(line)).hash(&mut hasher);
        self.hash = hasher.finish();
        if let Some(kept) = &mut self.kept {
            kept.push(format!("{:>9.3} {line}", at.as_secs_f64()));
        }
    }

    /// Of all of it.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The lines, where they were kept.
    pub fn lines(&self) -> &[String] {
        self.kept.as_deref().unwrap_or_default()
    }
}

/// A journal's first line names its process, so its hashes differ from run to run.
fn without_heads(line: &str) -> String {
    let mut parts = line.split("journal=");
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|p| p.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    rest.fold(first, |all, part| format!("{all}journal={part}"))
}
