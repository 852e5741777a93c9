//! What is written to delivery objects: every intent on every fixture gives an exact change or a typed refusal.

use gonogo::delivery::{Back, DeliveryTool, TOOLS, Wanted, Writing};
use gonogo::domain::carrier::{ApplicationCarrier, ApplicationField};
use gonogo::domain::delivery::Delivery;
use gonogo::domain::version::{Image, Version};
use gonogo::kinds::Still;
use gonogo::sim::patch;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{fixtures, folder, golden};

type Written = Result<Option<Writing>, Still>;

fn means() -> Vec<(&'static str, ApplicationCarrier)> {
    let means = |source: Option<&str>, field| ApplicationCarrier {
        source: source.map(Into::into),
        field,
        template: "{{version}}".into(),
    };
    vec![
        ("revision", means(None, ApplicationField::TargetRevision)),
        ("revision of source values", means(Some("values"), ApplicationField::TargetRevision)),
        ("image webapp", means(None, ApplicationField::KustomizeImage(Some("webapp".into())))),
        ("image of the workload", means(None, ApplicationField::KustomizeImage(None))),
        ("parameter image.tag", means(None, ApplicationField::HelmParameter("image.tag".into()))),
        ("sync", means(None, ApplicationField::Sync)),
    ]
}

/// The object that generates it, as another fixture of the same name.
fn generator(tool: &dyn DeliveryTool, name: &str) -> Option<Value> {
    let path = folder("delivery", tool.kind()).join("sets").join(format!("{name}.yaml"));
    std::fs::read_to_string(path).ok().map(|text| serde_saphyr::from_str(&text).unwrap())
}

fn digest() -> String {
    format!("sha256:{}", "bb".repeat(32))
}

fn wanted<'a>(version: &'a Version, image: &'a Image, generator: Option<&'a Value>) -> Wanted<'a> {
    let repository = Some("registry.example/webapp");
    Wanted { version, image: Some(image), repository, generator, by: "alice@example.com" }
}

fn bring(tool: &dyn DeliveryTool, object: &Value, set: Option<&Value>, means: &ApplicationCarrier) -> Written {
    let image = Image::parse(&format!("registry.example/webapp:v2.2.0@{}", digest()));
    tool.bring(object, means, &wanted(&image.version(), &image, set))
}

/// Back to what the record tells, or to a version.
fn back(
    tool: &dyn DeliveryTool,
    object: &Value,
    set: Option<&Value>,
    means: &ApplicationCarrier,
    was: Option<&str>,
) -> Written {
    let image = Image::parse(&format!("registry.example/webapp:v1.9.0@{}", digest()));
    tool.back(object, means, &Back { wanted: wanted(&image.version(), &image, set), was })
}

