//! Commits made by the `git` of this host, into bare repositories on disk.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

#[path = "git/remote.rs"]
mod remote;

use std::time::Duration;

use gonogo::domain::outside::Push;
use gonogo::domain::yaml::YamlError;
use gonogo::io::git::{Carried, GitError};
use remote::{OVERLAY, PATH, Remote};

#[tokio::test]
async fn one_commit_changes_one_value_and_says_who_what_and_why() {
    let remote = Remote::new(OVERLAY);
    let git = remote.user("one");
    let seen = remote.read(&git).await.unwrap();
    assert_eq!((seen.value.as_str(), seen.line), ("v1", 6));
    assert_eq!(seen.head, remote.head("main"));
    let change = remote.change(&seen, "v1", "v2");
    let carried = remote.carry(&git, &change).await.unwrap();
    assert_eq!(carried, Carried { commit: remote.head("main"), branch: "main".into(), link: None });
    assert_eq!(remote.file("main"), OVERLAY.replace("v1 #", "v2 #"));
    assert_eq!(
        remote.says(&["log", "-1", "--format=%an <%ae> %ct%n%B", "main"]),
        format!("Ann <ann@example.com> 1795255200\n{}", change.message)
    );
    assert_eq!(remote.says(&["diff-tree", "--no-commit-id", "-r", "--name-status", "main"]), format!("M\t{PATH}"));
    assert_eq!(remote.says(&["rev-parse", "main^"]), seen.head, "its parent is what was there");
    // The mode of the file is as it was.
    assert!(remote.says(&["ls-tree", "main", PATH]).starts_with("100755 "));
}

#[tokio::test]
async fn line_endings_and_what_git_would_convert_stay_as_they_are() {
    let windows = OVERLAY.replace('\n', "\r\n");
    let remote = Remote::with(&[(PATH, &windows), (".gitattributes", "* text=auto eol=lf\n")]);
    remote.set("core.autocrlf", "input");
    let git = remote.user("one");
    let seen = remote.read(&git).await.unwrap();
    remote.carry(&git, &remote.change(&seen, "v1", "v2")).await.unwrap();
    assert_eq!(remote.file("main"), windows.replace("v1 #", "v2 #"));
}

#[tokio::test]
async fn somebody_elses_push_is_built_upon_when_the_value_is_still_the_same() {
    let remote = Remote::new(OVERLAY);
    let git = remote.user("one");
    let seen = remote.read(&git).await.unwrap();
    let edited = format!("{OVERLAY}# by somebody else\n");
    let other = remote.somebody_writes(PATH, &edited);
    remote.carry(&git, &remote.change(&seen, "v1", "v2")).await.unwrap();
    assert_eq!(remote.says(&["rev-parse", "main^"]), other);
    assert_eq!(remote.file("main"), edited.replace("v1 #", "v2 #"));
}

#[tokio::test]
async fn a_push_between_our_fetch_and_our_push_is_built_upon_too() {
    let remote = Remote::new(OVERLAY);
    let git = remote.user("one");
    let seen = remote.read(&git).await.unwrap();
    // The user's hook runs right before our push, once: somebody is faster.
    remote.hook_of_user("pre-push", "[ -e \"$RACED\" ] && exit 0; touch \"$RACED\"; sh \"$RACE\"");
    remote.race_script("other.yaml", "a: 1\n");
    remote.carry(&git, &remote.change(&seen, "v1", "v2")).await.unwrap();
    assert_eq!(remote.says(&["log", "--format=%s", "main"]), "shop eu: v1 -> v2\nsomebody\nfirst");
    assert_eq!(remote.file("main"), OVERLAY.replace("v1 #", "v2 #"));
}

#[tokio::test]
async fn a_value_that_somebody_changed_goes_back_to_review() {
    let remote = Remote::new(OVERLAY);
    let git = remote.user("one");
    let seen = remote.read(&git).await.unwrap();
    let other = remote.somebody_writes(PATH, &OVERLAY.replace("v1 #", "v7 #"));
    let error = remote.carry(&git, &remote.change(&seen, "v1", "v2")).await.unwrap_err();
    let differs = YamlError::Differs { line: 6, found: "v7".into(), expected: "v1".into() };
    assert_eq!(error, GitError::Changed { path: PATH.into(), error: differs });
    assert_eq!(remote.head("main"), other, "nothing was pushed");
    // Taken out altogether is a change too.
    remote.somebody_writes(PATH, "kind: Kustomization\n");
    let error = remote.carry(&git, &remote.change(&seen, "v1", "v2")).await.unwrap_err();
    assert!(matches!(error, GitError::Changed { .. }), "{error:?}");
}

