//! Verbs of the built binary, as scripts meet them: exit codes, documents, text that cannot do harm, and never a
//! question that waits for a terminal.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

#[path = "verbs/fleet.rs"]
#[allow(dead_code, reason = "tests of secrets use the rest")]
mod fleet;

#[path = "verbs/git.rs"]
mod git;

use fleet::Fleet;

/// Clears a screen, turns text around, and is a table of its own.
const HOSTILE: &str = "a\u{1b}[2J b\u{202e}c | d\n# e";

#[test]
fn gate_answers_by_its_exit_code_and_explain_says_why() {
    let fleet = Fleet::start("");
    let go = fleet.ends(0, &["gate", "webapp", "ring-2", "--wait", "60s"]);
    assert!(go.out.starts_with("may ring-2 have v2.1.0? GO"), "{go:?}");
    fleet.ends(3, &["gate", "webapp", "ring-3", "--wait", "60s"]);
    let document = fleet.json(3, "gate", &["gate", "webapp", "ring-3", "--wait", "60s"]);
    assert_eq!(document["question"]["ring"], "ring-3");
    let why = fleet.ends(3, &["explain", "webapp", "ring-3", "--wait", "60s"]);
    assert!(why.out.contains("ring-2") && why.out.contains("call: #release-oncall"), "{why:?}");
    let document = fleet.json(3, "explain", &["explain", "webapp", "ring-3", "--wait", "60s"]);
    assert!(!document["causes"].as_array().unwrap().is_empty());
    let wrong = fleet.ends(2, &["gate", "webapp", "ring-22"]);
    assert!(wrong.err.contains("has no ring ring-22"), "{wrong:?}");
    fleet.ends(2, &["gate", "webap", "ring-2"]);
}

#[test]
fn wait_ends_when_it_is_so_or_with_four() {
    let fleet = Fleet::start("");
    let done = fleet.ends(0, &["wait", "webapp", "ring-2", "--for", "go", "--timeout", "90s"]);
    assert!(done.out.starts_with("ring-2: go\n"), "{done:?}");
    let done = fleet.ends(0, &["wait", "webapp", "ring-1", "--for", "settled", "--timeout", "90s"]);
    assert_eq!(done.out, "ring-1: settled\n");
    for what in ["go", "settled"] {
        let late = fleet.ends(4, &["wait", "webapp", "ring-3", "--for", what, "--timeout", "3s"]);
        assert!(late.err.contains("timed out; ring-3"), "{late:?}");
    }
    fleet.ends(2, &["wait", "webapp", "ring-3"]);
}

#[test]
fn handover_fits_the_smallest_terminal_whatever_is_held_and_why() {
    let fleet = Fleet::start("");
    for target in ["webapp", "ring-2", "ring-3", "eu-west-1", "us-east-1"] {
        let held = fleet.json(0, "operation", &["hold", "webapp", target, "--reason", HOSTILE]);
        assert_eq!(held["outcome"], "settled", "{held}");
    }
    let page = fleet.ends(0, &["handover", "webapp", "--wait", "60s"]);
    let lines: Vec<&str> = page.out.lines().collect();
    assert!(lines.len() <= 24, "{page:?}");
    assert!(lines.iter().filter(|l| l.starts_with("HOLD ")).count() >= 5, "{page:?}");
    assert!(lines.iter().any(|l| l.starts_with("WHO ")), "{page:?}");
    let document = fleet.json(0, "handover", &["handover", "webapp", "--wait", "60s"]);
    assert!(document["lines"].as_array().unwrap().len() <= 24);
    let status = fleet.json(3, "status", &["status", "webapp", "--wait", "60s"]);
    assert_eq!(status["services"][0]["holds"].as_array().unwrap().len(), 5);
    assert!(status["verdict"].is_string() && status["services"][0]["regions"].as_array().unwrap().len() == 4);
    fleet.ends(3, &["status", "webapp", "--wait", "60s"]);
    // Raising needs a reason and a name: it is refused, and nobody is asked.
    for args in [
        &["resume", "webapp", "us-east-1"][..],
        &["resume", "webapp", "us-east-1", "--reason", "fixed"],
        &["resume", "webapp", "us-east-1", "--confirm", "us-east-1"],
    ] {
        let refused = fleet.ends(3, args);
        assert!(refused.err.contains("--reason TEXT and --confirm \"us-east-1\""), "{refused:?}");
    }
    fleet.ends(0, &["resume", "webapp", "us-east-1", "--reason", "fixed", "--confirm", "us-east-1"]);
}

