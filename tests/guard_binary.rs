//! The built guard against the built simulation, as a cluster would run it: probes, a breach, signals, a kill
//! in the middle of a write, and another guard beside it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    missing_docs,
    reason = "tests"
)]

#[path = "terminal/pty.rs"]
#[allow(dead_code, reason = "terminal tests use the rest")]
mod pty;
#[path = "guard_binary/stage.rs"]
mod stage;

use std::path::Path;

use pty::{Pty, Start};
use rustix::process::Signal;
use stage::{Guard, Sim, Way, home, journal, state, until};

/// The ring that the release comes into.
const EU: &str = "eu-west-1";
/// A minute of the simulation in a second.
const FAST: u32 = 60;
/// In the scenario `regression`, the new version fails in eu-west-1 and nowhere else.
const ROLLBACK: &str = "[service.webapp.policy]\non_nogo = \"rollback\"";

fn guarding(sim: &Sim, home: &Path) -> Guard {
    let guard = Guard::start(sim, home, &["--mode", "guard"]);
    ready(&guard);
    guard
}

fn ready(guard: &Guard) {
    until("the guard is ready", || (guard.get("/readyz").0 == 200).then_some(()));
}

/// Rolled back, and seen to be so by its guard.
fn back(sim: &Sim, guard: &Guard, before: &str) {
    guard.shows("gonogo_actions_ended_total{action=\"rollback\",outcome=\"settled\"}", 1);
    assert_eq!(sim.image(EU), before);
}

/// What the facts of rollbacks in a region give as reasons.
fn reasons(sim: &Sim) -> Vec<String> {
    let line = |fact: &String| fact.lines().find_map(|l| l.strip_prefix("reason=")).unwrap_or(fact).to_owned();
    sim.facts(EU, "rolled-back").iter().map(line).collect()
}

