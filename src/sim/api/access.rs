//! Who may do what: tokens, users, and RBAC rules as data.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::status::{ApiError, Details};
use super::path::ObjectPath;

/// A user as the API server sees one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct User {
    /// User name.
    pub name: String,
    /// Groups, without `system:authenticated`.
    #[serde(default)]
    pub groups: Vec<String>,
}

impl User {
    /// A user in no group.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), groups: Vec::new() }
    }

    /// The user of requests without credentials.
    pub fn anonymous() -> Self {
        Self { name: "system:anonymous".to_owned(), groups: vec!["system:unauthenticated".to_owned()] }
    }

    fn is_anonymous(&self) -> bool {
        self.name == "system:anonymous"
    }

    /// Groups as a review shows them.
    pub fn all_groups(&self) -> Vec<String> {
        let mut groups = self.groups.clone();
        if !self.is_anonymous() {
            groups.push("system:authenticated".to_owned());
        }
        groups
    }
}

/// One grant. Empty lists match nothing, `*` matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grant {
    /// User names or group names that have it.
    pub to: Vec<String>,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verbs: Vec<String>,
    /// API groups; empty text is core.
    pub groups: Vec<String>,
    /// `deployments`, `deployments/scale`, `*/scale`, `*`. As in RBAC there is no `deployments/*`.
    pub resources: Vec<String>,
    /// Only these objects; empty: all.
    pub names: Vec<String>,
    /// Only these namespaces; empty: everywhere, and cluster scope.
    pub namespaces: Vec<String>,
}

/// What a request wants to do.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    /// RBAC verb.
    pub verb: String,
    /// API group.
    pub group: String,
    /// Resource, with its subresource after a slash.
    pub resource: String,
    /// Namespace; empty for cluster scope.
    pub namespace: String,
    /// Object name, where known.
    pub name: String,
}

impl Attempt {
    /// What `verb` on this path attempts.
    pub fn on(path: &ObjectPath, verb: &str) -> Self {
        Self {
            verb: verb.to_owned(),
            group: path.group.clone(),
            resource: path.rbac_resource(),
            // A namespace belongs to itself.
            namespace: if path.plural == "namespaces" { path.name.clone() } else { path.namespace.clone() },
            name: path.name.clone(),
        }
    }
}

/// Tokens, users and grants of one cluster.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Bearer token → user.
    pub tokens: BTreeMap<String, User>,
    /// What is granted.
    pub grants: Vec<Grant>,
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|w| (*w).to_owned()).collect()
}

impl Access {
    /// The users every simulated cluster has: `oncall` (may do everything), `viewer` (reads),
    /// `deployer` (everything but ConfigMap writes). Each user's token is `<name>-token`.
    pub fn standard() -> Self {
        let everything = words(&["*"]);
        let reads = words(&["get", "list", "watch"]);
        let grant = |to: &str, verbs: &[String], resources: &[&str]| Grant {
            to: words(&[to]),
            verbs: verbs.to_vec(),
            groups: everything.clone(),
            resources: words(resources),
            ..Grant::default()
        };
        let writable = [
            "deployments",
            "replicasets",
            "pods",
            "pods/log",
            "events",
            "leases",
            "services",
            "services/proxy",
            "httproutes",
            "grpcroutes",
            "virtualservices",
            "dnsendpoints",
            "applications",
            "namespaces",
            "horizontalpodautoscalers",
            "*/scale",
            "*/status",
            "statefulsets",
            "daemonsets",
            "rollouts",
            "analysisruns",
        ];
        let mut access = Self::default();
        for name in ["oncall", "viewer", "deployer"] {
            access.tokens.insert(format!("{name}-token"), User::named(name));
        }
        access.grants = vec![
            grant("oncall", &everything, &["*"]),
            grant("viewer", &reads, &["*"]),
            grant("deployer", &everything, &writable),
            grant("system:masters", &everything, &["*"]),
        ];
        access
    }

