//! `requires`: another service runs at least this version in the same region.

use super::silence;
use crate::domain::fleet::{Param, Params, Service};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter};
use crate::domain::id::Text;
use crate::domain::text::safe;
use crate::domain::verdict::{Judgement, Verdict};
use crate::domain::version::Version;

/// What must be there first.
pub struct Requires;

impl GateType for Requires {
    fn name(&self) -> &'static str {
        "requires"
    }
    fn role(&self) -> GateRole {
        GateRole::Entry
    }
    fn about(&self) -> &'static str {
        "Another service runs at least this version in the region of the same name, rolled out. And it is not rolled back below it there, while this service runs: that takes break-glass."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[
            Parameter { name: "service", about: "The other service.", required: true },
            Parameter {
                name: "at_least",
                about: "The least version, compared number by number: `v2.10.0` is more than `v2.9.1`.",
                required: true,
            },
        ]
    }
    fn build(&self, params: &Params, service: &Service) -> Result<Box<dyn Gate>, ParamError> {
        let wanted = Requirement::read(params)?;
        if *wanted.service == *service.name.as_str() {
            return Err(ParamError::new("service", "a service cannot require itself"));
        }
        Ok(Box::new(wanted))
    }
}

/// What a gate requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The other service.
    pub service: Text,
    /// The least version.
    pub at_least: Version,
}

impl Requirement {
    /// Reads the parameters of a `requires` gate.
    ///
    /// # Errors
    /// Says which parameter is missing or cannot be compared.
    pub fn read(params: &Params) -> Result<Self, ParamError> {
        let text = |name: &str, how: &str| match params.0.get(name) {
            Some(Param::Text(text)) if !text.trim().is_empty() => Ok(Text::from(text.as_str())),
            _ => Err(ParamError::new(name, how)),
        };
        let service = text("service", "say which service, e.g. `service = \"accounts\"`")?;
        let at_least = text("at_least", "say which version, e.g. `at_least = \"v2.3.0\"`")?;
        if numbers(&at_least).is_none() {
            let message = format!("`{at_least}` has no numbers to compare; write e.g. `at_least = \"v2.3.0\"`");
            return Err(ParamError::new("at_least", message));
        }
        Ok(Self { service, at_least: Version(at_least) })
    }

    /// Whether a version is enough; none: it cannot be compared.
    pub fn met_by(&self, version: &Version) -> Option<bool> {
        Some(numbers(&version.0)? >= numbers(&self.at_least.0)?)
    }
}

/// The numbers of `v2.10.0-rc1`, and whether it is a release: a pre-release comes before it.
fn numbers(version: &str) -> Option<(Vec<u64>, bool)> {
    let text = version.strip_prefix(['v', 'V']).unwrap_or(version);
    let (plain, rest) = match text.find(['-', '+']) {
        Some(at) => text.split_at_checked(at)?,
        None => (text, ""),
    };
    let mut numbers: Vec<u64> = plain.split('.').map(|n| n.parse().ok()).collect::<Option<_>>()?;
    while numbers.last() == Some(&0) {
        numbers.pop();
    }
    Some((numbers, !rest.starts_with('-')))
}

impl Gate for Requirement {
    fn needs(&self) -> Vec<Need> {
        vec![Need::Service(self.service.clone())]
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        let (name, least) = (&self.service, &self.at_least);
        let unknown = |cell: &str, why: String| Judgement::new(Verdict::NoData, cell, format!("{region}: {why}"));
        let Some(sibling) = evidence.siblings.iter().find(|s| *s.service.name.as_str() == **name) else {
            return unknown("absent", format!("{name} is not released in a region of this name"));
        };
        if let Some(why) = silence(&sibling.freshness) {
            return unknown("stale", format!("{name}: {why}"));
        }
        let Some(workload) = sibling.workload else { return unknown("unseen", format!("{name} was not seen there")) };
        let runs = &workload.version;
        let shown = safe(&runs.0, 60);
        match self.met_by(runs) {
            None => unknown("version?", format!("{name} runs {shown}, which cannot be compared with {least}")),
            Some(false) => {
                let sentence = format!("{region}: {name} runs {shown} there, at least {least} is required");
                Judgement::new(Verdict::NoGo, shown, sentence)
            }
            Some(true) if !workload.settled() => {
                let sentence = format!("{region}: {name} {shown} is {} there", workload.phase.word());
                Judgement::new(Verdict::Wait, shown, sentence)
            }
            Some(true) => {
                let sentence = format!("{region}: {name} runs {shown} there, at least {least} is required");
                Judgement::new(Verdict::Go, shown, sentence)
            }
        }
    }
}

#[cfg(test)]
#[path = "requires_tests.rs"]
mod tests;
