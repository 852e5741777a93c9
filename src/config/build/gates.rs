//! `exit`, `entry` and `bake`: which gates a ring has, resolved from the most specific level.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::de::DeValue;

use super::super::error::Severity;
use super::super::reader::{Table, Value, in_order, number_of};
use super::super::source::{At, Span};
use super::Build;
use super::names::{self, Kind};
use super::topology::Level;
use crate::domain::fleet::{GateSpec, Param, Params, Service};
use crate::domain::gate::ParamError;
use crate::domain::id::RingIx;
use crate::gates;

/// A gate as written.
#[derive(Clone, Debug)]
pub(super) struct GateDraft {
    gate: At<String>,
    label: Option<String>,
    params: BTreeMap<String, (Param, Span)>,
    /// All of it.
    at: Span,
}

/// Reads a list of gates.
pub(super) fn draft(build: &Build<'_>, table: Table<'_>, key: &str) -> Option<Vec<GateDraft>> {
    let (value, _) = table.raw(key)?;
    let DeValue::Array(items) = value.get_ref() else {
        let fix = format!("write `{key} = [\"ready\", {{ gate = \"bake\", for = \"4h\" }}]`");
        build.problems.error("wrong-type", value.span().into(), format!("`{key}` must be a list of gates"), fix);
        return None;
    };
    let exit = key == "exit";
    let gates: Vec<GateDraft> =
        items.iter().filter_map(|item| one(build, item)).filter(|d| known(build, d, exit)).collect();
    // A list that is wrong from end to end is not an empty one.
    (items.is_empty() || !gates.is_empty()).then_some(gates)
}

fn one(build: &Build<'_>, item: &Value<'_>) -> Option<GateDraft> {
    let at: Span = item.span().into();
    let fix = "write a name such as `\"ready\"`, or `{ gate = \"bake\", for = \"4h\" }`";
    match item.get_ref() {
        DeValue::String(name) => {
            let gate = At { value: name.to_string(), at };
            Some(GateDraft { gate, label: None, params: BTreeMap::new(), at })
        }
        DeValue::Table(entries) => {
            let mut gate = None;
            let mut label = None;
            let mut params = BTreeMap::new();
            for (name, value) in in_order(entries) {
                match (&**name.get_ref(), value.get_ref()) {
                    ("gate", DeValue::String(text)) => {
                        gate = Some(At { value: text.to_string(), at: value.span().into() })
                    }
                    ("label", DeValue::String(text)) => label = Some(text.to_string()),
                    (name, _) => {
                        if let Some(param) = param(build, name, value) {
                            params.insert(name.to_owned(), (param, value.span().into()));
                        }
                    }
                }
            }
            if gate.is_none() {
                build.problems.error("missing-key", at, "this gate does not say which it is", fix);
            }
            Some(GateDraft { gate: gate?, label, params, at })
        }
        _ => {
            build.problems.error("wrong-type", at, "this is not a gate", fix);
            None
        }
    }
}

fn param(build: &Build<'_>, name: &str, value: &Value<'_>) -> Option<Param> {
    let at: Span = value.span().into();
    match value.get_ref() {
        DeValue::String(text) => Some(Param::Text(text.to_string())),
        DeValue::Boolean(flag) => Some(Param::Flag(*flag)),
        number @ (DeValue::Integer(_) | DeValue::Float(_)) => number_of(number).map(Param::Number),
        DeValue::Array(_) => Some(Param::List(
            super::super::reader::texts_of(build.problems, name, value).into_iter().map(|t| t.value).collect(),
        )),
        _ => {
            let fix = "write a text, a number, true, false or a list of texts";
            build.problems.error("wrong-type", at, format!("`{name}` cannot be a parameter of this form"), fix);
            None
        }
    }
}

