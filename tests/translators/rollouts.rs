//! Argo Rollouts: what the plugin says, which requests each state takes, and the table of both in the docs.

use std::fmt::Write as _;

use gonogo::domain::stamp::Timestamp;
use gonogo::domain::steps::Steps;
use gonogo::kinds::{self, Still, Turn};
use gonogo::sim::patch;
use serde_json::{Value, json};

use super::{fixtures, how};

/// Six minutes into the pauses of the fixtures.
fn now() -> Timestamp {
    "2026-03-01T10:06:00Z".parse().unwrap()
}

pub fn describe(steps: &Steps) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: String| writeln!(out, "{name}: {value}").unwrap();
    let text = |t: &Option<gonogo::domain::id::Text>| t.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
    line("says", steps.says.to_string());
    line("at", steps.place());
    let weight = |w: Option<u32>| w.map_or_else(|| "none".to_owned(), |w| w.to_string());
    line(
        "weight",
        format!("{} set, {} actual, of {}", weight(steps.set_weight), weight(steps.actual_weight), steps.most),
    );
    let pauses: Vec<String> = steps.pauses.iter().map(|p| p.text(now())).collect();
    line("waits", if pauses.is_empty() { "no".to_owned() } else { pauses.join("; ") });
    line(
        "hashes",
        format!(
            "stable {}, newest {}, active {}, preview {}",
            text(&steps.stable),
            if steps.current.is_empty() { "none" } else { &steps.current },
            text(&steps.active),
            text(&steps.preview)
        ),
    );
    for (kind, name) in &steps.steers {
        line("steers", format!("{kind} {name}"));
    }
    for run in &steps.analyses {
        line("analysis", format!("{} {} {} {}", run.what, run.name, run.phase, run.message).trim_end().to_owned());
    }
    if steps.aborted || steps.full {
        line("flags", format!("aborted {}, in full {}", steps.aborted, steps.full));
    }
    out
}

/// The states of the fixtures that are read: name and object.
fn states() -> Vec<(String, Value)> {
    let kind = kinds::kind("Rollout").unwrap();
    let all = fixtures("kinds", "Rollout").into_iter();
    let read = |bytes: &Vec<u8>| matches!(kind.read(bytes, &how), Ok(Some(_)));
    all.filter(|(_, bytes, _)| read(bytes)).map(|(n, b, _)| (n, serde_json::from_slice(&b).unwrap())).collect()
}

