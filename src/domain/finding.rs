//! Findings: what a person must see before a plan goes out.

use super::id::Text;
use super::text::without_subject;

/// What a finding means for the plan it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know; changes nothing.
    Note,
    /// A person must have seen it: typed confirmation when raising.
    Warning,
    /// Needs an override with a reason.
    Override,
    /// Needs break-glass: a typed phrase.
    BreakGlass,
}

/// Something a person must see, about one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it weighs.
    pub severity: Severity,
    /// Stable word for machines, e.g. `bake`, `dry-run`, `owner`.
    pub code: &'static str,
    /// What it is about: a region, a cluster or a gate.
    pub subject: Text,
    /// The sentence.
    pub text: Text,
}

impl Finding {
    /// A finding.
    pub fn new(severity: Severity, code: &'static str, subject: impl Into<Text>, text: impl Into<Text>) -> Self {
        Self { severity, code, subject: subject.into(), text: text.into() }
    }

    /// Subject and sentence, the subject once.
    pub fn said(&self) -> String {
        format!("{}: {}", self.subject, without_subject(&self.subject, &self.text))
    }
}