    /// The user of a bearer token.
    pub fn authenticate(&self, token: &str) -> Result<User, ApiError> {
        let user = self.tokens.get(token).cloned();
        user.ok_or_else(|| ApiError::bare(401, "Unauthorized", "Unauthorized"))
    }

    /// Whether the user may; reviews of oneself are always allowed.
    pub fn allows(&self, user: &User, attempt: &Attempt) -> bool {
        let own_review = attempt.verb == "create"
            && attempt.resource.starts_with("selfsubject")
            && matches!(attempt.group.as_str(), "authorization.k8s.io" | "authentication.k8s.io");
        if own_review {
            return !user.is_anonymous();
        }
        self.grants.iter().any(|grant| grant.covers(user, attempt))
    }

    /// Refuses with the API server's words what is not granted.
    pub fn authorize(&self, user: &User, attempt: &Attempt) -> Result<(), ApiError> {
        if self.allows(user, attempt) { Ok(()) } else { Err(forbidden(user, attempt)) }
    }

    /// Reads outside the resources: health for everybody, discovery for who is known. Cluster
    /// administrators may do anything.
    pub fn authorize_path(&self, user: &User, path: &str, verb: &str) -> Result<(), ApiError> {
        let public = ["/healthz", "/livez", "/readyz", "/version", "/version/"];
        let discovery = ["/api", "/apis", "/openapi"];
        let under = |root: &&str| path.strip_prefix(*root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let readable = public.contains(&path) || (!user.is_anonymous() && discovery.iter().any(under));
        if (verb == "get" && readable) || user.groups.iter().any(|group| group == "system:masters") {
            return Ok(());
        }
        let why = format!("forbidden: User {:?} cannot {verb} path {path:?}", user.name);
        let mut error = ApiError::bare(403, "Forbidden", why);
        error.details = Some(Box::default());
        Err(error)
    }

    /// The grants of a user in a namespace, as SelfSubjectRulesReview lists them.
    pub fn rules(&self, user: &User, namespace: &str) -> Vec<Value> {
        let held = self.grants.iter().filter(|grant| {
            grant.is_for(user) && (grant.namespaces.is_empty() || grant.namespaces.iter().any(|n| n == namespace))
        });
        held.map(|grant| {
            let mut rule = json!({"verbs": grant.verbs, "apiGroups": grant.groups, "resources": grant.resources});
            if let (false, Some(map)) = (grant.names.is_empty(), rule.as_object_mut()) {
                map.insert("resourceNames".to_owned(), json!(grant.names));
            }
            rule
        })
        .collect()
    }
}

impl Grant {
    fn is_for(&self, user: &User) -> bool {
        let groups = user.all_groups();
        self.to.iter().any(|to| *to == user.name || groups.contains(to))
    }

