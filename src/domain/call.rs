//! Questions to HTTP endpoints, ready to be sent, and what was answered.

use std::time::Duration;

use serde_json::json;

use super::id::Text;
use super::stamp::{SignedDuration, Timestamp};
use super::version::{TemplateDigest, Version};

/// What a gate wants to ask an endpoint, before it is about a region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HttpNeed {
    /// Name of the endpoint in the configuration.
    pub endpoint: Text,
    /// Path below its base, with `{{service}} {{ring}} {{region}} {{version}}`.
    pub path: Text,
    /// A POST with what is about to happen as its body; a GET otherwise.
    pub post: bool,
    /// Between two questions.
    pub every: Duration,
}

/// A question, ready to be sent. The same question has the same bytes: it may be sent twice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HttpCall {
    /// Name of the endpoint.
    pub endpoint: Text,
    /// Path below its base.
    pub path: Text,
    /// Body of a POST; none: a GET.
    pub body: Option<Text>,
}

/// What an endpoint answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    /// When it came, by server time.
    pub at: Timestamp,
    /// Status and body, or why there is none.
    pub result: Result<(u16, Text), Text>,
}

/// What a question is about.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The service.
    pub service: &'a str,
    /// The ring.
    pub ring: &'a str,
    /// The region.
    pub region: &'a str,
    /// What runs there; none: not seen.
    pub from: Option<&'a Version>,
    /// What it would get; none: it is judged on what it runs.
    pub to: Option<&'a Version>,
    /// The template that the ring before runs, or the region itself.
    pub template: Option<TemplateDigest>,
}

/// An answer counts for this many intervals.
const LIFE: i32 = 3;

impl HttpNeed {
    /// The question about a region.
    pub fn call(&self, about: &About<'_>) -> HttpCall {
        let version = about.to.or(about.from);
        let fill = [
            ("{{service}}", about.service),
            ("{{ring}}", about.ring),
            ("{{region}}", about.region),
            ("{{version}}", version.map_or("", |v| &v.0)),
        ];
        let path = fill.iter().fold(self.path.to_string(), |path, (name, value)| path.replace(name, &encoded(value)));
        // Keys are sorted, and no time is in it: the same question has the same bytes.
        let body = json!({
            "kind": "gonogo.gate",
            "version": 1,
            "service": about.service,
            "ring": about.ring,
            "region": about.region,
            "from": about.from,
            "to": about.to,
            "template": about.template.map(TemplateDigest::hex),
        });
        HttpCall {
            endpoint: self.endpoint.clone(),
            path: path.into(),
            body: self.post.then(|| body.to_string().into()),
        }
    }

    /// Whether an answer still counts.
    pub fn is_fresh(&self, answer: &HttpAnswer, now: Timestamp) -> bool {
        let every = SignedDuration::try_from(self.every).unwrap_or(SignedDuration::MAX);
        now.duration_since(answer.at) <= every.saturating_mul(LIFE)
    }
}

/// Percent-encoded, but for what may stand in any part of a URL.
fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_has_the_same_bytes_and_names_are_escaped() {
        let need = HttpNeed {
            endpoint: "board".into(),
            path: "/a/{{region}}?v={{version}}".into(),
            post: true,
            every: Duration::from_secs(60),
        };
        let (from, to) = (Version("v1".into()), Version("v2+x y".into()));
        let about =
            About { service: "web", ring: "ring-2", region: "eu", from: Some(&from), to: Some(&to), template: None };
        let call = need.call(&about);
        assert_eq!(&*call.path, "/a/eu?v=v2%2Bx%20y");
        assert_eq!(
            call.body.as_deref(),
            Some(
                r#"{"from":"v1","kind":"gonogo.gate","region":"eu","ring":"ring-2","service":"web","template":null,"to":"v2+x y","version":1}"#
            )
        );
        assert_eq!(need.call(&about), call);
        assert!(HttpNeed { post: false, ..need }.call(&about).body.is_none());
    }
}
