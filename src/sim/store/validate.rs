//! What the registry refuses: 422 with the causes a real server names.

use serde_json::{Map, Value};

use super::super::resources::Resource;
use super::super::status::Cause;
use super::meta;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const IMMUTABLE: &str = "field is immutable";
const PERCENT: &str = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
const NOT_NEGATIVE: &str = "must be greater than or equal to 0";

/// Everything wrong with `new`, which replaces `old` (None: it is being created).
pub(super) fn causes(resource: &Resource, old: Option<&Value>, new: &Value) -> Vec<Cause> {
    let mut found = Vec::new();
    if old.is_none() {
        name(resource, new, &mut found);
    }
    // On the way of an update three checks look at the metadata, and each says what it found.
    let times = match (old, resource.kind) {
        (None, _) => 1,
        (Some(_), "ConfigMap") => 4,
        (Some(_), _) => 3,
    };
    for _ in 0..times {
        labels(new.pointer("/metadata/labels"), "metadata.labels", &mut found);
        annotations(new, &mut found);
        owners(new, &mut found);
    }
    finalizers(new, &mut found);
    match resource.kind {
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" => {
            workload(resource, old, new, &mut found);
        }
        "Pod" => pod(old, new, &mut found),
        "ConfigMap" => config_map(old, new, &mut found),
        "HorizontalPodAutoscaler" => autoscaler(new, &mut found),
        "HTTPRoute" | "GRPCRoute" => gateway_route(new, &mut found),
        "VirtualService" => virtual_service(new, &mut found),
        "Application" => application(new, &mut found),
        "Lease" => lease(new, &mut found),
        "Service" => service(new, &mut found),
        _ => {}
    }
    found
}

fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

fn name(resource: &Resource, new: &Value, found: &mut Vec<Cause>) {
    let name = meta::text(new, "name");
    if name.is_empty() {
        found.push(Cause::required("metadata.name", "name or generateName is required"));
    } else if resource.kind == "Namespace" && !dns_label(name) {
        let why = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
        found.push(Cause::invalid("metadata.name", at(new, "/metadata/name"), why));
    } else if name.len() > 253 {
        found.push(Cause::invalid("metadata.name", at(new, "/metadata/name"), "must be no more than 253 characters"));
    } else if !name.split('.').all(dns_part) {
        found.push(Cause::invalid("metadata.name", at(new, "/metadata/name"), SUBDOMAIN));
    }
}

fn dns_part(part: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    !part.is_empty()
        && part.bytes().all(|b| inner(b) || b == b'-')
        && part.bytes().next().is_some_and(inner)
        && part.bytes().last().is_some_and(inner)
}

fn dns_label(name: &str) -> bool {
    name.len() <= 63 && dns_part(name)
}

/// The character rule that label values and the name part of keys share.
fn word(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && text.bytes().last().is_some_and(|b| b.is_ascii_alphanumeric())
}

