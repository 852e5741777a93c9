//! Deletion: preconditions, finalizers, and what goes with the deleted object.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::Value;

use super::super::clock::rfc3339;
use super::super::resources::{EVENTS, NAMESPACES, RESOURCES, Resource};
use super::super::status::ApiError;
use super::{State, Store, Stored, Verb, Writer, meta};

/// The default `--event-ttl` of the API server.
const EVENTS_KEPT: SignedDuration = SignedDuration::from_hours(1);

/// What happens to the objects that a deleted one owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// They are deleted after it.
    #[default]
    Background,
    /// They are deleted before it.
    Foreground,
    /// They stay and lose their owner.
    Orphan,
}

/// Conditions and manner of a deletion.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// Only if the object has this uid.
    pub uid: Option<String>,
    /// Only if the object has this resourceVersion.
    pub resource_version: Option<String>,
    /// What happens to owned objects.
    pub propagation: Propagation,
}

impl Store {
    /// Deletes an object and, as the garbage collector would, what only it owned. With
    /// finalizers it stays, with a deletionTimestamp, until they are gone.
    pub fn delete(
        &self,
        resource: &'static Resource,
        ns: &str,
        name: &str,
        options: &DeleteOptions,
        writer: &Writer,
    ) -> Result<Arc<Value>, ApiError> {
        let resource = resource.stored();
        let mut state = self.lock();
        let Some(current) = state.find(resource, ns, name).cloned() else {
            return Err(ApiError::not_found(resource, name));
        };
        check_preconditions(resource, &current, options)?;
        if writer.dry_run {
            return Ok(Arc::clone(&current.value));
        }
        Ok(self.delete_locked(&mut state, resource, &current, options.propagation))
    }

    pub(super) fn delete_locked(
        &self,
        state: &mut State,
        resource: &'static Resource,
        current: &Arc<Stored>,
        propagation: Propagation,
    ) -> Arc<Value> {
        let mut last = Value::clone(&current.value);
        let previous = Some(Arc::clone(&current.value));
        let finalizers = current.value.pointer("/metadata/finalizers").and_then(Value::as_array);
        if finalizers.is_some_and(|f| !f.is_empty()) {
            if current.meta("deletionTimestamp").is_empty() {
                let now = rfc3339(self.clock().now());
                meta::set(&mut last, "deletionTimestamp", Some(now.into()));
                meta::set(&mut last, "deletionGracePeriodSeconds", Some(0.into()));
                let stored = self.commit(state, resource, Verb::Modified, last, previous);
                return Arc::clone(&stored.value);
            }
            return Arc::clone(&current.value);
        }
        if resource.is(&NAMESPACES) {
            return self.end_namespace(state, last, previous);
        }
        let gone = self.commit(state, resource, Verb::Deleted, last, previous);
        self.collect(state, current.meta("uid"), propagation);
        Arc::clone(&gone.value)
    }

    /// Events are kept for an hour after their last write, as etcd's lease on them does;
    /// without that a fleet that runs for days would fill up with them.
    pub(super) fn expire_events(&self, state: &mut State, written: &Arc<Stored>) {
        let now = self.clock().now();
        state.events.push_back((now, Arc::clone(written)));
        while state.events.front().is_some_and(|(at, _)| now.duration_since(*at) > EVENTS_KEPT) {
            let Some((_, old)) = state.events.pop_front() else { return };
            // Unless it was written again: then a later entry stands for it.
            let current = state.find(&EVENTS, old.namespace(), old.name());
            if current.is_some_and(|current| Arc::ptr_eq(current, &old)) {
                self.delete_locked(state, &EVENTS, &old, Propagation::Background);
            }
        }
    }

    /// A namespace terminates, loses what it holds, and is gone. The answer to who deleted it
    /// shows it terminating.
    fn end_namespace(&self, state: &mut State, mut last: Value, previous: Option<Arc<Value>>) -> Arc<Value> {
        let now = rfc3339(self.clock().now());
        meta::set(&mut last, "deletionTimestamp", Some(now.into()));
        if let Some(map) = last.as_object_mut() {
            map.insert("status".to_owned(), serde_json::json!({"phase": "Terminating"}));
        }
        let terminating = self.commit(state, &NAMESPACES, Verb::Modified, last, previous);
        self.empty_namespace(state, terminating.name());
        let left = Value::clone(&terminating.value);
        self.commit(state, &NAMESPACES, Verb::Deleted, left, Some(Arc::clone(&terminating.value)));
        Arc::clone(&terminating.value)
    }

    /// Deletes what a deleted namespace held, as the namespace controller would.
    fn empty_namespace(&self, state: &mut State, ns: &str) {
        for resource in RESOURCES.into_iter().filter(|r| r.namespaced && r.view_of.is_none()) {
            for held in state.all(resource, Some(ns)) {
                // It may be gone already, with its owner.
                if state.find(resource, ns, held.name()).is_some() {
                    self.delete_locked(state, resource, &held, Propagation::Background);
                }
            }
        }
    }

    /// Deletes or orphans what the object with this uid owned.
    fn collect(&self, state: &mut State, uid: &str, propagation: Propagation) {
        for (resource, owned) in state.owned_by(uid) {
            if state.find(resource, owned.namespace(), owned.name()).is_none() {
                continue;
            }
            let others = owned.owners().any(|owner| owner != uid);
            if propagation == Propagation::Orphan || others {
                let mut left = Value::clone(&owned.value);
                if let Some(owners) = left.pointer_mut("/metadata/ownerReferences").and_then(Value::as_array_mut) {
                    owners.retain(|owner| owner.get("uid").and_then(Value::as_str) != Some(uid));
                    if owners.is_empty() {
                        meta::set(&mut left, "ownerReferences", None);
                    }
                }
                let previous = Some(Arc::clone(&owned.value));
                self.commit(state, resource, Verb::Modified, left, previous);
            } else {
                self.delete_locked(state, resource, &owned, Propagation::Background);
            }
        }
    }
}

fn check_preconditions(resource: &'static Resource, current: &Stored, options: &DeleteOptions) -> Result<(), ApiError> {
    let checks = [
        ("UID", "uid", &options.uid, "deleted and then recreated"),
        ("ResourceVersion", "resourceVersion", &options.resource_version, "modified"),
    ];
    for (word, key, wanted, happened) in checks {
        let Some(wanted) = wanted else { continue };
        let have = current.meta(key);
        if wanted != have {
            let why = format!(
                "the {word} in the precondition ({wanted}) does not match the {word} in record ({have}). The object \
                 might have been {happened}"
            );
            return Err(ApiError::precondition(resource, current.name(), &why));
        }
    }
    Ok(())
}