#[test]
fn report_tells_what_was_done_as_a_page_and_as_a_document() {
    let fleet = Fleet::start("");
    fleet.ends(0, &["hold", "webapp", "ring-3", "--reason", HOSTILE]);
    let page = fleet.ends(0, &["report", "webapp", "--wait", "60s"]);
    for title in ["What happened", "Overrides", "Broken glass", "Accepted windows", "Drills", "Gates now", "Figures"] {
        assert!(page.out.contains(&format!("\n## {title}")), "{title}: {page:?}");
    }
    let row = page.out.lines().find(|l| l.contains("hold ring:ring-3")).unwrap();
    assert!(row.starts_with("| ") && row.contains("c \\| d"), "no cell of its own: {row}");
    let document = fleet.json(0, "report", &["report", "webapp", "--wait", "60s"]);
    let events = document["events"].as_array().unwrap();
    assert!(events.iter().any(|e| e["what"].as_str().unwrap().starts_with("hold") && e["sort"] == "event"));
    assert_eq!(document["undrilled"].as_array().unwrap().len(), 4);
    fleet.ends(0, &["report", "webapp", "--release", "v9.9.9", "--wait", "60s"]);
    fleet.ends(2, &["report", "webapp", "-o", "yaml"]);
}

#[test]
fn an_approval_is_given_and_taken_back() {
    let fleet = Fleet::start(
        "[identities]\nauthor = \"oncall@example.com\"\n\
         [service.webapp.ring.ring-2]\nentry = [\"freshness\", { gate = \"approval\", users = [\"oncall\"] }]\n",
    );
    let gate = |fleet: &Fleet| {
        let document = fleet.json(3, "gate", &["gate", "webapp", "ring-2", "--wait", "60s"]);
        let rows = document["question"]["rows"].as_array().unwrap().clone();
        rows.iter().find_map(|r| r["gates"]["approval"]["cell"].as_str().map(str::to_owned)).unwrap()
    };
    assert_eq!(gate(&fleet), "0/1");
    let said = fleet.run(&["approve", "webapp", "ring-2"]);
    assert_eq!(said.code, 0, "{said:?}");
    let after = fleet.run(&["explain", "webapp", "ring-2", "--wait", "60s"]);
    assert!(!after.out.contains("has 0 of 1 approvals"), "{after:?}");
    let again = fleet.ends(3, &["approve", "webapp", "ring-2"]);
    assert!(again.err.contains("`gonogo revoke webapp ring-2`"), "a verb names verbs: {again:?}");
    fleet.ends(0, &["revoke", "webapp", "ring-2", "--reason", "not yet"]);
    assert_eq!(gate(&fleet), "0/1");
    fleet.ends(3, &["revoke", "webapp", "ring-2"]);
    let none = fleet.ends(3, &["approve", "webapp", "ring-3"]);
    assert!(none.err.contains("no `approval` gate"), "{none:?}");
}

#[test]
fn a_quarantine_refuses_until_it_is_cleared_with_a_reason() {
    let fleet = Fleet::start("");
    fleet.ends(0, &["quarantine", "webapp", "ap-south-1", "--reason", HOSTILE]);
    fleet.ends(3, &["gate", "webapp", "ring-2", "--wait", "60s"]);
    let refused = fleet.ends(3, &["promote", "webapp", "ring-2", "--reason", "x", "--confirm", "ring-2"]);
    assert!(refused.err.contains("quarantine"), "{refused:?}");
    let refused = fleet.ends(3, &["clear", "webapp", "webapp"]);
    assert!(refused.err.contains("--reason TEXT"), "{refused:?}");
    let hint = refused.err.split("--confirm \"").nth(1).and_then(|t| t.split('"').next()).unwrap().to_owned();
    fleet.ends(0, &["clear", "webapp", "webapp", "--reason", "fixed by config", "--confirm", &hint]);
    fleet.ends(0, &["gate", "webapp", "ring-2", "--wait", "60s"]);
}

