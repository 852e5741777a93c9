#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use crate::domain::verdict::Verdict;
use crate::gates::stand::{params, stand, text};

const QUERY: &str = "flag{region=\"{{region}}\"}";

#[test]
fn a_flag_must_say_what_is_wanted() {
    let mut stand = stand();
    for (value, on, off) in
        [(1.0, Verdict::Go, Verdict::Wait), (0.0, Verdict::Wait, Verdict::Go), (0.5, Verdict::NoData, Verdict::NoData)]
    {
        stand.query(QUERY, Ok(value));
        for (must, verdict) in [("on", on), ("off", off)] {
            let judged = stand.verdict("flag", [("query", text(QUERY)), ("must", text(must))]);
            assert_eq!(judged.verdict, verdict, "{value} {must}: {}", judged.sentence);
        }
    }
}

#[test]
fn an_endpoint_answers_in_one_of_the_usual_ways_or_not_at_all() {
    let mut stand = stand();
    let rule = || {
        [("endpoint", text("flags")), ("path", text("/{{region}}")), ("pointer", text("/cart")), ("must", text("on"))]
    };
    assert_eq!(stand.verdict("flag", rule()).verdict, Verdict::NoData, "not asked yet");
    for (answer, verdict) in [
        (Ok((200, r#"{"cart": true}"#)), Verdict::Go),
        (Ok((200, r#"{"cart": "On"}"#)), Verdict::Go),
        (Ok((200, r#"{"cart": 0}"#)), Verdict::Wait),
        (Ok((200, r#"{"cart": "maybe"}"#)), Verdict::NoData),
        (Ok((200, r#"{"other": true}"#)), Verdict::NoData),
        (Ok((200, "<html>login</html>")), Verdict::NoData),
        (Ok((404, r#"{"cart": true}"#)), Verdict::NoData),
        (Err("no answer within 5 s"), Verdict::NoData),
    ] {
        stand.answer("flags", "/eu", None, answer);
        let judged = stand.verdict("flag", rule());
        assert_eq!(judged.verdict, verdict, "{answer:?}: {}", judged.sentence);
    }
}

#[test]
fn wrong_parameters_say_which() {
    let stand = stand();
    let query = || ("query", text(QUERY));
    let on = || ("must", text("on"));
    let kind = crate::gates::gate_type("flag").unwrap();
    for (given, name) in [
        (params([query()]), "must"),
        (params([query(), ("must", text("yes"))]), "must"),
        (params([on()]), "query"),
        (params([on(), query(), ("endpoint", text("flags"))]), "endpoint"),
        (params([on(), ("endpoint", text(" "))]), "endpoint"),
        (params([on(), ("endpoint", text("flags")), ("path", text("x"))]), "path"),
        (params([on(), ("endpoint", text("flags")), ("pointer", text("x"))]), "pointer"),
        (params([on(), ("endpoint", text("flags")), ("every", text("1s"))]), "every"),
    ] {
        assert_eq!(kind.build(&given, &stand.service).err().map(|e| e.name).as_deref(), Some(name));
    }
}