    fn covers(&self, user: &User, attempt: &Attempt) -> bool {
        let has = |list: &[String], word: &str| list.iter().any(|w| w == "*" || w == word);
        let of_any = attempt.resource.split_once('/').map(|(_, part)| format!("*/{part}"));
        self.is_for(user)
            && has(&self.verbs, &attempt.verb)
            && has(&self.groups, &attempt.group)
            && (has(&self.resources, &attempt.resource) || of_any.is_some_and(|any| self.resources.contains(&any)))
            && (self.names.is_empty() || self.names.contains(&attempt.name))
            && (self.namespaces.is_empty() || self.namespaces.contains(&attempt.namespace))
    }
}

fn forbidden(user: &User, attempt: &Attempt) -> ApiError {
    let plural = attempt.resource.split('/').next().unwrap_or("");
    let qualified = if attempt.group.is_empty() { plural.to_owned() } else { format!("{plural}.{}", attempt.group) };
    let subject = if attempt.name.is_empty() { qualified } else { format!("{qualified} {:?}", attempt.name) };
    let place = if attempt.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace {:?}", attempt.namespace)
    };
    let message = format!(
        "{subject} is forbidden: User {:?} cannot {} resource {:?} in API group {:?} {place}",
        user.name, attempt.verb, attempt.resource, attempt.group
    );
    let details = Details {
        name: attempt.name.clone(),
        group: attempt.group.clone(),
        kind: plural.to_owned(),
        ..Details::default()
    };
    ApiError { details: Some(Box::new(details)), ..ApiError::bare(403, "Forbidden", message) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn attempt(verb: &str, group: &str, resource: &str) -> Attempt {
        let word = str::to_owned;
        Attempt {
            verb: word(verb),
            group: word(group),
            resource: word(resource),
            namespace: word("y"),
            ..Attempt::default()
        }
    }

    #[test]
    fn the_refusal_is_the_api_servers() {
        let access = Access::default();
        let refused = access.authorize(&User::named("x"), &attempt("list", "apps", "deployments"));
        assert_eq!(
            refused.unwrap_err().message,
            "deployments.apps is forbidden: User \"x\" cannot list resource \"deployments\" in API group \"apps\" in the namespace \"y\""
        );
    }

    #[test]
    fn paths_outside_the_resources_are_health_and_discovery() {
        let access = Access::standard();
        let may = |user: &User, path: &str, verb: &str| access.authorize_path(user, path, verb).is_ok();
        let (known, nobody) = (User::named("viewer"), User::anonymous());
        for path in ["/version", "/version/", "/healthz", "/readyz", "/livez"] {
            assert!(may(&known, path, "get") && may(&nobody, path, "get"), "{path}");
        }
        for path in ["/api", "/api/", "/apis", "/apis/apps/v1", "/openapi/v3"] {
            assert!(may(&known, path, "get") && !may(&nobody, path, "get"), "{path}");
        }
        for (path, verb) in
            [("/", "get"), ("/frob", "get"), ("//api/v1", "get"), ("/apix", "get"), ("/version", "post")]
        {
            let refused = access.authorize_path(&known, path, verb).unwrap_err();
            assert_eq!(refused.message, format!("forbidden: User \"viewer\" cannot {verb} path {path:?}"));
        }
        let master = User { name: "root".to_owned(), groups: vec!["system:masters".to_owned()] };
        assert!(may(&master, "/frob", "post"));
    }

    #[test]
    fn the_standard_users_may_what_their_names_say() {
        let access = Access::standard();
        let may = |user: &str, verb: &str, group: &str, resource: &str| {
            access.allows(&User::named(user), &attempt(verb, group, resource))
        };
        assert!(may("oncall", "patch", "apps", "deployments/scale"));
        assert!(may("viewer", "watch", "", "configmaps"));
        assert!(!may("viewer", "patch", "apps", "deployments"));
        assert!(may("deployer", "patch", "apps", "deployments/scale"));
        assert!(may("deployer", "get", "", "pods/log"));
        assert!(!may("deployer", "patch", "", "configmaps"));
        assert!(may("nobody", "create", "authorization.k8s.io", "selfsubjectaccessreviews"));
        assert_eq!(access.authenticate("wrong").unwrap_err().code, 401);
    }

    /// RBAC knows `*/scale` and `*`, but no `deployments/*`: v1.34 refuses who rests on it.
    #[test]
    fn wildcards_are_rbacs() {
        let grant = |resource: &str| Grant {
            to: words(&["x"]),
            verbs: words(&["patch"]),
            groups: words(&["apps"]),
            resources: words(&[resource]),
            ..Grant::default()
        };
        for (resource, wanted) in [("deployments/*", false), ("deployments", false), ("*/scale", true), ("*", true)] {
            let access = Access { grants: vec![grant(resource)], ..Access::default() };
            let may = access.allows(&User::named("x"), &attempt("patch", "apps", "deployments/scale"));
            assert_eq!(may, wanted, "{resource}");
        }
    }
}