#[test]
fn a_quarantine_of_what_later_rings_run_is_shown_and_named_as_the_way_back_that_is_gone() {
    let fleet = Fleet::start("");
    fleet.ends(0, &["quarantine", "webapp", "eu-west-1", "--reason", "leaks"]);
    let status = fleet.run(&["status", "webapp"]);
    assert!(status.out.contains("quarantine v2.0.0: quarantined by oncall: leaks"), "{status:?}");
    let handover = fleet.ends(0, &["handover", "webapp"]);
    assert!(handover.out.contains("QUAR  v2.0.0: quarantined by oncall: leaks"), "{handover:?}");
    let plan = fleet.ends(3, &["promote", "webapp", "ring-2", "--dry-run"]);
    assert!(plan.out.contains("a rollback to it would be refused"), "{plan:?}");
    assert!(!plan.out.contains("returns to what it runs now"), "{plan:?}");
    let none = fleet.ends(3, &["clear", "webapp", "webapp", "--to", "v9", "--reason", "x", "--confirm", "webapp"]);
    assert!(none.err.contains("in force: sha256:"), "{none:?}");
    fleet.ends(0, &["clear", "webapp", "webapp", "--to", "v2.0.0", "--reason", "fixed", "--confirm", "webapp"]);
    assert!(!fleet.run(&["status", "webapp"]).out.contains("quarantine "));
}

#[test]
fn a_resume_says_which_holds_still_cover_what_it_resumed() {
    let fleet = Fleet::start("");
    fleet.ends(0, &["hold", "webapp", "webapp", "--reason", "errors"]);
    fleet.ends(0, &["hold", "webapp", "ring-2", "--reason", "mine"]);
    let args = ["resume", "webapp", "ring-2", "--reason", "fixed", "--confirm", "ring-2"];
    let said = fleet.ends(0, &args);
    assert!(said.out.contains("STILL HELD: service by oncall (errors)"), "{said:?}");
    fleet.ends(0, &["hold", "webapp", "ring-2", "--reason", "again"]);
    let document = fleet.json(0, "operation", &args);
    assert_eq!(document["outcome"], "settled");
    assert!(document["remains"].as_str().unwrap().contains("service by oncall"), "{document}");
    let args = ["resume", "webapp", "webapp", "--reason", "fixed", "--confirm", "webapp"];
    assert_eq!(fleet.json(0, "operation", &args)["remains"], serde_json::Value::Null);
}

#[test]
fn whoever_does_not_wait_leaves_a_journal_that_says_so() {
    let fleet = Fleet::start("");
    let args = ["promote", "webapp", "ring-2", "--reason", "clean", "--confirm", "ring-2", "--wait", "0s"];
    let said = fleet.ends(0, &args);
    assert!(said.out.contains("sent and accepted; the outcome is not waited for"), "{said:?}");
    let listed = fleet.ends(0, &["journal", "list"]);
    assert!(listed.out.contains("not-watched") && !listed.out.contains("LEFT OPEN"), "{listed:?}");
    let journal = fleet.json(0, "journal", &["journal", "list"]);
    let plan = journal["operations"][0]["opened"]["plan"].as_str().unwrap().to_owned();
    let shown = fleet.ends(0, &["journal", "show", &plan]);
    assert!(shown.out.contains("sent and accepted; its outcome was not watched"), "{shown:?}");
}

#[test]
fn what_the_record_lacks_of_a_drain_is_written_before_the_restore_rests_on_it() {
    let fleet = Fleet::start("");
    fleet.ends(0, &["drain", "webapp", "ap-south-1", "--reason", "disks", "--confirm", "ap-south-1"]);
    // As if it had been killed between the route and the record.
    fleet.forget_record("ap-south-1");
    let args = ["restore", "webapp", "ap-south-1", "--reason", "disks are new", "--confirm", "ap-south-1"];
    let dry = fleet.ends(3, &[&args[..], &["--dry-run"]].concat());
    assert!(dry.err.contains("no drain of ours is in force"), "a dry run writes nothing: {dry:?}");
    let done = fleet.ends(0, &args);
    assert!(done.out.contains("restore ap-south-1: settled"), "{done:?}");
}

