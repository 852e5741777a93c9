//! Long runs of random keys, in a world in which things happen: what leaves a watch screen, and that a
//! console writes nothing that is not in its journal first.

use std::time::Duration;

use gonogo::app::{AppMsg, Mode, Mouse, MouseKind};
use gonogo::domain::record::Fact;
use gonogo::engine::operation::ProposalState;
use gonogo::input::Key;
use gonogo::input::command::COMMANDS;
use gonogo::sim::api::faults::Link;
use gonogo::sim::resources::{CONFIGMAPS, DEPLOYMENTS};
use gonogo::sim::store::{DeleteOptions, Part, Writer};
use gonogo::sim::world::{SimFleet, SimOptions};
use serde_json::Value;

use super::console::{Console, config, fleet, spelled};
use super::tap::Sent;

const REGIONS: [&str; 4] = ["staging", "ap-south-1", "eu-west-1", "us-east-1"];

/// One random thing: a key, most of the time.
async fn something(console: &mut Console, rng: &mut fastrand::Rng) {
    let gap = if rng.u8(..10) == 0 { rng.u64(..20) } else { rng.u64(150..900) };
    console.pass(Duration::from_millis(gap)).await;
    match rng.u8(..100) {
        0..50 => {
            let bound: Vec<&str> = COMMANDS.iter().flat_map(|c| c.keys.iter().copied()).collect();
            for key in bound[rng.usize(..bound.len())].split_whitespace() {
                console.feed(AppMsg::Key(Key::parse(key).unwrap()));
            }
        }
        // Capitals come rarely among all keys, and they are what this is about.
        50..68 => {
            let capital = *rng.choice(["P", "F", "H", "U", "!", "B", "X", "D", "T"].iter()).unwrap();
            console.select(REGIONS[rng.usize(..REGIONS.len())]);
            console.feed(AppMsg::Key(Key::parse(capital).unwrap()));
        }
        68..85 => answer(console, rng).await,
        85..90 => {
            let c = char::from(rng.u8(b'!'..=b'~'));
            console.feed(AppMsg::Key(Key::parse(&spelled(c)).unwrap()));
        }
        90..92 => console.feed(AppMsg::Paste(["ring-2", "y", "webapp\ny", "eu-west-1\r"][rng.usize(..4)].to_owned())),
        92..94 => {
            let kind = [MouseKind::Click, MouseKind::WheelUp, MouseKind::WheelDown][rng.usize(..3)];
            console.feed(AppMsg::Mouse(Mouse { kind, x: rng.u16(..160), y: rng.u16(..50) }));
        }
        94..96 => console.feed(AppMsg::Resize { columns: rng.u16(40..200), rows: rng.u16(10..60) }),
        _ => console.pass(Duration::from_secs(rng.u64(1..25))).await,
    }
}

/// Answers an open prompt as a person would: otherwise hardly anything would ever be written.
async fn answer(console: &mut Console, rng: &mut fastrand::Rng) {
    console.feed(AppMsg::Resize { columns: 160, rows: 50 });
    console.pass(Duration::from_secs(4)).await;
    let ready = matches!(
        console.app.engine.proposal.as_ref().map(|p| &p.state),
        Some(ProposalState::Ready { checking: 0, .. })
    );
    if console.app.prompt().is_none() || !ready {
        return;
    }
    // A plan may have to be read to its end first.
    for _ in 0..6 {
        console.key("pagedown").await;
    }
    if rng.u8(..8) == 0 {
        console.key("esc").await;
    } else {
        console.confirm().await;
    }
}

/// One random thing that others do.
fn happens(fleet: &SimFleet, rng: &mut fastrand::Rng) {
    let region = REGIONS[rng.usize(..REGIONS.len())];
    let server = fleet.api(region).unwrap();
    match rng.u8(..10) {
        0 => server.faults().set_link(Link::Hung),
        1 => server.faults().set_link(Link::Refused),
        2..6 => REGIONS.iter().for_each(|r| fleet.api(r).unwrap().faults().clear()),
        6 => server.faults().cut_watches(),
        7 => server.store().compact(),
        8 => {
            let scale = |object: &mut Value| {
                object["spec"]["replicas"] = 6.into();
                Ok(())
            };
            let hpa = Writer::named("horizontal-pod-autoscaler");
            let _ = server.store().modify(&DEPLOYMENTS, "webapp", "webapp", Part::Main, &hpa, scale);
        }
        _ => {
            let kubectl = Writer::named("kubectl");
            let name = "gonogo-sim-webapp";
            let _ = server.store().delete(&CONFIGMAPS, "webapp", name, &DeleteOptions::default(), &kubectl);
        }
    }
}

