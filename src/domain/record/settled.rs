//! The settled fact: when a region's rollout of a template completed.

use super::text::{Fields, Lines};
use crate::domain::id::{Operator, Uid};
use crate::domain::stamp::Timestamp;
use crate::domain::version::TemplateDigest;
use crate::domain::workload::Workload;

/// Prefix of the key of settled facts; the template digest follows.
pub const SETTLED: &str = "settled.";

/// A region settled on a template: first writer wins, so its key is the digest.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// Who wrote it.
    pub by: Operator,
    /// When the rollout completed.
    pub at: Timestamp,
    /// The workload it was seen on: a recreated object is another object.
    pub uid: Uid,
    /// The rollout's revision: a template that was left and came back has another.
    pub revision: Option<u64>,
}

impl Settled {
    /// Key and value of a settled fact.
    pub fn entry(&self, template: TemplateDigest) -> (String, String) {
        let mut lines = Lines::start(&self.by, self.at);
        lines.put("uid", self.uid.as_str());
        if let Some(revision) = self.revision {
            lines.put("revision", &revision.to_string());
        }
        (format!("{SETTLED}{}", template.hex()), lines.0)
    }
    pub(super) fn parse(value: &str) -> Option<Self> {
        let fields = Fields::read(value);
        Some(Self {
            by: Operator::new(fields.get("by")?),
            at: fields.get("at")?.parse().ok()?,
            uid: Uid::new(fields.get("uid")?),
            revision: fields.get("revision").and_then(|r| r.parse().ok()),
        })
    }

    pub(super) fn order(&self) -> (Timestamp, Option<u64>, &Uid, &Operator) {
        (self.at, self.revision, &self.uid, &self.by)
    }

    /// Whether it speaks of what this workload runs now: the same object, on the same rollout.
    pub fn speaks_of(&self, workload: &Workload) -> bool {
        let same = |(a, b): (u64, u64)| a == b;
        self.uid == workload.uid && self.revision.zip(workload.revision).is_none_or(same)
    }
}