#[test]
fn what_would_be_overridden_must_be_named_or_have_been_shown() {
    let fleet = Fleet::start("");
    fleet.ends(0, &["promote", "webapp", "ring-2", "--reason", "clean", "--confirm", "ring-2"]);
    fleet.configure("[service.webapp.ring.ring-2]\nexit = [\"ready\"]");
    let args = ["promote", "webapp", "ring-3", "--reason", "all of it", "--confirm", "ring-3"];
    let refused = fleet.ends(3, &args);
    assert!(
        refused.err.contains("refused (not-overridden): promote ring-3 to v2.1.0 would override policy:"),
        "{refused:?}"
    );
    assert!(refused.err.contains("--override policy, or --plan "), "{refused:?}");
    let other = [&args[..], &["--override", "headroom"]].concat();
    assert!(fleet.ends(3, &other).err.contains("not-overridden"));
    fleet.ends(0, &[&args[..], &["--override", "policy"]].concat());
}

#[test]
fn the_services_own_name_means_all_of_it_or_is_refused_by_that_word() {
    let fleet = Fleet::start("");
    let plan = fleet.run(&["rollback", "webapp", "webapp", "--dry-run"]);
    assert!(plan.out.starts_with("roll back webapp\n"), "{plan:?}");
    for args in [
        &["promote", "webapp", "webapp"][..],
        &["drain", "webapp", "webapp"],
        &["rollback", "webapp", "webapp", "--to", "3"],
    ] {
        let refused = fleet.ends(2, args);
        assert!(refused.err.contains("webapp is the whole service"), "{refused:?}");
    }
    // What help shows as an example is what the prompt asks for.
    let help = fleet.ends(0, &["clear", "--help"]);
    assert!(help.out.contains("--confirm webapp\n"), "{help:?}");
}

#[test]
fn what_does_not_stand_in_the_way_is_not_accepted() {
    let fleet = Fleet::start("");
    let refused = fleet
        .ends(3, &["accept", "webapp", "ap-south-1", "--column", "errors", "--reason", "x", "--confirm", "ap-south-1"]);
    assert!(refused.err.contains("nothing that can be accepted"), "{refused:?}");
    let refused = fleet.json(3, "refusal", &["accept", "webapp", "ap-south-1", "--column", "erors"]);
    assert_eq!((&refused["code"], &refused["hint"]), (&"unknown".into(), &"did you mean errors?".into()));
    fleet.ends(2, &["accept", "webapp"]);
}

