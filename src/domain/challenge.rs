//! What must be answered before a plan may be carried out; answering makes [`Approved`].

use std::time::Duration;

use super::finding::Severity;
use super::id::{Operator, Text};
use super::intent::{Direction, Verb};
use super::plan::Plan;

/// Share of live traffic above which a lowering action must be typed.
const TYPE_ABOVE: f64 = 0.5;
/// Share of live traffic up to which a raising action is a single key.
const KEY_UP_TO: f64 = 0.01;
/// Code of the finding of a rollback that goes behind what the release came from.
pub const PAST_STABLE: &str = "past-stable";
/// The phrase for break-glass.
pub const BREAK_GLASS: &str = "break glass";

/// How long broken glass lasts: a step that has not started by then is not started any more.
pub const BREAK_GLASS_LASTS: Duration = Duration::from_secs(15 * 60);

/// What must be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// How it is confirmed.
    pub answer: Asked,
    /// Whether a reason must be given.
    pub reason_required: bool,
}

/// How a plan is confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The key `y`.
    Key,
    /// This text, typed.
    Typed(Text),
}

/// Proof that a plan was approved. Only this module makes one; it cannot be copied.
///
/// ```compile_fail
/// use gonogo::domain::challenge::Approved;
/// fn forge(plan: gonogo::domain::plan::Plan) -> Approved {
///     Approved { plan, how: gonogo::domain::challenge::How::Flags, reason: None, by: "x".into() }
/// }
/// ```
/// ```compile_fail
/// fn twice(proof: gonogo::domain::challenge::Approved) {
///     let again = proof.clone();
/// }
/// ```
/// ```compile_fail
/// fn from_text(text: &str) -> gonogo::domain::challenge::Approved {
///     serde_json::from_str(text).unwrap()
/// }
/// ```
#[derive(Debug)]
pub struct Approved {
    plan: Plan,
    how: How,
    reason: Option<Text>,
    by: Operator,
}

/// Which of the makers approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// A person answered the challenge.
    Answered,
    /// The standing approval of `!`.
    Standing,
    /// The flags of a one-shot verb.
    Flags,
    /// A policy, carried out by a guard.
    Policy,
}

impl How {
    /// As the journal writes it.
    pub fn word(self) -> &'static str {
        match self {
            How::Answered => "answered",
            How::Standing => "standing",
            How::Flags => "flags",
            How::Policy => "policy",
        }
    }
}

/// Why an answer does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// Another text than asked for.
    WrongText,
    /// The reason is missing.
    ReasonMissing,
    /// Only a hold may be approved by standing approval.
    NotAHold,
    /// A policy approves no findings when it raises, and no override at all.
    NeedsAPerson,
}

impl Rejected {
    /// For people.
    pub fn text(self) -> &'static str {
        match self {
            Rejected::WrongText => "that is not the text asked for",
            Rejected::ReasonMissing => "a reason is required",
            Rejected::NotAHold => "only a hold has standing approval",
            Rejected::NeedsAPerson => "this has findings that a person must see",
        }
    }
}

/// A rollback of a region that runs what the release came from: it was named by hand, and puts another
/// version there than anybody released.
fn past_stable(plan: &Plan) -> bool {
    plan.findings.iter().any(|f| f.code == PAST_STABLE)
}

/// What a plan asks for: effort grows with blast radius and findings.
pub fn challenge(plan: &Plan) -> Challenge {
    let worst = plan.worst().unwrap_or(Severity::Note);
    let share = plan.blast.counted_share();
    let typed = || Asked::Typed(plan.name.clone());
    match plan.direction() {
        Direction::Lowering => Challenge {
            answer: match worst {
                Severity::BreakGlass => Asked::Typed(BREAK_GLASS.into()),
                _ if past_stable(plan) && share > TYPE_ABOVE => typed(),
                // Only a drain moves traffic; holds and rollbacks cost the fewest keystrokes.
                _ if matches!(plan.intent.verb, Verb::Drain) && share > TYPE_ABOVE => typed(),
                _ if !matches!(
                    plan.intent.verb,
                    Verb::Hold
                        | Verb::FlagOff
                        | Verb::Revoke { .. }
                        | Verb::Quarantine { .. }
                        | Verb::Tick { .. }
                        | Verb::Drill(_)
                ) && plan.blast.share.is_some_and(|s| s > TYPE_ABOVE) =>
                {
                    typed()
                }
                _ => Asked::Key,
            },
            reason_required: worst == Severity::BreakGlass || matches!(plan.intent.verb, Verb::Drain),
        },
        Direction::Raising => Challenge {
            answer: match worst {
                Severity::BreakGlass => Asked::Typed(BREAK_GLASS.into()),
                Severity::Note if share <= KEY_UP_TO => Asked::Key,
                _ => typed(),
            },
            reason_required: worst >= Severity::Override
                || !matches!(plan.intent.verb, Verb::Promote { .. } | Verb::Approve { .. } | Verb::Tick { .. }),
        },
    }
}

