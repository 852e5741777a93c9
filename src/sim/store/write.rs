//! Create, replace, change and delete: prepared outside the lock, committed inside it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::clock::rfc3339;
use super::super::resources::{DEPLOYMENTS, EVENTS, NAMESPACES, Resource};
use super::super::schema;
use super::super::status::ApiError;
use super::{
    Change, Propagation, State, Store, Stored, Verb, apply, defaults, events, managed, meta, no_namespace, validate,
};

/// How often a change is tried again when others write the same object meanwhile.
const TRIES: usize = 5;

/// Who writes, and how.
#[derive(Clone, Debug)]
pub struct Writer {
    /// The field manager.
    pub manager: String,
    /// Server-side apply rather than update.
    pub apply: bool,
    /// Goes through everything but stores nothing.
    pub dry_run: bool,
}

impl Writer {
    /// A writer with this field manager.
    pub fn named(manager: impl Into<String>) -> Self {
        Self { manager: manager.into(), apply: false, dry_run: false }
    }

    /// The Deployment, ReplicaSet and garbage-collecting controllers.
    pub fn controller() -> Self {
        Self::named("kube-controller-manager")
    }

    /// The same writer, storing nothing.
    #[must_use]
    pub fn dry(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }
}

/// Which part of an object a write may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything but `.status` of kinds with that subresource.
    Main,
    /// `.status` (and a Deployment's annotations, as the real registry allows).
    Status,
    /// `.spec.replicas`, through `/scale`.
    Scale,
}

impl Store {
    /// Stores a new object; name and namespace are read from its metadata.
    pub fn create(
        &self,
        resource: &'static Resource,
        mut object: Value,
        writer: &Writer,
    ) -> Result<Arc<Value>, ApiError> {
        let view = resource.view_of.is_some();
        if view {
            events::to_core(&mut object);
        }
        let resource = resource.stored();
        let revision = self.revision();
        meta::set(&mut object, "resourceVersion", None);
        meta::set(&mut object, "managedFields", None);
        if meta::text(&object, "name").is_empty() && !meta::text(&object, "generateName").is_empty() {
            let prefix = meta::text(&object, "generateName").to_owned();
            let suffix = meta::suffix(self.inner.seed, &[&prefix, &revision.to_string()]);
            meta::set(&mut object, "name", Some(format!("{prefix}{suffix}").into()));
        }
        let (ns, name) = (meta::text(&object, "namespace").to_owned(), meta::text(&object, "name").to_owned());
        if resource.namespaced && self.find(&NAMESPACES, "", &ns).is_none() {
            return Err(no_namespace(&ns));
        }
        if resource.is(&EVENTS) {
            let causes = validate::event(&object, view);
            if !causes.is_empty() {
                return Err(ApiError::invalid(resource, &name, causes));
            }
        }
        let wanted = writer.apply.then(|| object.clone());
        self.stamp_new(resource, &mut object, &ns, &name, revision);
        settle(resource, None, &mut object)?;
        let by = self.entry(writer, Part::Main);
        match wanted {
            Some(wanted) => apply::record_new(resource, &wanted, &mut object, &by),
            None => managed::record(resource, None, &mut object, &by),
        }
        let mut state = self.lock();
        if state.find(resource, &ns, &name).is_some() {
            return Err(ApiError::already_exists(resource, &name));
        }
        if writer.dry_run {
            return Ok(Arc::new(object));
        }
        let stored = self.commit(&mut state, resource, Verb::Added, object, None);
        Ok(Arc::clone(&stored.value))
    }

    /// Replaces everything but the status. `metadata.resourceVersion`, when given, must be
    /// the stored one.
    pub fn replace(&self, resource: &'static Resource, object: Value, writer: &Writer) -> Result<Arc<Value>, ApiError> {
        self.put_part(resource, Part::Main, object, writer)
    }

    /// Replaces the status only.
    pub fn update_status(
        &self,
        resource: &'static Resource,
        object: Value,
        writer: &Writer,
    ) -> Result<Arc<Value>, ApiError> {
        self.put_part(resource, Part::Status, object, writer)
    }

    fn put_part(
        &self,
        resource: &'static Resource,
        part: Part,
        object: Value,
        writer: &Writer,
    ) -> Result<Arc<Value>, ApiError> {
        let (ns, name) = (meta::text(&object, "namespace").to_owned(), meta::text(&object, "name").to_owned());
        self.modify(resource, &ns, &name, part, writer, |current| {
            current.clone_from(&object);
            Ok(())
        })
    }