#[test]
fn a_drill_walks_the_way_back_times_it_and_changes_nothing() {
    let fleet = Fleet::start("");
    let before = fleet.json(0, "status", &["status", "webapp", "--wait", "60s"]);
    let templates = |status: &serde_json::Value| -> Vec<String> {
        let regions = status["services"][0]["regions"].as_array().unwrap();
        regions.iter().map(|r| r["workload"]["template"].as_str().unwrap().to_owned()).collect()
    };
    let drill = fleet.json(0, "drill", &["drill", "webapp", "ring-1"]);
    assert_eq!((&drill["works"], &drill["recorded"]), (&true.into(), &true.into()), "{drill}");
    assert_eq!((&drill["from"], &drill["to"]), (&"v2.1.0".into(), &"v2.0.0".into()));
    assert_eq!(drill["steps"].as_array().unwrap().len(), 2);
    assert!(drill["took_seconds"].as_f64().unwrap() > 0.0);
    // A ring that no release has reached has a way back too.
    let said = fleet.ends(0, &["drill", "webapp", "ring-3"]);
    assert!(said.out.contains("v2.0.0 → v1.9.4") && said.out.contains("recorded"), "{said:?}");
    let after = fleet.json(0, "status", &["status", "webapp", "--wait", "60s"]);
    assert_eq!(templates(&before), templates(&after), "nothing that runs was changed");
    let rings = after["services"][0]["rings"].as_array().unwrap();
    let due: Vec<bool> = rings.iter().map(|r| r["drill_is_due"].as_bool().unwrap()).collect();
    assert_eq!(due, [true, false, true, false], "{rings:?}");
    let plan = fleet.ends(0, &["rollback", "webapp", "ring-1", "--dry-run"]);
    assert!(plan.out.contains("by oncall in ") && plan.out.contains("by dry-run"), "{plan:?}");
    let page = fleet.ends(0, &["handover", "webapp", "--wait", "60s"]);
    assert!(page.out.contains("no rollback of ring-0, ring-2 was drilled"), "{page:?}");
    let wrong = fleet.ends(2, &["drill", "webapp", "ring-9"]);
    assert!(wrong.err.contains("hint: "), "{wrong:?}");

    // For real: its name and a reason, or nothing.
    let refused = fleet.ends(3, &["drill", "webapp", "ring-1", "--for-real", "--reason", "game day"]);
    assert!(refused.err.contains("--confirm \"ring-1\""), "{refused:?}");
    let real = ["drill", "webapp", "ring-1", "--for-real", "--confirm", "ring-1", "--reason", "game day"];
    let real = fleet.json(0, "drill", &real);
    assert_eq!((&real["works"], &real["forward_again"]), (&true.into(), &true.into()), "{real}");
    assert_eq!(real["steps"].as_array().unwrap().len(), 4, "{real}");
    let again = fleet.json(3, "status", &["status", "webapp", "--wait", "60s"]);
    assert_eq!(templates(&before), templates(&again), "it came forward again");
    assert!(again["services"][0]["quarantines"].as_array().unwrap().is_empty(), "{again}");
    let figures = fleet.json(0, "report", &["report", "webapp", "--wait", "60s"]);
    let region = |f: &&serde_json::Value| f["region"] == "ap-south-1";
    assert_eq!(figures["figures"].as_array().unwrap().iter().find(region).unwrap()["rolled_back"], 0, "{figures}");

    // What was rolled back elsewhere for a reason is no drill, and stays in quarantine.
    fleet.ends(0, &["rollback", "webapp", "staging", "--reason", "leaks"]);
    let refused = fleet.ends(3, &["drill", "webapp", "ring-1", "--for-real", "--confirm", "ring-1", "--reason", "x"]);
    assert!(refused.out.contains("not rolled back: refused") && refused.out.contains("leaks"), "{refused:?}");
    let status = fleet.json(3, "status", &["status", "webapp", "--wait", "60s"]);
    assert_eq!(status["services"][0]["quarantines"].as_array().unwrap().len(), 1, "{status}");

    let journal = fleet.json(0, "journal", &["journal", "list"]);
    let titles: Vec<&str> =
        journal["operations"].as_array().unwrap().iter().filter_map(|o| o["opened"]["title"].as_str()).collect();
    assert!(titles.iter().any(|t| t.starts_with("drill ap-south-1: v2.1.0 → v2.0.0")), "{titles:?}");
    fleet.ends(0, &["journal", "verify"]);
    let report = fleet.json(0, "report", &["report", "webapp", "--wait", "60s"]);
    assert!(report["events"].as_array().unwrap().iter().any(|e| e["sort"] == "drilled"));

    // A journal that was edited: whoever reads it is told that something is not shown.
    fleet.edit_journal();
    let listed = fleet.ends(0, &["journal", "list"]);
    assert!(listed.err.contains("is not believed and not shown"), "{listed:?}");
    let report = fleet.ends(0, &["report", "webapp", "--wait", "60s"]);
    assert!(report.out.contains("is not believed and not shown"), "{report:?}");
    fleet.ends(3, &["journal", "verify"]);
}