/// What `kubectl argo rollouts status` prints, written down once more from its documentation.
fn plugin(o: &Value) -> String {
    let number = |path: &str| o.pointer(path).and_then(|v| v.as_i64().or_else(|| v.as_str()?.parse().ok()));
    let count = |path: &str| number(path).unwrap_or(0);
    let is = |path: &str| o.pointer(path) == Some(&json!(true));
    let text = |path: &str| o.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let pauses = o.pointer("/status/pauseConditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let progressing = |why: &str| format!("Progressing - {why}");
    if number("/status/observedGeneration").is_some_and(|g| g < count("/metadata/generation")) {
        return progressing("waiting for rollout spec update to be observed");
    }
    if is("/status/controllerPause") && pauses.is_empty() {
        return progressing("waiting for rollout to unpause");
    }
    let wanted = o.pointer("/metadata/annotations/rollout.argoproj.io~1workload-generation").and_then(Value::as_str);
    if o.pointer("/spec/workloadRef").is_some() && wanted != Some(&text("/status/workloadObservedGeneration")) {
        return progressing("waiting for rollout spec update to be observed for the reference workload");
    }
    let (phase, message) = (text("/status/phase"), text("/status/message"));
    if !phase.is_empty() {
        return if message.is_empty() { phase } else { format!("{phase} - {message}") };
    }
    let conditions = o.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    for c in &conditions {
        if c["reason"] == "RolloutAborted" || c["reason"] == "ProgressDeadlineExceeded" {
            return format!("Degraded - {}: {}", c["reason"].as_str().unwrap(), c["message"].as_str().unwrap());
        }
    }
    if let Some(pause) = pauses.first() {
        return format!("Paused - {}", pause["reason"].as_str().unwrap());
    }
    if count("/status/updatedReplicas") < number("/spec/replicas").unwrap_or(1) {
        return progressing("more replicas need to be updated");
    }
    unreachable!("no fixture of an old controller goes further: {o}")
}

#[test]
fn it_says_what_the_plugin_says() {
    let kind = kinds::kind("Rollout").unwrap();
    for (name, object) in states() {
        let read = kind.read(object.to_string().as_bytes(), &how).unwrap().unwrap().workload;
        let said = gonogo::domain::text::safe(&plugin(&object), 400);
        assert_eq!(*read.progress.steps.unwrap().says, *said, "{name}");
    }
}

/// A turn as one cell.
fn cell(turn: Result<Option<Turn>, Still>) -> String {
    match turn {
        Err(still) => format!("refused: {}", still.why),
        Ok(None) => "nothing to do: it is the stable revision".to_owned(),
        Ok(Some(turn)) => {
            let writes = turn.operations.iter().filter(|o| o["op"] != "test");
            let one = |o: &Value| match &o["value"] {
                Value::Null => format!("`{} {}`", o["op"].as_str().unwrap(), o["path"].as_str().unwrap()),
                value => format!("`{} {} {value}`", o["op"].as_str().unwrap(), o["path"].as_str().unwrap()),
            };
            let written: Vec<String> = writes.map(one).collect();
            let warning = turn.warning.map(|w| format!("; shown: {w}")).unwrap_or_default();
            format!("{}: {}{warning}", turn.label, written.join(", "))
        }
    }
}

fn table() -> String {
    let kind = kinds::kind("Rollout").unwrap();
    let mut out =
        String::from("| state | `kubectl argo rollouts status` | `P` | `F` | `H` | `X` |\n|---|---|---|---|---|---|\n");
    for (name, object) in states() {
        let elsewhere = ["hostile", "garbage", "generation_as", "pause_as", "owned_by", "old_controller_without"];
        if elsewhere.iter().any(|other| name.starts_with(other)) {
            continue;
        }
        let read = kind.read(object.to_string().as_bytes(), &how).unwrap().unwrap().workload;
        let promote = |turn: Result<Option<Turn>, Still>| match kind.elsewhere(&object) {
            Some(still) => format!("refused: {}", still.why),
            None => cell(turn),
        };
        let hold = match kind.pause(&read) {
            _ if read.paused => "is paused already",
            _ if !read.in_flight() => "a fact only: nothing is in flight",
            Some(_) => "`replace /spec/paused true`",
            None => "a fact only: what was given up goes on going back",
        };
        let abort = match kind.abort(&object) {
            _ if !read.in_flight() => "nothing is in flight".to_owned(),
            Some(turn) => cell(Ok(Some(turn))),
            None => "its template goes back, and a pause ends in the same patch".to_owned(),
        };
        let row = [
            name.replace('_', " "),
            read.progress.steps.as_ref().unwrap().says.to_string(),
            promote(kind.let_through(&object)),
            promote(kind.let_all_through(&object)),
            hold.to_owned(),
            abort,
        ];
        writeln!(out, "| {} |", row.map(|c| c.replace('|', "\\|")).join(" | ")).unwrap();
    }
    out
}

#[test]
fn the_docs_say_what_each_state_takes() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/argo-rollouts.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- states: begin -->\n", "<!-- states: end -->");
    let (before, rest) = text.split_once(begin).unwrap();
    let (written, after) = rest.split_once(end).unwrap();
    let table = table();
    if std::env::var_os("GONOGO_BLESS").is_some() {
        std::fs::write(&path, format!("{before}{begin}{table}{end}{after}")).unwrap();
        return;
    }
    assert_eq!(written, table, "GONOGO_BLESS=1 writes it anew; read the difference");
}

