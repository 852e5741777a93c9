//! Pipelines that do as they are told, and those that do not: real programs, and a server on loopback.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{sent as send, *};
use crate::config::{Endpoint, Login, Secret};
use crate::io::command::{MOST_OUTPUT, Processes};
use crate::io::connect::ProxyEnv;
use crate::io::prometheus::{HttpStack, Network};

async fn sent(outsides: &Outsides, outside: &Outside) -> ActResult {
    send(outsides, outside, PlanId(ulid::Ulid::nil())).await
}

/// A hang of the machine; nothing here takes as long.
const LONG: Duration = Duration::from_secs(60);

/// A pipeline in a folder: what it was told stands in `log`, what it reports in `state`.
const PIPELINE: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
case "$1" in
  state) cat state; exit 0 ;;
esac
echo "$@" >> log
case "$1" in
  deploy) echo "{\"schema\":1,\"version\":\"$3\",\"phase\":\"complete\"}" > state ;;
  refuse) echo "frozen until Monday" >&2; exit 3 ;;
  away) echo "no route to host" >&2; exit 5 ;;
  later) exit 75 ;;
  fails) echo "started and broke" >&2; exit 1 ;;
  hangs) exec sleep 600 ;;
  floods) exec yes ;;
  escapes) printf 'a\033[2J\033]0;title\007b\n' >&2; exit 3 ;;
  dies) kill -9 $$ ;;
  tells) echo "token $CD_TOKEN_OF_A_TEST and ${HOME-no home}" >&2; exit 3 ;;
esac
"#;

fn script(folder: &Path) -> String {
    let path = folder.join("pipeline");
    std::fs::write(&path, PIPELINE).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn invocation(program: &str, words: &[&str], limit: Duration) -> Outside {
    Outside::Run(Invocation {
        what: "pipeline deploys: promote".into(),
        program: program.into(),
        args: words.iter().map(|w| Text::from(*w)).collect(),
        env: vec!["PATH".into()],
        stdin: None,
        limit,
    })
}

fn programs() -> Outsides {
    Outsides { runner: Some(Arc::new(Processes)), ..Outsides::default() }
}

/// What was sent, word for word.
fn log(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_command_gets_its_words_as_they_are_and_its_report_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let program = script(folder.path());
    let words = ["deploy", "eu west; rm -rf /", "v2.1.0", "$HOME"];
    let result = sent(&programs(), &invocation(&program, &words, LONG)).await;
    assert!(matches!(result, ActResult::Accepted { .. }), "{result:?}");
    assert_eq!(log(folder.path()), ["deploy eu west; rm -rf / v2.1.0 $HOME"]);
    let report = ask(&programs(), &invocation(&program, &["state"], LONG)).await.unwrap();
    assert_eq!(String::from_utf8(report).unwrap().trim(), r#"{"schema":1,"version":"v2.1.0","phase":"complete"}"#);
}

#[tokio::test]
async fn how_a_command_ends_says_whether_anything_can_have_happened() {
    let folder = tempfile::tempdir().unwrap();
    let program = script(folder.path());
    let of = async |word: &str| sent(&programs(), &invocation(&program, &[word], LONG)).await;
    assert!(
        matches!(of("refuse").await, ActResult::Refused { message, .. } if message.contains("frozen until Monday"))
    );
    assert!(matches!(of("away").await, ActResult::NotSent(why) if why.contains("no route to host")));
    assert!(matches!(of("later").await, ActResult::NotSent(_)));
    // It may have failed after it had begun: only a report can tell.
    assert!(matches!(of("fails").await, ActResult::Unknown(why) if why.contains("started and broke")));
    assert!(matches!(of("dies").await, ActResult::Unknown(why) if why.contains("signal")));
    assert!(matches!(of("floods").await, ActResult::Unknown(why) if why.contains(&MOST_OUTPUT.to_string())));
    let absent = sent(&programs(), &invocation("/no/such/pipeline", &[], LONG)).await;
    assert!(matches!(absent, ActResult::NotSent(why) if why.contains("no such program")));
    let hangs = sent(&programs(), &invocation(&program, &["hangs"], Duration::from_millis(200))).await;
    assert!(matches!(hangs, ActResult::Unknown(why) if why.contains("no answer")));
    // Each was sent once, whatever became of it.
    assert_eq!(log(folder.path()), ["refuse", "away", "later", "fails", "dies", "floods", "hangs"]);
}

#[tokio::test]
async fn what_a_command_says_is_harmless_and_without_what_it_was_given_in_confidence() {
    let folder = tempfile::tempdir().unwrap();
    let program = script(folder.path());
    let ActResult::Refused { message, .. } = sent(&programs(), &invocation(&program, &["escapes"], LONG)).await else {
        panic!("it was to refuse")
    };
    assert!(!message.contains(['\u{1b}', '\u{7}']), "{message:?}");
    // A variable that is not named it does not get.
    let ActResult::Refused { message, .. } = sent(&programs(), &invocation(&program, &["tells"], LONG)).await else {
        panic!("it was to refuse")
    };
    assert!(message.contains("no home"), "{message}");
}

#[tokio::test]
async fn what_is_no_report_is_said_and_never_read_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let program = script(folder.path());
    let of = async |words: &[&str], limit| ask(&programs(), &invocation(&program, words, limit)).await;
    // Nothing was ever deployed: its state cannot be read, but it ends well.
    let report = of(&["state"], LONG).await.unwrap();
    assert!(crate::kinds::reported("shop", "web.eu", "pipeline deploys", &report).is_err());
    for (word, wanted) in [("refuse", "failing"), ("dies", "failing"), ("floods", "failing"), ("away", "unreachable")] {
        assert_eq!(of(&[word], LONG).await.unwrap_err().text().0, wanted, "{word}");
    }
    assert_eq!(of(&["hangs"], Duration::from_millis(200)).await.unwrap_err().text().0, "unreachable");
    let absent = ask(&programs(), &invocation("/no/such/pipeline", &[], LONG)).await;
    assert_eq!(absent.unwrap_err().text().0, "unusable");
    let large = ask(&programs(), &invocation("head", &["-c", "70000", "/dev/zero"], LONG)).await;
    assert!(large.unwrap_err().text().1.contains("64 KiB"));
    let nobody = ask(&Outsides::default(), &invocation(&program, &["state"], LONG)).await;
    assert_eq!(nobody.unwrap_err().text().0, "unusable");
}

/// A server on loopback that answers once as it is told, or closes; what it got.
async fn server(answer: Option<&'static str>) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let got = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut got = Vec::new();
        let mut chunk = [0_u8; 4_096];
        while let Ok(n @ 1..) = socket.read(&mut chunk).await {
            got.extend_from_slice(chunk.get(..n).unwrap_or_default());
            let text = String::from_utf8_lossy(&got).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                break;
            }
        }
        if let Some(answer) = answer {
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
        String::from_utf8_lossy(&got).into_owned()
    });
    (url, got)
}

