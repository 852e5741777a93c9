#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use crate::domain::fleet::Param;
use crate::domain::verdict::Verdict;
use crate::gates::stand::{at, stand, text};

const BODY: &str = r#"{"from":"v1","kind":"gonogo.gate","region":"eu","ring":"ring-2","service":"web","template":"TEMPLATE","to":"v2","version":1}"#;

#[test]
fn another_system_decides_and_what_is_no_verdict_about_this_is_none() {
    let mut stand = stand();
    let rule = || [("endpoint", text("board"))];
    assert_eq!(stand.verdict("webhook", rule()).verdict, Verdict::NoData, "not asked yet");
    let body = BODY.replace("TEMPLATE", &crate::gates::stand::template("v2").hex());
    for (answer, verdict, words) in [
        (Ok((200, r#"{"verdict": "go"}"#)), Verdict::Go, "board says go"),
        (Ok((200, r#"{"verdict": "no-go", "reason": "fair today"}"#)), Verdict::NoGo, "board says no-go: fair today"),
        (Ok((200, r#"{"verdict": "wait", "until": "2026-11-20T16:00:00Z"}"#)), Verdict::Wait, "board says wait"),
        (Ok((200, r#"{"verdict": "go", "region": "eu", "to": "v2"}"#)), Verdict::Go, "go"),
        (
            Ok((200, r#"{"verdict": "go", "region": "us"}"#)),
            Verdict::NoData,
            "answered about region us, which was not asked",
        ),
        (Ok((200, r#"{"verdict": "go", "to": "v9"}"#)), Verdict::NoData, "about version v9"),
        (Ok((200, r#"{"verdict": "GO"}"#)), Verdict::NoData, "which is no verdict"),
        (Ok((200, r#"{"ok": true}"#)), Verdict::NoData, "did not answer with a verdict"),
        (Ok((200, "<html><body>Sign in</body></html>")), Verdict::NoData, "did not answer with a verdict"),
        (Ok((202, r#"{"verdict": "go"}"#)), Verdict::NoData, "answered 202"),
        (Ok((500, "oops")), Verdict::NoData, "answered 500: oops"),
        (Err("no answer within 5 s"), Verdict::NoData, "no answer within 5 s"),
    ] {
        stand.answer("board", "", Some(&body), answer);
        let judged = stand.verdict("webhook", rule());
        assert_eq!(judged.verdict, verdict, "{answer:?}: {}", judged.sentence);
        assert!(judged.sentence.contains(words), "{}", judged.sentence);
        assert_eq!(judged.until.is_some(), verdict == Verdict::Wait);
    }
    // An answer counts for three intervals; then it is too old.
    stand.answer("board", "", Some(&body), Ok((200, r#"{"verdict": "go"}"#)));
    stand.now = at("2026-11-20T14:35:07Z");
    assert_eq!(stand.verdict("webhook", rule()).verdict, Verdict::Go);
    stand.now = at("2026-11-20T14:35:08Z");
    assert_eq!(stand.verdict("webhook", rule()).verdict, Verdict::NoData);
    // Another template is another question.
    stand.now = at("2026-11-20T14:32:10Z");
    stand.workload("ap").template = crate::gates::stand::template("v2b");
    assert_eq!(stand.verdict("webhook", rule()).verdict, Verdict::NoData);
    for (name, value) in [("endpoint", Param::Flag(true)), ("endpoint", text(""))] {
        assert_eq!(stand.build("webhook", [(name, value)]).err().map(|e| e.name).as_deref(), Some(name));
    }
    assert_eq!(stand.build("webhook", []).err().map(|e| e.name).as_deref(), Some("endpoint"));
}
