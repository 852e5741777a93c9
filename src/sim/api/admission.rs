//! Admission as data: what a cluster's webhooks and policies refuse.

use serde::Deserialize;
use serde_json::Value;

use super::super::status::{ApiError, Cause, Details};
use super::access::User;
use super::path::ObjectPath;

/// One webhook or policy.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdmissionRule {
    /// Its name, shown in messages.
    pub name: String,
    /// `CREATE`, `UPDATE`, `DELETE`; empty: the first two.
    #[serde(default)]
    pub operations: Vec<String>,
    /// API group; `*` for any.
    #[serde(default)]
    pub group: String,
    /// `deployments`, or with a subresource after a slash; `*` for any.
    pub resource: String,
    /// What must hold of the object for the rule to apply; all of it.
    #[serde(default)]
    pub when: Vec<Condition>,
    /// Users it does not apply to.
    #[serde(default)]
    pub except: Vec<String>,
    /// What happens then.
    pub effect: Effect,
}

/// A condition on one field.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// JSON pointer, such as `/spec/paused`.
    pub field: String,
    /// How the field is looked at.
    #[serde(flatten)]
    pub is: Is,
}

/// How a field is looked at.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Is {
    /// It has this value (absent counts as null).
    Equals(Value),
    /// It has another value.
    Not(Value),
    /// Its text contains this.
    Contains(String),
    /// It is a number above this.
    Above(f64),
    /// Its value differs from before (true) or not (false).
    Changed(bool),
    /// It is the name of the user who asks (true) or not (false).
    Requester(bool),
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Effect {
    /// A webhook's denial: 403 with its words.
    Webhook {
        /// The reason the webhook gives.
        message: String,
    },
    /// A ValidatingAdmissionPolicy's denial: 422 with the message as a cause.
    Policy {
        /// The binding's name.
        binding: String,
        /// The failed validation's message.
        message: String,
    },
    /// A validation of one field, as a CRD's or a built-in kind's: 422 with a cause.
    Invalid {
        /// The field named.
        field: String,
        /// The reason given.
        message: String,
    },
    /// A webhook whose side effects forbid dry runs: 400 on those, nothing otherwise.
    NoDryRun,
    /// A webhook that cannot be reached and whose failure policy is Fail: 500.
    Unreachable,
    /// A warning to the client; the write goes on.
    Warn {
        /// The warning's text.
        message: String,
    },
}

/// What is admitted or not.
pub struct Review<'a> {
    /// Where the request went.
    pub path: &'a ObjectPath,
    /// `CREATE`, `UPDATE` or `DELETE`.
    pub operation: &'a str,
    /// Who asks.
    pub user: &'a User,
    /// Whether it is a dry run.
    pub dry_run: bool,
    /// The object before; None for CREATE.
    pub old: Option<&'a Value>,
    /// The object after; for DELETE the object itself.
    pub new: &'a Value,
}

/// Asks every rule; the first refusal ends it. Warnings are collected.
pub fn admit(rules: &[AdmissionRule], review: &Review<'_>, warnings: &mut Vec<String>) -> Result<(), ApiError> {
    for rule in rules.iter().filter(|rule| rule.applies(review)) {
        if let Effect::Warn { message } = &rule.effect {
            if !warnings.contains(message) {
                warnings.push(message.clone());
            }
        } else if let Some(refusal) = rule.refusal(review) {
            return Err(refusal);
        }
    }
    Ok(())
}

impl AdmissionRule {
    fn applies(&self, review: &Review<'_>) -> bool {
        let operation = if self.operations.is_empty() {
            review.operation != "DELETE"
        } else {
            self.operations.iter().any(|o| o == "*" || o == review.operation)
        };
        operation
            && (self.group == "*" || self.group == review.path.group)
            && (self.resource == "*" || self.resource == review.path.rbac_resource())
            && !self.except.contains(&review.user.name)
            && self.when.iter().all(|condition| condition.holds(review))
    }

    fn refusal(&self, review: &Review<'_>) -> Option<ApiError> {
        let path = review.path;
        let name = review.new.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("");
        let details = |causes: Vec<Cause>| {
            Some(Box::new(Details {
                name: name.to_owned(),
                group: path.group.clone(),
                kind: path.plural.clone(),
                causes,
                ..Details::default()
            }))
        };
        let hook = &self.name;
        let error = match &self.effect {
            Effect::Webhook { message } => {
                ApiError::bare(403, "Forbidden", format!("admission webhook {hook:?} denied the request: {message}"))
            }
            Effect::Policy { binding, message } => {
                let qualified = match path.group.as_str() {
                    "" => path.plural.clone(),
                    group => format!("{}.{group}", path.plural),
                };
                let said =
                    format!("ValidatingAdmissionPolicy '{hook}' with binding '{binding}' denied request: {message}");
                let cause = Cause { reason: "", message: said.clone(), field: String::new() };
                ApiError {
                    details: details(vec![cause]),
                    ..ApiError::bare(422, "Invalid", format!("{qualified} {name:?} is forbidden: {said}"))
                }
            }
            Effect::Invalid { field, message } => {
                let resource = path.resource()?;
                let pointer = format!("/{}", field.replace('.', "/"));
                let value = review.new.pointer(&pointer).cloned().unwrap_or(Value::Null);
                ApiError::invalid(resource, name, vec![Cause::invalid(field, &value, message)])
            }
            Effect::NoDryRun if !review.dry_run => return None,
            Effect::NoDryRun => ApiError::bad_request(format!("admission webhook {hook:?} does not support dry run")),
            Effect::Unreachable => {
                let why = format!("failed calling webhook {hook:?}: failed to call webhook: context deadline exceeded");
                let message = format!("Internal error occurred: {why}");
                let causes = vec![Cause { reason: "", message: why, field: String::new() }];
                let details = Some(Box::new(Details { causes, ..Details::default() }));
                ApiError { details, ..ApiError::bare(500, "InternalError", message) }
            }
            Effect::Warn { .. } => return None,
        };
        Some(error)
    }
}

impl Condition {
    fn holds(&self, review: &Review<'_>) -> bool {
        let null = Value::Null;
        let now = review.new.pointer(&self.field).unwrap_or(&null);
        match &self.is {
            Is::Equals(value) => now == value,
            Is::Not(value) => now != value,
            Is::Contains(part) => now.as_str().is_some_and(|text| text.contains(part.as_str())),
            Is::Above(bound) => now.as_f64().is_some_and(|number| number > *bound),
            Is::Requester(wanted) => (now.as_str() == Some(review.user.name.as_str())) == *wanted,
            Is::Changed(wanted) => {
                let before = review.old.and_then(|old| old.pointer(&self.field)).unwrap_or(&null);
                (before != now) == *wanted
            }
        }
    }
}
