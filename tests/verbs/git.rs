//! A version that stands in a repository, from the verb to the pods: a commit, what brings it, and what runs.

use std::process::Command;

use crate::fleet::Fleet;

const EU: &str = "webapp/eu-west-1/kustomization.yaml";

/// What git says of the repository.
fn git(fleet: &Fleet, args: &[&str]) -> String {
    let bare = fleet.folder().join("deploys.git");
    let out = Command::new("git").arg("--git-dir").arg(&bare).args(args).output().unwrap();
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn ours(fleet: &Fleet) -> Vec<String> {
    let log = git(fleet, &["log", "--author=Ann", "--format=%s", "main"]);
    log.lines().map(str::to_owned).collect()
}

#[test]
fn a_version_goes_forth_and_back_through_git_although_somebody_pushes_all_the_time() {
    let fleet = Fleet::of("git-race", "");
    fleet.file(".gitconfig", "[user]\nname = Ann\nemail = ann@example.com\n");
    let before = git(&fleet, &["cat-file", "blob", &format!("main:{EU}")]);
    assert!(before.contains("newTag: v2.0.0 # by gonogo"), "{before}");

    // What was shown may be asked for, whatever others push meanwhile.
    let shown = || fleet.run(&["promote", "webapp", "ring-2", "--dry-run"]).out;
    let hash = |text: String| text.lines().find_map(|l| l.trim().strip_prefix("plan ").map(str::to_owned)).unwrap();
    assert_eq!(hash(shown()), hash(shown()));

    let promoted = fleet.run(&["promote", "webapp", "ring-2", "--reason", "it is time", "--confirm", "ring-2"]);
    assert_eq!(promoted.code, 0, "{promoted:?}");
    assert!(promoted.out.contains(" on branch main of deploys"), "{promoted:?}");
    assert_eq!(ours(&fleet), ["webapp eu-west-1: v2.0.0 -> v2.1.0"]);
    let after = git(&fleet, &["cat-file", "blob", &format!("main:{EU}")]);
    assert_eq!(after, before.replace("newTag: v2.0.0 #", "newTag: v2.1.0 #"));
    let message = git(&fleet, &["log", "-1", "--author=Ann", "--format=%B", "main"]);
    assert!(message.trim_end().ends_with("\nGonogo-Reason: it is time"), "{message}");

    let back = fleet.run(&["rollback", "webapp", "ring-2", "--reason", "errors", "--confirm", "ring-2"]);
    assert_eq!(back.code, 0, "{back:?}");
    assert_eq!(ours(&fleet), ["webapp eu-west-1: back, v2.1.0 -> v2.0.0", "webapp eu-west-1: v2.0.0 -> v2.1.0"]);
    assert_eq!(git(&fleet, &["cat-file", "blob", &format!("main:{EU}")]), before);
    // Nobody's work was lost on the way.
    let theirs = git(&fleet, &["log", "--author=Somebody", "--format=%s", "main"]);
    let newest = theirs.lines().next().unwrap();
    let pushes: usize = newest.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(pushes > 0 && theirs.lines().count() > 1, "{theirs}");
    // The journal names the commit.
    let commit = git(&fleet, &["log", "-1", "--author=Ann", "--format=%H", "main"]);
    let files = std::fs::read_dir(fleet.state().join("gonogo/journal")).unwrap().map(|f| f.unwrap().path());
    let journal: String = files.map(|f| std::fs::read_to_string(f).unwrap()).collect();
    assert!(journal.contains(commit.trim()), "{journal}");
}
