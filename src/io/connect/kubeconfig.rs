//! From a kubeconfig context, or from inside a cluster, to a stack over the network.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::HeaderValue;
use http::header::USER_AGENT;
use kube::config::{Config, KubeConfigOptions, Kubeconfig, KubeconfigError};
use tokio::sync::Semaphore;

use super::acting::{self, ActingAs};
use super::dial::{Dial, Dialed};
use super::exec::Plugins;
use super::inspect::{Inspected, inspected};
use super::proxy::ProxyEnv;
use super::stack::stack;
use crate::domain::id::{ClusterIx, Text};
use crate::domain::link::LostReason;
use crate::domain::stamp::Timestamp;
use crate::domain::text::safe;
use crate::domain::version::sha256_hex;
use crate::io::answer::chain;
use crate::io::clock::Clock;

/// A connection that is not there within this time is not made.
const CONNECT: Duration = Duration::from_secs(10);
/// Files are not read again within this time: two hundred clusters share one.
const FRESH: Duration = Duration::from_secs(2);

/// Clients that are made at the same time: each takes a thread, and two hundred would take as many.
const AT_ONCE: usize = 4;

/// How a cluster is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// A context of a kubeconfig; never the current one.
    Context {
        /// The context.
        context: String,
        /// The file; none: the usual ones, merged.
        file: Option<PathBuf>,
    },
    /// The service account of the pod we run in.
    InCluster,
}

impl Way {
    /// What the cluster's identity is remembered by. The file is part of it where one is named:
    /// files of two clusters often call their contexts alike.
    pub fn remembered_by(&self) -> Text {
        match self {
            Way::Context { context, file: None } => context.as_str().into(),
            Way::Context { context, file: Some(file) } => format!("{context} in {}", file.display()).into(),
            Way::InCluster => "in-cluster".into(),
        }
    }
}

/// Merged files by their name, with the moment they were read.
type Kept = BTreeMap<Option<PathBuf>, (Duration, Arc<Kubeconfig>)>;

/// Dials real clusters.
pub struct KubeDial {
    ways: Vec<Way>,
    /// `$KUBECONFIG` as a list, or `~/.kube/config`.
    files: Vec<PathBuf>,
    proxy: ProxyEnv,
    plugins: Plugins,
    clock: Clock,
    read: Mutex<Kept>,
    slots: Semaphore,
    acting_as: Option<ActingAs>,
}

impl KubeDial {
    /// `ways` in the order of the fleet's clusters; `files` as [`usual_files`] gives them.
    pub fn new(ways: Vec<Way>, files: Vec<PathBuf>, proxy: ProxyEnv, plugins: Plugins, clock: Clock) -> Self {
        let slots = Semaphore::new(AT_ONCE);
        Self { ways, files, proxy, plugins, clock, read: Mutex::default(), slots, acting_as: None }
    }

    /// Whom every cluster is to take us for, whatever the kubeconfig says.
    #[must_use]
    pub fn acting_as(mut self, who: Option<ActingAs>) -> Self {
        self.acting_as = who;
        self
    }

    /// Runs the cluster's credential plugin with the terminal; whether there was one.
    pub async fn login(&self, cluster: ClusterIx) -> Result<bool, LostReason> {
        let Some(Way::Context { context, file }) = self.ways.get(cluster.at()) else { return Ok(false) };
        let config = config(self.kubeconfig(file.as_ref())?, context)?;
        match &config.auth_info.exec {
            Some(exec) => self.plugins.login(exec).await.map(|()| true),
            None => Ok(false),
        }
    }

    /// What is configured for a cluster's connection, without making it.
    pub fn inspect(&self, cluster: ClusterIx) -> Result<Inspected, LostReason> {
        let way = self.ways.get(cluster.at());
        match way.ok_or_else(|| LostReason::Unusable("the configuration names no context".into()))? {
            Way::InCluster => {
                let config = Config::incluster().map_err(|e| unusable("not inside a cluster", &e))?;
                Ok(inspected(&config, self.acting_as.as_ref()))
            }
            Way::Context { context, file } => {
                let kubeconfig = self.kubeconfig(file.as_ref())?;
                let own_proxy = has_proxy(&kubeconfig, context);
                let mut config = config(kubeconfig, context)?;
                if !own_proxy {
                    config.proxy_url = self.proxy.of(&config.cluster_url);
                }
                Ok(inspected(&config, self.acting_as.as_ref()))
            }
        }
    }

