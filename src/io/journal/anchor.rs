//! Anchors: what the facts of a fleet say of a journal. A chain shows every change inside a file, and not that its end
//! was cut off, that it was replaced by an older copy, or that a whole new one was written. The facts beside the
//! workloads do: each names the journal it was opened in, and stands there under its own key.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::entry::{Entry, HeadRef};
use super::read::History;
use crate::domain::record::FactId;

/// Where a journal stood when a fact was drafted: in every fact of a plan.
///
/// As text `HOST FILE:LINE:HASH`, or `HOST -` before its first line. A hash alone is how it was written once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The host whose journal it is.
    pub host: String,
    /// Its newest line; none: it had no line.
    pub head: Option<HeadRef>,
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.head {
            Some(head) => write!(f, "{} {}:{}:{}", self.host, head.file, head.seq, head.hash),
            None => write!(f, "{} -", self.host),
        }
    }
}

impl Anchor {
    /// Reads one; none where it is not one, e.g. a hash alone.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, rest) = text.split_once(' ')?;
        if host.is_empty() {
            return None;
        }
        let host = host.to_owned();
        if rest == "-" {
            return Some(Self { host, head: None });
        }
        let mut parts = rest.rsplitn(3, ':');
        let (hash, seq, file) = (parts.next()?, parts.next()?, parts.next()?);
        let head = HeadRef { file: file.to_owned(), seq: seq.parse().ok()?, hash: hash.to_owned() };
        Some(Self { host, head: Some(head) })
    }
}

/// A fact of the fleet, as far as a journal can be held against it.
#[derive(Clone, Debug)]
pub struct Anchored {
    /// Its key in the record.
    pub id: FactId,
    /// What it is and where, for people.
    pub what: String,
    /// What it says of its author's journal; empty: nothing.
    pub anchor: String,
}

/// What the fleet says of the journals of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Facts that stand in a journal here, after the line that they name.
    pub agree: usize,
    /// One sentence for each that contradicts.
    pub contradict: Vec<String>,
    /// Facts of journals of other hosts, which are not here.
    pub elsewhere: BTreeMap<String, usize>,
    /// Facts that name no journal, or only a hash: older versions, and what is written outside a plan.
    pub silent: usize,
}

/// Holds the journals of this host against what the fleet's facts say of them.
pub fn compare(history: &History, host: &str, facts: &[Anchored]) -> Compared {
    let known = keys(history);
    let mut compared = Compared::default();
    let mut seen: BTreeSet<FactId> = BTreeSet::new();
    for fact in facts {
        // A fleet fact stands in every region.
        if !seen.insert(fact.id) {
            continue;
        }
        match Anchor::parse(&fact.anchor) {
            None => compared.silent += 1,
            Some(anchor) if anchor.host != host => *compared.elsewhere.entry(anchor.host).or_default() += 1,
            Some(anchor) => match contradiction(history, &known, &anchor, fact) {
                None => compared.agree += 1,
                Some(why) => compared.contradict.push(format!("{}: {why}", fact.what)),
            },
        }
    }
    compared
}

/// Every fact that an entry opened, by its key without the kind.
fn keys(history: &History) -> BTreeSet<String> {
    let lines = history.files.iter().flat_map(|f| &f.lines);
    let opened = lines.filter_map(|line| match &line.entry {
        Entry::Opened(opened) => Some(opened),
        _ => None,
    });
    let facts = opened.flat_map(|o| &o.steps).flat_map(|s| s.facts());
    facts.map(|f| f.id.to_string()).collect()
}

fn contradiction(history: &History, known: &BTreeSet<String>, anchor: &Anchor, fact: &Anchored) -> Option<String> {
    if let Some(head) = &anchor.head {
        let Some(file) = history.files.iter().find(|f| f.name == head.file) else {
            return Some(format!("it names {}, which is gone", head.file));
        };
        match usize::try_from(head.seq).ok().and_then(|seq| file.lines.get(seq)) {
            Some(line) if line.hash == head.hash => {}
            Some(_) => return Some(format!("it names line {} of {}, which is another now", head.seq + 1, head.file)),
            None => {
                let there = file.lines.len();
                return Some(format!("it names line {} of {}, which has {there} good lines", head.seq + 1, head.file));
            }
        }
    }
    // What was opened was durable before it was sent, but for what lowers risk while the disk fails.
    let missing = "no entry here opened it: lines were cut off, or it was UNJOURNALED";
    (!known.contains(&fact.id.to_string())).then(|| missing.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_anchor_is_read_as_it_was_written() {
        let head = HeadRef { file: "a-host-01ARZ.jsonl".into(), seq: 7, hash: "ab".repeat(32) };
        for head in [Some(head), None] {
            let anchor = Anchor { host: "a-host".into(), head };
            assert_eq!(Anchor::parse(&anchor.to_string()), Some(anchor));
        }
        for text in ["", &"ab".repeat(32), " -", "host", "host a:b", "host f:x:hash"] {
            assert_eq!(Anchor::parse(text), None, "{text:?}");
        }
    }
}
