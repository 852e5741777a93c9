//! Configurations that are wrong, and word for word what is said about them; and the
//! files that ship with gonogo.
//!
//! `tests/config/*.toml` are broken on purpose; beside each stands what gonogo says.
//! `GONOGO_BLESS=1 cargo test --test config` writes that anew: read the difference.
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

use gonogo::config::kubeconfig::Kubeconfig;
use gonogo::config::{self, ConfigError, Given, Severity, keys, print, render_errors};
use gonogo::domain::carrier::CarrierRef;

fn env(name: &str) -> Option<String> {
    (name == "PROM_PASSWORD").then(|| "x".to_owned())
}

/// A kubeconfig with these contexts; the certificate of `spare` is not there.
fn kubeconfigs(_: Option<&Path>) -> Result<Kubeconfig, String> {
    let mut text = "clusters:\n- {name: any, cluster: {server: 'https://any.example'}}\n\
        - {name: spare, cluster: {server: 'https://spare.example', certificate-authority: spare.pem}}\ncontexts:\n"
        .to_owned();
    for name in ["a", "b", "c", "spare", "staging", "eu-west-1", "us-east-1"] {
        let cluster = if name == "spare" { name } else { "any" };
        text += &format!("- {{name: {name}, context: {{cluster: {cluster}}}}}\n");
    }
    let mut kubeconfig = Kubeconfig::parse(Path::new("/kube/config"), &text).map_err(|e| e.to_string())?;
    kubeconfig.look_for_files(&|_| false);
    Ok(kubeconfig)
}

fn said(name: &str, bytes: &[u8]) -> Vec<ConfigError> {
    let today = Some(jiff::civil::date(2026, 11, 21));
    let given = Given { env: &env, kubeconfigs: Some(&kubeconfigs), today };
    match config::read(Path::new(name), bytes, &given) {
        Ok((_, findings)) => findings,
        Err(errors) => {
            assert!(errors.iter().any(|e| e.severity == Severity::Error));
            errors
        }
    }
}

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "toml"));
    files.sort();
    files
}

fn same_as_file(path: &Path, text: &str) {
    if std::env::var_os("GONOGO_BLESS").is_some() {
        std::fs::write(path, text).unwrap();
    }
    let known = std::fs::read_to_string(path).unwrap_or_default();
    assert!(known == text, "{} differs; this is what is said now:\n{text}", path.display());
}

#[test]
fn everything_wrong_is_said_at_once_with_place_and_fix() {
    let files = fixtures();
    assert!(files.len() >= 8);
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let errors = said(&name, &std::fs::read(&file).unwrap());
        for error in &errors {
            assert!(error.line > 0 && error.column > 0 && !error.message.is_empty(), "{error:?}");
            assert!(!error.fix.is_empty(), "no fix: {error:?}");
        }
        let shown = render_errors(&errors, false);
        assert!(!shown.contains("hunter2") && !shown.contains("user:secret"), "{shown}");
        same_as_file(&file.with_extension("txt"), &shown);
    }
}

#[test]
fn every_kind_of_error_has_an_example() {
    let said: BTreeSet<&str> =
        fixtures().iter().flat_map(|f| said("x", &std::fs::read(f).unwrap())).map(|e| e.code).collect();
    for code in [
        "unknown-key",
        "unknown-cluster",
        "unknown-region",
        "unknown-ring",
        "unknown-topology",
        "unknown-column",
        "unknown-gate",
        "unknown-parameter",
        "unknown-kind",
        "unknown-provider",
        "unknown-prometheus",
        "unknown-placeholder",
        "bad-placeholder",
        "duplicate",
        "duplicate-region",
        "same-object",
        "bad-duration",
        "bad-unit",
        "bad-word",
        "bad-zone",
        "bad-capacity",
        "bad-date",
        "bad-url",
        "bad-name",
        "bad-carry",
        "bad-number",
        "bad-parameter",
        "bad-absorber",
        "wrong-type",
        "empty-ring",
        "empty-rings",
        "no-exit-gate",
        "gate-role",
        "duplicate-gate",
        "bake-twice",
        "missing-context",
        "missing-file",
        "missing-key",
        "missing-rings",
        "env-not-set",
        "secret-in-file",
        "contradiction",
        "syntax",
        "not-toml",
        "future-capacity",
        "bad-normal",
        "no-reason",
        "plain-http",
        "no-prometheus",
        "weak-exit",
        "bound-on-good-side",
        "unused",
        "two-traffic-columns",
        "unknown-service",
        "unknown-endpoint",
        "no-revert",
        "preset-rings",
        "preset-bake",
        "two-person",
        "blind-autopilot",
        "distance-parallelism",
        "fallback-drain",
        "bad-fallback",
    ] {
        assert!(said.contains(code), "no fixture shows `{code}`");
    }
}

