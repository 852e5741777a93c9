//! Which cluster a context leads to, who we are there, and what we may do.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::access::OpenReader;
use super::client::Reader;
use crate::domain::change::ApiType;
use crate::domain::id::{ClusterUid, Namespace, Operator, Text};
use crate::domain::observation::Right;
use crate::domain::text::safe;
use crate::io::answer::Failure;

/// Most questions about rights per cluster.
pub(crate) const MOST_RIGHTS: usize = 64;

/// Where a cluster's identity is remembered between runs.
pub trait Remembered: Send + Sync + 'static {
    /// The identity that this context had, if it was ever seen.
    fn recall(&self, context: &str) -> Option<ClusterUid>;
    /// Keeps the identity of a context.
    fn remember(&self, context: &str, uid: &ClusterUid);
}

/// Remembers nothing: for the demo, whose clusters are made anew each time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forgetful;

impl Remembered for Forgetful {
    fn recall(&self, _context: &str) -> Option<ClusterUid> {
        None
    }
    fn remember(&self, _context: &str, _uid: &ClusterUid) {}
}

/// A cluster's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The identity.
    pub uid: ClusterUid,
    /// From CA and URL, because kube-system may not be read.
    pub is_derived: bool,
    /// Another one was remembered for this context.
    pub changed: bool,
}

#[derive(Deserialize)]
struct WithUid {
    metadata: UidOnly,
}

#[derive(Deserialize)]
struct UidOnly {
    uid: String,
}

/// The identity; a first one is remembered, a changed one is not until it is accepted.
pub async fn identity(open: &OpenReader, remembered: &dyn Remembered) -> Result<Identity, Failure> {
    let (uid, is_derived) = match open.reader.get("/api/v1/namespaces/kube-system").await {
        Ok(answer) => {
            let object: WithUid = serde_json::from_slice(&answer.body)
                .map_err(|_| Failure::Garbage("namespace kube-system cannot be read".to_owned()))?;
            (ClusterUid::new(safe(&object.metadata.uid, 80)), false)
        }
        Err(failure) if matches!(failure.code(), Some(403 | 404)) => (ClusterUid::new(open.anchor.clone()), true),
        Err(failure) => return Err(failure),
    };
    let known = remembered.recall(&open.context);
    if known.is_none() {
        remembered.remember(&open.context, &uid);
    }
    // A derived identity against a real one says only that our rights changed.
    let comparable = |k: &ClusterUid| is_digest(k) == is_derived;
    let changed = known.filter(comparable).is_some_and(|k| k != uid);
    Ok(Identity { uid, is_derived, changed })
}

fn is_digest(uid: &ClusterUid) -> bool {
    uid.as_str().len() == 64 && uid.as_str().bytes().all(|b| b.is_ascii_hexdigit())
}

/// Server version and round trip.
pub async fn version(reader: &Reader) -> Result<(Text, Duration), Failure> {
    #[derive(Deserialize)]
    struct Version {
        #[serde(rename = "gitVersion")]
        git: String,
    }
    let start = tokio::time::Instant::now();
    let answer = reader.get("/version").await?;
    let latency = start.elapsed();
    let version: Version =
        serde_json::from_slice(&answer.body).map_err(|_| Failure::Garbage("/version cannot be read".to_owned()))?;
    Ok((safe(&version.git, 60).into(), latency))
}

/// Who we are there: user and groups.
pub async fn whoami(reader: &Reader) -> Result<(Operator, Vec<Text>), Failure> {
    #[derive(Deserialize)]
    struct Review {
        status: Status,
    }
    #[derive(Deserialize)]
    struct Status {
        #[serde(rename = "userInfo")]
        user: User,
    }
    #[derive(Deserialize)]
    struct User {
        #[serde(default)]
        username: String,
        #[serde(default)]
        groups: Vec<String>,
    }
    let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}).to_string();
    let answer = reader.review("/apis/authentication.k8s.io/v1/selfsubjectreviews", Bytes::from(body)).await?;
    let review: Review = serde_json::from_slice(&answer.body)
        .map_err(|_| Failure::Garbage("SelfSubjectReview cannot be read".to_owned()))?;
    let groups = review.status.user.groups.iter().take(64).map(|g| safe(g, 120).into()).collect();
    Ok((Operator::new(safe(&review.status.user.username, 200)), groups))
}

/// Whether we may do `verb` on a type, in a namespace or everywhere.
pub async fn may(reader: &Reader, verb: &str, api: &ApiType, namespace: Option<&Namespace>) -> Result<bool, Failure> {
    #[derive(Deserialize)]
    struct Review {
        status: Status,
    }
    #[derive(Deserialize)]
    struct Status {
        allowed: bool,
    }
    let mut wanted = json!({"verb": verb, "group": &*api.group, "version": &*api.version, "resource": &*api.plural});
    if let (Some(namespace), Some(fields)) = (namespace, wanted.as_object_mut()) {
        fields.insert("namespace".to_owned(), namespace.as_str().into());
    }
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": wanted},
    });
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let answer = reader.review(path, Bytes::from(body.to_string())).await?;
    let review: Review = serde_json::from_slice(&answer.body)
        .map_err(|_| Failure::Garbage("SelfSubjectAccessReview cannot be read".to_owned()))?;
    Ok(review.status.allowed)
}

/// The rights that gonogo will need there, asked one by one; stops at the first that cannot be asked.
pub async fn rights(reader: &Reader, needs: &[(&'static str, ApiType, Namespace)]) -> Vec<Right> {
    let mut rights = Vec::new();
    for (verb, api, namespace) in needs.iter().take(MOST_RIGHTS) {
        let Ok(allowed) = may(reader, verb, api, Some(namespace)).await else { break };
        let resource = crate::io::watch::resource(api).into();
        rights.push(Right { verb: (*verb).into(), resource, namespace: namespace.clone(), allowed });
    }
    rights
}
