//! What a guard is made of: a shell that judges nothing, manifests with the rights it needs and no
//! others, and webhooks that nobody waits for.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gonogo::config::{NotifyForm, Secret, Webhook};
use gonogo::engine::effect::{Notice, NoticeKind};
use gonogo::io::connect::ProxyEnv;
use gonogo::io::notify::{Notifier, Teller, body};
use gonogo::io::prometheus::{HttpStack, Network};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

#[test]
fn the_shell_of_a_guard_names_no_gate() {
    let folder = root().join("src/run/guard");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // Tests read manifests, where `resources` is a word of RBAC.
        if path.ends_with("tests.rs") || path.is_dir() {
            continue;
        }
        let source = std::fs::read_to_string(path).unwrap();
        let code: String = source.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        assert!(!code.contains("gates::"), "a guard judges with the engine");
        for gate in gonogo::gates::GATES {
            let named = format!("\"{}\"", gate.name());
            assert!(!code.contains(&named), "{named} is named in run/guard");
        }
        read += 1;
    }
    assert!(read >= 3);
}

/// Every document of every manifest.
fn manifests() -> Vec<(String, Value)> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(root().join("deploy")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "yaml") {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            for part in std::fs::read_to_string(&path).unwrap().split("\n---\n") {
                let value: Value = serde_saphyr::from_str(part).unwrap_or_else(|e| panic!("{name}: {e}"));
                out.push((name.clone(), value));
            }
        }
    }
    out
}

#[test]
fn every_manifest_is_an_object_of_kubernetes() {
    let all = manifests();
    assert!(all.len() >= 10);
    for (file, object) in &all {
        for pointer in ["/apiVersion", "/kind", "/metadata/name"] {
            assert!(object.pointer(pointer).and_then(Value::as_str).is_some(), "{file}: no {pointer}");
        }
    }
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect()
}

/// Verb, group and resource of every rule of a role.
fn rights(role: &str) -> BTreeSet<(String, String, String)> {
    let mut out = BTreeSet::new();
    for (_, object) in manifests() {
        if object["kind"] != "ClusterRole" || object["metadata"]["name"] != role {
            continue;
        }
        for rule in object["rules"].as_array().unwrap() {
            for group in strings(&rule["apiGroups"]) {
                for resource in strings(&rule["resources"]) {
                    for verb in strings(&rule["verbs"]) {
                        out.insert((verb.to_owned(), group.to_owned(), resource.to_owned()));
                    }
                }
            }
        }
    }
    assert!(!out.is_empty(), "there is no role {role}");
    out
}

#[test]
fn roles_hold_no_wildcard_no_secret_and_no_deletion_and_the_reader_does_not_write() {
    for role in ["gonogo-reader", "gonogo-operator", "gonogo-guard", "gonogo-guard-drain", "gonogo-guard-delivery"] {
        for (verb, group, resource) in rights(role) {
            assert!(![&verb, &group, &resource].iter().any(|w| w.contains('*')), "{role}: {verb} {group} {resource}");
            assert!(!verb.starts_with("delete") && resource != "secrets", "{role}: {verb} {resource}");
        }
    }
    let reads = |verb: &str| ["get", "list", "watch"].contains(&verb);
    assert!(rights("gonogo-reader").iter().all(|(verb, ..)| reads(verb)));
    // A guard writes what an operator writes in its namespace, and its lease; no routes.
    let guard = rights("gonogo-guard");
    let more: Vec<_> = guard.difference(&rights("gonogo-operator")).cloned().collect();
    assert!(more.iter().all(|(_, _, resource)| resource == "leases"), "{more:?}");
    assert!(guard.iter().all(|(_, _, resource)| resource != "httproutes"));
}

#[test]
fn the_roles_cover_every_workload_kind() {
    let right = |verb: &str, api: &gonogo::domain::change::ApiType| {
        (verb.to_owned(), api.group.to_string(), api.plural.to_string())
    };
    for kind in gonogo::kinds::KINDS.iter().filter(|k| k.is_in_cluster()) {
        let reader = rights("gonogo-reader");
        for verb in ["get", "list", "watch"] {
            assert!(reader.contains(&right(verb, &kind.api())), "{verb} {}", kind.name());
        }
        assert!(reader.contains(&right("list", &kind.children().api)), "list what {} leaves", kind.name());
        for role in ["gonogo-operator", "gonogo-guard"] {
            assert!(rights(role).contains(&right("patch", &kind.api())), "{role}: patch {}", kind.name());
            // What it writes to a status goes to the subresource first.
            let status = (String::from("patch"), kind.api().group.to_string(), format!("{}/status", kind.api().plural));
            assert_eq!(rights(role).contains(&status), kind.name() == "Rollout", "{role}: status of {}", kind.name());
        }
    }
}