    async fn dialed(&self, cluster: ClusterIx, renew: bool) -> Result<Dialed, LostReason> {
        let way = self.ways.get(cluster.at()).cloned();
        let way = way.ok_or_else(|| LostReason::Unusable("the configuration names no context".into()))?;
        let remembered_by = way.remembered_by();
        let mut config = match way {
            Way::InCluster => Config::incluster().map_err(|e| unusable("not inside a cluster", &e))?,
            Way::Context { context, file } => {
                let kubeconfig = self.kubeconfig(file.as_ref())?;
                let own_proxy = has_proxy(&kubeconfig, &context);
                let name = context.clone();
                let mut config = self.blocking(move || config(kubeconfig, &name)).await?;
                if !own_proxy {
                    config.proxy_url = self.proxy.of(&config.cluster_url);
                }
                config
            }
        };
        let valid_until = self.credential(&mut config, renew).await?;
        learn_of(&config);
        config.headers.extend(acting::headers(self.acting_as.as_ref(), &config.auth_info)?);
        prepare(&mut config);
        let anchor = anchor(&config);
        // Reads certificates and tokens from files.
        let builder = self.blocking(move || stack(config).map_err(|e| unusable("client", &e))).await?;
        Ok(Dialed { builder, valid_until, context: remembered_by, anchor: anchor.into() })
    }

    async fn credential(&self, config: &mut Config, renew: bool) -> Result<Option<Timestamp>, LostReason> {
        if let Some(provider) = &config.auth_info.auth_provider
            && provider.name != "oidc"
        {
            let text = format!("auth-provider {} is gone from Kubernetes: use its exec plugin", provider.name);
            return Err(LostReason::Unusable(safe(&text, 300).into()));
        }
        let Some(exec) = config.auth_info.exec.clone() else { return Ok(None) };
        let credential = self.plugins.credential(&exec, renew).await?;
        credential.apply(&mut config.auth_info)?;
        Ok(credential.expires)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, LostReason> + Send + 'static,
    ) -> Result<T, LostReason> {
        let _slot = self.slots.acquire().await;
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|_| Err(LostReason::Unusable("the client could not be made".into())))
    }

    /// The merged files, read at most every two seconds.
    fn kubeconfig(&self, file: Option<&PathBuf>) -> Result<Arc<Kubeconfig>, LostReason> {
        let now = self.clock.now().mono;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, kept)) = read.get(&file.cloned())
            && now.saturating_sub(*at) < FRESH
        {
            return Ok(Arc::clone(kept));
        }
        let files = file.map_or(self.files.as_slice(), std::slice::from_ref);
        let merged = Arc::new(merged(files)?);
        read.insert(file.cloned(), (now, Arc::clone(&merged)));
        Ok(merged)
    }
}

impl Dial for KubeDial {
    fn dial(&self, cluster: ClusterIx, renew: bool) -> BoxFuture<'_, Result<Dialed, LostReason>> {
        Box::pin(self.dialed(cluster, renew))
    }
}

/// The files that kubectl reads: `$KUBECONFIG` as a list, else `~/.kube/config`.
pub fn usual_files(kubeconfig: Option<&std::ffi::OsStr>, home: Option<&std::path::Path>) -> Vec<PathBuf> {
    match kubeconfig.filter(|k| !k.is_empty()) {
        Some(list) => std::env::split_paths(list).filter(|p| !p.as_os_str().is_empty()).collect(),
        None => home.map(|h| h.join(".kube/config")).into_iter().collect(),
    }
}