/// What is wrong with a label's or annotation's key.
pub fn label_key(key: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let part = match key.split('/').collect::<Vec<_>>().as_slice() {
        [part] => *part,
        [prefix, part] => {
            if prefix.is_empty() {
                wrong.push("prefix part must be non-empty".to_owned());
            } else if !prefix.split('.').all(dns_part) {
                wrong.push(format!("prefix part {SUBDOMAIN}"));
            }
            *part
        }
        _ => {
            let rule = QUALIFIED.strip_prefix("name part ").unwrap_or(QUALIFIED);
            return vec![format!(
                "a qualified name {rule} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if part.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else if part.len() > 63 {
        wrong.push("name part must be no more than 63 characters".to_owned());
    }
    if !word(part) {
        wrong.push(QUALIFIED.to_owned());
    }
    wrong
}

fn qualified(key: &str, path: &str, found: &mut Vec<Cause>) {
    let shown = Value::String(key.to_owned());
    found.extend(label_key(key).into_iter().map(|why| Cause::invalid(path, &shown, why)));
}

fn labels(labels: Option<&Value>, path: &str, found: &mut Vec<Cause>) {
    for (key, value) in labels.and_then(Value::as_object).into_iter().flatten() {
        qualified(key, path, found);
        let text = value.as_str().unwrap_or("");
        if text.len() > 63 {
            found.push(Cause::invalid(path, value, "must be no more than 63 characters"));
        } else if !text.is_empty() && !word(text) {
            found.push(Cause::invalid(path, value, LABEL_VALUE));
        }
    }
}

fn annotations(new: &Value, found: &mut Vec<Cause>) {
    let mut size = 0;
    let all = at(new, "/metadata/annotations").as_object().into_iter().flatten();
    for (key, value) in all {
        qualified(&key.to_lowercase(), "metadata.annotations", found);
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > 262_144 {
        let message = "Too long: may not be more than 262144 bytes".to_owned();
        found.push(Cause { reason: "FieldValueTooLong", message, field: "metadata.annotations".to_owned() });
    }
}

/// An owner is named in full.
fn owners(new: &Value, found: &mut Vec<Cause>) {
    let empty = Value::String(String::new());
    for owner in at(new, "/metadata/ownerReferences").as_array().into_iter().flatten() {
        for (field, why) in [
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ] {
            if owner.get(field).and_then(Value::as_str).is_none_or(str::is_empty) {
                found.push(Cause::invalid(format!("metadata.ownerReferences.{field}"), &empty, why));
            }
        }
    }
}

/// A finalizer is one of the server's own or has a domain.
fn finalizers(new: &Value, found: &mut Vec<Cause>) {
    for (index, name) in at(new, "/metadata/finalizers").as_array().into_iter().flatten().enumerate() {
        let text = name.as_str().unwrap_or("");
        if !text.contains('/') && !matches!(text, "kubernetes" | "orphan" | "foregroundDeletion") {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            found.push(Cause::invalid(format!("metadata.finalizers[{index}]"), name, why));
        }
    }
}

fn not_negative(new: &Value, pointer: &str, found: &mut Vec<Cause>) {
    let value = at(new, pointer);
    if value.as_i64().is_some_and(|n| n < 0) {
        let field = pointer.trim_start_matches('/').replace('/', ".");
        found.push(Cause::invalid(field, value, NOT_NEGATIVE));
    }
}

fn workload(resource: &Resource, old: Option<&Value>, new: &Value, found: &mut Vec<Cause>) {
    for field in
        ["/spec/replicas", "/spec/minReadySeconds", "/spec/revisionHistoryLimit", "/spec/progressDeadlineSeconds"]
    {
        not_negative(new, field, found);
    }
    let selector = at(new, "/spec/selector");
    let wanted = at(selector, "/matchLabels");
    let empty = |v: &Value| v.as_object().is_none_or(Map::is_empty);
    if selector.is_null() {
        found.push(Cause::required("spec.selector", ""));
    } else if empty(wanted) && at(selector, "/matchExpressions").as_array().is_none_or(Vec::is_empty) {
        found.push(Cause::invalid(
            "spec.selector",
            selector,
            format!("empty selector is invalid for {}", resource.kind.to_lowercase()),
        ));
    }
    let given = at(new, "/spec/template/metadata/labels");
    let mismatch = wanted.as_object().into_iter().flatten().any(|(k, v)| given.get(k) != Some(v));
    // Nothing selects nothing.
    if mismatch || selector.is_null() {
        let why = "`selector` does not match template `labels`";
        found.push(Cause::invalid("spec.template.metadata.labels", given, why));
    }
    labels(new.pointer("/spec/template/metadata/labels"), "spec.template.metadata.labels", found);
    if resource.kind == "Deployment" {
        strategy(new, found);
    }
    let restart = at(new, "/spec/template/spec/restartPolicy");
    if restart.as_str().is_some_and(|policy| policy != "Always") {
        found.push(Cause::unsupported("spec.template.spec.restartPolicy", restart, &["Always"]));
    }
    pod_spec(at(new, "/spec/template/spec"), "spec.template.spec", false, found);
    if let Some(old) = old
        && at(old, "/spec/selector") != selector
    {
        found.push(Cause::invalid("spec.selector", selector, IMMUTABLE));
    }
}

/// How a Deployment replaces its pods, and how long that may take.
fn strategy(new: &Value, found: &mut Vec<Cause>) {
    let (kind, rolling) = (at(new, "/spec/strategy/type"), at(new, "/spec/strategy/rollingUpdate"));
    match kind.as_str().unwrap_or("") {
        "Recreate" if !rolling.is_null() => {
            let why = "may not be specified when strategy `type` is 'Recreate'";
            found.push(Cause::forbidden("spec.strategy.rollingUpdate", why));
        }
        "Recreate" => {}
        "RollingUpdate" => {
            let path = |key: &str| format!("spec.strategy.rollingUpdate.{key}");
            for key in ["maxUnavailable", "maxSurge"] {
                let value = at(rolling, &format!("/{key}"));
                let percent = value.as_str().is_none_or(|text| {
                    text.strip_suffix('%').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
                });
                if !percent {
                    found.push(Cause::invalid(path(key), value, PERCENT));
                } else if value.as_i64().is_some_and(|n| n < 0) {
                    found.push(Cause::invalid(path(key), value, NOT_NEGATIVE));
                }
            }
            let (surge, less) = (at(rolling, "/maxSurge"), at(rolling, "/maxUnavailable"));
            // What is no percentage counts as none.
            let none = |v: &Value| v.as_i64().unwrap_or_else(|| share(v)) == 0;
            if none(surge) && none(less) {
                found.push(Cause::invalid(path("maxUnavailable"), less, "may not be 0 when `maxSurge` is 0"));
            }
        }
        _ => {
            let part = |key: &str| at(rolling, &format!("/{key}")).to_string();
            let (less, surge) = (part("maxUnavailable"), part("maxSurge"));
            let inner = if rolling.is_null() {
                "null".to_owned()
            } else {
                format!("{{\"MaxUnavailable\":{less},\"MaxSurge\":{surge}}}")
            };
            let shown = format!("{{\"Type\":{kind},\"RollingUpdate\":{inner}}}");
            let message = format!("Unsupported value: {shown}: supported values: \"Recreate\", \"RollingUpdate\"");
            found.push(Cause { reason: "FieldValueNotSupported", message, field: "spec.strategy".to_owned() });
        }
    }
    let deadline = at(new, "/spec/progressDeadlineSeconds");
    let least = at(new, "/spec/minReadySeconds").as_i64().unwrap_or(0);
    if deadline.as_i64().is_some_and(|n| n >= 0 && n <= least) {
        found.push(Cause::invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"));
    }
}

/// The number before a percent sign.
fn share(value: &Value) -> i64 {
    value.as_str().and_then(|text| text.strip_suffix('%')?.parse().ok()).unwrap_or(0)
}

/// `runs`: of a Pod rather than of a template, whose images nobody trims.
fn pod_spec(spec: &Value, path: &str, runs: bool, found: &mut Vec<Cause>) {
    let containers = at(spec, "/containers").as_array();
    if containers.is_none_or(Vec::is_empty) {
        found.push(Cause::required(format!("{path}.containers"), ""));
    }
    let mut names: Vec<&str> = Vec::new();
    for (index, container) in containers.into_iter().flatten().enumerate() {
        let here = format!("{path}.containers[{index}]");
        let name = at(container, "/name").as_str().unwrap_or("");
        if name.is_empty() {
            found.push(Cause::required(format!("{here}.name"), ""));
        } else if names.contains(&name) {
            let message = format!("Duplicate value: {name:?}");
            found.push(Cause { reason: "FieldValueDuplicate", message, field: format!("{here}.name") });
        }
        names.push(name);
        let image = at(container, "/image");
        match image.as_str() {
            None | Some("") => found.push(Cause::required(format!("{here}.image"), "")),
            Some(text) if runs && text.trim() != text => {
                found.push(Cause::invalid(
                    format!("{here}.image"),
                    image,
                    "must not have leading or trailing whitespace",
                ));
            }
            Some(_) => {}
        }
        resources(at(container, "/resources"), &here, found);
        let policy = at(container, "/imagePullPolicy");
        if !matches!(policy.as_str(), None | Some("Always" | "IfNotPresent" | "Never")) {
            let allowed = ["Always", "IfNotPresent", "Never"];
            found.push(Cause::unsupported(format!("{here}.imagePullPolicy"), policy, &allowed));
        }
    }
}

/// A request may not be above its limit.
fn resources(resources: &Value, path: &str, found: &mut Vec<Cause>) {
    for (name, asked) in at(resources, "/requests").as_object().into_iter().flatten() {
        let limit = resources.get("limits").and_then(|limits| limits.get(name));
        let amounts = (quantity(asked), limit.and_then(quantity));
        if let (Some(wanted), Some(most)) = amounts
            && wanted > most
        {
            let limit = limit.and_then(Value::as_str).unwrap_or("");
            let why = format!("must be less than or equal to {name} limit of {limit}");
            found.push(Cause::invalid(format!("{path}.resources.requests"), asked, why));
        }
    }
}

/// A quantity such as `250m` or `1Gi` as a number.
fn quantity(value: &Value) -> Option<f64> {
    let text = value.as_str()?;
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text.strip_prefix(digits)? {
        "" => 1.0,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "Ki" => 1_024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        _ => return None,
    };
    Some(digits.parse::<f64>().ok()? * factor)
}

fn pod(old: Option<&Value>, new: &Value, found: &mut Vec<Cause>) {
    pod_spec(at(new, "/spec"), "spec", true, found);
    let Some(old) = old else { return };
    let frozen = |pod: &Value| {
        let mut spec = at(pod, "/spec").clone();
        if let Some(map) = spec.as_object_mut() {
            for key in
                ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "nodeName", "schedulingGates"]
            {
                map.remove(key);
            }
        }
        for container in spec.get_mut("containers").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(map) = container.as_object_mut() {
                map.remove("image");
            }
        }
        spec
    };
    if frozen(old) != frozen(new) {
        let why = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        found.push(Cause::forbidden("spec", why));
    }
}

fn config_map(old: Option<&Value>, new: &Value, found: &mut Vec<Cause>) {
    let mut size = 0;
    for field in ["data", "binaryData"] {
        for (key, value) in new.get(field).and_then(Value::as_object).into_iter().flatten() {
            let shown = Value::String(key.clone());
            let path = format!("{field}[{key}]");
            let odd = |b: u8| !b.is_ascii_alphanumeric() && !matches!(b, b'-' | b'_' | b'.');
            if key.len() > 253 {
                found.push(Cause::invalid(&path, &shown, "must be no more than 253 characters"));
            }
            if key.is_empty() || key.bytes().any(odd) {
                found.push(Cause::invalid(&path, &shown, CONFIG_KEY));
            }
            match key.as_str() {
                "." | ".." => found.push(Cause::invalid(&path, &shown, format!("must not be '{key}'"))),
                key if key.starts_with("..") => {
                    found.push(Cause::invalid(&path, &shown, "must not start with '..'"));
                }
                _ => {}
            }
            if field == "data" && at(new, "/binaryData").get(key).is_some() {
                found.push(Cause::invalid(&path, &shown, "duplicate of key present in binaryData"));
            }
            size += value.as_str().map_or(0, str::len);
        }
    }
    if size > 1_048_576 {
        let message = "Too long: may not be more than 1048576 bytes".to_owned();
        found.push(Cause { reason: "FieldValueTooLong", message, field: "[]".to_owned() });
    }
    let Some(old) = old else { return };
    if old.get("immutable") != Some(&Value::Bool(true)) {
        return;
    }
    if new.get("immutable") != Some(&Value::Bool(true)) {
        found.push(Cause::forbidden("immutable", "field is immutable when `immutable` is set"));
    }
    for field in ["data", "binaryData"] {
        if old.get(field) != new.get(field) {
            found.push(Cause::forbidden(field, "field is immutable when `immutable` is set"));
        }
    }
}

fn autoscaler(new: &Value, found: &mut Vec<Cause>) {
    let (min, max) = (at(new, "/spec/minReplicas"), at(new, "/spec/maxReplicas"));
    if min.as_i64().is_some_and(|n| n < 1) {
        found.push(Cause::invalid("spec.minReplicas", min, "must be greater than or equal to 1"));
    }
    let shown = if max.is_null() { Value::from(0) } else { max.clone() };
    let most = shown.as_i64().unwrap_or(0);
    if most < 1 {
        found.push(Cause::invalid("spec.maxReplicas", &shown, "must be greater than 0"));
    }
    if min.as_i64().is_some_and(|least| most < least) {
        found.push(Cause::invalid("spec.maxReplicas", &shown, "must be greater than or equal to `minReplicas`"));
    }
    for (field, pointer) in [("kind", "/spec/scaleTargetRef/kind"), ("name", "/spec/scaleTargetRef/name")] {
        if at(new, pointer).as_str().is_none_or(str::is_empty) {
            found.push(Cause::required(format!("spec.scaleTargetRef.{field}"), ""));
        }
    }
    // Of core only replication controllers scale.
    let (version, kind) = (at(new, "/spec/scaleTargetRef/apiVersion"), at(new, "/spec/scaleTargetRef/kind"));
    if matches!(version.as_str(), None | Some("")) && kind.as_str() != Some("ReplicationController") {
        let why = "apiVersion must specify API group";
        found.push(Cause::invalid("spec.scaleTargetRef.apiVersion", &Value::String(String::new()), why));
    }
    let metrics = at(new, "/spec/metrics").as_array();
    let scales_to_zero = |m: &Value| matches!(at(m, "/type").as_str(), Some("Object" | "External"));
    if min.as_i64() == Some(0) && !metrics.is_some_and(|list| list.iter().any(scales_to_zero)) {
        let why = "must specify at least one Object or External metric to support scaling to zero replicas";
        found.push(Cause::forbidden("spec.metrics", why));
    }
}

fn service(new: &Value, found: &mut Vec<Cause>) {
    let external = at(new, "/spec/type").as_str() == Some("ExternalName");
    let headless = at(new, "/spec/clusterIP").as_str() == Some("None");
    if !external && !headless && at(new, "/spec/ports").as_array().is_none_or(Vec::is_empty) {
        found.push(Cause::required("spec.ports", ""));
    }
}

fn gateway_route(new: &Value, found: &mut Vec<Cause>) {
    if at(new, "/spec").is_null() {
        found.push(Cause::required("spec", ""));
    }
    for (r, rule) in at(new, "/spec/rules").as_array().into_iter().flatten().enumerate() {
        for (b, backend) in at(rule, "/backendRefs").as_array().into_iter().flatten().enumerate() {
            let path = format!("spec.rules[{r}].backendRefs[{b}]");
            if at(backend, "/name").as_str().is_none_or(str::is_empty) {
                found.push(Cause::required(format!("{path}.name"), ""));
            }
            let weight = at(backend, "/weight");
            match weight.as_i64() {
                Some(n) if n < 0 => {
                    let why = format!("{path}.weight in body should be greater than or equal to 0");
                    found.push(Cause::invalid(format!("{path}.weight"), weight, why));
                }
                Some(n) if n > 1_000_000 => {
                    let why = format!("{path}.weight in body should be less than or equal to 1000000");
                    found.push(Cause::invalid(format!("{path}.weight"), weight, why));
                }
                _ => {}
            }
        }
    }
}

/// What the CRD's schema asks.
fn application(new: &Value, found: &mut Vec<Cause>) {
    for field in ["spec", "spec.destination", "spec.project"] {
        if at(new, &format!("/{}", field.replace('.', "/"))).is_null() {
            found.push(Cause::required(field, ""));
        }
    }
    let operation = at(new, "/operation");
    if !operation.is_null() && !operation.is_object() {
        let why = "operation in body must be of type object";
        found.push(Cause::invalid("operation", operation, why));
    }
}

/// What the CRD's schema asks, and what Istio's webhook refuses: weights that send nothing anywhere.
fn virtual_service(new: &Value, found: &mut Vec<Cause>) {
    for (r, rule) in at(new, "/spec/http").as_array().into_iter().flatten().enumerate() {
        let targets = at(rule, "/route").as_array().map(Vec::as_slice).unwrap_or_default();
        for (t, target) in targets.iter().enumerate() {
            let path = format!("spec.http[{r}].route[{t}]");
            if at(target, "/destination/host").as_str().is_none_or(str::is_empty) {
                found.push(Cause::required(format!("{path}.destination.host"), ""));
            }
            let weight = at(target, "/weight");
            if weight.as_i64().is_some_and(|weight| weight < 0) {
                let why = format!("{path}.weight in body should be greater than or equal to 0");
                found.push(Cause::invalid(format!("{path}.weight"), weight, why));
            }
        }
        let nothing = targets.iter().all(|target| at(target, "/weight").as_i64().unwrap_or(0) == 0);
        if targets.len() > 1 && nothing {
            let why = "total destination weight = 0";
            found.push(Cause::invalid(format!("spec.http[{r}].route"), &Value::Null, why));
        }
    }
}

/// What events.k8s.io/v1 asks of a new event; core/v1 asks only that the namespaces agree.
/// `event` is in its stored form.
pub(super) fn event(event: &Value, strict: bool) -> Vec<Cause> {
    let mut found = Vec::new();
    let text = |pointer: &str| at(event, pointer).as_str().unwrap_or("");
    let (ns, about) = (meta::text(event, "namespace"), at(event, "/involvedObject/namespace"));
    // About something without a namespace only in the namespace `default`.
    let agrees = match about.as_str() {
        None | Some("") => ns == "default",
        Some(about) => about == ns,
    };
    if !agrees {
        let shown = if about.is_null() { Value::String(String::new()) } else { about.clone() };
        found.push(Cause::invalid("involvedObject.namespace", &shown, "does not match event.namespace"));
    }
    if !strict {
        return found;
    }
    if text("/eventTime").is_empty() {
        found.push(Cause::required("eventTime", ""));
    }
    let limits = [
        ("reportingController", "/reportingComponent", 128),
        ("reportingInstance", "/reportingInstance", 128),
        ("action", "/action", 128),
        ("reason", "/reason", 128),
    ];
    // The value itself is not said.
    let unsaid = Value::String(String::new());
    for (field, pointer, most) in limits {
        if text(pointer).is_empty() {
            found.push(Cause::required(field, ""));
        }
        if field == "reportingController" {
            qualified(text(pointer), field, &mut found);
        }
        if text(pointer).len() > most {
            found.push(Cause::invalid(field, &unsaid, format!("can have at most {most} characters")));
        }
    }
    if text("/message").len() > 1_024 {
        found.push(Cause::invalid("message", &unsaid, "can have at most 1024 characters"));
    }
    if !matches!(text("/type"), "Normal" | "Warning") {
        found.push(Cause::invalid("type", &unsaid, format!("has invalid value: {}", text("/type"))));
    }
    found
}

fn lease(new: &Value, found: &mut Vec<Cause>) {
    let seconds = at(new, "/spec/leaseDurationSeconds");
    if seconds.as_i64().is_some_and(|n| n <= 0) {
        found.push(Cause::invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"));
    }
    not_negative(new, "/spec/leaseTransitions", found);
}
