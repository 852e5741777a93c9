//! Sends one write, exactly as planned, once; and says what became of it.
//!
//! Here are those that API servers take; `outside` has the others.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::Value;

use crate::domain::change::{Change, PatchKind};
use crate::domain::text::safe;
use crate::engine::effect::ActResult;
use crate::io::answer::{Answer, Failure, Status};
use crate::io::connect::Access;
use crate::io::journal::Journaled;

mod outside;

pub use outside::{Outsides, act_outside, ask};

/// How long a write may take before its outcome counts as unknown.
const LIMIT: Duration = Duration::from_secs(30);
/// `fieldManager` of every write.
const MANAGER: &str = "gonogo";

/// Sends one write of a journaled plan. The proof holds the plan: nothing else can be sent with it.
///
/// Where the object is absent and the plan says what to create then, that is sent.
pub async fn act(access: &Access, journaled: &Journaled, step: usize, write: usize) -> ActResult {
    let plan = journaled.plan();
    let Some(planned) = plan.steps.get(step).and_then(|s| s.writes.get(write)) else {
        return ActResult::NotSent(format!("plan {} has no write {write} in step {step}", plan.id).into());
    };
    let audit = format!("{}-{step}-{write}", plan.id);
    let wrong = [Some(&planned.change), planned.if_absent.as_ref()]
        .into_iter()
        .flatten()
        .any(|c| c.cluster() != Some(access.cluster));
    if wrong {
        return ActResult::NotSent(format!("the write is not for cluster {}", access.name).into());
    }
    one_of(access, &planned.change, planned.if_absent.as_ref(), &audit).await
}

/// Sends bookkeeping, outside a plan: own record facts, by merge patch or creation of a ConfigMap
/// of ours, and the renewal of a lease of ours.
pub async fn keep(access: &Access, change: &Change, if_absent: Option<&Change>, audit: &str) -> ActResult {
    if !is_kept(change) || if_absent.is_some_and(|c| !is_kept(c)) {
        return ActResult::NotSent("only own record facts are written outside a plan".into());
    }
    one_of(access, change, if_absent, audit).await
}

/// Asks the server what it would do. Goes through the reader: no stack that writes is involved.
pub async fn dry_run(access: &Access, change: &Change) -> ActResult {
    let open = match access.reader().await {
        Ok(open) => open,
        Err(reason) => return ActResult::NotSent(reason.text().1.into()),
    };
    let request = match request(change, Some("All"), None) {
        Ok(request) => request,
        Err(failure) => return ActResult::NotSent(failure.text().into()),
    };
    result(change, open.reader.send(request, LIMIT).await)
}

async fn one_of(access: &Access, change: &Change, if_absent: Option<&Change>, audit: &str) -> ActResult {
    let first = send(access, change, audit).await;
    let (ActResult::Absent(_), Some(create)) = (&first, if_absent) else { return first };
    match send(access, create, &format!("{audit}-c")).await {
        // Somebody else created it in between. Only a merge patch of own facts has a creation
        // beside it, and adding the same key is safe; it was not applied before (404).
        ActResult::Refused { code: 409, .. } if is_merge(change) => send(access, change, &format!("{audit}-p")).await,
        created => created,
    }
}

async fn send(access: &Access, change: &Change, audit: &str) -> ActResult {
    let request = match request(change, None, Some(audit)) {
        Ok(request) => request,
        Err(failure) => return ActResult::NotSent(failure.text().into()),
    };
    let writer = match access.writer().await {
        Ok(writer) => writer,
        Err(reason) => return ActResult::NotSent(reason.text().1.into()),
    };
    let answer = writer.send(request, LIMIT).await;
    if answer.as_ref().is_err_and(|f| f.code() == Some(401)) {
        // The next write gets new credentials; this one is not sent again.
        access.forget_writer().await;
    }
    result(change, answer)
}

fn is_merge(change: &Change) -> bool {
    matches!(change, Change::Patch { kind: PatchKind::Merge, .. })
}