#[test]
fn a_breach_is_rolled_back_once_and_sigterm_gives_the_lease_back() {
    let sim = Sim::start("regression", FAST, ROLLBACK);
    let home = home();
    let mut guard = guarding(&sim, home.path());
    assert_eq!(guard.get("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(guard.metric("gonogo_guard_mode{mode=\"guard\"}"), Some(1));
    assert_eq!(guard.metric("gonogo_guard_lessened"), Some(0));
    guard.shows("gonogo_lease_held{service=\"webapp\",region=\"eu-west-1\"}", 1);
    let (before, generation) = (sim.image(EU), sim.generation(EU));
    let bad = sim.bring("ap-south-1", EU);
    assert_ne!(before, bad);
    back(&sim, &guard, &before);
    // The faults stay in its history, and it looks at them again and again.
    sim.renewed(EU, 2);
    assert_eq!(sim.image(EU), before);
    assert_eq!(sim.generation(EU), generation + 2, "one release, one rollback");
    assert_eq!(sim.patches(), [EU], "and nothing of any other region");
    let reasons = reasons(&sim);
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert!(reasons[0].starts_with("by policy: ") && reasons[0].contains("says NO-GO"), "{reasons:?}");
    assert_eq!(guard.metric("gonogo_actions_started_total{action=\"rollback\"}"), Some(1));
    for line in guard.log() {
        for key in ["at", "level", "target", "message"] {
            assert!(line[key].is_string(), "no {key}: {line}");
        }
    }
    guard.signal(Signal::TERM);
    assert_eq!(guard.exit().code(), Some(143), "128 and the signal's number");
    let lease = sim.lease(EU);
    assert!(lease["holderIdentity"].is_null() && lease["renewTime"].is_string(), "given back: {lease}");
    let (code, text) = journal(&sim, home.path(), &["verify"]);
    assert_eq!(code, Some(0), "{text}");
    // Who comes next need not wait until it has run out: it is taken at the first look.
    let next = guarding(&sim, home.path());
    next.shows("gonogo_lease_held{service=\"webapp\",region=\"eu-west-1\"}", 1);
    assert_eq!(sim.lease(EU)["leaseTransitions"], 1);
    assert_eq!(next.metric("gonogo_interrupted_plans"), Some(0));
}

#[test]
fn where_the_policy_holds_a_breach_is_held_once_and_people_are_told_once() {
    let home = home();
    let (chat_url, chat) = stage::receiver(false, &[503]);
    let (stuck_url, stuck) = stage::receiver(true, &[]);
    let mut policy = "[service.webapp.policy]\non_nogo = \"hold\"\nscope = \"ring\"\n".to_owned();
    for (name, form, url) in [("chat", "generic", &chat_url), ("stuck", "slack", &stuck_url)] {
        let file = home.path().join(name);
        std::fs::write(&file, url).unwrap();
        policy += &format!("[notify.{name}]\nurl = {{ file = {file:?} }}\nform = {form:?}\n");
    }
    let sim = Sim::start("regression", FAST, &policy);
    let guard = guarding(&sim, home.path());
    let generation = sim.generation(EU);
    let bad = sim.bring("ap-south-1", EU);
    // One receiver hangs from the first message on: nothing waits for it.
    guard.shows("gonogo_holds{service=\"webapp\"}", 1);
    let of_kind = |kind: &str| -> Vec<serde_json::Value> {
        chat.lock().unwrap().iter().filter(|m| m["kind"] == kind).cloned().collect()
    };
    until("people are told", || (!of_kind("hold").is_empty()).then_some(()));
    sim.renewed(EU, 2);
    assert_eq!(guard.metric("gonogo_holds{service=\"webapp\"}"), Some(1));
    assert_eq!((sim.image(EU), sim.generation(EU)), (bad, generation + 1), "what runs is left alone");
    assert!(sim.patches().is_empty(), "{:?}", sim.patches());
    for region in ["staging", "ap-south-1", EU, "us-east-1"] {
        assert_eq!(sim.facts(region, "hold").len(), 1, "{region}: one fact, and in every region");
    }
    let holds = of_kind("hold");
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert!(holds[0]["text"].as_str().unwrap().contains("by policy: "), "{holds:?}");
    assert!(of_kind("verdict").iter().any(|m| m["text"].as_str().unwrap().starts_with("ring-2: NO-GO")));
    // The first message was sent again after 503; no other came twice.
    let all: Vec<String> = chat.lock().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(all[0], all[1], "{all:?}");
    let different: std::collections::BTreeSet<&String> = all[1..].iter().collect();
    assert_eq!(different.len(), all.len() - 1, "{all:#?}");
    let text = stuck.lock().unwrap()[0].clone();
    assert_eq!(text.as_object().unwrap().keys().collect::<Vec<_>>(), ["text"], "as Slack and its like take it");
    assert!(guard.log().iter().all(|line| !line.to_string().contains("s3cret")), "an address is a secret");
}

#[test]
fn sigterm_in_the_middle_of_a_rollback_waits_for_what_was_sent() {
    let sim = Sim::start("regression", FAST, ROLLBACK);
    let home = home();
    let mut guard = guarding(&sim, home.path());
    let (before, generation) = (sim.image(EU), sim.generation(EU));
    sim.way(Way::Kept);
    sim.bring("ap-south-1", EU);
    until("the rollback is sent", || (sim.patches() == [EU]).then_some(()));
    guard.signal(Signal::TERM);
    guard.says("nothing new is begun, and what was sent is waited for");
    sim.way(Way::Open);
    assert_eq!(guard.exit().code(), Some(143));
    assert_eq!((sim.image(EU), sim.generation(EU)), (before, generation + 2), "what was sent arrived");
    assert_eq!(reasons(&sim).len(), 1, "and the record says so");
    assert!(sim.lease(EU)["holderIdentity"].is_null());
    // The journal has what came of the write; nothing is sent a second time.
    let next = guarding(&sim, home.path());
    next.shows("gonogo_lease_held{service=\"webapp\",region=\"eu-west-1\"}", 1);
    sim.renewed(EU, 1);
    assert_eq!(sim.patches(), [EU]);
}

#[test]
fn a_rollback_that_was_killed_is_continued_by_a_plan_that_names_it() {
    let sim = Sim::start("regression", FAST, ROLLBACK);
    let home = home();
    let guard = guarding(&sim, home.path());
    let (before, generation) = (sim.image(EU), sim.generation(EU));
    sim.way(Way::Kept);
    let bad = sim.bring("ap-south-1", EU);
    until("the rollback is sent", || (sim.patches() == [EU]).then_some(()));
    guard.kill();
    sim.way(Way::Lost);
    assert_eq!(sim.image(EU), bad, "it never arrived");
    sim.way(Way::Open);
    let guard = Guard::start(&sim, home.path(), &["--mode", "guard"]);
    let said = guard.says("was left open, and is taken up again");
    let old = said.split("plan ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    until("the rollback", || (sim.image(EU) == before).then_some(()));
    guard.shows("gonogo_actions_ended_total{action=\"continue\",outcome=\"settled\"}", 1);
    let reasons = reasons(&sim);
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert!(reasons[0].starts_with(&format!("by policy: continues {old} (")), "{reasons:?}");
    assert_eq!(sim.generation(EU), generation + 2, "one release, one rollback");
    let (_, text) = journal(&sim, home.path(), &["show", &old]);
    assert!(text.contains("continued by"), "the old plan is closed: {text}");
}

#[test]
fn a_promotion_that_was_killed_waits_for_a_person() {
    let policy = "[service.webapp.policy]\non_nogo = \"rollback\"\nadvance = \"auto\"";
    let sim = Sim::start("steady", 1, policy);
    let home = home();
    let guard = Guard::start(&sim, home.path(), &["--mode", "autopilot"]);
    let before = sim.image(EU);
    sim.way(Way::Kept);
    until("the promotion is sent", || (sim.patches() == [EU]).then_some(()));
    guard.kill();
    sim.way(Way::Lost);
    sim.way(Way::Open);
    let guard = Guard::start(&sim, home.path(), &["--mode", "autopilot"]);
    guard.says("was left open, and waits for a person");
    ready(&guard);
    // It has the right to promote, and GO; the only thing that it lacks is a person.
    guard.shows("gonogo_lease_held{service=\"webapp\",region=\"eu-west-1\"}", 1);
    sim.renewed(EU, 1);
    guard.shows("gonogo_question_verdict{service=\"webapp\",ring=\"ring-2\"}", 0);
    assert_eq!(guard.metric("gonogo_interrupted_plans"), Some(1));
    assert_eq!((sim.patches().len(), sim.image(EU)), (1, before));
}

#[test]
fn two_guards_write_once_and_a_dead_one_is_an_alarm_on_a_console() {
    let sim = Sim::start("regression", FAST, ROLLBACK);
    let (one, two) = (home(), home());
    let guards = [guarding(&sim, one.path()), guarding(&sim, two.path())];
    let held = |g: &Guard| g.metric("gonogo_lease_held{service=\"webapp\",region=\"eu-west-1\"}").unwrap_or(0);
    until("one has the lease", || (guards.iter().map(held).sum::<u64>() == 1).then_some(()));
    let (before, generation) = (sim.image(EU), sim.generation(EU));
    sim.bring("ap-south-1", EU);
    until("the rollback", || (sim.image(EU) == before).then_some(()));
    sim.renewed(EU, 2);
    assert_eq!((sim.image(EU), sim.generation(EU)), (before, generation + 2), "one of them rolled it back");
    assert_eq!(reasons(&sim).len(), 1, "{:?}", reasons(&sim));
    let done = "gonogo_actions_ended_total{action=\"rollback\",outcome=\"settled\"}";
    let did: u64 = guards.iter().filter_map(|g| g.metric(done)).sum();
    assert_eq!(did, 1, "{:#?}", guards.iter().map(|g| g.get("/metrics").1).collect::<Vec<_>>());
    // Both die: nobody renews any more.
    let pty = Pty::start(&Start { args: &["--config", &sim.config, "watch"], size: (200, 60), env: &[] });
    pty.wait_text("webapp");
    guards.into_iter().for_each(Guard::kill);
    pty.wait_text("GUARD SILENT");
}

#[test]
fn without_a_journal_that_lasts_it_says_so_and_only_advises() {
    let sim = Sim::start("regression", FAST, ROLLBACK);
    let home = home();
    let guard = Guard::start_in(&sim, home.path(), Path::new("/proc/self/gonogo"), &["--mode", "guard"]);
    let said = guard.says("no durable journal, so it only advises");
    assert!(said.contains("give it --state on a volume that lasts"), "{said}");
    assert!(guard.log().iter().any(|l| l["level"] == "error" && l["message"].as_str() == Some(&*said)));
    assert_eq!(guard.metric("gonogo_guard_mode{mode=\"advise\"}"), Some(1));
    assert_eq!(guard.metric("gonogo_guard_lessened"), Some(1));
    let (code, why) = guard.get("/readyz");
    assert!(code == 503 && why.contains("no durable journal"), "{code} {why}");
    assert_eq!(guard.get("/healthz").0, 200, "it lives, and says what it sees");
    let bad = sim.bring("ap-south-1", EU);
    guard.says("ring-2: NO-GO");
    sim.renewed(EU, 1);
    assert_eq!(sim.image(EU), bad);
    assert!(sim.patches().is_empty(), "{:?}", sim.patches());
    assert!(!state(home.path()).join("journal").exists(), "nothing is journaled elsewhere instead");
}

#[test]
fn names_that_nobody_has_are_usage_errors() {
    let sim = Sim::start("steady", 1, "");
    let home = home();
    let run = |args: &[&str]| {
        let output = stage::command(&sim, home.path()).arg("guard").args(args).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, text) = run(&["webap"]);
    assert!(code == Some(2) && text.contains("there is no service webap; did you mean webapp?"), "{code:?} {text}");
    let (code, text) = run(&["--region", "eu-west-2"]);
    assert!(code == Some(2) && text.contains("there is no region eu-west-2"), "{code:?} {text}");
}