/// Reads and merges as kubectl does: files that are not there are skipped, the first to name something wins.
pub fn merged(files: &[PathBuf]) -> Result<Kubeconfig, LostReason> {
    let mut all: Option<Kubeconfig> = None;
    for file in files.iter().filter(|f| f.exists()) {
        let one = Kubeconfig::read_from(file).map_err(|e| unreadable(file, &e))?;
        all = Some(match all {
            Some(before) => before.merge(one).map_err(|e| unusable("kubeconfig files cannot be merged", &e))?,
            None => one,
        });
    }
    all.ok_or_else(|| {
        let names: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
        LostReason::Unusable(safe(&format!("no kubeconfig at {}", names.join(", ")), 600).into())
    })
}

/// Names of the contexts in the files, in their order.
pub fn contexts(files: &[PathBuf]) -> Result<Vec<String>, LostReason> {
    Ok(merged(files)?.contexts.into_iter().map(|c| c.name).collect())
}

fn config(kubeconfig: Arc<Kubeconfig>, context: &str) -> Result<Config, LostReason> {
    let known = || kubeconfig.contexts.iter().map(|c| c.name.as_str());
    if !known().any(|name| name == context) {
        let nearest = crate::domain::text::did_you_mean(context, known());
        let hint = nearest.map_or_else(String::new, |n| format!("; did you mean {n}?"));
        return Err(LostReason::Unusable(safe(&format!("the kubeconfig has no context {context}{hint}"), 300).into()));
    }
    let options = KubeConfigOptions { context: Some(context.to_owned()), cluster: None, user: None };
    // Async in name only: it reads files, and is ready at once.
    let config = Config::from_custom_kubeconfig(only(&kubeconfig, context), &options).now_or_never();
    let config = config.ok_or_else(|| LostReason::Unusable("the kubeconfig cannot be read at once".into()))?;
    config.map_err(|e| unusable(&format!("context {context}"), &e))
}

/// The part of a kubeconfig that a context needs: files with hundreds of contexts are not copied for each.
fn only(all: &Kubeconfig, context: &str) -> Kubeconfig {
    let contexts: Vec<_> = all.contexts.iter().filter(|c| c.name == context).take(1).cloned().collect();
    let named = contexts.first().and_then(|c| c.context.as_ref());
    let is_cluster = |name: &str| named.is_some_and(|c| c.cluster == name);
    let is_user = |name: &str| named.is_some_and(|c| c.user.as_deref() == Some(name));
    Kubeconfig {
        clusters: all.clusters.iter().filter(|c| is_cluster(&c.name)).cloned().collect(),
        auth_infos: all.auth_infos.iter().filter(|u| is_user(&u.name)).cloned().collect(),
        contexts,
        ..Kubeconfig::default()
    }
}

fn has_proxy(kubeconfig: &Kubeconfig, context: &str) -> bool {
    let cluster = kubeconfig
        .contexts
        .iter()
        .find(|c| c.name == context)
        .and_then(|c| c.context.as_ref())
        .and_then(|c| kubeconfig.clusters.iter().find(|k| k.name == c.cluster));
    cluster.and_then(|c| c.cluster.as_ref()).is_some_and(|c| c.proxy_url.as_ref().is_some_and(|p| !p.is_empty()))
}

/// No answer that echoes the credentials is repeated.
fn learn_of(config: &Config) {
    let Ok(auth) = serde_json::to_value(&config.auth_info) else { return };
    for key in ["token", "password"] {
        if let Some(secret) = auth.get(key).and_then(serde_json::Value::as_str) {
            crate::io::secrets::learn(secret);
        }
    }
}

/// What every client of ours has.
fn prepare(config: &mut Config) {
    // Every verb would be sent again on 429, 503 and 504: a write never is, a read by our own rules.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    if config.cluster_url.scheme_str() == Some("http") && config.root_cert.is_none() {
        // No TLS: the host's roots of trust are not read, nor kept once per cluster.
        config.root_cert = Some(Vec::new());
    }
    config.headers.push((USER_AGENT, HeaderValue::from_static(concat!("gonogo/", env!("CARGO_PKG_VERSION")))));
}

/// SHA-256 of CA and URL.
fn anchor(config: &Config) -> String {
    let mut bytes = config.cluster_url.to_string().into_bytes();
    for certificate in config.root_cert.iter().flatten() {
        bytes.extend_from_slice(certificate);
    }
    sha256_hex(&bytes)
}

