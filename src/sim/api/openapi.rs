//! `/openapi/v3`: as far as kubectl looks before it validates, applies or patches.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::resources::{RESOURCES, Resource};
use super::super::schema::{self, Field, Merge, Shape};
use super::super::status::ApiError;
use super::discovery::GROUPS;
use super::serve::Reply;

/// Answers the index and one document per group and version.
pub(super) fn answer(path: &str) -> Result<Reply, ApiError> {
    let rest = path.trim_start_matches("/openapi/v3").trim_matches('/');
    let groups = || [("", "v1")].into_iter().chain(GROUPS);
    let place = |group: &str, version: &str| match group {
        "" => format!("api/{version}"),
        group => format!("apis/{group}/{version}"),
    };
    if rest.is_empty() {
        let entry = |(group, version): (&str, &str)| {
            let path = place(group, version);
            let url = format!("/openapi/v3/{path}?hash=1");
            (path, json!({"serverRelativeURL": url}))
        };
        let paths: Map<String, Value> = groups().map(entry).collect();
        return Ok(Reply::value(200, &json!({"paths": paths})));
    }
    match groups().find(|(group, version)| place(group, version) == rest) {
        Some((group, version)) => Ok(Reply::value(200, &document(group, version))),
        None => Err(ApiError::no_such_path()),
    }
}

fn document(group: &str, version: &str) -> Value {
    let served: Vec<&Resource> = RESOURCES.into_iter().filter(|r| r.group == group && r.version == version).collect();
    let mut paths = Map::new();
    let mut schemas = Map::new();
    let mut wanted: Vec<&'static str> = Vec::new();
    for resource in served {
        let root = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        let root = if resource.namespaced { format!("{root}/namespaces/{{namespace}}") } else { root };
        let kind = json!({"group": group, "version": version, "kind": resource.kind});
        let one = json!({"get": operation("get", &kind, &[]), "patch": patch(&kind, resource),
            "put": operation("put", &kind, &WRITES), "delete": operation("delete", &kind, &["dryRun"])});
        let all = json!({"get": operation("list", &kind, &["labelSelector", "fieldSelector", "limit", "continue"]),
            "post": operation("post", &kind, &WRITES)});
        paths.insert(format!("{root}/{}/{{name}}", resource.plural), one);
        paths.insert(format!("{root}/{}", resource.plural), all);
        wanted.push(resource.kind);
        let mut shape = struct_schema(resource.kind);
        if let Some(map) = shape.as_object_mut() {
            map.insert("x-kubernetes-group-version-kind".to_owned(), json!([kind]));
        }
        schemas.insert(resource.kind.to_owned(), shape);
    }
    while let Some(name) = wanted.pop() {
        for inner in schema::fields(name).into_iter().flat_map(BTreeMap::values).filter_map(referred) {
            if !schemas.contains_key(inner) {
                schemas.insert(inner.to_owned(), struct_schema(inner));
                wanted.push(inner);
            }
        }
    }
    json!({"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": super::VERSION},
        "paths": paths, "components": {"schemas": schemas}})
}

const WRITES: [&str; 3] = ["dryRun", "fieldManager", "fieldValidation"];

fn operation(action: &str, kind: &Value, parameters: &[&str]) -> Value {
    let parameters: Vec<Value> =
        parameters.iter().map(|name| json!({"name": name, "in": "query", "schema": {"type": "string"}})).collect();
    json!({"x-kubernetes-action": action, "x-kubernetes-group-version-kind": kind,
        "parameters": parameters, "responses": {"200": {"description": "OK"}}})
}

fn patch(kind: &Value, resource: &Resource) -> Value {
    let mut operation = operation("patch", kind, &["dryRun", "fieldManager", "fieldValidation", "force"]);
    let mut types = vec!["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"];
    if !resource.custom {
        types.push("application/strategic-merge-patch+json");
    }
    let content: Map<String, Value> =
        types.into_iter().map(|t| (t.to_owned(), json!({"schema": {"type": "object"}}))).collect();
    if let Some(map) = operation.as_object_mut() {
        map.insert("requestBody".to_owned(), json!({"content": content}));
    }
    operation
}

/// The struct a field refers to.
fn referred(field: &Field) -> Option<&'static str> {
    fn inner(shape: &Shape) -> Option<&'static str> {
        match shape {
            Shape::Struct(name) => Some(name),
            Shape::List(item, _) => inner(item),
            _ => None,
        }
    }
    inner(&field.shape)
}

fn struct_schema(name: &str) -> Value {
    let mut properties = Map::new();
    for (field, known) in schema::fields(name).into_iter().flatten() {
        let mut value = shape_schema(&known.shape);
        if let (true, Some(map)) = (known.retain_keys, value.as_object_mut()) {
            let both = map.contains_key("x-kubernetes-patch-strategy");
            let strategy = if both { "merge,retainKeys" } else { "retainKeys" };
            map.insert("x-kubernetes-patch-strategy".to_owned(), strategy.into());
        }
        properties.insert((*field).to_owned(), value);
    }
    if super::super::resources::RESOURCES.into_iter().any(|r| r.kind == name) {
        properties.insert("apiVersion".to_owned(), json!({"type": "string"}));
        properties.insert("kind".to_owned(), json!({"type": "string"}));
    }
    json!({"type": "object", "properties": properties})
}

fn shape_schema(shape: &Shape) -> Value {
    match shape {
        Shape::Text | Shape::Time | Shape::MicroTime => json!({"type": "string"}),
        Shape::Int | Shape::Long => json!({"type": "integer"}),
        Shape::Bool => json!({"type": "boolean"}),
        Shape::IntOrText => {
            json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]})
        }
        Shape::Map | Shape::Bytes => json!({"type": "object", "additionalProperties": {"type": "string"}}),
        Shape::Quantities => {
            json!({"type": "object", "additionalProperties": {"oneOf": [{"type": "string"}, {"type": "number"}]}})
        }
        Shape::Any => json!({"type": "object"}),
        Shape::Struct(name) => json!({"$ref": format!("#/components/schemas/{name}")}),
        Shape::List(item, merge) => {
            let mut list = json!({"type": "array", "items": shape_schema(item)});
            let Some(map) = list.as_object_mut() else {
                return list;
            };
            match merge {
                Merge::Atomic => {
                    map.insert("x-kubernetes-list-type".to_owned(), "atomic".into());
                }
                Merge::Keys(keys) => {
                    map.insert("x-kubernetes-list-type".to_owned(), "map".into());
                    map.insert("x-kubernetes-list-map-keys".to_owned(), json!(keys));
                    map.insert("x-kubernetes-patch-strategy".to_owned(), "merge".into());
                    if let Some(key) = keys.first() {
                        map.insert("x-kubernetes-patch-merge-key".to_owned(), (*key).into());
                    }
                }
                Merge::Set => {
                    map.insert("x-kubernetes-list-type".to_owned(), "set".into());
                    map.insert("x-kubernetes-patch-strategy".to_owned(), "merge".into());
                }
            }
            list
        }
    }
}
