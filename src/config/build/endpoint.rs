//! `[endpoint.NAME]`: HTTP endpoints that gates ask.

use std::time::Duration;

use super::super::error::Severity;
use super::super::model::Endpoint;
use super::super::reader::Table;
use super::Build;
use super::names;
use super::prometheus::{headers, login};

/// How long an answer may take unless said otherwise.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest that may be configured: a gate must not wait for somebody who sleeps.
const LONGEST: Duration = Duration::from_secs(30);

pub(super) fn read(build: &Build<'_>, root: Table<'_>) -> Vec<Endpoint> {
    let mut out = Vec::new();
    for (name, table) in root.named("endpoint") {
        names::check(build.problems, "endpoint", &name.value, name.at);
        if table.raw("url").is_none() {
            table.missing("url", "\"https://changes.example\"");
        }
        let timeout = table.duration("timeout");
        if let Some(timeout) = &timeout
            && (timeout.value < Duration::from_millis(100) || timeout.value > LONGEST)
        {
            let message = "`timeout` must be from 100ms to 30s";
            build.problems.error("bad-duration", timeout.at, message, "write `timeout = \"5s\"`");
        }
        let (headers, login) = (headers(build, table), login(build, table));
        let Some(url) = table.text("url") else { continue };
        let parsed = url.value.parse::<http::Uri>().ok().filter(|u| u.host().is_some_and(|h| !h.is_empty()));
        let Some(parsed) = parsed.filter(|u| matches!(u.scheme_str(), Some("http" | "https"))) else {
            let fix = "write it like `https://changes.example/api`";
            build.problems.error("bad-url", url.at, format!("`{}` is not an http(s) URL", url.value), fix);
            continue;
        };
        if parsed.authority().is_some_and(|a| a.as_str().contains('@')) {
            let fix = "use `basic = { user = \"…\", password = { env = \"…\" } }`";
            build.problems.error("secret-in-file", url.at, "the URL holds a user and password", fix);
            continue;
        }
        if parsed.query().is_some() {
            let fix = "leave the query out; a gate's `path` may have one";
            build.problems.error("bad-url", url.at, "the URL must be a base, without `?`", fix);
        }
        let local = parsed.host().is_some_and(|h| matches!(h, "localhost" | "127.0.0.1" | "[::1]"));
        if parsed.scheme_str() == Some("http") && !local {
            let message = "whoever is on the way can answer in its name";
            build.problems.put(Severity::Finding, "plain-http", url.at, message, "use https");
        }
        out.push(Endpoint {
            name: name.value.into(),
            url: url.value.trim_end_matches('/').into(),
            headers,
            login,
            ca: table.text("ca").map(|ca| build.path(&ca.value)),
            timeout: timeout.map_or(TIMEOUT, |t| t.value),
        });
    }
    out
}