#[tokio::test]
async fn what_cannot_be_edited_without_doubt_is_refused_before_anything_is_made() {
    for (text, expected) in [
        (OVERLAY.replace("newTag: v1", "newTag: &tag v1"), YamlError::Anchored(6)),
        (format!("{OVERLAY}---\na: b\n"), YamlError::Documents(2)),
    ] {
        let remote = Remote::new(&text);
        let git = remote.user("one");
        let error = remote.read(&git).await.unwrap_err();
        assert_eq!(error, GitError::Yaml { path: PATH.into(), error: expected });
    }
    let remote = Remote::with(&[("README", "x\n")]);
    let git = remote.user("one");
    let missing = GitError::NoFile { branch: "main".into(), path: PATH.into() };
    assert_eq!(remote.read(&git).await.unwrap_err(), missing);
    let error = git.read(remote.on("no-such", PATH)).await.unwrap_err();
    assert_eq!(error, GitError::NoBranch { repository: "deploys".into(), branch: "no-such".into() });
    // A link is not followed.
    let remote = Remote::with_link(PATH, "../../base/kustomization.yaml");
    let git = remote.user("one");
    assert_eq!(remote.read(&git).await.unwrap_err(), missing);
}

#[tokio::test]
async fn a_refusal_of_the_other_side_is_told_in_its_words() {
    let remote = Remote::new(OVERLAY);
    let git = remote.user("one");
    let seen = remote.read(&git).await.unwrap();
    remote.hook("pre-receive", "printf 'only by review\\033[2J\\n' >&2; exit 1");
    let error = remote.carry(&git, &remote.change(&seen, "v1", "v2")).await.unwrap_err();
    let GitError::Refused { repository, why } = error else { panic!("{error:?}") };
    assert_eq!(repository, "deploys");
    assert!(why.contains("pre-receive hook declined") && why.contains("only by review␛[2J"), "{why}");
    assert_eq!(remote.head("main"), seen.head);
}

#[tokio::test]
async fn a_hook_of_the_user_may_say_no() {
    let remote = Remote::new(OVERLAY);
    let git = remote.user("one");
    let seen = remote.read(&git).await.unwrap();
    remote.hook_of_user("pre-push", "echo 'not on Fridays' >&2; exit 1");
    let error = remote.carry(&git, &remote.change(&seen, "v1", "v2")).await.unwrap_err();
    let GitError::Refused { why, .. } = error else { panic!("{error:?}") };
    assert!(why.contains("not on Fridays"), "{why}");
    assert_eq!(remote.head("main"), seen.head);
}

#[tokio::test]
async fn a_lost_reply_is_resolved_by_looking_at_the_branch() {
    let remote = Remote::new(OVERLAY);
    let git = remote.user("one");
    let seen = remote.read(&git).await.unwrap();
    // It takes the commit, and then says nothing any more.
    remote.hook("post-receive", ": > \"$HANGS\"; exec sleep 600");
    let carried = remote.carry(&git, &remote.change(&seen, "v1", "v2")).await.unwrap();
    assert_eq!(carried.commit, remote.head("main"));
}

#[tokio::test]
async fn a_push_that_hangs_before_it_is_taken_is_not_known() {
    let remote = Remote::new(OVERLAY);
    let git = remote.user("one");
    let seen = remote.read(&git).await.unwrap();
    remote.hook("pre-receive", ": > \"$HANGS\"; exec sleep 600");
    let error = remote.carry(&git, &remote.change(&seen, "v1", "v2")).await.unwrap_err();
    let GitError::Lost { why, .. } = error else { panic!("{error:?}") };
    assert_eq!(why, "no answer within 120 s");
    assert_eq!(remote.head("main"), seen.head);
}

#[tokio::test]
async fn sent_twice_it_is_one_commit() {
    let remote = Remote::new(OVERLAY);
    let git = remote.user("one");
    let seen = remote.read(&git).await.unwrap();
    let change = remote.change(&seen, "v1", "v2");
    let first = remote.carry(&git, &change).await.unwrap();
    remote.somebody_writes("other.yaml", "a: 1\n");
    assert_eq!(remote.carry(&git, &change).await.unwrap(), first);
    assert_eq!(remote.says(&["log", "--format=%s", "main"]), "somebody\nshop eu: v1 -> v2\nfirst");
    // A second region that is brought from the same file by the same plan has nothing left to do.
    let mut second = change.clone();
    second.message = second.message.replace("Gonogo-Region: eu", "Gonogo-Region: us").into();
    assert_eq!(remote.carry(&git, &second).await.unwrap(), first);
    // Another plan that wants the same has: it looked at something that is not there any more.
    let mut other = change;
    other.message = other.message.replace("Gonogo-Plan: 01J", "Gonogo-Plan: 02J").into();
    let error = remote.carry(&git, &other).await.unwrap_err();
    assert!(matches!(error, GitError::Changed { .. }), "{error:?}");
}

