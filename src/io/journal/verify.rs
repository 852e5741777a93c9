//! Finds the first bad entry: file, line, why.

use std::collections::BTreeMap;

use super::entry::{Entry, FORMAT};
use super::read::{History, JournalFile};

/// The first thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// File name.
    pub file: String,
    /// Line, counted from 1 as editors do; the line after the last where lines are missing.
    pub line: u64,
    /// What is wrong.
    pub why: String,
}

/// What a check of all files found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Files read.
    pub files: usize,
    /// Good entries.
    pub entries: usize,
    /// The first bad entry.
    pub bad: Option<Bad>,
    /// Last lines that are not complete: their process died while writing. File and line.
    pub torn: Vec<(String, u64)>,
}

/// Checks every chain, and that every head that another file names is there.
pub fn verify(history: &History) -> Verified {
    let entries = history.files.iter().map(|f| f.lines.len()).sum();
    let torn = history.files.iter().filter_map(|f| f.torn.as_ref().map(|t| (f.name.clone(), t.seq + 1))).collect();
    let unreadable = history.unreadable.first().map(|(file, why)| bad(file, 0, format!("cannot be read: {why}")));
    let by_name: BTreeMap<&str, &JournalFile> = history.files.iter().map(|f| (f.name.as_str(), f)).collect();
    let first =
        history.files.iter().find_map(own).or_else(|| history.files.iter().find_map(|file| named_by(file, &by_name)));
    Verified { files: history.files.len(), entries, bad: first.or(unreadable), torn }
}

fn bad(file: &str, seq: u64, why: impl Into<String>) -> Bad {
    Bad { file: file.to_owned(), line: seq + 1, why: why.into() }
}

/// What is wrong inside a file.
fn own(file: &JournalFile) -> Option<Bad> {
    if let Some(line) = file.lines.first()
        && let Entry::Begin(begin) = &line.entry
    {
        if begin.format != FORMAT {
            return Some(bad(&file.name, 0, format!("format {} is not known to this version", begin.format)));
        }
        if begin.file != file.name {
            return Some(bad(&file.name, 0, format!("it was written as {}", begin.file)));
        }
    }
    file.bad.as_ref().map(|(seq, why)| bad(&file.name, *seq, why.clone()))
}

/// Whether every head that this file names is where it was.
fn named_by(file: &JournalFile, by_name: &BTreeMap<&str, &JournalFile>) -> Option<Bad> {
    let Entry::Begin(begin) = &file.lines.first()?.entry else { return None };
    begin.heads.iter().find_map(|head| {
        let Some(other) = by_name.get(head.file.as_str()) else {
            return Some(bad(&head.file, 0, format!("the file is gone, and {} names it", file.name)));
        };
        let at = usize::try_from(head.seq).ok().and_then(|seq| other.lines.get(seq));
        match at {
            Some(line) if line.hash == head.hash => None,
            Some(_) => Some(bad(&head.file, head.seq, format!("it is not the line that {} names", file.name))),
            None => {
                let why = format!("lines are missing: {} names line {}", file.name, head.seq + 1);
                Some(bad(&head.file, other.lines.len() as u64, why))
            }
        }
    })
}