/// Whether there is such a gate, it may stand there, and its parameters have known names.
fn known(build: &Build<'_>, draft: &GateDraft, exit: bool) -> bool {
    let Some(gate) = gates::gate_type(&draft.gate.value) else {
        names::unknown(build.problems, Kind::Gate, &draft.gate, gates::GATES.iter().map(|g| g.name()));
        return false;
    };
    if !(if exit { gate.may_exit() } else { gate.may_enter() }) {
        let (here, there) = if exit { ("an exit", "entry") } else { ("an entry", "exit") };
        let message = format!("`{}` cannot be {here} gate", gate.name());
        build.problems.error("gate-role", draft.gate.at, message, format!("put it into `{there} = […]`"));
        return false;
    }
    for (name, (_, at)) in &draft.params {
        if gate.parameter(name).is_none() {
            let known: Vec<&str> = gate.parameters().iter().map(|p| p.name).collect();
            let fix = match crate::domain::text::did_you_mean(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => "it has no parameters but `label`".to_owned(),
                None => format!("it has: {}", names::list(&known)),
            };
            let message = format!("gate `{}` has no parameter `{name}`", gate.name());
            build.problems.error("unknown-parameter", *at, message, fix);
        }
    }
    true
}

/// The gates of one ring, from the levels, most specific first.
pub(super) struct Resolved {
    pub exit: Vec<GateDraft>,
    pub entry: Vec<GateDraft>,
    /// The exit gates are those of nobody's choice.
    pub exit_by_default: bool,
}

pub(super) fn resolve(build: &Build<'_>, levels: &[&Level], with_metrics: bool, place: Span) -> Resolved {
    let exit = levels.iter().enumerate().find_map(|(rank, level)| Some((rank, level.exit.clone()?)));
    let entry = levels.iter().find_map(|level| level.entry.clone());
    let bake = levels.iter().enumerate().find_map(|(rank, level)| Some((rank, level.bake.clone()?)));
    let exit_by_default = exit.is_none();
    let (rank, mut exit) = exit.unwrap_or_else(|| (usize::MAX, standard_exit(with_metrics, place)));
    if let Some((bake_rank, bake)) = bake.filter(|(bake_rank, _)| *bake_rank <= rank) {
        let text = Param::Text(format!("{}ms", bake.value.as_millis()));
        let param = (readable(bake.value).map_or(text, Param::Text), bake.at);
        match exit.iter_mut().find(|g| g.gate.value == "bake") {
            Some(gate) => {
                if bake_rank == rank && gate.params.contains_key("for") {
                    let fix = "keep `bake = …` or the gate's `for`";
                    build.problems.error("bake-twice", bake.at, "the bake is said twice at this level", fix);
                }
                gate.params.insert("for".to_owned(), param);
            }
            None => exit.push(plain("bake", [("for", param)], bake.at)),
        }
    }
    Resolved { exit, entry: entry.unwrap_or_else(|| vec![plain("freshness", [], place)]), exit_by_default }
}