#[test]
fn no_turn_can_be_sent_twice_and_none_writes_what_makes_it_pause_again() {
    let kind = kinds::kind("Rollout").unwrap();
    let mut seen = 0;
    for (name, object) in states() {
        let turns = [kind.let_through(&object), kind.let_all_through(&object), Ok(kind.abort(&object))];
        for turn in turns.into_iter().filter_map(|t| t.ok().flatten()) {
            seen += 1;
            assert!(turn.is_status, "{name}: {}", turn.label);
            let writes: Vec<&Value> = turn.operations.iter().filter(|o| o["op"] != "test").collect();
            assert!(writes.iter().all(|o| !o["path"].as_str().unwrap().contains("controllerPause")), "{name}");
            assert!(writes.iter().all(|o| !o["path"].as_str().unwrap().contains("currentStepIndex")), "{name}");
            assert_eq!(turn.operations[0]["path"], "/status/currentPodHash", "{name}");
            let operations = Value::Array(turn.operations.clone());
            let mut after = object.clone();
            patch::json::apply(&mut after, &operations).unwrap();
            assert_ne!(after, object, "{name}: {}", turn.label);
            // Another revision, or another step, is another question.
            let mut moved = object.clone();
            moved["status"]["currentPodHash"] = json!("another");
            assert!(patch::json::apply(&mut moved, &operations).is_err(), "{name}: {}", turn.label);
            if turn.operations.iter().any(|o| o["path"] == "/status/pauseConditions" && o["op"] == "remove") {
                assert!(patch::json::apply(&mut after.clone(), &operations).is_err(), "{name}: twice");
                assert!(kind.let_through(&after).is_err(), "{name}: it is going on");
                let mut moved = object.clone();
                moved["status"]["currentStepIndex"] = json!(17);
                assert!(patch::json::apply(&mut moved, &operations).is_err(), "{name}: the next step");
            }
        }
    }
    assert!(seen > 10, "{seen}");
}

/// ReplicaSets of three revisions: 4 was replaced by 5, which is stable; 6 is the newest.
fn sets() -> Vec<Value> {
    let set = |number: u32, hash: &str| {
        json!({
            "metadata": {
                "name": format!("webapp-{hash}"), "namespace": "shop",
                "labels": {"rollouts-pod-template-hash": hash},
                "annotations": {"rollout.argoproj.io/revision": number.to_string()},
                "ownerReferences": [{"controller": true, "uid": "7d0f8c31-52a4-4b0e-8a76-0c1b5f7a2e11"}],
            },
            "spec": {"template": {
                "metadata": {"labels": {"app": "webapp", "rollouts-pod-template-hash": hash}},
                "spec": {"containers": [{"name": "web", "image": format!("registry.example/webapp:v{number}")}]},
            }},
        })
    };
    vec![set(4, "aaaa"), set(5, "5d4c9bb7f8"), set(6, "bbbb"), set(7, "7bf84f9696")]
}

#[test]
fn the_way_back_is_the_stable_revision_and_never_one_that_was_given_up() {
    let kind = kinds::kind("Rollout").unwrap();
    let (_, object) = states().into_iter().find(|(n, _)| n == "canary_paused_for_ten_minutes").unwrap();
    let owned = sets();
    let past = kind.history(&object, &owned);
    assert_eq!(past.iter().map(|p| p.number).collect::<Vec<_>>(), [7, 6, 5, 4]);
    assert!(past.iter().all(|p| p.template.pointer("/metadata/labels/rollouts-pod-template-hash").is_none()));
    let good = kind.known_good(&object, &owned);
    assert_eq!(good, Some(past[2].digest));
    let no_way: Vec<bool> = past.iter().map(|p| kind.is_no_way_back(&object, &owned, p).is_some()).collect();
    assert_eq!(no_way, [true, true, false, false], "6 and 7 came after the stable one, and never became it");
    let on_way = |at: usize| kind.on_way_back(&object, &owned, &past[at].template).unwrap();
    assert!(on_way(2).at_once && on_way(2).text.contains("skips all 5 steps"), "{:?}", on_way(2));
    assert!(!on_way(3).at_once && on_way(3).text.contains("all 5 steps again"), "{:?}", on_way(3));
    // A ReplicaSet has the server's defaults: what the Rollout says without them is the same.
    let mut defaulted = owned.clone();
    for set in &mut defaulted {
        set["spec"]["template"]["spec"]["restartPolicy"] = json!("Always");
    }
    assert!(kind.on_way_back(&object, &defaulted, &past[2].template).unwrap().at_once);
    let mut running = object.clone();
    running["spec"]["template"] = past[0].template.clone();
    let newest = kind.history(&running, &defaulted).remove(0);
    assert_eq!(Some(newest.digest), kind.digest(&running), "the newest revision is what runs");
    let uid = "7d0f8c31-52a4-4b0e-8a76-0c1b5f7a2e11";
    let children = owned.iter().map(|s| serde_json::from_value(s.clone()).unwrap()).collect();
    let revisions = kind.revisions(uid, children);
    assert_eq!(revisions.iter().map(|r| (r.number, &*r.hash)).next(), Some((7, "7bf84f9696")));
}