/// A run of keys; everything that was sent.
async fn run(mode: Mode, seed: u64, steps: usize) -> Console {
    let fleet = fleet(SimOptions { services: 2, ..SimOptions::default() });
    let config = config(&fleet, |text| text);
    let acts = mode == Mode::Console;
    let mut console = Console::open(&fleet, &config, "ana", mode, seed);
    console.pass(Duration::from_secs(3)).await;
    if acts {
        // Every verb once: random keys alone seldom leave the fleet in a state that may be promoted or drained.
        console.ready().await;
        for (key, region) in
            [("P", "eu-west-1"), ("H", "eu-west-1"), ("U", "eu-west-1"), ("B", "eu-west-1"), ("D", "ap-south-1")]
        {
            console.select(region);
            console.open_prompt(key).await;
            console.confirm().await;
            console.end().await;
            console.pass(Duration::from_secs(5)).await;
        }
    }
    let mut rng = fastrand::Rng::with_seed(seed);
    for step in 0..steps {
        something(&mut console, &mut rng).await;
        if step % 17 == 16 {
            happens(&fleet, &mut rng);
        }
    }
    REGIONS.iter().for_each(|r| fleet.api(r).unwrap().faults().clear());
    console.pass(Duration::from_secs(60)).await;
    fleet.stop().await;
    console
}

/// What promise 5 lets a watch screen send, and nothing else.
fn may_watch(sent: &Sent) -> bool {
    if sent.method != "GET" || sent.headers.contains_key(http::header::UPGRADE) || !sent.body.is_empty() {
        return false;
    }
    if sent.to.starts_with("prometheus ") {
        return matches!(sent.path.as_str(), "/api/v1/query" | "/api/v1/query_range");
    }
    let parts: Vec<&str> = sent.path.trim_start_matches('/').split('/').collect();
    matches!(
        parts.as_slice(),
        ["version"]
            | ["api", "v1", "namespaces", "kube-system"]
            | ["api", "v1", "configmaps"]
            | ["apis", "apps", "v1", "deployments"]
            | ["apis", "gateway.networking.k8s.io", "v1", "httproutes"]
            | ["api", "v1", "namespaces", _, "configmaps"]
            | ["api", "v1", "namespaces", _, "configmaps", _]
            | ["apis", "apps", "v1", "namespaces", _, "deployments" | "replicasets"]
            | ["apis", "apps", "v1", "namespaces", _, "deployments", _]
            // Heartbeats of guards.
            | ["apis", "coordination.k8s.io", "v1", "namespaces", _, "leases", _]
            | ["apis", "gateway.networking.k8s.io", "v1", "namespaces", _, "httproutes"]
            | ["apis", "gateway.networking.k8s.io", "v1", "namespaces", _, "httproutes", _]
    )
}

/// Bookkeeping outside a plan, by the closed list: facts of our own record, one key per fact, and nothing else.
fn is_bookkeeping(sent: &Sent) -> Result<(), String> {
    let body: Value = serde_json::from_slice(&sent.body).map_err(|e| e.to_string())?;
    let (namespace, name) = match sent.path.trim_start_matches('/').split('/').collect::<Vec<_>>().as_slice() {
        ["api", "v1", "namespaces", ns, "configmaps"] => ((*ns).to_owned(), body["metadata"]["name"].clone()),
        ["api", "v1", "namespaces", ns, "configmaps", name] => ((*ns).to_owned(), (*name).into()),
        _ => return Err("not a ConfigMap".to_owned()),
    };
    if name != format!("gonogo-sim-{namespace}") {
        return Err(format!("not our record: {name}"));
    }
    let kind = sent.headers["content-type"].to_str().unwrap();
    let data: Vec<(String, String)> = match (sent.method.as_str(), kind) {
        ("POST", "application/json") => {
            let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
            if keys != ["apiVersion", "data", "kind", "metadata"] {
                return Err(format!("more than a record: {keys:?}"));
            }
            pairs(&body["data"])
        }
        ("PATCH", "application/merge-patch+json") => {
            if body.as_object().unwrap().keys().ne(["data"]) {
                return Err("a patch of more than data".to_owned());
            }
            pairs(&body["data"])
        }
        ("PATCH", "application/json-patch+json") => body
            .as_array()
            .unwrap()
            .iter()
            .filter(|op| op["op"] != "test")
            .map(|op| {
                let key = op["path"].as_str().unwrap().strip_prefix("/data/").unwrap_or("elsewhere");
                (key.to_owned(), op["value"].as_str().unwrap_or_default().to_owned())
            })
            .collect(),
        other => return Err(format!("{other:?}")),
    };
    for (key, value) in &data {
        let settled = key.strip_prefix("settled.").is_some_and(|d| d.len() == 64);
        // Others' holds and quarantines with what ends them; or any fact that had disappeared.
        if !(settled || Fact::parse(key, value).is_some()) {
            return Err(format!("no fact: {key}={value}"));
        }
    }
    if data.is_empty() { Err("nothing".to_owned()) } else { Ok(()) }
}

