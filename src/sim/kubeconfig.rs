//! A kubeconfig for simulated clusters: one context per cluster and user.

use std::fmt::Write as _;

/// One context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// Its name, which is also the cluster's.
    pub name: String,
    /// The API server's URL.
    pub server: String,
    /// The user's name.
    pub user: String,
    /// The user's bearer token.
    pub token: String,
    /// The namespace that applies where none is given.
    pub namespace: String,
}

/// The file's text. `current-context` is the first context's, as after `kubectl config
/// use-context`, so that a bare `kubectl get` works.
pub fn to_yaml(contexts: &[Context]) -> String {
    let mut out = String::from("apiVersion: v1\nkind: Config\npreferences: {}\n");
    // JSON strings are YAML strings: names need no other care.
    let quoted = |text: &str| serde_json::Value::String(text.to_owned()).to_string();
    let current = contexts.first().map_or("", |c| c.name.as_str());
    let _ = writeln!(out, "current-context: {}\nclusters:", quoted(current));
    for c in contexts {
        let (name, server) = (quoted(&c.name), quoted(&c.server));
        let _ = writeln!(out, "- name: {name}\n  cluster:\n    server: {server}");
    }
    out.push_str("users:\n");
    for c in contexts {
        let user = quoted(&format!("{}-{}", c.name, c.user));
        let _ = writeln!(out, "- name: {user}\n  user:\n    token: {}", quoted(&c.token));
    }
    out.push_str("contexts:\n");
    for c in contexts {
        let (name, user) = (quoted(&c.name), quoted(&format!("{}-{}", c.name, c.user)));
        let namespace = quoted(&c.namespace);
        let _ = writeln!(
            out,
            "- name: {name}\n  context:\n    cluster: {name}\n    user: {user}\n    namespace: {namespace}"
        );
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn kubes_own_reader_reads_it() {
        let context = Context {
            name: "ring-1".to_owned(),
            server: "http://127.0.0.1:1".to_owned(),
            user: "oncall".to_owned(),
            token: "t: #x".to_owned(),
            namespace: "shop".to_owned(),
        };
        let text = to_yaml(&[context]);
        let config = kube::config::Kubeconfig::from_yaml(&text).unwrap();
        assert_eq!(config.current_context.as_deref(), Some("ring-1"));
        assert_eq!(config.contexts[0].context.as_ref().unwrap().namespace.as_deref(), Some("shop"));
    }
}
