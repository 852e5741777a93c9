//! Reading kubeconfigs offline, merged as kubectl does; secrets are never held.
//!
//! `$KUBECONFIG` is a list: files that are missing are skipped, the first file that has
//! a name wins for that name as a whole, and paths are relative to the file they stand in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::domain::text::safe;

/// What one file says, without its secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kubeconfig {
    /// Contexts in the order in which they were found.
    pub contexts: Vec<Context>,
    clusters: BTreeMap<String, Server>,
    users: BTreeMap<String, User>,
    /// Files that are named and not there.
    missing: BTreeSet<PathBuf>,
}

/// A context: a cluster and a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// Its name.
    pub name: String,
    /// Name of its cluster.
    pub cluster: String,
    /// Name of its user; empty: anonymous.
    pub user: String,
    /// The file it stands in.
    pub file: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Server {
    url: String,
    files: Vec<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct User {
    files: Vec<PathBuf>,
    /// Command of an exec plugin.
    exec: Option<String>,
}

/// What a context needs on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    /// URL of the API server.
    pub server: String,
    /// Certificates, keys and tokens that must be there.
    pub files: Vec<PathBuf>,
    /// Those of them that are not.
    pub missing: Vec<PathBuf>,
    /// Command of an exec plugin; with its path where it has one.
    pub exec: Option<String>,
}

/// Why a kubeconfig cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", .file.display())]
pub struct KubeconfigError {
    /// Which file.
    pub file: PathBuf,
    /// What is wrong, made visible, without its content.
    pub why: String,
}

/// The files to merge: an explicit one alone, else `$KUBECONFIG`, else `~/.kube/config`.
pub fn paths(explicit: Option<&Path>, variable: Option<&str>, home: Option<&Path>) -> Vec<PathBuf> {
    if let Some(path) = explicit {
        return vec![path.to_owned()];
    }
    let listed: Vec<PathBuf> =
        variable.map(|v| std::env::split_paths(v).filter(|p| !p.as_os_str().is_empty()).collect()).unwrap_or_default();
    if listed.is_empty() {
        return home.map(|h| h.join(".kube").join("config")).into_iter().collect();
    }
    let mut seen = BTreeSet::new();
    listed.into_iter().filter(|p| seen.insert(p.clone())).collect()
}

