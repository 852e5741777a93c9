//! What a record keeps of a promotion or a rollback: enough to go back.

use ulid::Ulid;

use super::text::{Fields, Lines};
use crate::domain::id::Text;
use crate::domain::version::TemplateDigest;

/// A move from one version to another, with all that is needed to go back.
#[derive(Clone, Debug, PartialEq)]
pub struct Move {
    /// The plan.
    pub plan: Ulid,
    /// The release's ring at the time.
    pub ring: Text,
    /// Version before.
    pub from_version: Text,
    /// Version after.
    pub to_version: Text,
    /// Template before.
    pub from_template: TemplateDigest,
    /// Template after, as expected.
    pub to_template: TemplateDigest,
    /// Carried fields before: pointer with names, JSON text.
    pub from: Vec<(Text, Text)>,
    /// Hash of the policy it was judged by.
    pub policy: Text,
    /// What was overridden, one sentence each; empty when every gate said go.
    pub overrides: Vec<Text>,
    /// It was done by breaking glass.
    pub break_glass: bool,
    /// Why.
    pub reason: Text,
}

impl Move {
    pub(super) fn write<'a>(&self, lines: &'a mut Lines) -> &'a mut Lines {
        for (pointer, value) in &self.from {
            lines.put(&format!("from:{pointer}"), value);
        }
        lines
            .put("plan", &self.plan.to_string())
            .put("ring", &self.ring)
            .put("from", &self.from_version)
            .put("to", &self.to_version)
            .put("from-template", &self.from_template.hex())
            .put("to-template", &self.to_template.hex())
            .put("policy", &self.policy);
        for (n, overridden) in self.overrides.iter().enumerate() {
            lines.put(&format!("override.{n}"), overridden);
        }
        if self.break_glass {
            lines.put("break-glass", "yes");
        }
        lines.put("reason", &self.reason)
    }
    pub(super) fn read(fields: &Fields<'_>) -> Option<Self> {
        let text = |name: &str| -> Option<Text> { fields.get(name).map(Into::into) };
        Some(Self {
            plan: Ulid::from_string(fields.get("plan")?).ok()?,
            ring: text("ring")?,
            from_version: text("from")?,
            to_version: text("to")?,
            from_template: TemplateDigest::from_hex(fields.get("from-template")?)?,
            to_template: TemplateDigest::from_hex(fields.get("to-template")?)?,
            from: fields.all("from:").map(|(p, v)| (p.into(), v.into())).collect(),
            policy: text("policy").unwrap_or_else(|| "".into()),
            overrides: fields.all("override.").map(|(_, sentence)| sentence.into()).collect(),
            break_glass: fields.get("break-glass").is_some(),
            reason: text("reason").unwrap_or_else(|| "".into()),
        })
    }
}
