//! Approvals: one immutable ConfigMap each, bound to a ring, a version and a template.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::{Value, json};
use ulid::Ulid;

use super::change::ObjectRef;
use super::id::{Operator, Text};
use super::record::FactId;
use super::stamp::{SignedDuration, Timestamp};
use super::text::safe;
use super::version::{TemplateDigest, Version};

/// An approval ends after this, whatever it says.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Names of approvals begin so; their identity follows, in lower case.
pub const PREFIX: &str = "gonogo-approval-";
/// Label that marks them, beside the one of every record.
pub const COMPONENT: (&str, &str) = ("app.kubernetes.io/component", "approval");

/// What an approval is about: the service, and the exact revision a ring would get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The fleet.
    pub fleet: Text,
    /// The service.
    pub service: Text,
    /// The ring that would be changed.
    pub ring: Text,
    /// The version it would get.
    pub version: Version,
    /// The template that the ring before runs; none for the first ring, which has none before it.
    pub template: Option<TemplateDigest>,
}

/// A person's yes, as a cluster shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Its identity.
    pub id: FactId,
    /// Who: with the admission policy, whoever sent the request.
    pub approver: Operator,
    /// The group for which they gave it.
    pub group: Option<Text>,
    /// What it is about.
    pub about: About,
    /// When, by the server's clock.
    pub created: Timestamp,
    /// When it ends, as its author wanted.
    pub expires: Timestamp,
    /// Why.
    pub reason: Text,
    /// The server refuses to change it.
    pub immutable: bool,
}

#[derive(Deserialize)]
struct Object {
    metadata: Meta,
    #[serde(default)]
    immutable: bool,
    #[serde(default)]
    data: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    #[serde(default)]
    creation_timestamp: Option<Timestamp>,
}

impl Approval {
    /// Whether an object of this name is meant to be one.
    pub fn is_named_so(name: &str) -> bool {
        name.starts_with(PREFIX)
    }

    /// Reads a ConfigMap.
    ///
    /// # Errors
    /// Says what is missing; what cannot be read approves nothing.
    pub fn read(name: &str, object: &[u8]) -> Result<Self, Text> {
        let object: Object = serde_json::from_slice(object).map_err(|_| Text::from("is not a ConfigMap"))?;
        let field = |key: &str| object.data.get(key).map(String::as_str).filter(|v| !v.is_empty());
        let needed = |key: &str| field(key).ok_or_else(|| Text::from(format!("has no `{key}`")));
        let id = name.strip_prefix(PREFIX).and_then(|id| Ulid::from_string(&id.to_ascii_uppercase()).ok());
        let template = match field("template") {
            None => None,
            Some(hex) => Some(TemplateDigest::from_hex(hex).ok_or("has a `template` that is no digest")?),
        };
        Ok(Self {
            id: id.map(FactId).ok_or("has a name that is no identity")?,
            approver: Operator::new(needed("approver")?),
            group: field("group").map(Into::into),
            about: About {
                fleet: needed("fleet")?.into(),
                service: needed("service")?.into(),
                ring: needed("ring")?.into(),
                version: Version(needed("version")?.into()),
                template,
            },
            created: object.metadata.creation_timestamp.ok_or("has no creation time")?,
            expires: needed("expires")?.parse().map_err(|_| "has an `expires` that is no time")?,
            reason: field("reason").unwrap_or_default().into(),
            immutable: object.immutable,
        })
    }

    /// The name of its ConfigMap.
    pub fn name(id: FactId) -> String {
        format!("{PREFIX}{}", id.to_string().to_ascii_lowercase())
    }

    /// The ConfigMap that is created: flat, so that an admission policy can compare it with the request.
    pub fn object(&self, object: &ObjectRef) -> Value {
        let mut data = json!({
            "approver": self.approver,
            "fleet": self.about.fleet,
            "service": self.about.service,
            "ring": self.about.ring,
            "version": self.about.version,
            "expires": self.expires.to_string(),
            "reason": self.reason,
        });
        let optional = [
            ("group", self.group.as_ref().map(ToString::to_string)),
            ("template", self.about.template.map(TemplateDigest::hex)),
        ];
        if let Some(data) = data.as_object_mut() {
            data.extend(optional.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into()))));
        }
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": object.name,
                "namespace": object.namespace,
                "labels": {"app.kubernetes.io/managed-by": "gonogo", COMPONENT.0: COMPONENT.1},
            },
            "immutable": true,
            "data": data,
        })
    }

    /// When it ends: as its author wanted, at most [`LONGEST`] after the server dated it.
    pub fn ends(&self) -> Timestamp {
        let most = self.created.saturating_add(LONGEST).unwrap_or(self.expires);
        self.expires.min(most)
    }
}

impl fmt::Display for Approval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", safe(self.approver.as_str(), 60))?;
        match &self.group {
            Some(group) => write!(f, " ({})", safe(group, 60)),
            None => Ok(()),
        }
    }
}

/// Who is who where clusters call people differently.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identities(BTreeMap<Text, Text>);

/// Whether two names are one person's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Same {
    /// One person.
    Yes,
    /// Two people.
    No,
    /// Names of different clusters, and nothing says whose they are.
    Unknown,
}

impl Identities {
    /// From names, as clusters call people, to people.
    pub fn new(names: impl IntoIterator<Item = (Text, Text)>) -> Self {
        Self(names.into_iter().collect())
    }

    /// Nobody is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every name with its person, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Text, &Text)> {
        self.0.iter()
    }

    /// The person a name belongs to; the name itself where nothing says more.
    pub fn person<'a>(&'a self, name: &'a str) -> &'a str {
        self.0.get(name).map_or(name, |person| person)
    }

    /// Whether two names are one person's. Within one cluster a name is a person.
    pub fn same(&self, a: &str, b: &str, one_cluster: bool) -> Same {
        let known = |name: &str| self.0.contains_key(name);
        if self.person(a) == self.person(b) {
            Same::Yes
        } else if one_cluster || known(a) || known(b) {
            // Whoever is listed has the listed names only.
            Same::No
        } else {
            Same::Unknown
        }
    }
}

#[cfg(test)]
#[path = "approval_tests.rs"]
mod tests;