#[tokio::test]
async fn the_same_plan_on_the_same_head_is_the_same_commit() {
    let (one, two) = (Remote::new(OVERLAY), Remote::new(OVERLAY));
    let mut commits = Vec::new();
    for remote in [&one, &two] {
        let git = remote.user("one");
        let seen = remote.read(&git).await.unwrap();
        commits.push(remote.carry(&git, &remote.change(&seen, "v1", "v2")).await.unwrap().commit);
    }
    assert_eq!(commits[0], commits[1]);
}

#[tokio::test]
async fn behind_branch_protection_it_leaves_on_a_branch_of_its_own() {
    let remote = Remote::new(OVERLAY);
    let git = remote.user("one");
    let seen = remote.read(&git).await.unwrap();
    let mut change = remote.change(&seen, "v1", "v2");
    change.push = Push::Branch("gonogo/01J".into());
    let carried = remote.carry(&git, &change).await.unwrap();
    assert_eq!(carried, Carried { commit: remote.head("gonogo/01J"), branch: "gonogo/01J".into(), link: None });
    assert_eq!(remote.head("main"), seen.head);
    assert_eq!(remote.file("gonogo/01J"), OVERLAY.replace("v1 #", "v2 #"));
    // A second file of the same plan goes on top.
    let mut second = change.clone();
    second.path = "base.yaml".into();
    second.pointer = "/a".into();
    (second.from, second.to) = ("1".into(), "2".into());
    second.message = second.message.replace("Gonogo-Region: eu", "Gonogo-Region: us").into();
    let carried = remote.carry(&git, &second).await.unwrap();
    assert_eq!(
        remote.says(&["rev-parse", &format!("{}^", carried.commit)]),
        remote.says(&["rev-parse", "gonogo/01J^"])
    );
    assert_eq!(remote.says(&["log", "--format=%s", "gonogo/01J"]).lines().count(), 3);
}

#[tokio::test]
async fn a_way_back_is_the_file_as_it_was_if_nothing_else_happened_to_it() {
    // A date in plain words gets quotes, and loses them again.
    let text = OVERLAY.replace("newTag: v1", "newTag: 1.20");
    let remote = Remote::new(&text);
    let git = remote.user("one");
    let seen = remote.read(&git).await.unwrap();
    let forth = remote.carry(&git, &remote.change(&seen, "1.20", "1.21")).await.unwrap();
    assert!(remote.file("main").contains("newTag: '1.21'"));
    let seen = remote.read(&git).await.unwrap();
    let last = seen.last.clone().unwrap();
    assert_eq!((last.commit.as_str(), last.alone), (forth.commit.as_str(), true));
    let mut back = remote.change(&seen, "1.21", "1.20");
    back.reverts = Some(forth.commit.as_str().into());
    back.message = back.message.replace("Gonogo-Plan: 01J", "Gonogo-Plan: 02J").into();
    let elsewhere = remote.somebody_writes("other.yaml", "a: 1\n");
    remote.carry(&git, &back).await.unwrap();
    assert_eq!(remote.says(&["rev-parse", "main^"]), elsewhere);
    assert_eq!(remote.file("main"), text);
}

#[tokio::test]
async fn a_way_back_over_later_changes_of_the_file_writes_the_old_value_only() {
    let text = OVERLAY.replace("newTag: v1", "newTag: 1.20");
    let remote = Remote::new(&text);
    let git = remote.user("one");
    let seen = remote.read(&git).await.unwrap();
    let forth = remote.carry(&git, &remote.change(&seen, "1.20", "1.21")).await.unwrap();
    let later = format!("{}# by somebody else\n", remote.file("main"));
    remote.somebody_writes(PATH, &later);
    let seen = remote.read(&git).await.unwrap();
    let mut back = remote.change(&seen, "1.21", "1.20");
    back.reverts = Some(forth.commit.as_str().into());
    back.message = back.message.replace("Gonogo-Plan: 01J", "Gonogo-Plan: 02J").into();
    remote.carry(&git, &back).await.unwrap();
    assert_eq!(remote.file("main"), later.replace("'1.21'", "'1.20'"));
}

#[tokio::test]
async fn a_broken_clone_is_made_anew() {
    let remote = Remote::new(OVERLAY);
    let git = remote.user("one");
    remote.read(&git).await.unwrap();
    let clone = remote.clone_of("one");
    // A fetch that was killed leaves its lock.
    std::fs::write(clone.join("refs/heads/main.lock"), "").unwrap();
    remote.somebody_writes("other.yaml", "a: 1\n");
    assert_eq!(remote.read(&git).await.unwrap().head, remote.head("main"));
    // Half of it is gone.
    std::fs::remove_dir_all(clone.join("objects")).unwrap();
    std::fs::create_dir(clone.join("objects")).unwrap();
    assert_eq!(remote.read(&git).await.unwrap().value, "v1");
    // It is no repository at all.
    std::fs::remove_dir_all(&clone).unwrap();
    std::fs::create_dir(&clone).unwrap();
    std::fs::write(clone.join("HEAD"), "nonsense").unwrap();
    assert_eq!(remote.read(&git).await.unwrap().value, "v1");
}

