//! What gates share that ask Prometheus a query of their own, or an HTTP endpoint.

use std::time::Duration;

use crate::domain::call::{About, HttpAnswer, HttpNeed};
use crate::domain::fleet::{Param, Params};
use crate::domain::gate::{Evidence, Need, ParamError, Parameter, query_column};
use crate::domain::id::Text;
use crate::domain::stamp::{SignedDuration, parse_duration, short};
use crate::domain::text::safe;

/// A query.
pub(super) const QUERY: Parameter = Parameter {
    name: "query",
    about: "PromQL that gives one number for the region, with placeholders as in columns: `{{service}} {{region}} {{namespace}} {{workload}} {{version}} {{template_hash}}`.",
    required: false,
};
/// An endpoint.
pub(super) const ENDPOINT: Parameter =
    Parameter { name: "endpoint", about: "An `[endpoint.NAME]` of the configuration.", required: false };
/// A path.
pub(super) const PATH: Parameter = Parameter {
    name: "path",
    about: "Path below the endpoint's `url`, with `{{service}} {{ring}} {{region}} {{version}}`; empty unless given.",
    required: false,
};
/// How often.
pub(super) const EVERY: Parameter = Parameter {
    name: "every",
    about: "How often the endpoint is asked, from `10s` to `1h`; `60s` unless given. An answer counts for three times as long.",
    required: false,
};

/// A sample older than this says nothing.
const SAMPLE_LIFE: SignedDuration = SignedDuration::from_secs(90);

/// The query, if one is given.
pub(super) fn query(params: &Params) -> Result<Option<Text>, ParamError> {
    let wrong = |why: &str| ParamError::new("query", format!("`query` {why}"));
    let text = match params.0.get("query") {
        None => return Ok(None),
        Some(Param::Text(text)) => text.trim(),
        Some(_) => return Err(wrong("is a text")),
    };
    if text.is_empty() {
        return Err(wrong("asks for nothing"));
    }
    let known = ["service", "region", "regions", "namespace", "workload", "version", "template_hash"];
    for part in text.split("{{").skip(1) {
        let name = part.split("}}").next().unwrap_or_default();
        if !known.contains(&name) || !part.contains("}}") {
            let near = crate::domain::text::did_you_mean(name, known);
            let fix =
                near.map_or_else(|| format!("there is: {}", known.join(", ")), |n| format!("did you mean `{n}`?"));
            return Err(wrong(&format!("has the placeholder `{}`, which is not known; {fix}", safe(name, 40))));
        }
    }
    Ok(Some(text.into()))
}

/// The endpoint, if one is given.
pub(super) fn endpoint(params: &Params, post: bool) -> Result<Option<HttpNeed>, ParamError> {
    let name: Text = match params.0.get("endpoint") {
        None => return Ok(None),
        Some(Param::Text(name)) if !name.trim().is_empty() => name.as_str().into(),
        Some(_) => return Err(ParamError::new("endpoint", "`endpoint` is the name of an `[endpoint.NAME]`")),
    };
    let path: Text = match params.0.get("path") {
        None => "".into(),
        Some(Param::Text(path)) if path.is_empty() || path.starts_with('/') => path.as_str().into(),
        Some(_) => return Err(ParamError::new("path", "`path` begins with `/`")),
    };
    let wrong = || ParamError::new("every", "`every` is a time from 10s to 1h, e.g. `\"60s\"`");
    let every = match params.0.get("every") {
        None => Duration::from_secs(60),
        Some(Param::Text(text)) => parse_duration(text)
            .filter(|every| (Duration::from_secs(10)..=Duration::from_secs(3_600)).contains(every))
            .ok_or_else(wrong)?,
        Some(_) => return Err(wrong()),
    };
    Ok(Some(HttpNeed { endpoint: name, path, post, every }))
}

/// What is kept fresh for a query.
pub(super) fn need(query: &Text) -> Need {
    Need::Query(query.clone())
}

/// The number that a query gave for the region, with the evidence; or why there is none.
pub(super) fn number(evidence: &Evidence<'_>, query: &Text) -> Result<(f64, String), String> {
    let Some((at, reading)) = evidence.current.get(&query_column(query)) else {
        return Err("the query was not answered yet".to_owned());
    };
    let age = evidence.now.duration_since(*at);
    if age > SAMPLE_LIFE {
        return Err(format!("the query was last answered {} ago", short(age)));
    }
    match reading {
        Ok(value) if value.is_nan() => Err("the query gave NaN".to_owned()),
        Ok(value) => Ok((*value, format!("{value} at {}", at.strftime("%H:%M:%S UTC")))),
        Err(why) => Err(format!("the query gave nothing: {why}")),
    }
}

/// What an endpoint answered about the region: status 200 and its body; or why it does not count.
pub(super) fn answered<'e>(evidence: &Evidence<'e>, need: &HttpNeed) -> Result<(&'e HttpAnswer, &'e str), String> {
    let call = need.call(&about(evidence));
    let Some(answer) = evidence.answers.get(&call) else {
        return Err(format!("{} was not asked yet", need.endpoint));
    };
    if !need.is_fresh(answer, evidence.now) {
        let age = short(evidence.now.duration_since(answer.at));
        return Err(format!("{} last answered {age} ago", need.endpoint));
    }
    match &answer.result {
        Ok((200, body)) => Ok((answer, body)),
        Ok((code, body)) => {
            Err(format!("{} answered {code}: {}", need.endpoint, safe(body.lines().next().unwrap_or_default(), 120)))
        }
        Err(why) => Err(format!("{}: {why}", need.endpoint)),
    }
}

/// What a question about the region that is judged is about.
pub(super) fn about<'e>(evidence: &Evidence<'e>) -> About<'e> {
    about_region(
        evidence.service,
        evidence.ring,
        evidence.region,
        evidence.workload,
        evidence.entering.map(|e| (e.version, e.source)),
    )
}

/// The same, for whoever sends the question.
pub fn about_region<'e>(
    service: &'e crate::domain::fleet::Service,
    ring: &'e crate::domain::fleet::Ring,
    region: &'e crate::domain::fleet::Region,
    workload: Option<&'e crate::domain::workload::Workload>,
    entering: Option<(&'e crate::domain::version::Version, Option<&'e crate::domain::workload::Workload>)>,
) -> About<'e> {
    About {
        service: service.name.as_str(),
        ring: ring.name.as_str(),
        region: region.name.as_str(),
        from: workload.map(|w| &w.version),
        to: entering.map(|(version, _)| version),
        template: match entering {
            Some((_, source)) => source.map(|w| w.template),
            None => workload.map(|w| w.template),
        },
    }
}