/// Everything that may be wanted of an object, by name.
fn every(
    tool: &dyn DeliveryTool,
    object: &Value,
    known: Option<&Delivery>,
    set: Option<&Value>,
) -> Vec<(String, Written)> {
    let mut out = Vec::new();
    for (name, means) in means() {
        out.push((format!("bring by {name}"), bring(tool, object, set, &means)));
        out.push((format!("back by {name}"), back(tool, object, set, &means, None)));
    }
    if let Some(known) = known {
        out.push(("halt".into(), tool.halt(known)));
        out.push(("terminate".into(), Ok(tool.terminate(known))));
    }
    out.push(("go on".into(), tool.go_on(object, r#"{"prune":true,"selfHeal":false}"#)));
    out
}

/// An operation, and a test of what is there by its place alone.
fn operation(object: &Value, set: Option<&Value>, operation: &Value) -> String {
    let path = operation["path"].as_str().unwrap();
    let there = |o: &Value| o.pointer(path).cloned().unwrap_or_default() == operation["value"];
    match operation["op"].as_str() {
        Some("test") if there(object) || set.is_some_and(there) => format!("test {path}"),
        _ => operation.to_string(),
    }
}

fn said(written: &Written, object: &Value, set: Option<&Value>) -> String {
    let mut out = String::new();
    let mut line = |text: String| out.push_str(&format!("  {text}\n"));
    match written {
        Ok(None) => line("nothing to do".to_owned()),
        Err(still) => {
            line(format!("refused ({}): … {}", still.code, still.why));
            line(format!("  → {}", still.hint));
        }
        Ok(Some(order)) => {
            line(order.label.to_string());
            order.on.iter().for_each(|on| line(format!("on {} {}/{}", on.api.kind, on.namespace, on.name)));
            for diff in &order.diff {
                let value = |v: &Option<Value>| v.as_ref().map_or_else(|| "absent".to_owned(), Value::to_string);
                line(format!("{}: {} → {}", diff.field, value(&diff.from), value(&diff.to)));
            }
            order.notes.iter().for_each(|note| line(format!("! {note}")));
            order.was.iter().for_each(|(field, was)| line(format!("was {field} = {was}")));
            order.operations.iter().for_each(|o| line(format!("  {}", operation(object, set, o))));
        }
    }
    out
}

fn known(tool: &dyn DeliveryTool, object: &[u8]) -> Option<Delivery> {
    tool.read(object).ok().map(|named| named.delivery)
}

#[test]
fn every_intent_on_every_fixture_is_an_exact_change_or_a_typed_refusal() {
    let mut wrong = Vec::new();
    for tool in TOOLS {
        for (name, bytes, path) in fixtures("delivery", tool.kind()) {
            let object: Value = serde_json::from_slice(&bytes).unwrap();
            let set = generator(*tool, &name);
            let mut text = String::new();
            let mut last = String::new();
            for (intent, written) in every(*tool, &object, known(*tool, &bytes).as_ref(), set.as_ref()) {
                let said = said(&written, &object, set.as_ref());
                assert!(!said.contains(['\u{1b}', '\u{7}', '\u{202e}']) || name == "hostile_text", "{name}: {said:?}");
                // What several intents come to alike is told once.
                text.push_str(&if said == last {
                    format!("{intent}: the same\n")
                } else {
                    format!("{intent}\n{said}")
                });
                last = said;
            }
            golden(&mut wrong, &name, &path.with_extension("writes"), &text);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The object or its set as an API server leaves it, and whether the set was the one.
fn applied(object: &Value, set: Option<&Value>, order: &Writing) -> (Value, bool) {
    let on_set = order.on.is_some();
    let mut value = if on_set { set.unwrap().clone() } else { object.clone() };
    patch::json::apply(&mut value, &Value::Array(order.operations.clone()))
        .unwrap_or_else(|e| panic!("{e:?}\n{order:?}"));
    (value, on_set)
}

#[test]
fn what_is_written_an_api_server_takes_once_and_only_on_what_was_read() {
    for tool in TOOLS {
        let mut taken = 0;
        for (name, bytes, _) in fixtures("delivery", tool.kind()) {
            let object: Value = serde_json::from_slice(&bytes).unwrap();
            let set = generator(*tool, &name);
            for (intent, written) in every(*tool, &object, known(*tool, &bytes).as_ref(), set.as_ref()) {
                let Ok(Some(order)) = written else { continue };
                let (after, on_set) = applied(&object, set.as_ref(), &order);
                taken += 1;
                let operations = Value::Array(order.operations.clone());
                assert!(patch::json::apply(&mut after.clone(), &operations).is_err(), "{name}: {intent}: sent twice");
                let mut other = if on_set { set.clone().unwrap() } else { object.clone() };
                other["metadata"]["uid"] = json!("another");
                assert!(patch::json::apply(&mut other, &operations).is_err(), "{name}: {intent}: another object");
                if !on_set && intent.starts_with("bring") {
                    let mut busy = object.clone();
                    busy["operation"] = json!({"sync": {}});
                    let asks = order.operations.iter().any(|o| o["path"] == "/operation" && o["op"] == "add");
                    assert_eq!(
                        patch::json::apply(&mut busy, &operations).is_err(),
                        asks,
                        "{name}: {intent}: over another"
                    );
                }
            }
        }
        // What takes no orders is halted, and goes on.
        let least = if tool.kind() == "Application" { 40 } else { 5 };
        assert!(taken > least, "{}: only {taken} changes", tool.kind());
    }
}

#[test]
fn what_was_brought_is_there_and_goes_back_to_what_it_was() {
    for tool in TOOLS {
        let mut seen = 0;
        for (name, bytes, _) in fixtures("delivery", tool.kind()) {
            let object: Value = serde_json::from_slice(&bytes).unwrap();
            for (intent, means) in means().into_iter().filter(|(_, m)| m.field != ApplicationField::Sync) {
                let Ok(Some(order)) = bring(*tool, &object, None, &means) else { continue };
                let Some((_, was)) = &order.was else { continue };
                let (mut after, _) = applied(&object, None, &order);
                // The tool did what it was asked for.
                after.as_object_mut().unwrap().remove("operation");
                after["status"]["sync"]["status"] = json!("Synced");
                assert_eq!(bring(*tool, &after, None, &means), Ok(None), "{name}: {intent}: it is there");
                let Some(order) =
                    back(*tool, &after, None, &means, Some(was)).unwrap_or_else(|e| panic!("{name}: {intent}: {e:?}"))
                else {
                    panic!("{name}: {intent}: no way back")
                };
                let (back, _) = applied(&after, None, &order);
                let images = |o: &Value| o["spec"]["source"]["kustomize"]["images"].clone();
                let sources = |o: &Value| {
                    let mut spec = json!([o["spec"]["source"], o["spec"]["sources"]]);
                    // An override that was added leaves an empty list.
                    if images(o).as_array().is_none_or(Vec::is_empty) {
                        spec[0].as_object_mut().map(|s| s.remove("kustomize"));
                    }
                    spec
                };
                assert_eq!(sources(&back), sources(&object), "{name}: {intent}");
                seen += 1;
            }
        }
        let takes_orders = tool.kind() == "Application";
        assert!(if takes_orders { seen > 10 } else { seen == 0 }, "{}: {seen}", tool.kind());
    }
}

#[test]
fn a_halt_takes_automation_away_and_going_on_gives_back_exactly_that() {
    for tool in TOOLS {
        let mut seen = 0;
        for (name, bytes, _) in fixtures("delivery", tool.kind()) {
            let object: Value = serde_json::from_slice(&bytes).unwrap();
            let Some(known) = known(*tool, &bytes) else { continue };
            let Ok(Some(order)) = tool.halt(&known) else { continue };
            let (after, _) = applied(&object, None, &order);
            let halted = tool.read(after.to_string().as_bytes()).unwrap().delivery;
            assert!(halted.automated.is_none() && tool.halt(&halted) == Ok(None), "{name}: {after}");
            let (_, was) = order.was.unwrap();
            if let Ok(Some(order)) = tool.go_on(&after, &was) {
                assert_eq!(applied(&after, None, &order).0, object, "{name}: exactly as it was");
                seen += 1;
            }
        }
        assert!(seen > 5, "{}: only {seen}", tool.kind());
    }
}

/// Something like an Application, with parts that may be missing or of another type.
fn anything() -> impl Strategy<Value = Value> {
    let junk = prop_oneof![
        Just(Value::Null),
        Just(json!(7)),
        Just(json!("x")),
        Just(json!([])),
        Just(json!([1, "a", {}])),
        Just(json!({})),
    ];
    let source = prop_oneof![
        junk.clone(),
        Just(json!({"targetRevision": 3, "kustomize": {"images": ["=", "a=b=c", 4, "registry.example/webapp"]}})),
        Just(json!({"helm": {"parameters": [{"name": "image.tag"}, 3]}})),
    ];
    let policy = prop_oneof![junk.clone(), Just(json!({"automated": {}})), Just(json!({"automated": []}))];
    (source.clone(), source, policy, junk.clone(), junk).prop_map(|(one, two, policy, status, operation)| {
        json!({
            "metadata": {"name": "a", "namespace": "argocd", "uid": "u"},
            "spec": {"source": one, "sources": [two], "syncPolicy": policy},
            "status": {"operationState": status, "history": status, "summary": {"images": ["registry.example/webapp:v1"]}},
            "operation": operation,
        })
    })
}

proptest! {
    #[test]
    fn of_anything_there_is_a_change_that_can_be_made_or_a_refusal(object in anything(), at in 0..TOOLS.len()) {
        let tool = TOOLS[at];
        let known = known(tool, object.to_string().as_bytes());
        for (intent, written) in every(tool, &object, known.as_ref(), Some(&object)) {
            match written {
                Ok(Some(order)) => {
                    let mut value = object.clone();
                    prop_assert!(
                        patch::json::apply(&mut value, &Value::Array(order.operations)).is_ok(),
                        "{}: {}", intent, object
                    );
                }
                Ok(None) => {}
                Err(still) => prop_assert!(!still.code.is_empty() && !still.hint.is_empty()),
            }
        }
    }
}
