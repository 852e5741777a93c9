//! ControllerRevisions: what the past of StatefulSets and DaemonSets lies in.

use serde_json::Value;

use super::children::CHANGE_CAUSE;
use super::{Child, Children, Past};
use crate::domain::change::ApiType;
use crate::domain::text::safe;
use crate::domain::version::TemplateDigest;
use crate::domain::workload::Revision;

/// What to list. The number and the template are no metadata, so all of it is asked for; a history is
/// ten of them unless somebody wants more.
pub(super) fn children() -> Children {
    Children { api: ApiType::new("apps", "v1", "controllerrevisions", "ControllerRevision"), metadata_only: false }
}

/// Revisions of the object of this uid, newest first. `hash` is the label value that pods of one carry.
///
/// Going back gives an old one a new number and leaves no mark; it is then older than one with a lower number.
pub(super) fn revisions(uid: &str, children: Vec<Child>, hash: fn(&Child) -> Option<&str>) -> Vec<Revision> {
    let own: Vec<Child> = children.into_iter().filter(|c| c.metadata.controlled_by(uid)).collect();
    let was_taken_again = |of: &Child| {
        let made = of.metadata.creation_timestamp;
        own.iter().any(|c| c.revision < of.revision && c.metadata.creation_timestamp > made)
    };
    let one = |child: &Child| {
        Some(Revision {
            name: safe(&child.metadata.name, 253).into(),
            number: u64::try_from(child.revision?).ok()?,
            hash: safe(hash(child)?, 253).into(),
            created: child.metadata.creation_timestamp,
            reused: was_taken_again(child),
            cause: child.metadata.annotation(CHANGE_CAUSE).map(|c| safe(c, 300).into()),
        })
    };
    let mut all: Vec<Revision> = own.iter().filter_map(one).collect();
    all.sort_by_key(|r| std::cmp::Reverse(r.number));
    all
}

/// One past revision: `data` is a strategic merge patch that replaces the whole template. One that
/// patches anything else is none.
pub(super) fn past(revision: &Value) -> Option<Past> {
    let number = revision.get("revision")?.as_i64().and_then(|n| u64::try_from(n).ok())?;
    let mut template = revision.pointer("/data/spec/template")?.clone();
    if template.as_object_mut()?.remove("$patch")? != "replace" {
        return None;
    }
    let annotations = revision.pointer("/metadata/annotations").and_then(Value::as_object).cloned();
    let annotations = annotations.unwrap_or_default();
    let cause = annotations.get(CHANGE_CAUSE).and_then(Value::as_str).map(|c| safe(c, 300).into());
    Some(Past { number, digest: TemplateDigest::of(&template), template, annotations, cause })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn child(name: &str, revision: i64, made: &str) -> Child {
        let owner = json!([{"uid": "u1", "controller": true}]);
        let meta = json!({"name": name, "creationTimestamp": made, "ownerReferences": owner});
        serde_json::from_value(json!({"metadata": meta, "revision": revision})).unwrap()
    }

    #[test]
    fn a_revision_that_was_taken_again_is_older_than_one_before_it() {
        let list = vec![
            child("db-a", 3, "2026-03-01T10:00:00Z"),
            child("db-b", 2, "2026-03-02T10:00:00Z"),
            child("db-c", 4, "2026-03-03T10:00:00Z"),
        ];
        let read = |uid| revisions(uid, list.clone(), |c| Some(&*c.metadata.name));
        let seen: Vec<_> = read("u1").into_iter().map(|r| (r.name.to_string(), r.number, r.reused)).collect();
        let wanted = [("db-c", 4, false), ("db-a", 3, true), ("db-b", 2, false)];
        assert_eq!(seen, wanted.map(|(name, number, again)| (name.to_owned(), number, again)));
        assert_eq!(read("u2"), []);
    }

    #[test]
    fn the_past_is_the_template_that_the_data_would_put_back() {
        let template = json!({"metadata": {"labels": {"app": "db"}}, "spec": {"containers": []}});
        let mut patch = template.clone();
        patch.as_object_mut().unwrap().insert("$patch".into(), "replace".into());
        let object = json!({"metadata": {"name": "db-a"}, "revision": 7, "data": {"spec": {"template": patch}}});
        let past = past(&object).unwrap();
        assert_eq!((past.number, &past.template, past.digest), (7, &template, TemplateDigest::of(&template)));
        let other = json!({"metadata": {"name": "db-a"}, "revision": 7, "data": {"spec": {"template": template}}});
        assert_eq!(super::past(&other), None, "a patch that merges is no template");
    }
}
