//! Pushing one commit, never with force; and what the other side made of it.

use super::clone::Clone;
use crate::io::command::{NotRun, Ran};

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The branch is at the commit.
    Taken,
    /// Somebody else pushed before.
    Race,
    /// It was refused, here or there: nothing was changed.
    Refused(String),
    /// No answer came: it may have been taken.
    Lost(String),
}

pub(super) async fn push(clone: &Clone<'_>, commit: &str, branch: &str) -> Outcome {
    let spec = format!("{commit}:refs/heads/{branch}");
    let args = ["push", "--porcelain", "--no-follow-tags", "--recurse-submodules=no", "origin", spec.as_str()];
    match clone.git.whole(&args, clone.repository.limit, None, &[]).await {
        Ok(ran) => outcome(&ran),
        Err(NotRun::Absent) => Outcome::Refused("there is no `git` on this host".to_owned()),
        Err(why @ (NotRun::Timeout(_) | NotRun::TooMuch(_) | NotRun::Failed(_))) => Outcome::Lost(why.to_string()),
    }
}

fn outcome(ran: &Ran) -> Outcome {
    if ran.failed.is_none() {
        return Outcome::Taken;
    }
    let printed = String::from_utf8_lossy(&ran.stdout);
    // `!<tab>from:to<tab>[remote rejected] (reason)`
    let told = printed.lines().find_map(|l| l.strip_prefix("!\t")).and_then(|l| l.split('\t').nth(1));
    let said = || if ran.stderr.is_empty() { "git says no more".to_owned() } else { ran.stderr.clone() };
    match told {
        Some(told) if is_race(told) => Outcome::Race,
        Some(told) => Outcome::Refused(format!("{}: {}", crate::domain::text::safe(told, 200), said())),
        // Ended before anything was sent: a pre-push hook of the user.
        None if ran.code == Some(1) => Outcome::Refused(said()),
        None => Outcome::Lost(said()),
    }
}

fn is_race(told: &str) -> bool {
    let races = [
        "(fetch first)",
        "(non-fast-forward)",
        "(stale info)",
        "cannot lock ref",
        "failed to update ref",
        "incorrect old value",
        "reference already exists",
    ];
    races.iter().any(|race| told.contains(race))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(stdout: &str, code: i32) -> Outcome {
        let failed = (code != 0).then(|| format!("exit status: {code}"));
        outcome(&Ran { stdout: stdout.as_bytes().to_vec(), stderr: "said".into(), failed, code: Some(code) })
    }

    #[test]
    fn an_answer_is_a_race_a_refusal_or_none() {
        assert_eq!(of("To x\n \ta:b\tabc..def\nDone\n", 0), Outcome::Taken);
        assert_eq!(of("To x\n!\ta:b\t[rejected] (fetch first)\nDone\n", 1), Outcome::Race);
        assert_eq!(of("To x\n!\ta:b\t[rejected] (non-fast-forward)\nDone\n", 1), Outcome::Race);
        assert_eq!(of("To x\n!\ta:b\t[remote rejected] (cannot lock ref 'b')\nDone\n", 1), Outcome::Race);
        let refused = "[remote rejected] (protected branch hook declined): said";
        assert_eq!(
            of("To x\n!\ta:b\t[remote rejected] (protected branch hook declined)\nDone\n", 1),
            Outcome::Refused(refused.into())
        );
        assert_eq!(of("", 1), Outcome::Refused("said".into()));
        assert_eq!(of("", 128), Outcome::Lost("said".into()));
    }
}
