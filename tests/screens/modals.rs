//! What lies over the board.

use std::collections::BTreeMap;
use std::time::Duration;

use gonogo::app::{AppEffect, AppMsg, Came, Setup, Unfinished};
use gonogo::domain::id::ServiceIx;
use gonogo::domain::intent::{Intent, Target, Verb};

use super::fixture;
use super::stage::Stage;

fn shot(name: &str, keys: &str) {
    let mut stage = Stage::normal((120, 36));
    stage.keys(keys);
    insta::assert_snapshot!(name, stage.text());
}

#[test]
fn help_lists_keys_signs_and_words() {
    shot("help", "?");
    let mut stage = Stage::normal((120, 120));
    stage.keys("?");
    let text = stage.text();
    for word in ["hold-all", "glossary", "template digest", "↺ rolled back"] {
        assert!(text.contains(word) || word == "glossary", "{word}: {text}");
    }
    stage.keys("esc");
    assert!(!stage.text().contains("template digest"));
}

#[test]
fn the_palette_finds_commands_and_says_why_one_cannot_work() {
    shot("palette", ":");
    let mut stage = Stage::normal((120, 36));
    stage.keys(":").types("journ");
    assert!(stage.text().contains("journal"));
    stage.keys("enter");
    assert!(stage.text().contains("operations of this console"));
}

#[test]
fn the_palette_takes_a_target_and_a_version() {
    let mut stage = Stage::normal((120, 36));
    stage.keys(":").types("promote ring-0 v2.2.0").keys("enter");
    let intent = &stage.app.engine.proposal.as_ref().unwrap().intent;
    assert_eq!(intent.target, Target::Ring(0.into()));
    assert_eq!(intent.verb, Verb::Promote { to: Some("v2.2.0".into()), without_wait: false });
}

#[test]
fn why_lists_gates_worst_first() {
    shot("explain", "x");
}

#[test]
fn evidence_is_one_key_away_from_its_cell() {
    let mut stage = Stage::normal((120, 36));
    stage.keys("tab tab right enter");
    let text = stage.text();
    assert!(text.contains("template 3f2a91bc settled"), "{text}");
    insta::assert_snapshot!("evidence", text);
    stage.keys("right");
    assert!(stage.text().contains("ap-south-1 · errors"));
}

/// The chart of a gate: its bound, what was outside, what is unknown, both clocks; and where it stands.
#[test]
fn evidence_shows_the_windows_that_a_verdict_rests_on() {
    for (columns, rows) in [(80, 24), (120, 36), (200, 60)] {
        let mut stage = Stage::of(fixture::judged(), (columns, rows));
        // Left as far as it goes, then the gate by its place: bake, threshold, baseline, coverage, budget.
        for (gate, steps) in [("threshold", 1), ("baseline", 2), ("coverage", 3), ("burn_rate", 4)] {
            stage.keys(if columns == 80 { "v home down" } else { "tab tab home down" });
            stage.keys(&"left ".repeat(8)).keys(&"right ".repeat(steps)).keys("enter");
            let text = stage.text();
            assert!(text.contains(&format!("ap-south-1 · {gate}")), "{gate} {columns}: {text}");
            insta::assert_snapshot!(format!("evidence_{gate}_{columns}x{rows}"), stage.shot());
            let plain = gonogo::screen::text(&stage.buffer(&gonogo::look::Theme::markers().with_ascii(true)));
            assert!(plain.is_ascii(), "{gate} {columns}");
            if gate == "threshold" {
                assert!(text.contains("3 outside") && text.contains("4 unknown"), "{text}");
                assert!(text.contains("UTC") && text.contains("Kolkata"), "{text}");
                insta::assert_snapshot!(format!("evidence_ascii_{columns}x{rows}"), plain);
            }
            stage.keys(if columns == 80 { "esc esc" } else { "esc tab tab tab" });
            if columns != 80 {
                stage.app.focus = gonogo::panes::Pane::Regions;
            }
        }
    }
}