#[test]
fn every_rule_says_why() {
    for file in ["deploy/role-reader.yaml", "deploy/role-operator.yaml", "deploy/role-guard.yaml"] {
        let text = text(file);
        let lines: Vec<&str> = text.lines().collect();
        for (n, line) in lines.iter().enumerate().filter(|(_, l)| l.trim_start().starts_with("- apiGroups")) {
            let why = lines[n - 1].trim();
            let verbs = lines[n..].iter().find(|l| l.trim_start().starts_with("verbs:")).unwrap();
            assert!(why.starts_with("# "), "{file}:{}: {line}", n + 1);
            for verb in verbs.split('"').skip(1).step_by(2) {
                let said = why.split(':').next().unwrap();
                assert!(said.contains(verb), "{file}:{}: nothing says why {verb}", n + 1);
            }
        }
    }
}

#[test]
fn the_guard_runs_as_nobody_on_a_volume_that_lasts() {
    let all = manifests();
    let of = |kind: &str| all.iter().find(|(_, o)| o["kind"] == kind).map(|(_, o)| o.clone()).unwrap();
    let deployment = of("Deployment");
    let pod = &deployment["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
    let args = strings(&container["args"]);
    let state = args.iter().find_map(|a| a.strip_prefix("--state=")).unwrap();
    let mount = container["volumeMounts"].as_array().unwrap().iter().find(|m| m["mountPath"] == state).unwrap();
    let volume = pod["volumes"].as_array().unwrap().iter().find(|v| v["name"] == mount["name"]).unwrap();
    assert_eq!(volume["persistentVolumeClaim"]["claimName"], of("PersistentVolumeClaim")["metadata"]["name"]);
    // What the container is given, the program takes.
    use clap::Parser;
    let all = std::iter::once("gonogo").chain(args);
    assert!(gonogo::cli::Cli::try_parse_from(all).is_ok());
}

fn notice(text: &str) -> Notice {
    Notice {
        key: "webapp/nogo/ring-2".into(),
        kind: NoticeKind::Verdict,
        service: "webapp".into(),
        text: text.into(),
        at: "2026-03-02T10:00:00Z".parse().unwrap(),
    }
}

fn teller() -> Teller {
    Teller { fleet: "prod".into(), guard: "pod-1/x".into(), mode: "guard".into() }
}

#[test]
fn messages_are_what_receivers_read() {
    let generic: Value = serde_json::from_str(&body(NotifyForm::Generic, &notice("ring-2: NO-GO"), &teller())).unwrap();
    assert_eq!(generic["version"], 1);
    assert_eq!(generic["kind"], "verdict");
    assert_eq!(generic["text"], "ring-2: NO-GO");
    assert_eq!(generic["at"], "2026-03-02T10:00:00Z");
    let slack: Value = serde_json::from_str(&body(NotifyForm::Slack, &notice("a <b> & c"), &teller())).unwrap();
    assert_eq!(slack, serde_json::json!({"text": "*webapp* verdict: a &lt;b&gt; &amp; c"}));
}

/// A receiver on loopback that answers as it is told, then 200.
async fn receiver(answers: Vec<u16>) -> (String, Arc<Mutex<Vec<String>>>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook/s3cret", listener.local_addr().unwrap());
    let got: Arc<Mutex<Vec<String>>> = Arc::default();
    let to = got.clone();
    tokio::spawn(async move {
        let mut answers = answers.into_iter();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            let mut piece = [0_u8; 4096];
            // Headers, then as much body as they say.
            let whole = |bytes: &[u8]| {
                let text = String::from_utf8_lossy(bytes);
                let (head, body) = text.split_once("\r\n\r\n")?;
                let length =
                    head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())?;
                (body.len() >= length).then(|| body.to_owned())
            };
            let body = loop {
                let n = stream.read(&mut piece).await.unwrap();
                bytes.extend_from_slice(&piece[..n]);
                if let Some(body) = whole(&bytes) {
                    break body;
                }
                assert!(n > 0, "the request ended early");
            };
            to.lock().unwrap().push(body);
            let code = answers.next().unwrap_or(200);
            let answer = format!("HTTP/1.1 {code} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, got)
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn hook(name: &str, url: &str, events: Vec<NoticeKind>) -> Webhook {
    Webhook { name: name.into(), url: Secret::Known(url.into()), form: NotifyForm::Generic, events }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_receiver_gets_each_notice_once_and_a_broken_one_delays_nobody() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (url, got) = receiver(vec![503]).await;
    let (picky, holds) = receiver(vec![]).await;
    let hooks = [
        hook("ops", &url, vec![]),
        hook("holds-only", &picky, vec![NoticeKind::Hold]),
        hook("gone", "http://127.0.0.1:1/", vec![]),
    ];
    let stack: Arc<dyn HttpStack> = Network::new(None, ProxyEnv::read(|_| None));
    let notifier = Notifier::start(&tokio::runtime::Handle::current(), &hooks, &stack, &teller());
    let before = std::time::Instant::now();
    notifier.tell(&notice("first"));
    notifier.tell(&notice("second"));
    assert!(before.elapsed() < Duration::from_secs(1), "given away, not waited for");
    until("both notices", || got.lock().unwrap().iter().any(|b| b.contains("second"))).await;
    let texts: Vec<String> = got
        .lock()
        .unwrap()
        .iter()
        .map(|b| serde_json::from_str::<Value>(b).unwrap()["text"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(texts, ["first", "first", "second"], "tried again after 503, then in order");
    assert!(holds.lock().unwrap().is_empty(), "it asked for holds only");
    use std::sync::atomic::Ordering;
    until("counted", || notifier.counts().sent.load(Ordering::Relaxed) == 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_hangs_is_tried_eight_times_each_in_bounds_and_its_queue_is_bounded() {
    use std::sync::atomic::Ordering;
    /// Takes every request, and answers none.
    struct Hangs(Arc<Mutex<u32>>);
    impl HttpStack for Hangs {
        fn send(
            &self,
            _: http::Request<bytes::Bytes>,
        ) -> futures::future::BoxFuture<'_, Result<http::Response<bytes::Bytes>, gonogo::io::prometheus::NoAnswer>>
        {
            *self.0.lock().unwrap() += 1;
            Box::pin(std::future::pending())
        }
    }
    let tries: Arc<Mutex<u32>> = Arc::default();
    let stack: Arc<dyn HttpStack> = Arc::new(Hangs(tries.clone()));
    let hooks = [hook("stuck", "http://192.0.2.1/s3cret", vec![])];
    let notifier = Notifier::start(&tokio::runtime::Handle::current(), &hooks, &stack, &teller());
    let began = tokio::time::Instant::now();
    for n in 0..400 {
        notifier.tell(&notice(&format!("{n}")));
    }
    assert_eq!(began.elapsed(), Duration::ZERO, "given away, not waited for");
    assert!(notifier.counts().dropped.load(Ordering::Relaxed) >= 140, "what does not fit is counted");
    while notifier.counts().failed.load(Ordering::Relaxed) == 0 {
        assert!(began.elapsed() < Duration::from_secs(600), "it is never given up");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // 10 s each, and 1 + 2 + 4 + … s between them, a minute at most.
    assert!(began.elapsed() < Duration::from_secs(8 * 10 + 130), "{:?}", began.elapsed());
    assert_eq!(*tries.lock().unwrap() / 8, 1, "eight tries, then the next one");
}

#[test]
fn the_admission_policy_leaves_no_way_around_its_author() {
    let policy = text("deploy/admission/gonogo-approvals.yaml");
    let first: Value = serde_saphyr::from_str(policy.split("\n---\n").next().unwrap()).unwrap();
    assert_eq!(first["spec"]["failurePolicy"], "Fail");
    let rule = &first["spec"]["matchConstraints"]["resourceRules"][0];
    assert_eq!(strings(&rule["operations"]), ["CREATE", "UPDATE", "DELETE"]);
    let validations = first["spec"]["validations"].as_array().unwrap();
    let all: Vec<String> = validations
        .iter()
        .map(|v| v["expression"].as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    for (what, words) in [
        ("who approves is who asks", "object.data.approver == request.userInfo.username"),
        ("a group is one's own", "object.data.group in request.userInfo.groups"),
        ("what is approved stays as it is", "has(object.immutable) && object.immutable"),
        ("what could be changed before is not changed now", "has(oldObject.immutable) && oldObject.immutable"),
        ("no owner takes it with it", "!has(object.metadata.ownerReferences)"),
        ("only its author or an administrator deletes it", "oldObject.data.approver == request.userInfo.username"),
        ("a namespace may go with its approvals", "'system:serviceaccounts:kube-system' in request.userInfo.groups"),
    ] {
        assert_eq!(all.iter().filter(|e| e.contains(words)).count(), 1, "{what}: {words}: {all:#?}");
    }
    assert!(validations.iter().all(|v| v["message"].is_string()), "who is refused is told why");
}
