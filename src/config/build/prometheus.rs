//! `[prometheus.NAME]`: servers, logins, and which cluster asks which.

use super::super::error::Severity;
use super::super::model::{Login, PrometheusServer, Reach, Secret};
use super::super::reader::{Table, Value};
use super::super::source::At;
use super::Build;
use super::clusters::Clusters;
use super::names::{self, Kind};
use crate::domain::id::{ClusterIx, PrometheusIx, Text};
use toml::de::DeValue;

/// All servers, and the one of each cluster.
pub(super) struct Prometheuses {
    pub names: Vec<At<String>>,
    pub servers: Vec<PrometheusServer>,
    /// By cluster.
    pub of_cluster: Vec<Option<PrometheusIx>>,
}

struct Draft<'a> {
    name: At<String>,
    table: Table<'a>,
    clusters: Option<Vec<At<String>>>,
    reach: Option<DraftReach>,
    headers: Vec<(Text, Secret)>,
    login: Login,
}

enum DraftReach {
    Url(String),
    /// `{{cluster}}` in the url: one server per cluster.
    UrlOfEach(String),
    Proxy(Reach),
    /// By service proxy without `cluster`: each cluster's own.
    ProxyOfEach(Reach),
}

pub(super) fn read(build: &Build<'_>, root: Table<'_>, clusters: &Clusters) -> Prometheuses {
    let mut drafts = Vec::new();
    for (name, table) in root.named("prometheus") {
        names::check(build.problems, "prometheus", &name.value, name.at);
        drafts.push(Draft {
            clusters: table.texts("clusters"),
            reach: reach(build, table, clusters),
            headers: headers(build, table),
            login: login(build, table),
            name,
            table,
        });
    }
    let chosen = choose(build, &drafts, clusters);
    let mut out = Prometheuses {
        names: drafts.iter().map(|d| d.name.clone()).collect(),
        servers: Vec::new(),
        of_cluster: vec![None; clusters.names.len()],
    };
    for (at, draft) in drafts.iter().enumerate() {
        let users = chosen.iter().enumerate().filter(|(_, c)| **c == Some(at)).map(|(cluster, _)| cluster);
        make(build, draft, users.collect(), clusters, &mut out);
    }
    out
}

/// Which definition each cluster uses: the one it names, else the one that lists it, else the only one.
fn choose(build: &Build<'_>, drafts: &[Draft<'_>], clusters: &Clusters) -> Vec<Option<usize>> {
    let mut chosen: Vec<Option<usize>> = vec![None; clusters.names.len()];
    for (at, draft) in drafts.iter().enumerate() {
        for name in draft.clusters.iter().flatten() {
            let Some(slot) = clusters.find(build, name).and_then(|ix| chosen.get_mut(ix.at())) else { continue };
            if let Some(other) = slot.filter(|other| *other != at).and_then(|other| drafts.get(other)) {
                let message = format!("cluster `{}` is also listed by prometheus `{}`", name.value, other.name.value);
                build.problems.error("duplicate-prometheus", name.at, message, "list it once");
            }
            *slot = Some(at);
        }
    }
    for (wish, slot) in clusters.wishes.iter().zip(&mut chosen) {
        let Some(wish) = wish else { continue };
        let Some(at) = drafts.iter().position(|d| d.name.value == wish.value) else {
            names::unknown(build.problems, Kind::Prometheus, wish, drafts.iter().map(|d| d.name.value.as_str()));
            continue;
        };
        if slot.is_some_and(|other| other != at) {
            let message = format!("prometheus `{}` is named here, but another lists this cluster", wish.value);
            build.problems.error("duplicate-prometheus", wish.at, message, "say it in one place");
        }
        *slot = Some(at);
    }
    if let [only] = drafts
        && only.clusters.is_none()
    {
        chosen.iter_mut().filter(|slot| slot.is_none()).for_each(|slot| *slot = Some(0));
    }
    chosen
}

/// One server, or one per cluster that uses it.
fn make(build: &Build<'_>, draft: &Draft<'_>, users: Vec<usize>, clusters: &Clusters, out: &mut Prometheuses) {
    let Some(reach) = &draft.reach else { return };
    let server = |name: String, reach: Reach| PrometheusServer {
        name: name.into(),
        reach,
        headers: draft.headers.clone(),
        login: draft.login.clone(),
        ca: draft.table.text("ca").map(|ca| build.path(&ca.value)),
    };
    match reach {
        DraftReach::Url(url) => out.add(server(draft.name.value.clone(), Reach::Url(url.as_str().into())), users),
        DraftReach::Proxy(proxy) => out.add(server(draft.name.value.clone(), proxy.clone()), users),
        DraftReach::UrlOfEach(_) | DraftReach::ProxyOfEach(_) => {
            for user in users {
                let cluster = clusters.names.get(user).map_or("", |n| n.value.as_str());
                let reach = match reach {
                    DraftReach::UrlOfEach(url) => Reach::Url(url.replace("{{cluster}}", cluster).into()),
                    DraftReach::ProxyOfEach(proxy) => in_cluster(proxy, user.into()),
                    DraftReach::Url(_) | DraftReach::Proxy(_) => return,
                };
                out.add(server(format!("{}/{cluster}", draft.name.value), reach), vec![user]);
            }
        }
    }
}

