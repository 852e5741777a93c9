//! What became of reading and of committing, as the engine is told.

use serde_json::{Value, json};

use super::{Git, GitError, Where};
use crate::domain::carrier::OverlayRef;
use crate::domain::link::LostReason;
use crate::domain::outside::GitChange;
use crate::domain::plan::PlanId;
use crate::domain::stamp::Timestamp;
use crate::engine::effect::ActResult;

impl Git {
    /// What [`crate::carriers::CarrierRead::Scalar`] says of a scalar.
    ///
    /// # Errors
    /// The repository cannot be reached.
    pub async fn look(&self, scalar: &OverlayRef) -> Result<Option<Value>, LostReason> {
        let OverlayRef { repository, branch, path, pointer, .. } = scalar;
        match self.read(Where { repository, branch, path, pointer }).await {
            Ok(seen) => {
                let last = seen.last.map(|l| json!({"commit": l.commit, "message": l.message, "alone": l.alone}));
                Ok(Some(json!({"head": seen.head, "value": seen.value, "line": seen.line, "last": last})))
            }
            Err(error @ (GitError::NoBranch { .. } | GitError::NoFile { .. } | GitError::Yaml { .. })) => {
                Ok(Some(json!({"cannot": error.to_string()})))
            }
            Err(error @ (GitError::NoGit | GitError::Unknown(_) | GitError::Local(_))) => {
                Err(LostReason::Unusable(error.to_string().into()))
            }
            Err(error) => Err(LostReason::Unreachable(error.to_string().into())),
        }
    }

    /// Sends a change of a plan: its commit is as old as the plan.
    pub async fn act(&self, change: &GitChange, plan: PlanId) -> ActResult {
        let made = i64::try_from(plan.0.timestamp_ms()).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        match self.carry(change, made.unwrap_or(Timestamp::UNIX_EPOCH)).await {
            Ok(carried) => {
                let mut told =
                    format!("commit {} on branch {} of {}", carried.commit, carried.branch, change.repository);
                if let Some(link) = carried.link {
                    told.push_str(&format!("; a change request can be opened at {link}"));
                }
                ActResult::Accepted { object: None, audit: None, warnings: vec![told.into()] }
            }
            Err(GitError::Changed { .. }) => ActResult::Changed,
            Err(error @ GitError::Lost { .. }) => ActResult::Unknown(error.to_string().into()),
            Err(error @ (GitError::Refused { .. } | GitError::Yaml { .. } | GitError::NoFile { .. })) => {
                ActResult::Refused { code: 0, message: error.to_string().into() }
            }
            Err(error) => ActResult::NotSent(error.to_string().into()),
        }
    }
}