#[test]
fn steps_of_a_checklist_are_ticked_in_order() {
    let fleet = Fleet::start(
        "[service.webapp.ring.ring-2]\nentry = [\"freshness\", { gate = \"checklist\", name = \"schema\", \
         items = [\"expand\", \"contract\"], reverts = [\"expand: drop it\", \"contract: add it again\"] }]\n",
    );
    let first = fleet.run(&["tick", "webapp", "eu-west-1", "--step", "contract"]);
    assert_eq!(first.code, 3, "{first:?}");
    assert!(first.err.contains("expand comes before contract"), "{first:?}");
    fleet.ends(0, &["tick", "webapp", "eu-west-1", "--step", "expand", "--reason", HOSTILE]);
    fleet.ends(3, &["tick", "webapp", "eu-west-1", "--step", "expand"]);
    fleet.ends(0, &["tick", "webapp", "eu-west-1"]);
    let done = fleet.ends(3, &["tick", "webapp", "eu-west-1"]);
    assert!(done.err.contains("every step is done"), "{done:?}");
    fleet.ends(0, &["untick", "webapp", "eu-west-1", "--step", "contract", "--reason", "reverted"]);
    fleet.ends(2, &["untick", "webapp", "eu-west-1"]);
}

#[test]
fn a_refused_promotion_names_flags_and_verbs_not_keys() {
    let fleet = Fleet::start("");
    let refused = fleet.ends(3, &["promote", "webapp", "ring-3", "--reason", "x", "--confirm", "ring-3"]);
    assert!(refused.err.starts_with("refused ("), "{refused:?}");
    for key in [" F ", " x ", " U ", " B ", " R tries", "hint: F ", "hint: U ", "hint: R "] {
        assert!(!refused.err.contains(key), "{key}: {refused:?}");
    }
    let plan = fleet.ends(0, &["hold", "webapp", "ring-3", "--dry-run"]);
    assert!(plan.out.contains("way back: `gonogo resume` releases the hold"), "{plan:?}");
}

/// Answers that accepted a patch of a workload, in the journals of everybody.
fn accepted(fleet: &Fleet, title: &str) -> usize {
    let journal = fleet.json(0, "journal", &["journal", "list"]);
    let operations = journal["operations"].as_array().unwrap();
    let of = operations.iter().filter(|o| o["opened"]["title"].as_str().unwrap().starts_with(title));
    let answers = of.flat_map(|o| {
        let writes = o["opened"]["steps"][0]["writes"].as_array().unwrap().clone();
        let main = writes.iter().position(|w| w["path"].as_str().unwrap().contains("/deployments/")).unwrap();
        o["steps"][0]["answers"][main.to_string()].as_str().map(str::to_owned)
    });
    answers.filter(|a| a.starts_with("accepted")).count()
}

#[test]
fn two_processes_that_act_at_once_write_once_and_each_is_told_what_came_of_it() {
    let fleet = Fleet::start("");
    let promote = ["promote", "webapp", "ring-2", "--reason", "clean", "--confirm", "ring-2"];
    let roll_back = ["rollback", "webapp", "eu-west-1", "--reason", "errors"];
    for (title, args) in [("promote", &promote[..]), ("roll back", &roll_back)] {
        let both = std::thread::scope(|s| {
            let other = s.spawn(|| fleet.run(args));
            [fleet.run(args), other.join().unwrap()]
        });
        let mut codes = both.iter().map(|d| d.code).collect::<Vec<_>>();
        codes.sort_unstable();
        assert_eq!(codes, [0, 3], "{both:?}");
        let late = both.iter().find(|d| d.code == 3).unwrap();
        let told = format!("{}{}", late.out, late.err);
        let words = ["changed since you looked", "nothing-to-do", "already"];
        assert!(words.iter().any(|w| told.contains(w)), "the slower one is told why: {told}");
        assert_eq!(accepted(&fleet, title), 1, "{both:?}");
    }
    fleet.ends(0, &["journal", "verify"]);
}

