//! Infrastructure and application in one change: twice the ways to fail, and no way to tell which it was.

use super::view::{Plan, list};
use super::{Check, Notes, Severity};
use crate::domain::fleet::{Carry, CarryPath, CarryStep};

pub(super) static CHECK: Check = Check {
    code: "GG014",
    name: "mixed-change",
    severity: Severity::Low,
    about: "A promotion carries the image together with what is infrastructure: placement, volumes, identities, limits.",
    measures: false,
    find,
};

/// What belongs to the application inside a container.
const OF_THE_APPLICATION: [&str; 9] =
    ["image", "args", "command", "env", "envFrom", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle"];

fn find(plan: &Plan<'_>, notes: &mut Notes) {
    let carries = &plan.service.carries;
    let image = carries.iter().any(|c| matches!(c, Carry::Image | Carry::ImageRef));
    let pointers = carries.iter().filter_map(|c| match c {
        Carry::Pointer { path, .. } if is_infrastructure(path) => Some(path.to_string()),
        _ => None,
    });
    let pointers: Vec<String> = pointers.collect();
    if image && !pointers.is_empty() {
        notes.service(
            format!(
                "a promotion carries the image and infrastructure in one plan: {}",
                list(pointers.iter().map(String::as_str))
            ),
            "carry one of them here, and roll out the other by itself, ring by ring",
        );
    }
}

/// Whether a pointer below the pod template is about where and as what it runs.
fn is_infrastructure(path: &CarryPath) -> bool {
    let keys: Vec<&str> = path
        .0
        .iter()
        .filter_map(|step| match step {
            CarryStep::Key(key) => Some(&**key),
            CarryStep::Named { .. } => None,
        })
        .collect();
    let below = match keys.as_slice() {
        ["spec", "template", rest @ ..] => rest,
        all => all,
    };
    match below {
        ["metadata", ..] => false,
        ["spec", "containers" | "initContainers", rest @ ..] => {
            rest.first().is_some_and(|key| !OF_THE_APPLICATION.contains(key))
        }
        _ => true,
    }
}
