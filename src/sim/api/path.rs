//! From a path to what it names.

use super::super::resources::{self, Resource};

/// What a request's path names.
#[derive(Clone, Debug)]
pub enum Target {
    /// Objects of a served resource.
    Object(ObjectPath),
    /// `/api`, `/apis`, `/version`, `/openapi/v3…`, health checks: not about objects.
    Other(String),
}

/// The parts of an object path.
#[derive(Clone, Debug)]
pub struct ObjectPath {
    /// API group as given, served or not.
    pub group: String,
    /// Version as given.
    pub version: String,
    /// Plural as given.
    pub plural: String,
    /// Namespace; empty for all namespaces and for cluster scope.
    pub namespace: String,
    /// Object name; empty for the collection.
    pub name: String,
    /// Subresource; empty for the object itself.
    pub subresource: String,
    /// What follows the subresource (`proxy/…`), with its leading slash.
    pub rest: String,
}

impl ObjectPath {
    /// The served resource, if there is one.
    pub fn resource(&self) -> Option<&'static Resource> {
        resources::find(&self.group, &self.version, &self.plural)
    }

    /// As RBAC and its messages name it: `deployments/scale`.
    pub fn rbac_resource(&self) -> String {
        if self.subresource.is_empty() { self.plural.clone() } else { format!("{}/{}", self.plural, self.subresource) }
    }
}

/// Reads a path (percent-decoded names are not needed: names are DNS labels).
pub fn parse(path: &str) -> Target {
    if path.contains("//") {
        return Target::Other(path.to_owned());
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (group, version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] if !rest.is_empty() => ("", *version, rest),
        ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
        _ => return Target::Other(path.to_owned()),
    };
    let (namespace, rest) = match rest {
        // `namespaces/<name>` and its subresources are about the namespace itself.
        ["namespaces"] | ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => ("", rest),
        ["namespaces", namespace, rest @ ..] => (*namespace, rest),
        _ => ("", rest),
    };
    let word = |index: usize| rest.get(index).copied().unwrap_or("").to_owned();
    let tail = match rest.get(3..) {
        Some(tail) if !tail.is_empty() => {
            let slash = if path.ends_with('/') { "/" } else { "" };
            format!("/{}{slash}", tail.join("/"))
        }
        _ => String::new(),
    };
    // A namespace is an object whose namespace, for authorization, is itself.
    Target::Object(ObjectPath {
        group: group.to_owned(),
        version: version.to_owned(),
        plural: word(0),
        namespace: namespace.to_owned(),
        name: word(1),
        subresource: word(2),
        rest: tail,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn paths_name_their_objects() {
        let table = [
            ("/api/v1/pods", ",v1,pods,,,,"),
            ("/api/v1/namespaces", ",v1,namespaces,,,,"),
            ("/api/v1/namespaces/shop", ",v1,namespaces,,shop,,"),
            ("/api/v1/namespaces/shop/pods/a/log", ",v1,pods,shop,a,log,"),
            ("/apis/apps/v1/namespaces/shop/deployments/web/scale", "apps,v1,deployments,shop,web,scale,"),
            ("/api/v1/namespaces/m/services/p:9090/proxy/api/v1/query", ",v1,services,m,p:9090,proxy,/api/v1/query"),
        ];
        for (path, wanted) in table {
            let Target::Object(o) = parse(path) else { panic!("{path}") };
            let got = [o.group, o.version, o.plural, o.namespace, o.name, o.subresource, o.rest].join(",");
            assert_eq!(got, wanted, "{path}");
        }
        for path in ["/version", "/api", "/apis/apps", "/apis/apps/v1", "/api/v1"] {
            assert!(matches!(parse(path), Target::Other(_)), "{path}");
        }
    }
}