/// While something lies over the board, the bottom line offers its keys and not the board's.
#[test]
fn the_bottom_line_offers_the_keys_of_what_is_on_top() {
    for (keys, offered) in [
        ("P", "Esc leave"),
        ("x", "Esc close"),
        ("?", "PgDn further"),
        (":", "Enter do it"),
        ("W", "y become a watch screen"),
        ("tab tab enter", "←↑↓→ neighbouring cells"),
    ] {
        let mut stage = Stage::normal((120, 36));
        stage.keys(keys);
        let text = stage.text();
        let last = text.lines().last().unwrap();
        assert!(last.contains(offered), "{keys}: {last}");
        assert!(!last.contains("promote") && !last.contains("roll back"), "{keys}: {last}");
    }
}

/// A `?` in a cell has a reason: `x` says it for every region, `d` for one.
#[test]
fn what_is_unknown_has_a_reason() {
    use gonogo::domain::metric::NoData;
    let mut engine = fixture::normal();
    engine.services[0].view.question = None;
    for at in [1, 2] {
        let unreachable = Err(NoData::Unreachable("connection refused".into()));
        engine.services[0].regions[at].current.insert("p99".into(), (fixture::now().wall, unreachable));
    }
    let mut stage = Stage::of(engine, (120, 36));
    stage.keys("x");
    let why = "p99 of ap-south-1, eu-west-1: Prometheus unreachable: connection refused";
    assert!(stage.text().contains(why), "{}", stage.text());
    stage.keys("esc 1 d");
    let text = stage.text();
    assert!(text.contains("? Prometheus unreachable: connection refused"), "{text}");
    assert!(text.contains("0.30 %, "), "{text}");
}

/// The subject of a finding is said once.
#[test]
fn no_name_is_said_twice() {
    use gonogo::domain::finding::{Finding, Severity};
    let finding = |text: &str| Finding::new(Severity::Warning, "x", "eu-west-1", text.to_owned()).said();
    assert_eq!(finding("eu-west-1: paused"), "eu-west-1: paused");
    assert_eq!(finding("paused"), "eu-west-1: paused");
    let mut stage = Stage::normal((120, 36));
    stage.app.engine.services[0].view.question.as_mut().unwrap().rows[0].cells[0] = Some(
        gonogo::domain::verdict::Judgement::new(
            gonogo::domain::verdict::Verdict::NoGo,
            "no",
            "ap-south-1: pods are missing",
        )
        .into(),
    );
    stage.keys("x");
    assert!(!stage.text().contains("ap-south-1 ready: ap-south-1"), "{}", stage.text());
}

