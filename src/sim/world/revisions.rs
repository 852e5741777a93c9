//! ControllerRevisions of whatever is looked at.

use serde_json::{Value, json};

use super::tick::{Look, put};
use crate::sim::controllers::revision::Revision;
use crate::sim::resources::CONTROLLERREVISIONS;
use crate::sim::store::{DeleteOptions, Part, Writer};

impl Look<'_> {
    /// The revisions that the object of this uid controls.
    pub(super) fn revisions(&self, uid: &str) -> Vec<Revision> {
        let all = self.cluster.store.list(&CONTROLLERREVISIONS, Some(&self.key.0));
        let read = all.iter().filter_map(|object| Revision::read(object));
        read.filter(|revision| revision.meta.controlled_by(uid)).collect()
    }

    /// Keeps a template. Like the others: false where it met a concurrent change, whose own event brings the next
    /// look.
    pub(super) fn create_revision(&self, object: Value) -> bool {
        self.cluster.store.create(&CONTROLLERREVISIONS, object, &Writer::controller()).is_ok()
    }

    /// Gives a revision another number.
    pub(super) fn renumber(&self, name: &str, number: i64) -> bool {
        let change = |object: &mut Value| {
            put(object, "revision", json!(number));
            Ok(())
        };
        let (store, writer) = (&self.cluster.store, Writer::controller());
        store.modify(&CONTROLLERREVISIONS, &self.key.0, name, Part::Main, &writer, change).is_ok()
    }

    /// Forgets a revision.
    pub(super) fn forget_revision(&self, name: &str) -> bool {
        let (store, writer) = (&self.cluster.store, Writer::controller());
        store.delete(&CONTROLLERREVISIONS, &self.key.0, name, &DeleteOptions::default(), &writer).is_ok()
    }
}
