//! Where a rollout that goes step by step stands: its steps, pauses, analyses and revisions.

use std::time::Duration;

use super::id::Text;
use super::stamp::{SignedDuration, Timestamp, short};

/// Steps of an Argo Rollout, as its controller shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// Phase and message as `kubectl argo rollouts status` says them, e.g. `Paused - CanaryPauseStep`.
    pub says: Text,
    /// Blue-green: one switch of the active service, and no weights.
    pub blue_green: bool,
    /// Steps that are done; equal to `of` when all are.
    pub done: u32,
    /// How many steps there are.
    pub of: u32,
    /// The step that it is at, e.g. `pause: 10m`; none: all are done, or there are none.
    pub now: Option<Text>,
    /// Weight that the steps ask for, in parts of `most`.
    pub set_weight: Option<u32>,
    /// Weight that the traffic router has; absent where pods alone make the weight.
    pub actual_weight: Option<u32>,
    /// What 100 % is; 100 unless the router counts otherwise.
    pub most: u32,
    /// What it waits for.
    pub pauses: Vec<StepPause>,
    /// Hash of the revision that is known to be good; none: it never finished a rollout.
    pub stable: Option<Text>,
    /// Hash of the newest revision.
    pub current: Text,
    /// Hash behind the active service of a blue-green rollout.
    pub active: Option<Text>,
    /// Hash behind the preview service of a blue-green rollout.
    pub preview: Option<Text>,
    /// Given up: the stable revision serves, the template is still the new one.
    pub aborted: bool,
    /// The remaining steps are being skipped.
    pub full: bool,
    /// Analyses, with what they are for.
    pub analyses: Vec<StepAnalysis>,
    /// Routes whose weights the controller writes itself: kind, and name as the Rollout has it.
    pub steers: Vec<(Text, Text)>,
}

/// A pause that the controller has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepPause {
    /// Its reason, e.g. `CanaryPauseStep`.
    pub reason: Text,
    /// When it began.
    pub since: Option<Timestamp>,
    /// How long it lasts; none: until somebody ends it.
    pub lasts: Option<Duration>,
}

/// An analysis that runs, or ran last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepAnalysis {
    /// `step`, `background`, `before the switch`, `after the switch` or `experiment`.
    pub what: &'static str,
    /// Name of the AnalysisRun or Experiment.
    pub name: Text,
    /// Its phase, e.g. `Running`.
    pub phase: Text,
    /// What it says.
    pub message: Text,
}

impl Steps {
    /// Whether the controller writes the weights of a route. A name may have its namespace before or after it.
    pub fn steers(&self, kind: &str, namespace: &str, name: &str) -> bool {
        let is =
            |said: &str| said == name || said == format!("{name}.{namespace}") || said == format!("{namespace}/{name}");
        self.steers.iter().any(|(k, said)| &**k == kind && is(said))
    }

    /// `1/5`, as `kubectl argo rollouts get` counts; none where there are no steps.
    pub fn count(&self) -> Option<String> {
        (self.of > 0).then(|| format!("{}/{}", self.done, self.of))
    }

    /// `step 1/5 (pause: 10m)`, or what stands for it.
    pub fn place(&self) -> String {
        match (self.count(), &self.now) {
            (Some(count), Some(now)) => format!("step {count} ({now})"),
            (Some(count), None) => format!("step {count}"),
            (None, _) if self.blue_green => "the switch".to_owned(),
            (None, _) => "no steps".to_owned(),
        }
    }
}

impl StepPause {
    /// What is left of it; none: it ends when somebody ends it. Never negative.
    pub fn left(&self, now: Timestamp) -> Option<SignedDuration> {
        let lasts = SignedDuration::try_from(self.lasts?).ok()?;
        Some(lasts.saturating_sub(now.duration_since(self.since?)).max(SignedDuration::ZERO))
    }

    /// `CanaryPauseStep, 4m left`.
    pub fn text(&self, now: Timestamp) -> String {
        match self.left(now) {
            Some(left) if left.is_zero() => format!("{}, over", self.reason),
            Some(left) => format!("{}, {} left", self.reason, short(left)),
            None => format!("{}, until somebody lets it on", self.reason),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_left_of_a_pause_is_never_negative() {
        let since: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
        let pause = |lasts| StepPause { reason: "CanaryPauseStep".into(), since: Some(since), lasts };
        let timed = pause(Some(Duration::from_secs(600)));
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(timed.text(at("2026-03-01T10:06:00Z")), "CanaryPauseStep, 4m00s left");
        assert_eq!(timed.text(at("2026-03-01T11:00:00Z")), "CanaryPauseStep, over");
        assert_eq!(timed.left(at("2026-03-01T09:59:00Z")), Some(SignedDuration::from_mins(11)));
        assert_eq!(pause(None).text(since), "CanaryPauseStep, until somebody lets it on");
    }
}