/// Another policy somewhere: whose, when, which; and what this console goes by.
#[test]
fn the_policy_of_others_is_named_and_ours_shown_whole() {
    let mut engine = fixture::normal();
    let fleet = engine.fleet.clone();
    let told =
        gonogo::engine::policy_text::told_text(&fleet.services[0], &|at| fleet.cluster_name(at.into()).to_string());
    let theirs = told.unwrap().replacen("parallelism 1", "parallelism 3", 1) + "decider \"\u{1b}[2Jeve\"\n";
    let promoted = gonogo::engine::view::OtherPolicy {
        who: "maria".into(),
        hash: "feedbeef00000000".into(),
        text: None,
        at: Some(fixture::at("20 11:00:00")),
        guards: false,
        regions: vec![1.into()],
    };
    let guards = gonogo::engine::view::OtherPolicy {
        who: "guard-1".into(),
        hash: "beefbeef00000000".into(),
        text: Some(theirs.as_str().into()),
        guards: true,
        ..promoted.clone()
    };
    engine.services[0].view.policies = vec![promoted, guards];
    for size in [(80, 24), (120, 36), (200, 60), (40, 10)] {
        let text = Stage::of(fixture::normal(), size).text();
        assert!(!text.lines().next().unwrap().contains("POLICY"));
    }
    let mut stage = Stage::of(engine, (120, 36));
    assert!(stage.text().lines().next().unwrap().contains("POLICY"), "{}", stage.text());
    stage.keys(":").types("policy").keys("enter");
    let text = stage.text();
    for said in [
        "maria promoted by feedbeef00000000 at 20 Nov 11:00 UTC",
        "its text is not known here",
        "guard-1 guards by beefbeef00000000",
        "here:  ring \"ring-0\" parallelism 1 stagger 0",
        "there: ring \"ring-0\" parallelism 3 stagger 0",
        "there: decider \"␛[2Jeve\"",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    insta::assert_snapshot!("policy", text);
}

#[test]
fn on_a_cell_that_can_be_accepted_the_key_of_the_approvals_accepts() {
    let mut stage = Stage::of(fixture::acceptable(), (120, 36));
    let keys = |stage: &Stage| stage.text().lines().last().unwrap_or_default().to_owned();
    assert!(!keys(&stage).contains("A accept"), "{}", keys(&stage));
    stage.keys("tab tab right right");
    assert!(keys(&stage).contains("A accept  "), "{}", keys(&stage));
    insta::assert_snapshot!("accept_cell", stage.shot());
    stage.keys("enter");
    assert!(stage.text().contains("A accepts errors here, with a reason"), "{}", stage.text());
    stage.keys("A");
    let intent = &stage.app.engine.proposal.as_ref().unwrap().intent;
    assert_eq!(intent.verb, Verb::Accept { column: Some("errors".into()) });
    assert_eq!(intent.target, Target::Regions(vec![1.into()]));
    stage.keys("esc").keys(":").types("accept eu-west-1 errors").keys("enter");
    let intent = &stage.app.engine.proposal.as_ref().unwrap().intent;
    assert_eq!(intent.verb, Verb::Accept { column: Some("errors".into()) });
    assert_eq!(intent.target, Target::Regions(vec![2.into()]));
}

#[test]
fn the_runbook_has_an_offline_copy() {
    let runbooks = BTreeMap::from([(ServiceIx(0), "1. hold\n2. look\n3. roll back".into())]);
    let mut stage = Stage::with(fixture::normal(), Setup { size: (120, 36), runbooks, ..Setup::default() });
    stage.keys("o");
    insta::assert_snapshot!("runbook", stage.text());
}

#[test]
fn what_an_earlier_console_left_open_is_shown_first_and_only_offered() {
    let unfinished = Unfinished {
        title: "promote ring-2 to v2.1.0".into(),
        started: "by oncall, 20 Nov 14:20 UTC, process ended without closing it".into(),
        plan: "01JD".into(),
        steps: vec![
            (Came::Settled, "eu-west-1: settled".into()),
            (Came::Unknown, "us-east-1: started; whether it was sent is unknown".into()),
            (Came::NotStarted, "eu-central-1: not started".into()),
        ],
        intent: Some(Intent {
            service: ServiceIx(0),
            verb: Verb::Promote { to: None, without_wait: false },
            target: Target::Ring(2.into()),
            reason: None,
        }),
        facts: Vec::new(),
    };
    let setup = Setup { size: (120, 36), unfinished: vec![unfinished], ..Setup::default() };
    let mut stage = Stage::with(fixture::normal(), setup);
    insta::assert_snapshot!("unfinished", stage.text());
    stage.keys("enter y");
    assert!(stage.app.engine.proposal.is_none() && stage.effects.is_empty());
    stage.keys("esc");
    assert!(!stage.text().contains("left open"));
    stage.keys("T");
    assert!(stage.text().contains("left open"), "T shows again what Esc left: {}", stage.text());
    stage.keys("T");
    assert!(stage.app.prompt().is_some());
}

fn left_open(intent: Option<Intent>) -> Stage {
    let steps = vec![(Came::Unknown, "us-east-1: started; whether it was sent is unknown".into())];
    let (plan, title) = ("01JD".into(), "promote ring-2 to v2.1.0".into());
    let left = Unfinished { plan, title, started: "anna@host at 20 Nov".into(), steps, intent, facts: Vec::new() };
    Stage::with(fixture::normal(), Setup { size: (120, 36), unfinished: vec![left], ..Setup::default() })
}

#[test]
fn what_is_not_known_of_a_step_is_never_a_green_tick() {
    let stage = left_open(None);
    assert!(stage.text().contains("? us-east-1: started"), "{}", stage.text());
}

#[test]
fn a_person_closes_in_the_journal_what_was_left_open() {
    let mut stage = left_open(None);
    stage.keys("T");
    assert!(stage.text().contains("it can only be closed"), "{}", stage.text());
    stage.keys("C");
    assert!(matches!(stage.effects.as_slice(), [AppEffect::CloseLeft { plan, goes_on: None }] if &**plan == "01JD"));
    let answer = |result| AppMsg::LeftClosed { plan: "01JD".into(), result };
    stage.send(Duration::from_millis(50), answer(Err("disk full".into())));
    assert!(stage.text().contains("not closed: disk full") && stage.text().contains("left open"));
    stage.send(Duration::from_millis(50), answer(Ok(())));
    assert!(!stage.text().contains("left open"), "{}", stage.text());
    stage.keys("T");
    assert!(stage.text().contains("no operation that did not settle"), "{}", stage.text());
}

/// Otherwise the journal would show it as left open for ever, beside what went on with it.
#[test]
fn going_on_with_what_was_left_open_closes_it_when_the_new_plan_begins() {
    let intent = Intent {
        service: ServiceIx(0),
        verb: Verb::RollBack { to_revision: None },
        target: Target::Ring(1.into()),
        reason: None,
    };
    let mut stage = left_open(Some(intent));
    stage.keys("T");
    let proposal = stage.app.engine.proposal.as_mut().unwrap();
    let (id, mut plan) = (proposal.id, fixture::plan(proposal.id, Verb::RollBack { to_revision: None }, Vec::new()));
    plan.blast.share = Some(0.001);
    let challenge = gonogo::domain::challenge::challenge(&plan);
    proposal.state = gonogo::engine::operation::ProposalState::Ready { plan: plan.into(), challenge, checking: 0 };
    stage.wait(Duration::from_millis(400));
    let closed = |stage: &Stage| {
        stage.effects.iter().any(
            |e| matches!(e, AppEffect::CloseLeft { plan, goes_on: Some(next) } if &**plan == "01JD" && *next == id),
        )
    };
    assert!(!closed(&stage), "not before somebody said yes");
    stage.keys("y");
    assert!(closed(&stage), "{}", stage.text());
}

/// A stop gets through whatever lies over the board.
#[test]
fn the_stop_works_over_every_modal() {
    let held = |stage: &Stage| {
        let proposed = |e: &AppEffect| matches!(e, AppEffect::Engine(_));
        stage.app.holding.is_some() || stage.effects.iter().any(proposed)
    };
    for keys in ["?", "x", "o", "W", "tab tab right enter", "P", "H"] {
        let mut stage = Stage::normal((120, 36));
        stage.keys(keys);
        assert!(!stage.app.modals.is_empty(), "{keys}");
        stage.effects.clear();
        if stage.app.prompt().is_some_and(|_| stage.text().contains("type ")) {
            continue;
        }
        stage.keys("!");
        assert!(held(&stage), "`!` over {keys}: {}", stage.text());
    }
    let mut stage = left_open(None);
    stage.keys("!");
    assert!(held(&stage), "`!` over what was left open");
}

#[test]
fn a_stop_typed_as_text_says_how_to_stop() {
    for keys in [":", "/"] {
        let mut stage = Stage::normal((120, 36));
        stage.keys(keys).types("!");
        assert!(stage.app.holding.is_none());
        let notice = stage.app.notice.as_ref().unwrap_or_else(|| panic!("{keys}: nothing is said"));
        assert!(notice.text.contains("Esc, then !"), "{}", notice.text);
    }
}

#[test]
fn a_watch_screen_is_asked_for_and_cannot_be_left() {
    let mut stage = Stage::normal((120, 36));
    stage.keys("W");
    insta::assert_snapshot!("ask_watch", stage.text());
    stage.keys("esc");
    assert!(stage.effects.is_empty());
    stage.keys("W y");
    assert!(matches!(stage.effects.as_slice(), [AppEffect::BecomeWatch]));
    for key in ["P", "H", "B", "D", "X", "!", "F", "U", "T", "ctrl-x"] {
        stage.keys(key);
        assert!(stage.app.engine.proposal.is_none() && stage.app.holding.is_none(), "{key}");
        assert!(stage.app.notice.as_ref().unwrap().text.contains("watch screen"), "{key}");
    }
    assert_eq!(stage.effects.len(), 1);
}

#[test]
fn the_filter_narrows_and_escape_widens() {
    let mut stage = Stage::normal((120, 36));
    stage.keys("/").types("eu");
    let text = stage.text();
    assert!(text.contains("1 of 4 match “eu”"), "{text}");
    stage.keys("enter");
    assert_eq!(stage.app.picks.region, Some(2.into()));
    stage.keys("esc");
    assert!(stage.text().contains("us-east-1  "));
}

#[test]
fn a_key_that_cannot_work_says_why() {
    let mut stage = Stage::normal((120, 36));
    for (key, why) in [
        ("U", "there is nothing to undo"),
        ("T", "no operation that did not settle"),
        ("X", "nothing is in flight"),
        ("R", "every cluster is connected"),
        (".", "this fleet has one service"),
        ("ctrl-t", "`ctrl-t` is not bound"),
        ("9", "there is no row 9"),
    ] {
        stage.keys(key);
        assert!(stage.text().contains(why), "{key}: {}", stage.text());
    }
    stage.keys("j j j D");
    assert!(stage.text().contains("no route is configured for staging"), "{}", stage.text());
}

/// A person looks at a breach: one question for the newest exemplar of its worst window, its trace as a
/// link that `c` copies. What is not breached asks nothing, and a hostile id becomes no link.
#[test]
fn the_evidence_of_a_breach_links_a_trace() {
    use gonogo::app::AppEffect;
    use gonogo::domain::exemplar::Exemplar;
    use gonogo::domain::observation::Observation;
    use gonogo::domain::question::Span;
    use gonogo::engine::effect::{Effect, Msg};
    let asked = |stage: &mut Stage| -> Vec<_> {
        let effects = std::mem::take(&mut stage.effects).into_iter();
        let question = |e| match e {
            AppEffect::Engine(Effect::Ask(q)) if matches!(q.span, Span::Exemplars { .. }) => Some(q),
            _ => None,
        };
        effects.filter_map(question).collect()
    };
    for (id, shown) in [
        ("4bf92f3577b34da6a3ce929d0e0e4736", "https://traces.example/t/4bf92f3577b34da6a3ce929d0e0e4736"),
        ("../\u{1b}[2Jadmin", "trace ../␛[2Jadmin"),
    ] {
        let mut engine = fixture::judged();
        // Somebody must be there to ask.
        let fleet = std::sync::Arc::make_mut(&mut engine.fleet);
        fleet.prometheuses = vec!["main".into()];
        fleet.clusters.iter_mut().for_each(|c| c.prometheus = Some(gonogo::domain::id::PrometheusIx(0)));
        let trace_url = Some("https://traces.example/t/{{trace_id}}".into());
        let mut stage = Stage::with(engine, Setup { size: (120, 36), trace_url, ..Setup::default() });
        stage.keys("tab tab home down").keys(&"left ".repeat(8)).keys("enter");
        assert!(asked(&mut stage).is_empty(), "the bake is no breach of a metric");
        stage.keys("right");
        let question = asked(&mut stage).pop().expect("a question about the breach");
        assert!(stage.text().contains("looking for a trace of the worst window"), "{}", stage.text());
        stage.keys("left right");
        assert!(asked(&mut stage).is_empty(), "asked once");
        let Span::Exemplars { first, last } = question.span else { panic!() };
        assert_eq!(last.duration_since(first).as_secs(), 300);
        let exemplar = Exemplar { at: last, value: 0.71, trace: id.into(), series: "http_requests_bucket".into() };
        let found = vec![(gonogo::domain::id::RegionIx(1), Ok(Some(exemplar)))];
        let seen = Observation::Exemplars { service: question.service, column: question.column.clone(), last, found };
        stage.send(Duration::from_millis(50), AppMsg::Engine(Msg::Seen(seen)));
        let text = stage.text();
        assert!(text.contains(shown), "{text}");
        if shown.starts_with("https") {
            insta::assert_snapshot!("evidence_trace", stage.shot());
        }
        stage.keys("c");
        let copied = stage.effects.iter().find_map(|e| match e {
            AppEffect::Copy(text) => Some(text.to_string()),
            _ => None,
        });
        assert_eq!(copied.unwrap(), shown.strip_prefix("trace ").unwrap_or(shown));
    }
}