fn endpoints(url: &str) -> Outsides {
    // The one provider of the program; a second try changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let endpoint = Endpoint {
        name: "cd".into(),
        url: url.into(),
        headers: Vec::new(),
        login: Login::Bearer(Secret::Known("hunter2hunter2".into())),
        ca: None,
        timeout: LONG,
    };
    let stack = |_: &Endpoint| -> Arc<dyn HttpStack> { Network::new(None, ProxyEnv::read(|_| None)) };
    let endpoints = Endpoints::over(&[endpoint], stack, Arc::new(|_| {}));
    Outsides { endpoints: Some(Arc::new(endpoints)), ..Outsides::default() }
}

fn call(method: &str, path: &str, body: &str) -> Outside {
    Outside::Call(HttpWrite { endpoint: "cd".into(), method: method.into(), path: path.into(), body: body.into() })
}

#[tokio::test]
async fn a_request_goes_out_once_as_it_was_shown_and_its_status_is_what_counts() {
    const EMPTY: &str = "content-length: 0\r\nconnection: close\r\n\r\n";
    for (status, wanted) in [
        ("200 OK", "accepted"),
        ("202 Accepted", "accepted"),
        ("403 Forbidden", "refused"),
        ("409 Conflict", "precondition"),
        ("408 Request Timeout", "unknown"),
        ("500 Internal Server Error", "unknown"),
        ("504 Gateway Timeout", "unknown"),
        ("302 Found", "unknown"),
    ] {
        let answer: &'static str = Box::leak(format!("HTTP/1.1 {status}\r\n{EMPTY}").into_boxed_str());
        let (url, got) = server(Some(answer)).await;
        let result = sent(&endpoints(&url), &call("PATCH", "/web/eu", r#"{"to":"v2"}"#)).await;
        assert!(result.text().starts_with(wanted), "{status}: {result:?}");
        let got = got.await.unwrap();
        assert!(got.starts_with("PATCH /web/eu HTTP/1.1\r\n") && got.ends_with(r#"{"to":"v2"}"#), "{got}");
        assert!(!result.text().contains("hunter2"), "{result:?}");
    }
}

#[tokio::test]
async fn a_request_whose_reply_is_lost_is_unknown_and_one_that_met_nobody_was_not_sent() {
    let (url, got) = server(None).await;
    let result = sent(&endpoints(&url), &call("POST", "/web/eu", "{}")).await;
    assert!(matches!(result, ActResult::Unknown(_)), "{result:?}");
    assert!(got.await.unwrap().starts_with("POST /web/eu"));
    // Nobody listens there any more.
    let result = sent(&endpoints(&url), &call("POST", "/web/eu", "{}")).await;
    assert!(matches!(result, ActResult::NotSent(_)), "{result:?}");
    let other =
        Outside::Call(HttpWrite { endpoint: "ce".into(), method: "POST".into(), path: "/".into(), body: "".into() });
    assert!(matches!(sent(&endpoints(&url), &other).await, ActResult::NotSent(_)));
}

#[tokio::test]
async fn an_endpoint_reports_or_says_why_not() {
    let (url, got) =
        server(Some("HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\n{\"a\": 1}\n")).await;
    assert_eq!(ask(&endpoints(&url), &call("GET", "/state", "")).await.unwrap(), b"{\"a\": 1}\n");
    assert!(got.await.unwrap().starts_with("GET /state HTTP/1.1\r\n"));
    let (url, _got) = server(Some("HTTP/1.1 503 Busy\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbusy")).await;
    let reason = ask(&endpoints(&url), &call("GET", "/state", "")).await.unwrap_err();
    assert_eq!(reason.text(), ("failing", "endpoint cd answered 503 busy"));
}