fn is_record(change: &Change) -> bool {
    let Some(object) = change.object() else { return false };
    let ours = object.api.group.is_empty() && &*object.api.plural == "configmaps" && object.name.starts_with("gonogo-");
    let form = match change {
        Change::Patch { kind: PatchKind::Merge, subresource, .. } => subresource.is_none(),
        // A settled fact: the first writer wins by a `test`.
        Change::Patch { kind: PatchKind::Json, subresource, body, .. } => {
            let data = |op: &Value| op.get("path").and_then(Value::as_str).is_some_and(|p| p.starts_with("/data/"));
            subresource.is_none() && body.as_array().is_some_and(|ops| ops.iter().all(data))
        }
        Change::Create { .. } => true,
        Change::Outside(_) => false,
    };
    ours && form
}

fn is_kept(change: &Change) -> bool {
    is_record(change) || is_lease(change)
}

fn is_lease(change: &Change) -> bool {
    let Some(object) = change.object() else { return false };
    let ours = &*object.api.group == "coordination.k8s.io"
        && &*object.api.plural == "leases"
        && object.name.starts_with("gonogo-");
    let form = match change {
        Change::Patch { kind, subresource, .. } => *kind == PatchKind::Json && subresource.is_none(),
        Change::Create { .. } => true,
        Change::Outside(_) => false,
    };
    ours && form
}

/// The exact request: body bytes as the plan holds them.
fn request(change: &Change, dry_run: Option<&str>, audit: Option<&str>) -> Result<Request<Bytes>, Failure> {
    let mut uri = format!("{}?fieldManager={MANAGER}&fieldValidation=Strict", change.path());
    if let Some(dry_run) = dry_run {
        uri.push_str("&dryRun=");
        uri.push_str(dry_run);
    }
    let mut builder = Request::builder()
        .method(change.method())
        .uri(uri)
        .header(http::header::ACCEPT, "application/json")
        .header(http::header::CONTENT_TYPE, change.content_type());
    if let Some(audit) = audit {
        builder = builder.header("Audit-ID", audit);
    }
    builder.body(Bytes::from(change.body())).map_err(|e| Failure::Denied(format!("not a request: {e}")))
}

/// What an answer to a write means.
fn result(change: &Change, answer: Result<Answer, Failure>) -> ActResult {
    let failure = match answer {
        Ok(answer) => return accepted(answer),
        Err(failure) => failure,
    };
    let text = safe(&failure.text(), 600);
    match failure {
        Failure::NoAccess(_) | Failure::NotSent(_) | Failure::Denied(_) => ActResult::NotSent(text.into()),
        Failure::Lost(_) | Failure::Garbage(_) => ActResult::Unknown(text.into()),
        Failure::Status(status) => refused(change, &status, text),
    }
}

/// A success whose object cannot be read may still have happened: it is resolved by reading.
fn accepted(answer: Answer) -> ActResult {
    match serde_json::from_slice::<Value>(&answer.body) {
        Ok(object) => ActResult::Accepted {
            object: Some(Box::new(object)),
            audit: answer.headers.audit,
            warnings: answer.headers.warnings,
        },
        Err(_) => ActResult::Unknown("the server accepted, and its answer cannot be read".into()),
    }
}

fn refused(change: &Change, status: &Status, text: String) -> ActResult {
    let is_json_patch = matches!(change, Change::Patch { kind: PatchKind::Json, .. });
    match status.code {
        404 => ActResult::Absent(text.into()),
        422 if is_json_patch && !status.has_causes && !is_denied(status) => ActResult::Changed,
        409 if matches!(change, Change::Patch { .. }) => ActResult::Changed,
        // Internal error before anything was stored: a webhook that could not be asked.
        500 if status.message.contains("failed calling webhook") => {
            ActResult::Refused { code: 500, message: text.into() }
        }
        // It may have been stored before the error, or be stored by a server behind the gateway.
        500..=599 => ActResult::Unknown(text.into()),
        code => ActResult::Refused { code, message: text.into() },
    }
}

/// An admission policy or webhook may answer 422 without causes too.
fn is_denied(status: &Status) -> bool {
    ["denied request", "denied the request", "admission webhook"].iter().any(|w| status.message.contains(w))
}