#[tokio::test]
async fn a_clone_that_another_process_uses_is_waited_for_and_then_not() {
    let remote = Remote::new(OVERLAY);
    let git = remote.user_with("one", Duration::from_millis(300));
    let patient = remote.user("one");
    remote.read(&patient).await.unwrap();
    let lock = remote.clone_of("one").with_extension("lock");
    let held = std::fs::File::options().write(true).open(lock).unwrap();
    held.lock().unwrap();
    assert_eq!(remote.read(&git).await.unwrap_err(), GitError::Busy("deploys".into()));
    let (read, ()) = tokio::join!(remote.read(&patient), async { held.unlock().unwrap() });
    assert_eq!(read.unwrap().value, "v1");
}

#[tokio::test]
async fn a_repository_that_is_gone_says_so_and_no_credentials_with_it() {
    let remote = Remote::new(OVERLAY);
    let git = remote.user("one");
    let seen = remote.read(&git).await.unwrap();
    remote.vanish();
    let error = remote.read(&git).await.unwrap_err();
    assert!(matches!(&error, GitError::Unreachable { repository, .. } if repository == "deploys"), "{error:?}");
    let error = remote.carry(&git, &remote.change(&seen, "v1", "v2")).await.unwrap_err();
    assert!(matches!(error, GitError::Unreachable { .. }), "{error:?}");
    // Nobody listens there.
    let git = remote.user_of("two", "http://ann:s3cret@127.0.0.1:1/x.git", Duration::from_secs(30));
    let error = remote.read(&git).await.unwrap_err().to_string();
    assert!(error.starts_with("repository deploys cannot be read: ") && !error.contains("s3cret"), "{error}");
    assert!(remote.nothing_below("two", "s3cret"), "the clone's name tells nothing");
}

#[tokio::test]
async fn a_git_that_hangs_is_ended() {
    let remote = Remote::new(OVERLAY);
    let git = remote.user("one");
    remote.read(&git).await.unwrap();
    remote.set("remote.origin.uploadpack", "sh -c ': > \"$HANGS\"; exec sleep 600' --");
    let error = remote.read(&git).await.unwrap_err();
    assert_eq!(
        error,
        GitError::Unreachable { repository: "deploys".into(), why: "git: no answer within 120 s".into() }
    );
}

#[tokio::test]
async fn who_commits_must_be_known() {
    let remote = Remote::new(OVERLAY);
    let git = remote.user("one");
    let seen = remote.read(&git).await.unwrap();
    remote.set("user.useConfigOnly", "true");
    remote.unset("user.email");
    let error = remote.carry(&git, &remote.change(&seen, "v1", "v2")).await.unwrap_err();
    assert!(error.to_string().starts_with("git does not know who commits"), "{error}");
    assert_eq!(remote.head("main"), seen.head);
}

#[tokio::test]
async fn commits_are_signed_where_the_user_signs_his() {
    let remote = Remote::new(OVERLAY);
    let git = remote.user("one");
    let seen = remote.read(&git).await.unwrap();
    // Stands for gpg: it is asked for a signature of what comes in.
    let signer = remote.script("signer", "cat > /dev/null; echo '[GNUPG:] SIG_CREATED ' >&2; echo '-----BEGIN PGP SIGNATURE-----'; echo signed; echo '-----END PGP SIGNATURE-----'");
    remote.set("commit.gpgSign", "true");
    remote.set("user.signingKey", "ann");
    remote.set("gpg.program", &signer);
    remote.carry(&git, &remote.change(&seen, "v1", "v2")).await.unwrap();
    assert!(remote.says(&["cat-file", "commit", "main"]).contains("gpgsig -----BEGIN PGP SIGNATURE-----\n signed"));
    // Who signs and cannot makes no commit without.
    let failing = remote.script("failing", "echo 'no card' >&2; exit 2");
    remote.set("gpg.program", &failing);
    let seen = remote.read(&git).await.unwrap();
    let mut change = remote.change(&seen, "v2", "v3");
    change.message = change.message.replace("Gonogo-Plan: 01J", "Gonogo-Plan: 02J").into();
    let error = remote.carry(&git, &change).await.unwrap_err();
    assert!(matches!(error, GitError::Local(_)), "{error:?}");
    assert_eq!(remote.head("main"), seen.head);
}