#[test]
fn files_that_are_no_text_say_so() {
    for (bytes, code, words) in [
        (&b""[..], "empty-file", "the file says nothing"),
        (b"# only a comment\n\n", "empty-file", "the file says nothing"),
        (b"fleet = \"\xff\xfe\"", "not-utf-8", "byte 0xff at position 9"),
        (b"{\"fleet\": \"x\"}", "not-toml", "JSON"),
        (b"<html></html>", "not-toml", "HTML"),
        (b"fleet = \"x\"", "missing-cluster", "there is no cluster"),
        (b"\xef\xbb\xbf[cluster.a]\n[service.web]\nrings=[[\"b\"]]\n", "unknown-region", "unknown region `b`"),
        (b"\x00\x01\x02\x1b[2J", "syntax", "not TOML"),
    ] {
        let errors = said("c.toml", bytes);
        let shown = render_errors(&errors, true);
        assert!(errors.iter().any(|e| e.code == code), "{shown}");
        assert!(shown.contains(words), "{shown}");
        assert!(!shown.contains("\u{1b}[2J"), "what the terminal could obey got through");
    }
}

#[test]
fn no_bytes_make_the_reader_panic() {
    use proptest::prelude::*;
    let example = config::EXAMPLE.as_bytes();
    proptest!(|(bytes in prop::collection::vec(any::<u8>(), 0..200))| {
        said("garbage", &bytes);
    });
    // The example with a piece cut out, doubled or overwritten.
    let config = ProptestConfig { cases: 96, ..ProptestConfig::default() };
    proptest!(config, |(from in 0..example.len(), length in 0usize..60, piece in "[\\[\\]{}=\",.a-z0-9\n]{0,6}")| {
        let to = (from + length).min(example.len());
        let mut bytes = example[..from].to_vec();
        bytes.extend_from_slice(piece.as_bytes());
        bytes.extend_from_slice(&example[to..]);
        said("damaged", &bytes);
    });
}

#[test]
fn the_reference_in_the_docs_is_that_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/config.md");
    let docs = std::fs::read_to_string(&path).unwrap();
    let mark = "<!-- From here on made from the code; see tests/config.rs. -->\n\n";
    let (written, _) = docs.split_once(mark).expect("the mark is in docs/config.md");
    same_as_file(&path, &format!("{written}{mark}{}", print::reference()));
}

#[test]
fn the_schema_knows_every_key_and_accepts_the_example() {
    let schema = print::schema();
    let text = schema.to_string();
    for section in keys::SECTIONS {
        for key in section.keys {
            assert!(text.contains(&format!("\"{}\":", key.name)), "{} {}", section.path, key.name);
        }
    }
    let example: toml::Value = toml::from_str(config::EXAMPLE).unwrap();
    let example = serde_json::to_value(example).unwrap();
    known(&schema, &example, "");
}

