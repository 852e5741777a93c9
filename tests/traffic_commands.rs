//! The example scripts for cloud command lines, against executables that only say what they were told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gonogo::traffic::{self, TrafficProvider};

struct Cloud {
    folder: tempfile::TempDir,
    script: PathBuf,
    env: Vec<(&'static str, &'static str)>,
}

impl Cloud {
    /// A script with an executable that logs its words, and answers each call by what `answers` (shell) prints.
    fn new(script: &str, executable: &str, answers: &str, env: &[(&'static str, &'static str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(executable);
        let fake = format!(
            "#!/bin/sh\nfor word; do printf '%s\\n' \"$word\"; done >> \"$LOG\"\necho -- >> \"$LOG\"\n{answers}\n"
        );
        std::fs::write(&path, fake).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/traffic").join(script);
        Self { folder, script, env: env.to_vec() }
    }

    fn run(&self, words: &[&str]) -> Output {
        let usual = std::env::var("PATH").unwrap();
        Command::new(&self.script)
            .args(words)
            .env_clear()
            .env("PATH", format!("{}:{usual}", self.folder.path().display()))
            .env("LOG", self.folder.path().join("log"))
            .envs(self.env.iter().copied())
            .output()
            .unwrap()
    }

    /// Each call, word by word.
    fn calls(&self) -> Vec<Vec<String>> {
        let text = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let calls = text.split("--\n").map(|call| call.lines().map(str::to_owned).collect::<Vec<_>>());
        calls.filter(|call| !call.is_empty()).collect()
    }

    /// What gonogo reads of its report.
    fn weights(&self) -> Vec<(String, u32)> {
        let out = self.run(&["state"]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let object = traffic::reported("edge", "webapp", "steering", &out.stdout).unwrap();
        let route = traffic::Command.read(object.to_string().as_bytes()).unwrap().route;
        route.rules[0].iter().map(|b| (b.name.to_string(), b.weight)).collect()
    }
}

fn pairs(expected: &[(&str, u32)]) -> Vec<(String, u32)> {
    expected.iter().map(|(name, weight)| ((*name).to_owned(), *weight)).collect()
}

const RECORD: &str = r#"{"Name": "web.example.", "Type": "A", "SetIdentifier": "eu", "Weight": 100, "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}"#;

#[test]
fn route_53_records_keep_all_but_their_weight() {
    let answers = format!(
        "case \"$*\" in *'| [0]'*) echo '{RECORD}' ;; *list*) printf 'eu\\t100\\nus\\t40\\n' ;; *) echo PENDING ;; esac"
    );
    let cloud = Cloud::new("route53", "aws", &answers, &[("ROUTE53_ZONE", "Z1"), ("ROUTE53_NAME", "web.example.")]);
    assert_eq!(cloud.weights(), pairs(&[("eu", 100), ("us", 40)]));
    assert!(cloud.run(&["set", "eu", "0"]).status.success());
    let calls = cloud.calls();
    let last = calls.last().unwrap();
    assert_eq!(last[..2], ["route53", "change-resource-record-sets"]);
    let batch: serde_json::Value = serde_json::from_str(last.last().unwrap()).unwrap();
    let mut record: serde_json::Value = serde_json::from_str(RECORD).unwrap();
    record["Weight"] = 0.into();
    assert_eq!(batch["Changes"][0]["Action"], "UPSERT");
    assert_eq!(batch["Changes"][0]["ResourceRecordSet"], record);
}

#[test]
fn a_backend_that_is_not_there_is_refused_and_nothing_is_changed() {
    let env = [("ROUTE53_ZONE", "Z1"), ("ROUTE53_NAME", "web.example.")];
    let cloud = Cloud::new("route53", "aws", "echo null", &env);
    assert_eq!(cloud.run(&["set", "mars", "0"]).status.code(), Some(3));
    assert!(!cloud.calls().iter().flatten().any(|word| word.starts_with("change")), "{:?}", cloud.calls());
    let cloud = Cloud::new(
        "accelerator",
        "aws",
        "printf 'eu-west-1\\t100.0\\tarn:eu\\n'",
        &[("ACCELERATOR_LISTENER", "arn:l")],
    );
    assert_eq!(cloud.run(&["set", "mars", "0"]).status.code(), Some(3));
    let cloud = Cloud::new("gcloud-backends", "gcloud", "exit 9", &[("GCLOUD_BACKEND_SERVICE", "web")]);
    assert_eq!(cloud.run(&["set", "no-zone", "0"]).status.code(), Some(3));
    let env = [("CLOUDFLARE_ACCOUNT", "a"), ("CLOUDFLARE_POOLS", "p1 p2"), ("CLOUDFLARE_API_TOKEN", "t0ken")];
    assert_eq!(Cloud::new("cloudflare-pools", "curl", "exit 9", &env).run(&["set", "p3", "0"]).status.code(), Some(3));
}

#[test]
fn what_cannot_be_reached_says_so_before_anything_is_changed() {
    let env = [
        ("ROUTE53_ZONE", "Z1"),
        ("ROUTE53_NAME", "web.example."),
        ("ACCELERATOR_LISTENER", "arn:l"),
        ("GCLOUD_BACKEND_SERVICE", "web"),
        ("CLOUDFLARE_ACCOUNT", "a"),
        ("CLOUDFLARE_POOLS", "p1"),
        ("CLOUDFLARE_API_TOKEN", "t0ken"),
    ];
    for (script, executable) in
        [("route53", "aws"), ("accelerator", "aws"), ("gcloud-backends", "gcloud"), ("cloudflare-pools", "curl")]
    {
        let cloud = Cloud::new(script, executable, "echo 'no credentials' >&2; exit 255", &env);
        let out = cloud.run(&["state"]);
        assert_eq!(out.status.code(), Some(5), "{script}");
        assert!(out.stdout.is_empty() && String::from_utf8_lossy(&out.stderr).contains("no credentials"), "{script}");
    }
}

#[test]
fn a_dial_of_global_accelerator_is_set_without_touching_its_endpoints() {
    let answers = "case \"$2\" in list*) printf 'eu-west-1\\t100.0\\tarn:eu\\nus-east-1\\t50.0\\tarn:us\\n' ;; esac";
    let cloud = Cloud::new("accelerator", "aws", answers, &[("ACCELERATOR_LISTENER", "arn:l")]);
    assert_eq!(cloud.weights(), pairs(&[("eu-west-1", 100), ("us-east-1", 50)]));
    assert!(cloud.run(&["set", "us-east-1", "0"]).status.success());
    let calls = cloud.calls();
    let last = calls.last().unwrap().join(" ");
    assert!(
        last.starts_with("globalaccelerator update-endpoint-group --region us-west-2 --endpoint-group-arn arn:us"),
        "{last}"
    );
    assert!(last.contains("--traffic-dial-percentage 0 ") && !last.contains("--endpoint-configurations"), "{last}");
}

#[test]
fn a_backend_of_google_cloud_is_scaled_by_its_capacity() {
    let answers = "case \"$3\" in describe) printf 'web-eu,europe-west1-b,1.0\\nweb-us,us-east1-c,0.5\\n' ;; esac";
    let cloud = Cloud::new("gcloud-backends", "gcloud", answers, &[("GCLOUD_BACKEND_SERVICE", "web")]);
    assert_eq!(cloud.weights(), pairs(&[("web-eu:europe-west1-b", 100), ("web-us:us-east1-c", 50)]));
    assert!(cloud.run(&["set", "web-eu:europe-west1-b", "25"]).status.success());
    let calls = cloud.calls();
    let last = calls.last().unwrap().join(" ");
    for word in [
        "update-backend web --global",
        "--network-endpoint-group=web-eu",
        "-zone=europe-west1-b",
        "--capacity-scaler=0.25",
    ] {
        assert!(last.contains(word), "{word}: {last}");
    }
}

#[test]
fn a_pool_of_cloudflare_is_disabled_and_no_list_of_processes_shows_the_token() {
    // Origins have an `enabled` of their own, before and after.
    let answers = r#"cat > "$LOG.stdin"
case "$*" in
*p2*) echo '{"success": true, "result": {"origins": [{"name": "a \"enabled\": x", "enabled": true}], "id": "p2", "enabled": false}}' ;;
*) echo '{"result": {"id": "p1", "enabled": true, "origins": [{"enabled": false}]}, "success": true}' ;;
esac"#;
    let env = [("CLOUDFLARE_ACCOUNT", "acc"), ("CLOUDFLARE_POOLS", "p1 p2"), ("CLOUDFLARE_API_TOKEN", "t0ken")];
    let cloud = Cloud::new("cloudflare-pools", "curl", answers, &env);
    assert_eq!(cloud.weights(), pairs(&[("p1", 100), ("p2", 0)]));
    assert!(cloud.run(&["set", "p1", "0"]).status.success());
    let calls = cloud.calls();
    let last = calls.last().unwrap().join(" ");
    assert!(
        last.contains("--request PATCH --data {\"enabled\":false}")
            && last.ends_with("/accounts/acc/load_balancers/pools/p1"),
        "{last}"
    );
    assert!(!calls.iter().flatten().any(|word| word.contains("t0ken")), "{calls:?}");
    let stdin = std::fs::read_to_string(cloud.folder.path().join("log.stdin")).unwrap();
    assert_eq!(stdin, "header = \"Authorization: Bearer t0ken\"\n");
}
