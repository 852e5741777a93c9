//! `[cluster.NAME]`: API servers and how they are reached.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::error::Severity;
use super::super::kubeconfig::Kubeconfig;
use super::super::model::Connection;
use super::super::reader::Table;
use super::super::source::At;
use super::Build;
use super::names::{self, Kind};
use super::prometheus::Prometheuses;
use crate::domain::fleet::Cluster;
use crate::domain::id::{ClusterIx, ClusterName};
use crate::domain::text::did_you_mean;

/// All clusters; the vectors go in step.
pub(super) struct Clusters {
    pub names: Vec<At<String>>,
    pub connections: Vec<Connection>,
    /// The Prometheus that a cluster names.
    pub wishes: Vec<Option<At<String>>>,
}

impl Clusters {
    pub fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|n| n.value == name)
    }

    /// The cluster of that name, or an error.
    pub fn find(&self, build: &Build<'_>, name: &At<String>) -> Option<ClusterIx> {
        let found = self.position(&name.value);
        if found.is_none() {
            names::unknown(build.problems, Kind::Cluster, name, self.names.iter().map(|n| n.value.as_str()));
        }
        found.map(ClusterIx::from)
    }

    /// As the fleet holds them.
    pub fn fleet(&self, prometheuses: &Prometheuses) -> Vec<Cluster> {
        let names = self.names.iter().enumerate();
        names
            .map(|(at, name)| Cluster {
                name: ClusterName::new(name.value.clone()),
                prometheus: prometheuses.of_cluster.get(at).copied().flatten(),
            })
            .collect()
    }
}

pub(super) fn read(build: &Build<'_>, root: Table<'_>) -> Clusters {
    let mut out = Clusters { names: Vec::new(), connections: Vec::new(), wishes: Vec::new() };
    let mut read = Read::new();
    for (name, table) in root.named("cluster") {
        names::check(build.problems, "cluster", &name.value, name.at);
        out.connections.push(connection(build, &name, table, &mut read));
        out.wishes.push(table.text("prometheus"));
        out.names.push(name);
    }
    if root.raw("cluster").is_none() {
        let fix = "add `[cluster.NAME]`; its context is NAME unless you say `context = \"…\"`";
        build.problems.error("missing-cluster", root.at, "there is no cluster", fix);
    }
    out
}

/// Each kubeconfig is read once, however many clusters name it.
type Read = BTreeMap<Option<PathBuf>, Result<Kubeconfig, String>>;

fn connection(build: &Build<'_>, name: &At<String>, table: Table<'_>, read: &mut Read) -> Connection {
    let context = table.text("context");
    let kubeconfig = table.text("kubeconfig");
    if table.flag("in_cluster") == Some(true) {
        for key in ["context", "kubeconfig"] {
            if table.raw(key).is_some() {
                let message = format!("`in_cluster` and `{key}` exclude each other");
                build.problems.error("contradiction", table.place_of(key), message, format!("leave `{key}` out"));
            }
        }
        return Connection::InCluster;
    }
    let path = kubeconfig.as_ref().map(|k| build.path(&k.value));
    let wanted = context.unwrap_or_else(|| name.clone());
    if let Some(kubeconfigs) = build.given.kubeconfigs {
        match read.entry(path.clone()).or_insert_with(|| kubeconfigs(path.as_deref())) {
            Ok(known) => check_context(build, &wanted, known),
            Err(why) => {
                let at = kubeconfig.as_ref().map_or(name.at, |k| k.at);
                let message = format!("the kubeconfig of cluster `{}` cannot be read: {why}", name.value);
                build.problems.error("bad-kubeconfig", at, message, "`kubectl config view` says more");
            }
        }
    }
    Connection::Context { context: wanted.value.into(), kubeconfig: path }
}

/// Whether the kubeconfig has the context, and what that needs.
fn check_context(build: &Build<'_>, wanted: &At<String>, kubeconfig: &Kubeconfig) {
    let names = kubeconfig.names();
    if !names.contains(&wanted.value) {
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let fix = match did_you_mean(&wanted.value, known.iter().copied()) {
            Some(near) => format!("did you mean `context = \"{near}\"`? there is: {}", names::list(&known)),
            None if known.is_empty() => "the kubeconfig has no context at all".to_owned(),
            None => format!("write `context = \"…\"`; there is: {}", names::list(&known)),
        };
        let message = format!("the kubeconfig has no context `{}`", wanted.value);
        return build.problems.error("missing-context", wanted.at, message, fix);
    }
    let fix = "`kubectl config view` shows the context";
    match kubeconfig.needs(&wanted.value) {
        Err(why) => build.problems.error("bad-context", wanted.at, why, fix),
        Ok(needs) => {
            for file in needs.missing {
                let message = format!("context `{}` needs {}, which is not there", wanted.value, file.display());
                build.problems.put(Severity::Finding, "missing-file", wanted.at, message, fix);
            }
        }
    }
}
