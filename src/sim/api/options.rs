//! What a write's query asks for, checked as the server checks its option objects.

use http::Method;
use serde_json::Value;

use super::super::status::{ApiError, Cause};
use super::apply;
use super::serve::Call;

/// The longest field manager, in bytes.
const LONGEST_MANAGER: usize = 128;

/// Checks the options of a create, update or patch; whether it is a dry run. The only value
/// that `dryRun` has is `All`.
pub(super) fn of_write(call: &Call) -> Result<bool, ApiError> {
    let kind = match call.method {
        Method::POST => "CreateOptions",
        Method::PUT => "UpdateOptions",
        _ => "PatchOptions",
    };
    let mut causes = Vec::new();
    if call.method == Method::PATCH {
        let applies = call.content_type() == apply::MEDIA_TYPE;
        if applies && call.query.get("fieldManager").is_empty() {
            causes.push(Cause::required("fieldManager", "is required for apply patch"));
        }
        if !applies && call.query.has("force") {
            causes.push(Cause::forbidden("force", "may not be specified for non-apply patch"));
        }
    }
    manager(call.query.get("fieldManager"), &mut causes);
    let asked: Vec<&str> = call.query.all("dryRun").collect();
    dry_run(&asked, &mut causes);
    let validation = call.query.get("fieldValidation");
    if !matches!(validation, "" | "Ignore" | "Strict" | "Warn") {
        let given = Value::String(validation.to_owned());
        causes.push(Cause::unsupported("fieldValidation", &given, &["", "Ignore", "Strict", "Warn"]));
    }
    if causes.is_empty() { Ok(!asked.is_empty()) } else { Err(ApiError::bad_options(kind, causes)) }
}

/// What is wrong with the values of `dryRun`.
pub(super) fn dry_run(asked: &[&str], causes: &mut Vec<Cause>) {
    if asked.iter().any(|value| *value != "All") {
        causes.push(Cause::unsupported("dryRun", &Value::from(asked.to_vec()), &["All"]));
    }
}

fn manager(name: &str, causes: &mut Vec<Cause>) {
    if name.len() > LONGEST_MANAGER {
        let message = format!("Too long: may not be more than {LONGEST_MANAGER} bytes");
        causes.push(Cause { reason: "FieldValueTooLong", message, field: "fieldManager".to_owned() });
    }
    if let Some((at, odd)) = name.char_indices().find(|(_, c)| c.is_control()) {
        let why = format!("invalid character U+{:04X} (at position {at})", u32::from(odd));
        causes.push(Cause::invalid("fieldManager", &Value::String(name.to_owned()), why));
    }
}