fn pairs(data: &Value) -> Vec<(String, String)> {
    let text = |v: &Value| v.as_str().unwrap_or("not a text").to_owned();
    data.as_object().map(|d| d.iter().map(|(k, v)| (k.clone(), text(v))).collect()).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn whatever_is_pressed_a_watch_screen_sends_only_reads_of_what_it_watches() {
    for seed in [11] {
        let mode = Mode::Watch { rotate: Some(Duration::from_secs(20)) };
        let console = run(mode, seed, 150).await;
        let sent = console.tap.sent();
        assert!(sent.len() > 100, "{}", sent.len());
        for one in &sent {
            assert!(may_watch(one), "seed {seed}: {one:?}");
        }
        assert!(sent.iter().any(|s| s.query.contains("watch=true")) && sent.iter().any(|s| s.path.ends_with("query")));
        assert!(console.tap.disk.entries().is_empty(), "there is nothing to journal");
        assert!(console.app.engine.operations.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_is_pressed_a_console_writes_nothing_that_its_journal_had_not_made_durable() {
    let mut verbs: Vec<String> = Vec::new();
    for seed in [1, 2] {
        let console = run(Mode::Console, seed, 150).await;
        let writes = console.tap.writes();
        for one in &writes {
            if one.journaled {
                continue;
            }
            assert!(one.audit().starts_with("keep-"), "seed {seed}: written without a journal entry: {one:?}");
            if let Err(why) = is_bookkeeping(one) {
                panic!("seed {seed}: not on the closed list ({why}): {one:?}");
            }
        }
        verbs.extend(console.tap.disk.operations().into_iter().map(|(verb, _)| verb));
    }
    // The runs did what they are about.
    for verb in ["promote", "hold", "resume", "rollback", "drain"] {
        assert!(verbs.iter().any(|v| v == verb), "no {verb} in {verbs:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_requests() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let console = run(Mode::Console, 5, 50).await;
        runs.push(console.tap.sent().iter().map(Sent::line).collect::<Vec<_>>());
    }
    let differs = runs[0].iter().zip(&runs[1]).position(|(a, b)| a != b);
    assert_eq!(differs.map(|at| (&runs[0][at], &runs[1][at])), None);
    assert_eq!(runs[0].len(), runs[1].len());
}

#[tokio::test(start_paused = true)]
async fn a_console_that_became_a_watch_screen_never_writes_again() {
    let fleet = fleet(SimOptions::default());
    let config = config(&fleet, |text| text);
    let mut console = Console::open(&fleet, &config, "ana", Mode::Console, 9);
    console.ready().await;
    console.open_prompt("P").await;
    let last = console.all_but_confirm().await;
    console.feed(AppMsg::Key(Key::plain(gonogo::input::key::Code::Esc)));
    console.key("W").await;
    console.key("y").await;
    assert!(matches!(console.app.setup.mode, Mode::Watch { .. }), "{}", console.state());
    let before = console.tap.sent().len();
    // A hold that somebody else writes would be passed on, and a rollout would be noted, by a console.
    console.feed(AppMsg::Key(Key::char(last)));
    let mut rng = fastrand::Rng::with_seed(9);
    for _ in 0..120 {
        something(&mut console, &mut rng).await;
    }
    let after = console.tap.sent().split_off(before);
    assert!(after.len() > 50);
    for one in &after {
        assert!(may_watch(one), "{one:?}");
    }
    fleet.stop().await;
}