#[test]
fn a_check_says_what_is_wrong_with_the_keys_also_where_the_rest_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gonogo.toml");
    std::fs::write(
        &path,
        "[cluster.a]\n[service.web]\nrings = [[\"a\"]]\nexit = [\"redy\"]\n[ui.keys]\npromote = \"H\"\n",
    )
    .unwrap();
    let ran = std::process::Command::new(env!("CARGO_BIN_EXE_gonogo"))
        .args(["check", "--config"])
        .arg(&path)
        .env_clear()
        .env("HOME", folder.path())
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(2), "{said}");
    assert!(said.contains("unknown gate `redy`") && said.contains("[ui.keys]: `H`"), "{said}");
}

#[test]
#[cfg(target_os = "linux")]
fn output_that_cannot_be_written_is_an_error_whatever_the_verb_says() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ran = std::process::Command::new(env!("CARGO_BIN_EXE_gonogo"))
        .args(["print", "config"])
        .stdin(std::process::Stdio::null())
        .stdout(full)
        .output()
        .unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(1), "{said}");
    assert!(said.contains("the output could not be written"), "{said}");
}

#[test]
fn a_journal_that_was_cut_off_or_lost_contradicts_the_fleet() {
    let fleet = Fleet::start("");
    for target in ["ring-2", "ring-3"] {
        fleet.ends(0, &["hold", "webapp", target, "--reason", "odd graphs"]);
    }
    let whole = fleet.ends(0, &["journal", "verify", "--against-fleet"]);
    assert!(whole.out.contains("2 of this host's facts in the fleet stand in its journal"), "{whole:?}");
    let mine = fleet.ends(0, &["journal", "export", "--service", "webapp", "--by", "oncall"]);
    let lines = |said: &str| said.lines().filter(|l| l.contains("\"type\":\"opened\"")).count();
    assert_eq!(lines(&mine.out), 2, "{mine:?}");
    assert_eq!(lines(&fleet.ends(0, &["journal", "export", "--by", "nobody"]).out), 0);
    assert_eq!(lines(&fleet.ends(0, &["journal", "export", "--since", "1h"]).out), 2);

    // The end of the newest file is taken away, at the end of a line: its own chain is whole.
    fleet.cut_journal();
    fleet.ends(0, &["journal", "verify"]);
    let cut = fleet.ends(3, &["journal", "verify", "--against-fleet"]);
    assert!(cut.err.contains("BAD webapp ") && cut.err.contains("no entry here opened it"), "{cut:?}");
    fleet.lose_journal();
    let lost = fleet.ends(3, &["journal", "verify", "--against-fleet"]);
    assert_eq!(lost.err.lines().filter(|l| l.starts_with("BAD ")).count(), 2, "{lost:?}");
}

#[test]
fn a_doctor_says_what_is_well_what_is_not_and_what_to_do() {
    let fleet = Fleet::start("");
    let well = fleet.json(0, "doctor", &["doctor", "--wait", "60s"]);
    assert_eq!(well["state"], "ok", "{well}");
    let results = well["results"].as_array().unwrap();
    let of = |what: &str| results.iter().filter(|r| r["what"].as_str().unwrap().starts_with(what)).count();
    assert!(of("connection ") == 5 && of("cluster ") >= 5 && of("metric webapp ") == 7, "{well}");
    assert_eq!((of("journal"), of("configuration")), (1, 1));
    let connected = fleet.json(0, "check", &["check", "--connect"]);
    assert!(!connected["results"].as_array().unwrap().is_empty(), "a document stands alone on standard output");

    let token = fleet.file("token", "s3cr3t-canary");
    fleet.configure(&format!("[endpoint.board]\nurl = \"http://127.0.0.1:9/\"\nbearer = {{ file = {token:?} }}\n"));
    let doubtful = fleet.ends(0, &["doctor", "--wait", "60s"]);
    assert!(
        doubtful.out.contains("others of this host may read it") && doubtful.out.contains("→ chmod 600"),
        "{doubtful:?}"
    );
    assert!(!doubtful.out.contains("canary"), "{doubtful:?}");
    fleet.edit_kubeconfig("token: ", "token: not-");
    let broken = fleet.ends(5, &["doctor", "--wait", "4s"]);
    assert!(broken.out.contains("FAIL") && broken.out.contains("not logged in"), "{broken:?}");
    assert!(broken.out.contains("`gonogo login`"), "{broken:?}");
}

