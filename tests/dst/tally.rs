//! How often everything happened in many runs: what never happened was never tested.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::play::Outcome;
use super::rules::RULES;
use super::script::FAULTS;

/// Sums over runs.
#[derive(Default)]
pub struct Tally {
    pub seeds: u64,
    pub simulated: Duration,
    pub broken: u64,
    fired: BTreeMap<&'static str, u64>,
    exercised: [u64; 12],
    refused: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// One more run.
    pub fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.simulated += outcome.simulated;
        self.broken += u64::from(outcome.broken.is_some());
        for (what, count) in &outcome.fired {
            *self.fired.entry(what).or_default() += count;
        }
        for (what, count) in &outcome.refused {
            *self.refused.entry(what).or_default() += count;
        }
        for (sum, count) in self.exercised.iter_mut().zip(outcome.exercised) {
            *sum += count;
        }
    }

    /// Rules that nothing ever put to the test.
    pub fn idle_rules(&self) -> Vec<&'static str> {
        RULES.into_iter().zip(self.exercised).filter(|(_, count)| *count == 0).map(|(rule, _)| rule).collect()
    }

    /// What never happened.
    pub fn missing(&self) -> Vec<&'static str> {
        let faults = FAULTS.into_iter().filter(|what| !self.fired.contains_key(what));
        faults.chain(self.idle_rules()).collect()
    }

    /// The one line at the end.
    pub fn line(&self) -> String {
        let hours = self.simulated.as_secs_f64() / 3_600.0;
        format!("{} seeds, {hours:.1} simulated hours, {} broken", self.seeds, self.broken)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "faults fired:")?;
        for what in FAULTS {
            writeln!(f, "  {what:<36} {}", self.fired.get(what).copied().unwrap_or(0))?;
        }
        writeln!(f, "rules exercised:")?;
        for (rule, count) in RULES.iter().zip(self.exercised) {
            writeln!(f, "  {rule:<60} {count}")?;
        }
        writeln!(f, "prompts refused:")?;
        for (what, count) in &self.refused {
            writeln!(f, "  {what:<36} {count}")?;
        }
        Ok(())
    }
}