/// Reads and merges the files; only an explicit one must be there.
pub fn load(
    explicit: Option<&Path>,
    variable: Option<&str>,
    home: Option<&Path>,
) -> Result<Kubeconfig, KubeconfigError> {
    let mut merged = Kubeconfig::default();
    for path in paths(explicit, variable, home) {
        match std::fs::read_to_string(&path) {
            Ok(text) => merged.add(Kubeconfig::parse(&path, &text)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && explicit.is_none() => {}
            Err(error) => return Err(KubeconfigError { file: path, why: error.to_string() }),
        }
    }
    merged.look_for_files(&|file| file.exists());
    Ok(merged)
}

#[derive(Default, Deserialize)]
struct File {
    #[serde(default)]
    clusters: Option<Vec<NamedCluster>>,
    #[serde(default)]
    users: Option<Vec<NamedUser>>,
    #[serde(default)]
    contexts: Option<Vec<NamedContext>>,
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    #[serde(default)]
    cluster: Option<FileCluster>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct FileCluster {
    #[serde(default)]
    server: Option<String>,
    #[serde(default)]
    certificate_authority: Option<String>,
}

#[derive(Deserialize)]
struct NamedUser {
    name: String,
    #[serde(default)]
    user: Option<FileUser>,
}

/// Only what names files and commands: tokens, passwords and key data are not read.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct FileUser {
    #[serde(default)]
    client_certificate: Option<String>,
    #[serde(default)]
    client_key: Option<String>,
    #[serde(default, rename = "tokenFile")]
    token_file: Option<String>,
    #[serde(default)]
    exec: Option<FileExec>,
}

#[derive(Deserialize)]
struct FileExec {
    #[serde(default)]
    command: String,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    #[serde(default)]
    context: Option<FileContext>,
}

#[derive(Default, Deserialize)]
struct FileContext {
    #[serde(default)]
    cluster: String,
    #[serde(default)]
    user: String,
}

impl Kubeconfig {
    /// Reads one file.
    pub fn parse(path: &Path, text: &str) -> Result<Self, KubeconfigError> {
        let fail = |why: String| KubeconfigError { file: path.to_owned(), why };
        let file: File = if text.trim().is_empty() {
            File::default()
        } else {
            serde_saphyr::from_str(text).map_err(|error| fail(place_only(&error.to_string())))?
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        let full = |part: Option<String>| part.filter(|p| !p.is_empty()).map(|p| folder.join(p));
        let mut out = Self::default();
        for named in file.clusters.unwrap_or_default() {
            let cluster = named.cluster.unwrap_or_default();
            let url = cluster.server.unwrap_or_default();
            let files = full(cluster.certificate_authority).into_iter().collect();
            if out.clusters.insert(named.name.clone(), Server { url, files }).is_some() {
                return Err(fail(twice("cluster", &named.name)));
            }
        }
        for named in file.users.unwrap_or_default() {
            let user = named.user.unwrap_or_default();
            let files = [full(user.client_certificate), full(user.client_key), full(user.token_file)];
            // A command with a separator is a path, relative to the file; others are looked up in $PATH.
            let command = |c: String| if c.contains('/') { folder.join(&c).display().to_string() } else { c };
            let user =
                User { files: files.into_iter().flatten().collect(), exec: user.exec.map(|e| command(e.command)) };
            if out.users.insert(named.name.clone(), user).is_some() {
                return Err(fail(twice("user", &named.name)));
            }
        }
        for named in file.contexts.unwrap_or_default() {
            if out.contexts.iter().any(|c| c.name == named.name) {
                return Err(fail(twice("context", &named.name)));
            }
            let context = named.context.unwrap_or_default();
            out.contexts.push(Context {
                name: named.name,
                cluster: context.cluster,
                user: context.user,
                file: path.to_owned(),
            });
        }
        Ok(out)
    }

    /// Adds what a later file says: names that are known stay as they are.
    pub fn add(&mut self, later: Self) {
        for (name, cluster) in later.clusters {
            self.clusters.entry(name).or_insert(cluster);
        }
        for (name, user) in later.users {
            self.users.entry(name).or_insert(user);
        }
        for context in later.contexts {
            if !self.contexts.iter().any(|c| c.name == context.name) {
                self.contexts.push(context);
            }
        }
    }

    /// Notes which of the files that clusters and users name are not there.
    pub fn look_for_files(&mut self, exists: &dyn Fn(&Path) -> bool) {
        let files = self.clusters.values().flat_map(|c| &c.files).chain(self.users.values().flat_map(|u| &u.files));
        self.missing = files.filter(|f| !exists(f)).cloned().collect();
    }

    /// Names of all contexts.
    pub fn names(&self) -> Vec<String> {
        self.contexts.iter().map(|c| c.name.clone()).collect()
    }

    /// What a context needs, or what is missing in the kubeconfig itself.
    pub fn needs(&self, context: &str) -> Result<Needs, String> {
        let Some(context) = self.contexts.iter().find(|c| c.name == context) else {
            return Err(format!("there is no context `{context}`"));
        };
        let Some(server) = self.clusters.get(&context.cluster).filter(|s| !s.url.is_empty()) else {
            return Err(format!("context `{}` names cluster `{}`, which has no server", context.name, context.cluster));
        };
        let user = match self.users.get(&context.user) {
            Some(user) => Some(user),
            None if context.user.is_empty() => None,
            None => {
                return Err(format!("context `{}` names user `{}`, which is not there", context.name, context.user));
            }
        };
        let files: Vec<PathBuf> = server.files.iter().chain(user.into_iter().flat_map(|u| &u.files)).cloned().collect();
        let missing = files.iter().filter(|f| self.missing.contains(*f)).cloned().collect();
        Ok(Needs { server: safe(&server.url, 300), files, missing, exec: user.and_then(|u| u.exec.clone()) })
    }
}

fn twice(what: &str, name: &str) -> String {
    safe(&format!("{what} `{name}` is there twice"), 300)
}

/// The parser's words without the excerpt that follows: the line could hold a token.
fn place_only(error: &str) -> String {
    safe(error.lines().next().unwrap_or("not YAML"), 200)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    const FIRST: &str = "
apiVersion: v1
kind: Config
current-context: a
clusters:
- name: one
  cluster: {server: https://one.example, certificate-authority: ca.pem}
users:
- name: me
  user: {token: s3cret, client-key: keys/me.pem, exec: {command: ./login, args: [x]}}
contexts:
- name: a
  context: {cluster: one, user: me, namespace: x}
- name: broken
  context: {cluster: two, user: nobody}
";
    const SECOND: &str = "
clusters:
- {name: one, cluster: {server: https://other.example}}
- {name: two, cluster: {server: https://two.example}}
contexts:
- {name: a, context: {cluster: two}}
- {name: b, context: {cluster: two}}
";

    #[test]
    fn the_first_file_that_has_a_name_wins() {
        let mut merged = Kubeconfig::parse(Path::new("/etc/kube/first"), FIRST).unwrap();
        merged.add(Kubeconfig::parse(Path::new("/home/me/second"), SECOND).unwrap());
        assert_eq!(merged.names(), ["a", "broken", "b"]);
        let a = merged.needs("a").unwrap();
        assert_eq!(a.server, "https://one.example");
        assert_eq!(a.files, [PathBuf::from("/etc/kube/ca.pem"), "/etc/kube/keys/me.pem".into()]);
        assert_eq!(a.exec.as_deref(), Some("/etc/kube/./login"));
        assert_eq!(merged.needs("b").unwrap().exec, None);
        assert!(a.missing.is_empty());
        merged.look_for_files(&|file| file.ends_with("ca.pem"));
        assert_eq!(merged.needs("a").unwrap().missing, [PathBuf::from("/etc/kube/keys/me.pem")]);
        assert!(merged.needs("broken").unwrap_err().contains("user `nobody`"));
        assert!(merged.needs("c").unwrap_err().contains("no context `c`"));
    }

    #[test]
    fn the_list_of_files_is_kubectls() {
        let home = Path::new("/home/me");
        let shown =
            |variable| paths(None, variable, Some(home)).iter().map(|p| p.display().to_string()).collect::<Vec<_>>();
        assert_eq!(shown(None), ["/home/me/.kube/config"]);
        assert_eq!(shown(Some("")), ["/home/me/.kube/config"]);
        assert_eq!(shown(Some("/a::/b:/a")), ["/a", "/b"]);
        assert_eq!(paths(Some(Path::new("/x")), Some("/a"), Some(home)), [PathBuf::from("/x")]);
    }

    #[test]
    fn missing_files_are_skipped_unless_named_explicitly() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("there");
        std::fs::write(&there, SECOND).unwrap();
        let list = format!("{}:{}", folder.path().join("missing").display(), there.display());
        assert_eq!(load(None, Some(&list), None).unwrap().names(), ["a", "b"]);
        assert!(load(Some(&folder.path().join("missing")), None, None).is_err());
        assert_eq!(load(None, None, None).unwrap(), Kubeconfig::default());
    }

    #[test]
    fn secrets_are_neither_held_nor_printed() {
        let shown = format!("{:?}", Kubeconfig::parse(Path::new("f"), FIRST).unwrap());
        assert!(!shown.contains("s3cret"));
        let bad = "users:\n- name: me\n  user: {token: s3cret, client-key: [1}\n";
        let error = Kubeconfig::parse(Path::new("f"), bad).unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{error}");
        let twice = "contexts:\n- {name: a, context: {}}\n- {name: a, context: {}}\n";
        assert!(Kubeconfig::parse(Path::new("f"), twice).unwrap_err().why.contains("twice"));
        assert!(Kubeconfig::parse(Path::new("f"), "").unwrap().names().is_empty());
    }
}
