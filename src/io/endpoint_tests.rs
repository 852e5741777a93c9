#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::config::{Login, Secret};

/// A real receiver on loopback: it remembers what came, and answers as it is told, or never.
async fn receiver(answer: Option<Vec<u8>>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    tokio::spawn(async move {
        loop {
            let Ok((mut socket, _)) = listener.accept().await else { return };
            let mut got = Vec::new();
            let mut chunk = [0_u8; 4_096];
            // Until head and body are there.
            while let Ok(n @ 1..) = socket.read(&mut chunk).await {
                got.extend_from_slice(chunk.get(..n).unwrap_or_default());
                let text = String::from_utf8_lossy(&got).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                if body.len() >= length.unwrap_or(0) {
                    break;
                }
            }
            log.lock().unwrap().push(String::from_utf8_lossy(&got).into_owned());
            match &answer {
                Some(answer) => drop(socket.write_all(answer).await),
                // Held open, never answered.
                None => std::future::pending::<()>().await,
            }
        }
    });
    (url, seen)
}

fn http(status: &str, kind: &str, body: &str) -> Option<Vec<u8>> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    Some(format!("{head}{body}").into_bytes())
}

async fn asked(url: &str, body: Option<&str>, timeout: Duration) -> Result<(u16, Text), Text> {
    // The one provider of the program; a second try changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let endpoint = Endpoint {
        name: "board".into(),
        url: url.into(),
        headers: vec![("X-Team".into(), Secret::Known("shop".into()))],
        login: Login::Bearer(Secret::Known("hunter2".into())),
        ca: None,
        timeout,
    };
    let (tell, mut told) = mpsc::unbounded_channel();
    let tell: Tell = Arc::new(move |seen| drop(tell.send(seen)));
    let stack = |_: &Endpoint| -> Arc<dyn HttpStack> { Network::new(None, ProxyEnv::read(|_| None)) };
    let endpoints = Endpoints::over(&[endpoint], stack, tell);
    let call = HttpCall { endpoint: "board".into(), path: "/go?x=1".into(), body: body.map(Into::into) };
    endpoints.call((0_usize.into(), 0_usize.into()), call.clone());
    let Some(Observation::Called { call: about, result, .. }) = told.recv().await else { panic!("nothing was told") };
    assert_eq!(*about, call);
    result
}

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_question_is_sent_as_it_is_with_its_secrets_and_the_answer_comes_back() {
    let (url, seen) = receiver(http("200 OK", "application/json", r#"{"verdict":"go"}"#)).await;
    let answer = asked(&url, Some(r#"{"kind":"gonogo.gate"}"#), SOON).await;
    assert_eq!(answer, Ok((200, r#"{"verdict":"go"}"#.into())));
    let sent = seen.lock().unwrap().join("\n").to_lowercase();
    assert!(sent.starts_with("post /go?x=1 http/1.1"), "{sent}");
    for line in
        ["authorization: bearer hunter2", "x-team: shop", "content-type: application/json", r#"{"kind":"gonogo.gate"}"#]
    {
        assert!(sent.contains(line), "{line} is not in {sent}");
    }
    let (url, seen) = receiver(http("200 OK", "application/json", "true")).await;
    assert_eq!(asked(&url, None, SOON).await, Ok((200, "true".into())));
    assert!(seen.lock().unwrap().join("\n").starts_with("GET /go?x=1"));
}

#[tokio::test]
async fn whoever_hangs_is_not_waited_for() {
    let (url, _) = receiver(None).await;
    let answer = asked(&url, Some("{}"), Duration::from_millis(300)).await;
    assert_eq!(answer, Err("no answer within 300 ms".into()));
}

#[tokio::test]
async fn what_is_no_answer_says_why_and_never_the_secret() {
    let elsewhere =
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let large = http("200 OK", "text/plain", &"x".repeat(MOST_BYTES + 1));
    for (bytes, words) in [
        (Some(elsewhere.to_vec()), "redirects are not followed"),
        (large, "more than 64 KiB"),
        (Some(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\n\xff\xfe\xfd".to_vec()), "no text"),
        (Some(b"not http at all\r\n\r\n".to_vec()), ""),
        (Some(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort".to_vec()), ""),
    ] {
        let (url, _) = receiver(bytes).await;
        let why = asked(&url, None, SOON).await.unwrap_err();
        assert!(why.contains(words), "{why}");
        assert!(!why.contains("hunter2"), "{why}");
    }
    // An endpoint that repeats what it was sent.
    let (url, _) = receiver(http("200 OK", "text/plain", "you are Bearer hunter2")).await;
    let (_, echoed) = asked(&url, None, SOON).await.unwrap();
    assert!(!echoed.contains("hunter2"), "{echoed}");
    // HTML and other statuses are answers: the gate judges them.
    let (url, _) = receiver(http("503 Service Unavailable", "text/html", "<html>busy</html>")).await;
    assert_eq!(asked(&url, None, SOON).await, Ok((503, "<html>busy</html>".into())));
    let nobody = asked("http://127.0.0.1:1", None, SOON).await.unwrap_err();
    assert!(!nobody.is_empty() && !nobody.contains("hunter2"), "{nobody}");
}