    /// Reads, changes and writes one object atomically. `change` may run more than once:
    /// when another writer was faster it starts again from the newer object. A change that
    /// changes nothing is no write: no revision, no event.
    pub fn modify(
        &self,
        resource: &'static Resource,
        ns: &str,
        name: &str,
        part: Part,
        writer: &Writer,
        mut change: impl FnMut(&mut Value) -> Result<(), ApiError>,
    ) -> Result<Arc<Value>, ApiError> {
        let make = |current: &Value| {
            let mut next = current.clone();
            change(&mut next).map(|()| (next, ()))
        };
        let own = |old: &Value, new: &mut Value, ()| {
            if old != new {
                managed::record(resource.stored(), Some(old), new, &self.entry(writer, part));
            }
        };
        self.change(resource.stored(), (ns, name), part, writer, make, own)
    }

    /// The loop under `modify` and `apply`: `make` gives the next object, `own` writes its
    /// managedFields once it is prepared.
    pub(super) fn change<T>(
        &self,
        resource: &'static Resource,
        (ns, name): (&str, &str),
        part: Part,
        writer: &Writer,
        mut make: impl FnMut(&Value) -> Result<(Value, T), ApiError>,
        mut own: impl FnMut(&Value, &mut Value, T),
    ) -> Result<Arc<Value>, ApiError> {
        for _ in 0..TRIES {
            let Some(current) = self.find(resource, ns, name) else {
                return Err(ApiError::not_found(resource, name));
            };
            let (mut next, ownership) = make(&current.value)?;
            self.prepare(resource, part, &current.value, &mut next)?;
            own(&current.value, &mut next, ownership);
            if next == *current.value {
                return Ok(Arc::clone(&current.value));
            }
            if writer.dry_run {
                return Ok(Arc::new(next));
            }
            let mut state = self.lock();
            match state.find(resource, ns, name) {
                Some(now) if Arc::ptr_eq(now, &current) => {
                    let previous = Some(Arc::clone(&current.value));
                    let stored = self.commit(&mut state, resource, Verb::Modified, next, previous);
                    let left = stored.value.pointer("/metadata/finalizers");
                    if left.is_none() && !stored.meta("deletionTimestamp").is_empty() {
                        let way = Propagation::Background;
                        return Ok(self.delete_locked(&mut state, resource, &stored, way));
                    }
                    return Ok(Arc::clone(&stored.value));
                }
                _ => {}
            }
        }
        Err(ApiError::stale(resource, name))
    }

    fn stamp_new(&self, resource: &'static Resource, object: &mut Value, ns: &str, name: &str, revision: u64) {
        if let Some(map) = object.as_object_mut() {
            map.insert("apiVersion".to_owned(), resource.api_version().into());
            map.insert("kind".to_owned(), resource.kind.into());
            // A status is only ever written through its subresource. Nodes and Pods of the
            // simulation have no kubelet that would do so, so theirs may come with them.
            if resource.status && resource.generation && resource.kind != "Pod" {
                map.remove("status");
            }
        }
        let parts = [resource.group, resource.plural, ns, name, &revision.to_string()];
        let uid = meta::uid(self.inner.seed, &parts);
        meta::set(object, "uid", Some(uid.into()));
        meta::set(object, "creationTimestamp", Some(rfc3339(self.clock().now()).into()));
        meta::set(object, "generation", resource.generation.then(|| 1.into()));
        meta::set(object, "deletionTimestamp", None);
        if !resource.namespaced {
            meta::set(object, "namespace", None);
        }
    }

    /// Turns what a writer wants into what may be stored.
    fn prepare(&self, resource: &'static Resource, part: Part, old: &Value, new: &mut Value) -> Result<(), ApiError> {
        let name = meta::text(old, "name");
        check_identity(resource, name, old, new)?;
        if let Some(map) = new.as_object_mut() {
            map.insert("apiVersion".to_owned(), resource.api_version().into());
            map.insert("kind".to_owned(), resource.kind.into());
        }
        for key in [
            "name",
            "namespace",
            "uid",
            "creationTimestamp",
            "generation",
            "resourceVersion",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "generateName",
            "managedFields",
        ] {
            meta::keep(new, old, key);
        }
        match part {
            Part::Main | Part::Scale if resource.status => keep_field(new, old, "status"),
            Part::Main | Part::Scale => {}
            Part::Status => keep_all_but_status(resource, new, old),
        }
        if part == Part::Status {
            settle_status(resource, new)?;
        } else {
            settle(resource, Some(old), new)?;
        }
        let annotations = "/metadata/annotations";
        let moved = new.get("spec") != old.get("spec")
            || (resource.is(&DEPLOYMENTS) && new.pointer(annotations) != old.pointer(annotations));
        if resource.generation && part != Part::Status && moved {
            let generation = old.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(0);
            meta::set(new, "generation", Some(json!(generation + 1)));
        }
        Ok(())
    }

