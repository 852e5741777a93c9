//! Objects from before the simulation began: their times, generation and status are given.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::clock::rfc3339;
use super::super::resources::Resource;
use super::managed::{self, Entry};
use super::{Store, Verb, defaults, meta};

/// Who wrote an object of the past, and when.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    /// The field manager.
    pub manager: &'a str,
    /// The time of its last write.
    pub at: Timestamp,
}

impl Store {
    /// Puts an object as history left it: metadata and status as given, what is missing
    /// filled in, and field ownership for its author and for the author of its status.
    /// Nobody's rights are asked and nothing is validated: the caller is the simulation.
    pub fn load(
        &self,
        resource: &'static Resource,
        mut object: Value,
        author: Option<Author<'_>>,
        status: Option<Author<'_>>,
    ) -> Arc<Value> {
        let resource = resource.stored();
        defaults::apply(resource, &mut object);
        let (ns, name) = (meta::text(&object, "namespace").to_owned(), meta::text(&object, "name").to_owned());
        if meta::text(&object, "uid").is_empty() {
            let parts = [resource.group, resource.plural, &ns, &name, "loaded"];
            meta::set(&mut object, "uid", Some(meta::uid(self.inner.seed, &parts).into()));
        }
        if meta::text(&object, "creationTimestamp").is_empty() {
            let made = author.map_or_else(|| self.clock().now(), |author| author.at);
            meta::set(&mut object, "creationTimestamp", Some(rfc3339(made).into()));
        }
        if resource.generation && object.pointer("/metadata/generation").is_none() {
            meta::set(&mut object, "generation", Some(json!(1)));
        }
        if let Some(author) = author {
            own(resource, &mut object, author, status);
        }
        let mut state = self.lock();
        let previous = state.find(resource, &ns, &name).map(|stored| Arc::clone(&stored.value));
        let verb = if previous.is_some() { Verb::Modified } else { Verb::Added };
        let stored = self.commit(&mut state, resource, verb, object, previous);
        Arc::clone(&stored.value)
    }

    /// Changes an object at once, as a controller does whose writes nobody traces: no
    /// validation and no field ownership, but as atomic as any write. None: no such object.
    pub fn adjust(
        &self,
        resource: &'static Resource,
        ns: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Option<Arc<Value>> {
        let resource = resource.stored();
        let mut state = self.lock();
        let current = Arc::clone(&state.find(resource, ns, name)?.value);
        let mut next = Value::clone(&current);
        change(&mut next);
        let stored = self.commit(&mut state, resource, Verb::Modified, next, Some(current));
        Some(Arc::clone(&stored.value))
    }
}

fn own(resource: &'static Resource, object: &mut Value, author: Author<'_>, status: Option<Author<'_>>) {
    let entry = |author: Author<'_>, subresource| (author.manager.to_owned(), rfc3339(author.at), subresource);
    let taken = object.as_object_mut().and_then(|map| map.remove("status"));
    let record = |object: &mut Value, old: Option<&Value>, by: (String, String, Option<&'static str>)| {
        let by = Entry { manager: &by.0, operation: "Update", subresource: by.2, time: by.1 };
        managed::record(resource, old, object, &by);
    };
    record(object, None, entry(author, None));
    if let Some(taken) = taken {
        let before = object.clone();
        if let Some(map) = object.as_object_mut() {
            map.insert("status".to_owned(), taken);
        }
        if let Some(status) = status {
            record(object, Some(&before), entry(status, resource.status.then_some("status")));
        }
    }
}