/// The parser's message quotes the text around an error, which may be a credential: only the place is said.
fn unreadable(file: &std::path::Path, error: &KubeconfigError) -> LostReason {
    let what = format!("kubeconfig {}", file.display());
    let KubeconfigError::Parse(parse) = error else { return unusable(&what, error) };
    let place = parse.location().map_or_else(String::new, |l| format!(" (line {}, column {})", l.line(), l.column()));
    LostReason::Unusable(safe(&format!("{what}: not a kubeconfig{place}"), 600).into())
}

fn unusable(what: &str, error: &(dyn std::error::Error + 'static)) -> LostReason {
    LostReason::Unusable(safe(&format!("{what}: {}", chain(error)), 600).into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use crate::io::command::Processes;

    fn file(folder: &tempfile::TempDir, name: &str, context: &str, server: &str) -> PathBuf {
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: {context}\n\
             clusters: [{{name: {context}, cluster: {{server: '{server}'}}}}]\n\
             contexts: [{{name: {context}, context: {{cluster: {context}, user: u}}}}]\n\
             users: [{{name: u, user: {{token: secret-token}}}}]\n"
        );
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn dial(files: Vec<PathBuf>, context: &str) -> KubeDial {
        let way = Way::Context { context: context.to_owned(), file: None };
        let plugins = Plugins::new(Arc::new(Processes), Clock::host());
        KubeDial::new(vec![way], files, ProxyEnv::default(), plugins, Clock::host())
    }

    #[test]
    fn the_list_of_files_is_merged_and_missing_ones_are_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let list = std::env::join_paths([
            file(&folder, "a", "eu", "http://127.0.0.1:1"),
            folder.path().join("not-there"),
            file(&folder, "b", "us", "http://127.0.0.1:2"),
        ])
        .unwrap();
        assert_eq!(contexts(&usual_files(Some(&list), None)).unwrap(), ["eu", "us"]);
        let none = contexts(&[folder.path().join("x")]).unwrap_err();
        assert!(none.text().1.starts_with("no kubeconfig at"));
    }

    #[tokio::test]
    async fn an_unknown_context_is_refused_although_there_is_a_current_one() {
        let folder = tempfile::tempdir().unwrap();
        let files = vec![file(&folder, "a", "eu-west", "http://127.0.0.1:1")];
        let Err(LostReason::Unusable(text)) = dial(files, "eu-wset").dial(ClusterIx(0), false).await else {
            panic!("dialled")
        };
        assert_eq!(&*text, "the kubeconfig has no context eu-wset; did you mean eu-west?");
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_read_is_named_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broken");
        std::fs::write(&path, "users: [{name: u, user: {token: secret-token").unwrap();
        let Err(LostReason::Unusable(text)) = dial(vec![path], "eu").dial(ClusterIx(0), false).await else {
            panic!("dialled")
        };
        assert!(text.contains("broken") && !text.contains("secret-token"), "{text}");
    }

    /// `kubernetes-admin@kubernetes` in two files is two clusters.
    #[test]
    fn an_identity_is_remembered_by_context_and_file() {
        let way = |file: Option<&str>| Way::Context { context: "admin".to_owned(), file: file.map(PathBuf::from) };
        assert_eq!(&*way(None).remembered_by(), "admin");
        assert_eq!(&*way(Some("/k/eu")).remembered_by(), "admin in /k/eu");
        assert_eq!(&*Way::InCluster.remembered_by(), "in-cluster");
    }

    #[tokio::test]
    async fn nothing_listens_is_not_sent() {
        let folder = tempfile::tempdir().unwrap();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        drop(taken);
        let files = vec![file(&folder, "a", "eu", &format!("http://{address}"))];
        let dialed = dial(files, "eu").dial(ClusterIx(0), false).await.map_err(|r| format!("{r:?}")).unwrap();
        assert_eq!(&*dialed.context, "eu");
        let reader = crate::io::connect::Reader::new(dialed, crate::io::connect::Reach::Console);
        let failure = reader.get("/version").await.unwrap_err();
        assert!(matches!(failure, crate::io::answer::Failure::NotSent(_)), "{failure:?}");
    }
}