    pub(super) fn entry<'a>(&self, writer: &'a Writer, part: Part) -> managed::Entry<'a> {
        managed::Entry {
            manager: &writer.manager,
            operation: if writer.apply { "Apply" } else { "Update" },
            subresource: match part {
                Part::Main => None,
                Part::Status => Some("status"),
                Part::Scale => Some("scale"),
            },
            time: rfc3339(self.clock().now()),
        }
    }

    /// Makes the change visible: next revision, shelf, history, wake-up.
    pub(super) fn commit(
        &self,
        state: &mut State,
        resource: &'static Resource,
        verb: Verb,
        mut object: Value,
        previous: Option<Arc<Value>>,
    ) -> Arc<Stored> {
        state.revision += 1;
        let revision = state.revision;
        meta::set(&mut object, "resourceVersion", Some(revision.to_string().into()));
        let stored = Arc::new(Stored::new(Arc::new(object)));
        match verb {
            Verb::Deleted => state.remove(resource, stored.namespace(), stored.name()),
            Verb::Added | Verb::Modified => state.put(resource, &stored),
        }
        let at = self.clock().elapsed();
        let change = Change::new(revision, verb, resource, Arc::clone(&stored), previous, at);
        state.history.push(Arc::new(change));
        if resource.is(&EVENTS) && verb != Verb::Deleted {
            self.expire_events(state, &stored);
        }
        self.inner.written.notify_waiters();
        stored
    }
}

/// As `settle`, where only the status can have changed: controllers write it often.
fn settle_status(resource: &'static Resource, new: &mut Value) -> Result<(), ApiError> {
    let Some(status) = new.get_mut("status").map(Value::take) else { return Ok(()) };
    let mut wrapped = json!({ "status": status });
    let mismatch = schema::decode(resource.kind, &mut wrapped, !resource.custom).mismatch;
    if let Some(mismatch) = mismatch {
        return Err(undecodable(resource, &mismatch));
    }
    keep_field(new, &wrapped, "status");
    Ok(())
}

fn undecodable(resource: &Resource, mismatch: &str) -> ApiError {
    let (version, kind) = (resource.version, resource.kind);
    ApiError::bad_request(format!("{kind} in version {version:?} cannot be handled as a {kind}: {mismatch}"))
}

/// Decodes, fills in defaults, validates. Unknown fields are dropped here; whether they are
/// refused is decided where the request is read.
fn settle(resource: &'static Resource, old: Option<&Value>, new: &mut Value) -> Result<(), ApiError> {
    let decoded = schema::decode(resource.kind, new, !resource.custom);
    if let Some(mismatch) = decoded.mismatch {
        return Err(undecodable(resource, &mismatch));
    }
    defaults::apply(resource, new);
    let causes = validate::causes(resource, old, new);
    if causes.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid(resource, meta::text(new, "name"), causes))
}

fn keep_field(new: &mut Value, old: &Value, key: &str) {
    let Some(map) = new.as_object_mut() else {
        return;
    };
    match old.get(key) {
        Some(value) => map.insert(key.to_owned(), value.clone()),
        None => map.remove(key),
    };
}

fn keep_all_but_status(resource: &'static Resource, new: &mut Value, old: &Value) {
    let status = new.get("status").cloned();
    let annotations = new.pointer("/metadata/annotations").cloned();
    new.clone_from(old);
    if let (Some(map), Some(status)) = (new.as_object_mut(), status) {
        map.insert("status".to_owned(), status);
    }
    if resource.is(&DEPLOYMENTS) {
        meta::set(new, "annotations", annotations);
    }
}

fn check_identity(resource: &'static Resource, name: &str, old: &Value, new: &Value) -> Result<(), ApiError> {
    let given = meta::text(new, "uid");
    let uid = meta::text(old, "uid");
    if !given.is_empty() && given != uid {
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: {}, ResourceVersion: 0, AdditionalErrorMsg: \
             Precondition failed: UID in precondition: {given}, UID in object meta: {uid}",
            storage_key(resource, meta::text(old, "namespace"), name)
        );
        return Err(ApiError::conflict(resource, name, &why));
    }
    // Version 0 is no version.
    let given = meta::text(new, "resourceVersion");
    if !matches!(given, "" | "0") && given != meta::text(old, "resourceVersion") {
        return Err(ApiError::stale(resource, name));
    }
    Ok(())
}

/// Where the object is kept, as the storage names it in its errors.
fn storage_key(resource: &Resource, ns: &str, name: &str) -> String {
    let kept = match (resource.group, resource.plural) {
        ("", "nodes") => "minions".to_owned(),
        ("", "services") => "services/specs".to_owned(),
        (group, plural) if resource.custom => format!("{group}/{plural}"),
        (_, plural) => plural.to_owned(),
    };
    let place = if ns.is_empty() { String::new() } else { format!("{ns}/") };
    format!("/registry/{kept}/{place}{name}")
}
