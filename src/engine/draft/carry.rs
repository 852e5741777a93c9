//! What a promotion carries: fields found by container name, read, and written as exact operations.

use serde_json::Value;

use crate::domain::change::{add, pointer_key, replace, test};
use crate::domain::fleet::{Carry, CarryPath, CarryStep, CarryValue, Region, Ring, Service};
use crate::domain::plan::DiffLine;
use crate::domain::version::{Image, Version};

/// A field of an object, with the name it is known by.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// With containers by name, e.g. `/spec/template/spec/containers[name=web]/image`.
    pub named: CarryPath,
    /// With positions, for this object.
    pub pointer: String,
    /// `test` operations that pin each named item to its position.
    pub pins: Vec<Value>,
    /// Its value; none: absent.
    pub value: Option<Value>,
}

/// Finds a field. None when an item that is named is not there, or a parent is missing.
pub fn find(object: &Value, path: &CarryPath) -> Option<Field> {
    let mut pointer = String::new();
    let mut pins = Vec::new();
    let mut here = Some(object);
    for step in &path.0 {
        let parent = here?;
        match step {
            CarryStep::Key(key) => {
                pointer.push('/');
                pointer.push_str(&pointer_key(key));
                here = match parent {
                    Value::Object(map) => map.get(&**key),
                    Value::Array(list) => Some(list.get(key.parse::<usize>().ok()?)?),
                    _ => return None,
                };
            }
            CarryStep::Named { field, value } => {
                let list = parent.as_array()?;
                let is = |item: &&Value| item.get(&**field).and_then(Value::as_str) == Some(&**value);
                let at = list.iter().position(|item| is(&item))?;
                pointer.push_str(&format!("/{at}"));
                pins.push(test(format!("{pointer}/{}", pointer_key(field)), Value::from(&**value)));
                here = list.get(at);
            }
        }
    }
    Some(Field { named: path.clone(), pointer, pins, value: here.cloned() })
}

/// The path of the container's image.
pub fn image_path(container: &str) -> CarryPath {
    let keys = ["spec", "template", "spec", "containers"].map(|k| CarryStep::Key(k.into()));
    let mut steps: Vec<CarryStep> = keys.into();
    steps.push(CarryStep::Named { field: "name".into(), value: container.into() });
    steps.push(CarryStep::Key("image".into()));
    CarryPath(steps)
}

/// A field with the value it is to get.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The field as it is.
    pub field: Field,
    /// The value; none: removed.
    pub to: Option<Value>,
}

impl Wanted {
    /// Whether nothing would change.
    pub fn is_there(&self) -> bool {
        self.field.value == self.to
    }
    /// The operations: pins first.
    pub fn operations(&self) -> Vec<Value> {
        let mut operations = self.field.pins.clone();
        let path = self.field.pointer.clone();
        match (&self.field.value, &self.to) {
            (Some(_), Some(to)) => operations.push(replace(path, to.clone())),
            (None, Some(to)) => operations.push(add(path, to.clone())),
            (Some(_), None) => operations.push(serde_json::json!({"op": "remove", "path": path})),
            (None, None) => {}
        }
        operations
    }
    /// The line of the diff, made from what is sent.
    pub fn diff(&self) -> DiffLine {
        let shown = self.field.named.to_string().replace("/spec/template/spec/", "");
        let shown = shown.trim_start_matches('/').to_owned();
        DiffLine { field: shown.into(), from: self.field.value.clone(), to: self.to.clone() }
    }
    /// Writes the value into a copy of the object, to see what it would become.
    pub fn apply(&self, object: &mut Value) {
        let Some((parent, key)) = self.field.pointer.rsplit_once('/') else { return };
        let key = key.replace("~1", "/").replace("~0", "~");
        match (object.pointer_mut(parent), &self.to) {
            (Some(Value::Object(map)), Some(to)) => {
                map.insert(key, to.clone());
            }
            (Some(Value::Object(map)), None) => {
                map.remove(&key);
            }
            (Some(Value::Array(list)), Some(to)) => {
                if let Some(slot) = key.parse::<usize>().ok().and_then(|at| list.get_mut(at)) {
                    *slot = to.clone();
                }
            }
            _ => {}
        }
    }
}