/// The part of JSON schema that says which keys there may be.
fn known(schema: &serde_json::Value, value: &serde_json::Value, place: &str) {
    let Some(object) = value.as_object() else { return };
    let alternatives = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(|a| a.as_array());
    if let Some(alternatives) = alternatives {
        let fits = |s: &&serde_json::Value| {
            let properties = s.get("properties").and_then(|p| p.as_object());
            properties.is_some_and(|p| object.keys().all(|k| p.contains_key(k)))
        };
        assert!(alternatives.iter().any(|s| fits(&s)), "{place}: no alternative knows {:?}", object.keys());
        return;
    }
    let properties = schema.get("properties").and_then(|p| p.as_object());
    for (key, below) in object {
        if key.starts_with("$__toml") {
            return; // A date.
        }
        let place = format!("{place}.{key}");
        let found = properties
            .and_then(|p| p.get(key))
            .or_else(|| schema.get("additionalProperties").filter(|a| a.is_object()));
        let found = found.unwrap_or_else(|| panic!("{place} is not in the schema"));
        known(found, below, &place);
    }
}

#[test]
fn every_example_is_read_without_an_error() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // Programs are examples too.
        if path.extension().is_none_or(|e| e != "toml") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let env = |_: &str| None;
        let errors = gonogo::config::read(&path, &bytes, &gonogo::config::Given::env(&env)).err().unwrap_or_default();
        assert!(errors.is_empty(), "{}", gonogo::config::render_errors(&errors, false));
        read += 1;
    }
    assert!(read >= 2, "the examples are there");
}

