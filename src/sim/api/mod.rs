//! One cluster's API server, as a `tower::Service`: on a socket or in process.

/// Who may do what.
pub mod access;
/// What a cluster's webhooks and policies refuse.
pub mod admission;
mod apply;
mod body;
mod columns;
mod damage;
mod discovery;
mod duplicates;
/// What can go wrong on the way.
pub mod faults;
/// What the world plugs in: pod logs, and the services behind the proxy path.
pub mod hooks;
mod openapi;
mod options;
mod path;
mod protobuf;
mod query;
mod read;
mod represent;
/// The requests a cluster accepted.
pub mod requests;
mod reviews;
mod scale;
mod selector;
mod serve;
mod subresources;
mod watch;
mod write;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::resources::Resource;
use super::store::Store;

use access::{Access, User};
use admission::AdmissionRule;
pub use body::{ApiBody, Reset};
use faults::Faults;
use hooks::{BeforeRead, PodLogs, ServiceProxy};
use requests::RequestLog;

/// What the simulated servers say they are.
pub const VERSION: &str = "v1.34.2";

/// An API server over one store. Clones serve the same cluster.
///
/// As a `tower::Service` it takes requests with any body, so that a `kube::Client` can be
/// made of it in process, and hyper can serve it on a socket.
#[derive(Clone)]
pub struct ApiServer {
    inner: Arc<Inner>,
    /// Who requests without credentials are, where this handle is trusted (in process).
    trusted: Option<User>,
}

struct Inner {
    name: String,
    store: Store,
    access: RwLock<Arc<Access>>,
    admission: RwLock<Arc<Vec<AdmissionRule>>>,
    faults: Faults,
    requests: RequestLog,
    logs: RwLock<Option<Arc<dyn PodLogs>>>,
    proxy: RwLock<Option<Arc<dyn ServiceProxy>>>,
    before_read: RwLock<Option<Arc<dyn BeforeRead>>>,
    served: AtomicU64,
}

impl ApiServer {
    /// A server with the standard users and no admission rules.
    pub fn new(name: impl Into<String>, store: Store) -> Self {
        let inner = Inner {
            name: name.into(),
            store,
            access: RwLock::new(Arc::new(Access::standard())),
            admission: RwLock::default(),
            faults: Faults::default(),
            requests: RequestLog::default(),
            logs: RwLock::default(),
            proxy: RwLock::default(),
            before_read: RwLock::default(),
            served: AtomicU64::new(0),
        };
        Self { inner: Arc::new(inner), trusted: None }
    }

    /// A handle whose requests without credentials come from this user.
    #[must_use]
    pub fn trusting(&self, user: &str) -> Self {
        Self { inner: Arc::clone(&self.inner), trusted: Some(User::named(user)) }
    }

    /// The cluster's name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The cluster's objects.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The cluster's faults.
    pub fn faults(&self) -> &Faults {
        &self.inner.faults
    }

    /// The requests accepted so far.
    pub fn requests(&self) -> &RequestLog {
        &self.inner.requests
    }

    /// Changes tokens, users and grants.
    pub fn set_access(&self, change: impl FnOnce(&mut Access)) {
        let mut access = self.inner.access.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut access));
    }

    /// Replaces the admission rules.
    pub fn set_admission(&self, rules: Vec<AdmissionRule>) {
        *self.inner.admission.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    /// Sets where pod logs come from.
    pub fn set_logs(&self, logs: Arc<dyn PodLogs>) {
        *self.inner.logs.write().unwrap_or_else(PoisonError::into_inner) = Some(logs);
    }

    /// Sets who answers for services behind the proxy path.
    pub fn set_proxy(&self, proxy: Arc<dyn ServiceProxy>) {
        *self.inner.proxy.write().unwrap_or_else(PoisonError::into_inner) = Some(proxy);
    }

    /// Sets who is told before objects are read.
    pub fn set_before_read(&self, hook: Arc<dyn BeforeRead>) {
        *self.inner.before_read.write().unwrap_or_else(PoisonError::into_inner) = Some(hook);
    }

    fn touch(&self, resource: &'static Resource, namespace: &str) {
        let hook = self.inner.before_read.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(hook) = hook {
            hook.touch(resource, namespace);
        }
    }

    fn access(&self) -> Arc<Access> {
        Arc::clone(&self.inner.access.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn admission(&self) -> Arc<Vec<AdmissionRule>> {
        Arc::clone(&self.inner.admission.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// An audit id where the client sent none: it follows from the cluster and a counter.
    fn audit_id(&self) -> String {
        let number = self.inner.served.fetch_add(1, Ordering::Relaxed);
        let name = self.inner.name.bytes().fold(0_u64, |sum, b| sum.wrapping_mul(31) + u64::from(b));
        format!("{:08x}-0000-4000-8000-{number:012x}", name & 0xffff_ffff)
    }
}

#[cfg(test)]
mod tests;