/// What a promotion wants in one region: from the source ring's object, or a version by hand.
pub struct Source<'a> {
    /// The source region's object; none: a version by hand.
    pub object: Option<&'a Value>,
    /// Name of the container there.
    pub container: &'a str,
    /// Image by hand: a tag or a whole reference.
    pub by_hand: Option<&'a str>,
    /// The version as people call it.
    pub version: &'a Version,
}

/// Every carried field of a region with the value it is to get, or what is missing.
pub fn wanted(
    service: &Service,
    ring: &Ring,
    region: &Region,
    object: &Value,
    source: &Source<'_>,
) -> Result<Vec<Wanted>, String> {
    let mut out = Vec::new();
    for carry in &service.carries {
        match carry {
            Carry::Image | Carry::ImageRef => {
                let path = image_path(&region.workload.container);
                let field = find(object, &path)
                    .ok_or_else(|| format!("{} has no container {}", region.name, region.workload.container))?;
                let current = Image::parse(field.value.as_ref().and_then(Value::as_str).unwrap_or_default());
                let to = match (source.object, source.by_hand) {
                    (_, Some(text)) => by_hand(&current, text),
                    (Some(from), None) => {
                        let from = find(from, &image_path(source.container))
                            .and_then(|f| f.value)
                            .and_then(|v| v.as_str().map(Image::parse))
                            .ok_or_else(|| "the source ring's container has no image".to_owned())?;
                        if *carry == Carry::ImageRef { from } else { current.with_release_of(&from) }
                    }
                    (None, None) => return Err("no version to promote".to_owned()),
                };
                out.push(Wanted { field, to: Some(Value::String(to.to_string())) });
            }
            Carry::Pointer { path, value } => {
                let field = find(object, path).ok_or_else(|| format!("{} has nothing at {path}", region.name))?;
                let to = match (value, source.object) {
                    (CarryValue::Template(text), _) => {
                        let text = text
                            .replace("{{version}}", &source.version.0)
                            .replace("{{ring}}", ring.name.as_str())
                            .replace("{{region}}", region.name.as_str());
                        Some(
                            serde_json::from_str(&text)
                                .map_err(|e| format!("the template for {path} is not JSON once rendered: {e}"))?,
                        )
                    }
                    (CarryValue::Verbatim, Some(from)) => {
                        find(from, path).ok_or_else(|| format!("the source ring has nothing at {path}"))?.value
                    }
                    // By hand only the image is named: the field stays as it is.
                    (CarryValue::Verbatim, None) => continue,
                };
                out.push(Wanted { field, to });
            }
        }
    }
    Ok(out)
}

/// A tag keeps the region's repository; a reference with `/`, `@` or `:` is taken whole.
fn by_hand(current: &Image, text: &str) -> Image {
    if text.contains(['/', '@', ':']) {
        Image::parse(text)
    } else {
        Image { repository: current.repository.clone(), tag: Some(text.into()), digest: None }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_container_is_found_by_name_and_pinned() {
        let object = json!({"spec": {"template": {"spec": {"containers": [
            {"name": "sidecar", "image": "s:1"}, {"name": "web", "image": "r/web:v1@sha256:aa"}]}}}});
        let field = find(&object, &image_path("web")).unwrap();
        assert_eq!(field.pointer, "/spec/template/spec/containers/1/image");
        assert_eq!(field.pins, [test("/spec/template/spec/containers/1/name", "web".into())]);
        assert!(find(&object, &image_path("nope")).is_none());
        let wanted = Wanted { field, to: Some("r/web:v2".into()) };
        let mut after = object.clone();
        wanted.apply(&mut after);
        assert_eq!(after["spec"]["template"]["spec"]["containers"][1]["image"], "r/web:v2");
        assert_eq!(wanted.operations().len(), 2);
    }

    #[test]
    fn a_tag_by_hand_keeps_the_repository_and_drops_the_digest() {
        let current = Image::parse("r.example/web:v1@sha256:aa");
        assert_eq!(by_hand(&current, "v2").to_string(), "r.example/web:v2");
        assert_eq!(by_hand(&current, "other/web:v2@sha256:bb").to_string(), "other/web:v2@sha256:bb");
    }
}