#[test]
fn a_region_names_what_brings_its_workload_in_whatever_cluster_it_lies() {
    let text = r#"
[cluster.a]
[cluster.b]
[cluster.hub]
[defaults.delivery]
cluster = "hub"
[service.web]
rings = [["a"], ["b"]]
[service.web.delivery]
name = "{{region}}.{{service}}"
[service.web.region.b]
application = "web-the-second"
[service.api]
rings = [["a"], ["b"]]
[service.api.delivery]
except = ["b"]
[service.cron]
rings = [["a"]]
delivery = false
[service.flux]
rings = [["a"], ["b"]]
delivery = { kind = "Kustomization", cluster = "{{cluster}}", name = "apps" }
"#;
    let given = Given { env: &env, kubeconfigs: None, today: None };
    let (config, _) = config::read(Path::new("c.toml"), text.as_bytes(), &given).unwrap_or_else(|errors| {
        panic!("{}", render_errors(&errors, false));
    });
    let brought = |service: &str| -> Vec<Option<String>> {
        let service = config.fleet.services.iter().find(|s| s.name.as_str() == service).unwrap();
        let text = |d: &gonogo::domain::fleet::DeliveryRef| {
            format!("{} {} {}/{}", config.fleet.cluster_name(d.cluster), d.kind, d.namespace, d.name)
        };
        service.regions.iter().map(|r| r.delivery.as_ref().map(text)).collect()
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(brought("web"), [some("hub Application argocd/a.web"), some("hub Application argocd/web-the-second")]);
    assert_eq!(brought("api"), [some("hub Application argocd/api-a"), None]);
    assert_eq!(brought("cron"), [None]);
    let own = ["a", "b"].map(|at| some(&format!("{at} Kustomization flux-system/apps")));
    assert_eq!(brought("flux"), own, "each in its own cluster");
    let plans = gonogo::io::watch::plan(&config.fleet);
    let watched = |at: usize| -> Vec<String> { plans[at].watches.iter().map(|w| w.resource()).collect() };
    assert_eq!(watched(2), ["applications.argoproj.io"]);
    assert!(!watched(0).contains(&"applications.argoproj.io".to_owned()));
    assert!(watched(0).contains(&"kustomizations.kustomize.toolkit.fluxcd.io".to_owned()));
    let unknown = said(
        "c.toml",
        text.replace(
            "[service.cron]",
            "[service.x]\nrings = [[\"a\"]]\n[service.x.delivery]\nkind = \"Aplication\"\n[service.cron]",
        )
        .as_bytes(),
    );
    assert!(render_errors(&unknown, false).contains("unknown kind of delivery `Aplication`"), "{unknown:?}");
}

#[test]
fn a_region_names_the_value_in_git_that_is_its_version() {
    let text = r#"
[cluster.a]
[cluster.b]
[repository.deploys]
url = "git@git.example:team/deploys.git"
[defaults.git]
path = "{{service}}/{{ring}}/{{region}}/kustomization.yaml"
[service.web]
rings = [["a"], ["b"]]
git = { image = "registry.example/web" }
[service.web.region.b]
git = false
[service.api]
rings = [["a"], ["b"]]
[service.api.git]
branch = "env-{{region}}"
path = "api/values.yaml"
pointer = "/spec/values/image/tag"
push = "branch"
except = ["a"]
[service.cron]
rings = [["a"]]
git = false
"#;
    let given = Given { env: &env, kubeconfigs: None, today: None };
    let (config, _) = config::read(Path::new("c.toml"), text.as_bytes(), &given).unwrap_or_else(|errors| {
        panic!("{}", render_errors(&errors, false));
    });
    let brought = |service: &str| -> Vec<Option<String>> {
        let service = config.fleet.services.iter().find(|s| s.name.as_str() == service).unwrap();
        let text = |c: &CarrierRef| match c {
            CarrierRef::Overlay(o) => {
                format!("{} {} {}#{} {}", o.repository, o.branch, o.path, o.pointer, o.own_branch)
            }
            other => format!("{other:?}"),
        };
        service.regions.iter().map(|r| r.carrier.as_ref().map(text)).collect()
    };
    let some = |text: &str| Some(text.to_owned());
    let image = "/images[name=registry.example/web]/newTag";
    assert_eq!(brought("web"), [some(&format!("deploys main web/ring-0/a/kustomization.yaml#{image} false")), None]);
    assert_eq!(brought("api"), [None, some("deploys env-b api/values.yaml#/spec/values/image/tag true")]);
    assert_eq!(brought("cron"), [None]);
    let server = &config.repositories[0];
    assert_eq!(
        (&*server.name, &*server.url, server.timeout.as_secs()),
        ("deploys", "git@git.example:team/deploys.git", 60)
    );
}

#[test]
fn each_service_and_each_region_may_have_a_kind_of_its_own() {
    let text = r#"
[cluster.a]
[cluster.b]
[service.web]
rings = [["a"], ["b"]]
[service.web.workload]
kind = "StatefulSet"
[service.web.region.b]
kind = "Deployment"
[service.api]
rings = [["a"]]
"#;
    let given = Given { env: &env, kubeconfigs: Some(&kubeconfigs), today: None };
    let (config, _) = config::read(Path::new("c.toml"), text.as_bytes(), &given).unwrap_or_else(|errors| {
        panic!("{}", render_errors(&errors, false));
    });
    let kinds = |service: &str| -> Vec<String> {
        let service = config.fleet.services.iter().find(|s| s.name.as_str() == service).unwrap();
        service.regions.iter().map(|r| r.workload.kind.to_string()).collect()
    };
    assert_eq!(
        (kinds("web"), kinds("api")),
        (["StatefulSet", "Deployment"].map(str::to_owned).into(), vec!["Deployment".to_owned()])
    );
    // What is watched and asked about follows from it.
    let plans = gonogo::io::watch::plan(&config.fleet);
    let watched = |at: usize| -> Vec<String> { plans[at].watches.iter().map(|w| w.resource()).collect() };
    assert!(watched(0).contains(&"statefulsets.apps".to_owned()), "{:?}", watched(0));
    assert!(!watched(1).contains(&"statefulsets.apps".to_owned()), "{:?}", watched(1));
    let children: Vec<String> =
        plans[0].watches.iter().filter_map(|w| w.children()).map(|c| c.plural.to_string()).collect();
    assert_eq!(children, ["replicasets", "controllerrevisions"]);
    let unknown = said("c.toml", text.replace("\"StatefulSet\"", "\"StatefulSets\"").as_bytes());
    assert!(render_errors(&unknown, false).contains("StatefulSet"), "{unknown:?}");
}