#[test]
fn a_first_configuration_is_found_shown_and_never_overwrites() {
    let fleet = Fleet::start("");
    let first = fleet.state().join("first.toml");
    let named = first.display().to_string();
    let contexts = ["sim-us-east-1", "sim-staging", "sim-ap-south-1", "sim-eu-west-1"];
    let with: Vec<&str> = contexts.iter().flat_map(|c| ["--context", c]).collect();
    let init = |more: &[&str]| fleet.run_with(&named, &[&["init"], more].concat());
    let asked = init(&["webapp"]);
    assert_eq!(asked.code, 2, "{asked:?}");
    assert!(asked.err.contains("--context") && asked.err.contains("sim-us-east-1"), "{asked:?}");
    let wrong = init(&[&["webap"], &with[..]].concat());
    assert!(wrong.code == 2 && wrong.err.contains("did you mean webapp?"), "{wrong:?}");
    let shown = init(&[&["webapp", "--print"], &with[..]].concat());
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(!first.exists(), "it was only shown");
    let made = init(&[&["webapp", "--yes"], &with[..]].concat());
    assert_eq!((made.code, &made.out), (0, &shown.out), "{made:?}");
    assert!(made.err.contains("ring-0: staging") && made.err.contains("ring-1: ap-south-1"), "{made:?}");
    let again = init(&[&["webapp", "--yes"], &with[..]].concat());
    assert!(again.code == 3 && again.err.contains("is not overwritten"), "{again:?}");
    // What was written is what the program reads: a release can be looked at with it.
    let status = fleet.run_with(&named, &["status", "-o", "json", "--wait", "60s"]);
    assert!(status.out.contains("\"us-east-1\"") && status.out.contains("v2.1.0"), "{status:?}");
}

#[test]
fn whoever_acts_as_another_is_taken_for_him_and_the_journal_says_who_it_was() {
    let fleet = Fleet::start("");
    // The viewer may look, and nothing else; `oncall` may act as others.
    let refused =
        fleet.ends(3, &["--as", "viewer", "hold", "webapp", "ring-2", "--reason", "odd graphs", "--wait", "4s"]);
    assert!(refused.out.contains("viewer") || refused.err.contains("viewer"), "{refused:?}");
    fleet.ends(2, &["--as-group", "ops", "status", "webapp"]);
    fleet.ends(2, &["--as", " ", "status", "webapp"]);
    let doctor = fleet.ends(0, &["--as", "viewer", "doctor", "--wait", "20s"]);
    assert!(doctor.out.contains("token, acting as viewer"), "{doctor:?}");
    assert!(doctor.out.contains("reachable as viewer") && doctor.out.contains("may not patch"), "{doctor:?}");
    let journal = fleet.ends(0, &["journal", "export"]);
    let begin = journal.out.lines().find(|l| l.contains("\"type\":\"begin\"")).unwrap();
    assert!(begin.contains("\"acting_as\":\"viewer\"") && begin.contains("\"user\":\"oncall@"), "{begin}");
    // As the kubeconfig says.
    fleet.edit_kubeconfig("token: \"oncall-token\"", "token: \"oncall-token\"\n    as: viewer");
    let doctor = fleet.ends(0, &["doctor", "--wait", "20s"]);
    assert!(doctor.out.contains("reachable as viewer"), "{doctor:?}");
}

#[test]
fn what_is_no_journal_file_delays_nobody() {
    let fleet = Fleet::start("");
    fleet.ends(0, &["hold", "webapp", "ring-3", "--reason", "odd graphs"]);
    fleet.pipe("state/gonogo/journal/host-01M900000000000000000000000.jsonl");
    fleet.ends(0, &["hold", "webapp", "ring-2", "--reason", "odd graphs"]);
    let bad = fleet.ends(3, &["journal", "verify"]);
    assert!(bad.err.contains("it is no regular file"), "{bad:?}");
    let listed = fleet.ends(0, &["journal", "list"]);
    assert!(listed.out.contains("hold ring-2") && listed.err.contains("it is no regular file"), "{listed:?}");
}