fn in_cluster(proxy: &Reach, at: ClusterIx) -> Reach {
    let mut proxy = proxy.clone();
    if let Reach::ServiceProxy { cluster, .. } = &mut proxy {
        *cluster = at;
    }
    proxy
}

impl Prometheuses {
    fn add(&mut self, server: PrometheusServer, users: Vec<usize>) {
        let at = PrometheusIx::from(self.servers.len());
        self.servers.push(server);
        for user in users {
            if let Some(slot) = self.of_cluster.get_mut(user) {
                *slot = Some(at);
            }
        }
    }
}

fn reach(build: &Build<'_>, table: Table<'_>, clusters: &Clusters) -> Option<DraftReach> {
    let proxy_keys = ["cluster", "namespace", "service", "port", "https", "path"];
    match (table.text("url"), table.word("via")) {
        (Some(url), via) => {
            let stray =
                if via.is_some() { Some("via") } else { proxy_keys.into_iter().find(|k| table.raw(k).is_some()) };
            if let Some(key) = stray {
                let message = format!("`url` and `{key}` exclude each other");
                let fix = "keep `url`, or write `via = \"service-proxy\"` with `namespace`, `service` and `port`";
                build.problems.error("contradiction", table.place_of(key), message, fix);
            }
            check_url(build, table, &url)
        }
        (None, Some(_)) => proxy(build, table, clusters),
        (None, None) => {
            if table.raw("url").is_none() && table.raw("via").is_none() {
                table.missing("url", "\"https://prometheus.example\"");
            }
            None
        }
    }
}

fn check_url(build: &Build<'_>, table: Table<'_>, url: &At<String>) -> Option<DraftReach> {
    let sample = url.value.replace("{{cluster}}", "cluster");
    let parsed = sample.parse::<http::Uri>().ok().filter(|u| u.host().is_some_and(|h| !h.is_empty()));
    let Some(parsed) = parsed.filter(|u| matches!(u.scheme_str(), Some("http" | "https")) && !sample.contains('{'))
    else {
        let fix = "write it like `https://prometheus.example/prefix`; of placeholders there is `{{cluster}}`";
        build.problems.error("bad-url", url.at, "this is not an http(s) URL", fix);
        return None;
    };
    if parsed.authority().is_some_and(|a| a.as_str().contains('@')) {
        let fix = "use `basic = { user = \"…\", password = { env = \"…\" } }`";
        build.problems.error("secret-in-file", url.at, "the URL holds a user and password", fix);
        return None;
    }
    if sample.contains("/api/v1") || parsed.query().is_some() {
        let fix = "leave out `/api/v1` and what follows";
        build.problems.error("bad-url", url.at, "the URL must be the base, before `/api/v1`", fix);
    }
    let local = parsed.host().is_some_and(|h| matches!(h, "localhost" | "127.0.0.1" | "[::1]"));
    let login = table.raw("basic").is_some() || table.raw("bearer").is_some();
    if parsed.scheme_str() == Some("http") && login && !local {
        let message = "credentials go over http, readable on the way";
        build.problems.put(Severity::Finding, "plain-http", url.at, message, "use https, or `via = \"service-proxy\"`");
    }
    let base = url.value.trim_end_matches('/').to_owned();
    Some(if base.contains("{{cluster}}") { DraftReach::UrlOfEach(base) } else { DraftReach::Url(base) })
}

