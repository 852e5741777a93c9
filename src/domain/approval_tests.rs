#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::domain::change::ApiType;

fn approval() -> Approval {
    Approval {
        id: FactId(Ulid::from_string("01KAG2M9V2S7ZZZZZZZZZZZZZZ").unwrap()),
        approver: "ana@example.com".into(),
        group: Some("release-managers".into()),
        about: About {
            fleet: "acme".into(),
            service: "web".into(),
            ring: "ring-2".into(),
            version: Version("v2.1.0".into()),
            template: Some(TemplateDigest::of(&json!({"a": 1}))),
        },
        created: "2026-11-20T08:00:00Z".parse().unwrap(),
        expires: "2026-11-27T08:00:00Z".parse().unwrap(),
        reason: "looked at it".into(),
        immutable: true,
    }
}

fn sent(approval: &Approval) -> (String, Value) {
    let name = Approval::name(approval.id);
    let object = ObjectRef {
        cluster: 0_usize.into(),
        api: ApiType::config_map(),
        namespace: "web".into(),
        name: name.as_str().into(),
    };
    (name, approval.object(&object))
}

#[test]
fn what_is_written_is_what_is_read_and_the_server_dates_it() {
    for change in [|_: &mut Approval| (), |a: &mut Approval| (a.group, a.about.template) = (None, None)] {
        let mut wanted = approval();
        change(&mut wanted);
        let (name, mut object) = sent(&wanted);
        assert!(Approval::is_named_so(&name) && name.len() <= 63, "{name}");
        let bytes = |object: &Value| object.to_string().into_bytes();
        assert_eq!(Approval::read(&name, &bytes(&object)), Err("has no creation time".into()));
        let created = object.get_mut("metadata").and_then(Value::as_object_mut).unwrap();
        created.insert("creationTimestamp".to_owned(), "2026-11-20T08:00:00Z".into());
        assert_eq!(Approval::read(&name, &bytes(&object)), Ok(wanted));
        let data = object.get("data").and_then(Value::as_object).unwrap();
        assert!(data.values().all(Value::is_string), "a ConfigMap holds texts");
    }
}

#[test]
fn what_is_damaged_says_how_and_approves_nothing() {
    let (name, mut object) = sent(&approval());
    let meta = object.get_mut("metadata").and_then(Value::as_object_mut).unwrap();
    meta.insert("creationTimestamp".to_owned(), "2026-11-20T08:00:00Z".into());
    for (key, value, words) in [
        ("approver", Value::from(""), "has no `approver`"),
        ("ring", Value::Null, "is not a ConfigMap"),
        ("expires", "tomorrow".into(), "has an `expires` that is no time"),
        ("template", "abc".into(), "has a `template` that is no digest"),
    ] {
        let mut damaged = object.clone();
        damaged.get_mut("data").and_then(Value::as_object_mut).unwrap().insert(key.to_owned(), value);
        assert_eq!(Approval::read(&name, damaged.to_string().as_bytes()).unwrap_err().as_ref(), words, "{key}");
    }
    let other = Approval::read("gonogo-approval-x", object.to_string().as_bytes());
    assert_eq!(other.unwrap_err().as_ref(), "has a name that is no identity");
    assert_eq!(Approval::read(&name, b"<html>").unwrap_err().as_ref(), "is not a ConfigMap");
}

#[test]
fn an_approval_ends_after_seven_days_whatever_it_says() {
    let mut approval = approval();
    approval.expires = "2030-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(approval.ends().to_string(), "2026-11-27T08:00:00Z");
    approval.expires = "2026-11-21T00:00:00Z".parse().unwrap();
    assert_eq!(approval.ends().to_string(), "2026-11-21T00:00:00Z");
}

#[test]
fn a_name_is_one_person_and_strangers_of_two_clusters_are_unknown() {
    let people = Identities::new([("ana@corp".into(), "ana".into()), ("arn:ana".into(), "ana".into())]);
    for (a, b, one_cluster, same) in [
        ("ana@corp", "arn:ana", false, Same::Yes),
        ("ben", "ben", false, Same::Yes),
        ("ben", "carl", true, Same::No),
        ("ben", "carl", false, Same::Unknown),
        ("ben", "arn:ana", false, Same::No),
    ] {
        assert_eq!(people.same(a, b, one_cluster), same, "{a} {b}");
        assert_eq!(people.same(b, a, one_cluster), same, "{b} {a}");
    }
}