impl Challenge {
    /// A person's answer. Consumes the plan; on a wrong answer it is given back.
    pub fn answer(
        &self,
        plan: Plan,
        typed: &str,
        reason: Option<Text>,
        by: Operator,
    ) -> Result<Approved, (Box<Plan>, Rejected)> {
        self.judge(plan, typed, reason, by, How::Answered)
    }

    /// The flags of a one-shot verb: `--confirm NAME` and `--reason TEXT`.
    ///
    /// Raising always needs both; hold, abort, rollback, revoke and quarantine need neither, nor
    /// does an approval without findings.
    pub fn flags(
        &self,
        plan: Plan,
        confirm: Option<&str>,
        reason: Option<Text>,
        by: Operator,
    ) -> Result<Approved, (Box<Plan>, Rejected)> {
        let free = match plan.intent.verb {
            Verb::Hold
            | Verb::FlagOff
            | Verb::Abort
            | Verb::RollBack { .. }
            | Verb::Revoke { .. }
            | Verb::Quarantine { .. }
            | Verb::Drill(_)
            | Verb::Tick { done: false, .. } => plan.worst() < Some(Severity::BreakGlass),
            // It names its ring, and promotes nothing; what must be seen must be confirmed.
            Verb::Approve { .. } | Verb::Tick { .. } => plan.worst() < Some(Severity::Warning),
            _ => false,
        };
        let typed = past_stable(&plan) && self.answer != Asked::Key;
        if free && !typed {
            return Ok(Approved::seal(plan, How::Flags, reason, by));
        }
        if reason.is_none() {
            return Err((Box::new(plan), Rejected::ReasonMissing));
        }
        let asked = Challenge {
            answer: match &self.answer {
                Asked::Key => Asked::Typed(plan.name.clone()),
                typed => typed.clone(),
            },
            reason_required: true,
        };
        asked.judge(plan, confirm.unwrap_or_default(), reason, by, How::Flags)
    }

    fn judge(
        &self,
        plan: Plan,
        typed: &str,
        reason: Option<Text>,
        by: Operator,
        how: How,
    ) -> Result<Approved, (Box<Plan>, Rejected)> {
        let right = match &self.answer {
            Asked::Key => typed == "y",
            Asked::Typed(text) => typed == &**text,
        };
        let reason = reason.filter(|r| !r.trim().is_empty());
        if !right {
            Err((Box::new(plan), Rejected::WrongText))
        } else if self.reason_required && reason.is_none() {
            Err((Box::new(plan), Rejected::ReasonMissing))
        } else {
            Ok(Approved::seal(plan, how, reason, by))
        }
    }
}

impl Approved {
    /// The one constructor: every maker ends here.
    fn seal(mut plan: Plan, how: How, reason: Option<Text>, by: Operator) -> Self {
        plan.record_approval(reason.as_ref());
        Self { plan, how, reason, by }
    }
    /// The standing approval of `!`: a hold of the service shown, nothing else.
    pub fn standing(plan: Plan, by: Operator) -> Result<Approved, (Box<Plan>, Rejected)> {
        if matches!(plan.intent.verb, Verb::Hold) {
            Ok(Approved::seal(plan, How::Standing, None, by))
        } else {
            Err((Box::new(plan), Rejected::NotAHold))
        }
    }
    /// A policy's approval, with the reason that names it. Lowering: unless it would need an
    /// override; raising: only without anything that a person must see.
    pub fn by_policy(plan: Plan, reason: Text, by: Operator) -> Result<Approved, (Box<Plan>, Rejected)> {
        let most = match plan.direction() {
            Direction::Lowering => Severity::Warning,
            Direction::Raising => Severity::Note,
        };
        if plan.worst() > Some(most) {
            return Err((Box::new(plan), Rejected::NeedsAPerson));
        }
        Ok(Approved::seal(plan, How::Policy, Some(reason), by))
    }
    /// The same approval with its facts dated by the moment it counts from, not by when it was shown.
    /// What a policy approves is dated by what it answers: two guards write one fact.
    #[must_use]
    pub fn dated(mut self, now: super::stamp::Timestamp, fresh: &mut dyn FnMut() -> ulid::Ulid) -> Self {
        if self.how != How::Policy {
            self.plan.date(now, fresh);
        }
        self
    }
    /// The plan that was approved.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
    /// Who approved, in which way.
    pub fn how(&self) -> How {
        self.how
    }
    /// Who approved.
    pub fn by(&self) -> &Operator {
        &self.by
    }
    /// Why.
    pub fn reason(&self) -> Option<&Text> {
        self.reason.as_ref()
    }
}