fn proxy(build: &Build<'_>, table: Table<'_>, clusters: &Clusters) -> Option<DraftReach> {
    for key in ["namespace", "service"] {
        if table.raw(key).is_none() {
            table.missing(key, if key == "namespace" { "\"monitoring\"" } else { "\"prometheus\"" });
        }
    }
    if table.raw("basic").is_some() || table.raw("bearer").is_some() || table.raw("ca").is_some() {
        let key = ["basic", "bearer", "ca"].into_iter().find(|k| table.raw(k).is_some()).unwrap_or("basic");
        let message = format!("`{key}` has no meaning by service proxy: the kubeconfig's identity is used");
        build.problems.error("contradiction", table.place_of(key), message, format!("leave `{key}` out"));
    }
    let cluster = table.text("cluster");
    let path = table.text("path").map_or_else(String::new, |p| p.value.trim_matches('/').to_owned());
    let each = cluster.is_none();
    let at = match &cluster {
        Some(name) => clusters.find(build, name)?,
        None => ClusterIx(0),
    };
    let part = |text: At<String>| -> Option<Text> {
        if names::is_label(&text.value) {
            return Some(text.value.into());
        }
        let message = format!("`{}` cannot be a part of a Service's address", text.value);
        build.problems.error("bad-name", text.at, message, "use lower-case letters, digits and `-`");
        None
    };
    let namespace = table.text("namespace").and_then(part);
    let service = table.text("service").and_then(part);
    let port = table.text("port").map_or(Some("9090".into()), part);
    let reach = Reach::ServiceProxy {
        cluster: at,
        namespace: namespace?,
        service: service?,
        port: port?,
        https: table.flag("https").unwrap_or(false),
        path: if path.is_empty() { "".into() } else { format!("/{path}").into() },
    };
    Some(if each { DraftReach::ProxyOfEach(reach) } else { DraftReach::Proxy(reach) })
}

pub(super) fn headers(build: &Build<'_>, table: Table<'_>) -> Vec<(Text, Secret)> {
    let mut out = Vec::new();
    for (name, value) in table.by_name("headers") {
        if http::HeaderName::from_bytes(name.value.as_bytes()).is_err() {
            let message = format!("`{}` cannot be the name of a header", name.value);
            build.problems.error("bad-name", name.at, message, "write it like `X-Scope-OrgID`");
        }
        if let DeValue::String(text) = value.get_ref() {
            if name.value.eq_ignore_ascii_case("authorization") {
                let fix = "use `bearer = { env = \"…\" }`, or a header with `{ env = \"…\" }`";
                build.problems.put(Severity::Finding, "secret-in-file", name.at, "a secret stands in the file", fix);
            }
            out.push((name.value.into(), Secret::Known(text.to_string().into())));
        } else if let Some(secret) = secret(build, &name.value, value) {
            out.push((name.value.into(), secret));
        }
    }
    out
}

pub(super) fn login(build: &Build<'_>, table: Table<'_>) -> Login {
    let bearer = table.raw("bearer").and_then(|(value, _)| secret(build, "bearer", value));
    let Some(basic) = table.table("basic") else { return bearer.map_or(Login::None, Login::Bearer) };
    if bearer.is_some() {
        let message = "`basic` and `bearer` exclude each other";
        build.problems.error("contradiction", table.place_of("bearer"), message, "keep one of them");
    }
    for (key, example) in [("user", "\"gonogo\""), ("password", "{ env = \"PROM_PASSWORD\" }")] {
        if basic.raw(key).is_none() {
            basic.missing(key, example);
        }
    }
    let password = basic.raw("password").and_then(|(value, _)| secret(build, "password", value));
    match (basic.text("user"), password) {
        (Some(user), Some(password)) => Login::Basic { user: user.value.into(), password },
        _ => Login::None,
    }
}

/// `{ env = "VAR" }` or `{ file = "PATH" }`.
pub(super) fn secret(build: &Build<'_>, key: &str, value: &Value<'_>) -> Option<Secret> {
    let wrong = || {
        let message = format!("`{key}` must say where the secret is, not what it is");
        let fix = format!("write `{key} = {{ env = \"VAR\" }}` or `{key} = {{ file = \"PATH\" }}`");
        build.problems.error("secret-in-file", value.span().into(), message, fix);
        None
    };
    let DeValue::Table(table) = value.get_ref() else { return wrong() };
    let mut entries = table.iter();
    let (Some((name, value)), None) = (entries.next(), entries.next()) else { return wrong() };
    match (&**name.get_ref(), value.get_ref()) {
        ("env", DeValue::String(variable)) => match (build.given.env)(variable) {
            Some(text) if !text.trim().is_empty() => Some(Secret::Known(text.trim().into())),
            found => {
                let state = if found.is_some() { "empty" } else { "not set" };
                let message = format!("the environment variable `{variable}` is {state}");
                let fix = format!("`export {variable}=…` before starting, or use `{{ file = \"PATH\" }}`");
                build.problems.error("env-not-set", value.span().into(), message, fix);
                None
            }
        },
        ("file", DeValue::String(path)) => Some(Secret::File(build.path(path))),
        _ => wrong(),
    }
}