/// A length as people write it, exact.
fn readable(length: Duration) -> Option<String> {
    let seconds = length.as_secs();
    if length.subsec_nanos() > 0 || seconds == 0 {
        return None;
    }
    // A bake of 24 h is called so, not one day.
    let days = if seconds > 86_400 { 86_400 } else { u64::MAX };
    let units = [(days, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let (size, unit) = units.into_iter().find(|(size, _)| seconds.is_multiple_of(*size))?;
    Some(format!("{}{unit}", seconds / size))
}

fn plain<const N: usize>(name: &str, params: [(&str, (Param, Span)); N], at: Span) -> GateDraft {
    GateDraft {
        gate: At { value: name.to_owned(), at },
        label: None,
        params: params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        at,
    }
}

/// Exit gates where nobody said anything. Without a Prometheus a threshold could only say NO DATA.
fn standard_exit(with_metrics: bool, at: Span) -> Vec<GateDraft> {
    let text = |text: &str| (Param::Text(text.to_owned()), at);
    let mut out = vec![plain("ready", [], at), plain("freshness", [], at), plain("bake", [("for", text("1h"))], at)];
    if with_metrics {
        out.push(plain("threshold", [("column", text("errors")), ("max", text("1%"))], at));
    }
    out
}

/// Names of the file that gates may refer to.
pub(super) struct Known {
    pub services: Vec<String>,
    pub endpoints: Vec<String>,
}

impl GateDraft {
    /// As it was written.
    fn spec(&self) -> GateSpec {
        let label = self.label.clone().unwrap_or_else(|| match self.params.get("column") {
            // A threshold is called like its column; others say what they make of it.
            Some((Param::Text(column), _)) if self.gate.value == "threshold" => column.clone(),
            Some((Param::Text(column), _)) => format!("{} {column}", self.gate.value.replace('_', " ")),
            _ => self.gate.value.clone(),
        });
        let params = Params(self.params.iter().map(|(name, (value, _))| (name.clone(), value.clone())).collect());
        GateSpec { gate: self.gate.value.as_str().into(), label: label.into(), params }
    }
}

/// Says every parameter of a gate that does not fit; whether all do.
pub(super) fn parameters(build: &Build<'_>, draft: &GateDraft, service: &Service) -> bool {
    let mut spec = draft.spec();
    let mut good = true;
    // A gate says one error at a time: what was said is taken out of the way, for the next to show.
    while let Err(error) = gates::build(&spec, service) {
        let written = spec.params.0.contains_key(&error.name);
        // That a parameter is missing which was said to be wrong is only a consequence.
        if good || written {
            wrong(build, draft, service, &error);
        }
        good = false;
        // What else a gate says of a column depends on which it is.
        if !written || error.name == "column" {
            break;
        }
        spec.params.0.remove(&error.name);
    }
    good
}

fn wrong(build: &Build<'_>, draft: &GateDraft, service: &Service, error: &ParamError) {
    let gate = draft.gate.value.as_str();
    let at = draft.params.get(&error.name).map_or(draft.at, |(_, at)| *at);
    let message = format!("gate `{gate}` of service `{}`: {}", service.name, error.message);
    let about = |gate: &dyn crate::domain::gate::GateType| match gate.parameter(&error.name) {
        Some(p) => format!("`{}`: {}", p.name, p.about),
        None => format!("`{}`: {}", gate.name(), gate.about()),
    };
    let fix = gates::gate_type(gate).map_or_else(String::new, about);
    build.problems.error(code(&error.name), at, message, fix);
}

/// Builds each gate once to see whether its parameters fit the service.
pub(super) fn finish(
    build: &Build<'_>,
    drafts: Vec<GateDraft>,
    service: &Service,
    ring: RingIx,
    known: &Known,
) -> Vec<GateSpec> {
    let mut out: Vec<GateSpec> = Vec::new();
    for draft in drafts {
        if !parameters(build, &draft, service) {
            continue;
        }
        let spec = draft.spec();
        if let Err(error) = gates::fits(&spec, service, ring) {
            wrong(build, &draft, service, &error);
            continue;
        }
        if &*spec.gate == "requires"
            && let Some((Param::Text(other), at)) = draft.params.get("service")
            && !known.services.contains(other)
        {
            let wanted = At { value: other.clone(), at: *at };
            names::unknown(build.problems, Kind::Service, &wanted, known.services.iter().map(String::as_str));
        }
        if let Some((Param::Text(endpoint), at)) = draft.params.get("endpoint")
            && !known.endpoints.contains(endpoint)
        {
            let wanted = At { value: endpoint.clone(), at: *at };
            names::unknown(build.problems, Kind::Endpoint, &wanted, known.endpoints.iter().map(String::as_str));
        }
        if &*spec.gate == "checklist"
            && let Ok(steps) = gates::Steps::read(&spec.params)
        {
            for item in steps.unsaid() {
                let message =
                    format!("step `{item}` of `{}` says neither how it is taken back nor that it is not", steps.name);
                let fix = format!("add it to `reverts` or `irreversible`: `\"{item}: …\"`");
                build.problems.put(Severity::Finding, "no-revert", draft.at, message, fix);
            }
        }
        if out.contains(&spec) {
            let message = format!("gate `{}` is there twice", spec.label);
            build.problems.error("duplicate-gate", draft.at, message, "take one of them out");
        }
        out.push(spec);
    }
    out
}

fn code(parameter: &str) -> &'static str {
    match parameter {
        "column" => "unknown-column",
        "for" => "bad-duration",
        _ => "bad-parameter",
    }
}
