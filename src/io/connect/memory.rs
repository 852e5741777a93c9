//! Remembers per context which cluster it led to: one small file each.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::identity::Remembered;
use crate::domain::id::{ClusterUid, Text};
use crate::domain::version::sha256_hex;

/// Identities in a folder, one file per context: processes do not get in each other's way.
#[derive(Clone, Debug)]
pub struct Memory {
    folder: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    context: String,
    uid: ClusterUid,
}

impl Memory {
    /// In a folder that is made when needed.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    fn path(&self, context: &str) -> PathBuf {
        let name: String = sha256_hex(context.as_bytes()).chars().take(32).collect();
        self.folder.join(format!("{name}.json"))
    }

    fn keep(&self, context: &str, uid: &ClusterUid) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let kept = Kept { context: context.to_owned(), uid: uid.clone() };
        let bytes = serde_json::to_vec(&kept).map_err(std::io::Error::other)?;
        // Whole or not at all, also when two processes learn it at the same time.
        let draft = self.folder.join(format!(".{}.tmp", ulid::Ulid::new()));
        let mut file = fs::File::create(&draft)?;
        file.write_all(&bytes)?;
        file.sync_data()?;
        fs::rename(&draft, self.path(context))
    }
}

impl Remembered for Memory {
    fn recall(&self, context: &str) -> Option<ClusterUid> {
        let kept: Kept = serde_json::from_slice(&fs::read(self.path(context)).ok()?).ok()?;
        (kept.context == context).then_some(kept.uid)
    }

    fn remember(&self, context: &str, uid: &ClusterUid) {
        if let Err(e) = self.keep(context, uid) {
            tracing::warn!("identity of context {context} cannot be remembered: {e}");
        }
    }
}

/// A memory that has forgotten these contexts: what they lead to now is remembered instead.
pub struct Accepting {
    memory: Arc<dyn Remembered>,
    contexts: Vec<Text>,
}

impl Accepting {
    /// Over a memory.
    pub fn new(memory: Arc<dyn Remembered>, contexts: Vec<Text>) -> Self {
        Self { memory, contexts }
    }
}

impl Remembered for Accepting {
    fn recall(&self, context: &str) -> Option<ClusterUid> {
        if self.contexts.iter().any(|c| &**c == context) { None } else { self.memory.recall(context) }
    }
    fn remember(&self, context: &str, uid: &ClusterUid) {
        self.memory.remember(context, uid);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_identity_is_kept_per_context_and_garbage_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::new(folder.path().join("clusters"));
        assert_eq!(memory.recall("eu"), None);
        memory.remember("eu", &"u1".into());
        memory.remember("us/../x", &"u2".into());
        assert_eq!(memory.recall("eu"), Some("u1".into()));
        assert_eq!(memory.recall("us/../x"), Some("u2".into()));
        fs::write(memory.path("eu"), "{").unwrap();
        assert_eq!(memory.recall("eu"), None);
    }

    #[test]
    fn an_accepted_identity_replaces_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let memory: Arc<dyn Remembered> = Arc::new(Memory::new(folder.path()));
        memory.remember("eu", &"old".into());
        memory.remember("us", &"kept".into());
        let accepting = Accepting::new(Arc::clone(&memory), vec!["eu".into()]);
        assert_eq!((accepting.recall("eu"), accepting.recall("us")), (None, Some("kept".into())));
        accepting.remember("eu", &"new".into());
        assert_eq!(memory.recall("eu"), Some("new".into()));
    }
}
