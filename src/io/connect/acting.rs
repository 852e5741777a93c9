//! Acting as somebody else: every request carries whom the server is to take us for (`kubectl --as`). The server checks
//! that we may, and its audit log has both names.

use http::{HeaderName, HeaderValue};
use kube::config::AuthInfo;

use crate::domain::link::LostReason;
use crate::domain::text::safe;

/// Whom every cluster is to take us for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActingAs {
    /// The user.
    pub user: String,
    /// The groups; without any the user has only those that every user has.
    pub groups: Vec<String>,
}

/// The headers of every request: by the flag, else as the kubeconfig says (`as`, `as-groups`, `as-uid`,
/// `as-user-extra`). A name that no header can hold is an error: nobody may act as himself by mistake.
pub(super) fn headers(flag: Option<&ActingAs>, auth: &AuthInfo) -> Result<Vec<(HeaderName, HeaderValue)>, LostReason> {
    let mut headers = Vec::new();
    let mut put = |name: &str, value: &str| {
        let wrong = || {
            let text = format!("`{}` cannot be acted as: no header can hold that", safe(value, 80));
            LostReason::Unusable(text.into())
        };
        let name = HeaderName::try_from(name).map_err(|_| wrong())?;
        headers.push((name, HeaderValue::from_str(value).map_err(|_| wrong())?));
        Ok::<(), LostReason>(())
    };
    if let Some(flag) = flag {
        put("impersonate-user", &flag.user)?;
        flag.groups.iter().try_for_each(|group| put("impersonate-group", group))?;
        return Ok(headers);
    }
    let Some(user) = &auth.impersonate else { return Ok(headers) };
    put("impersonate-user", user)?;
    auth.impersonate_groups.iter().flatten().try_for_each(|group| put("impersonate-group", group))?;
    if let Some(uid) = &auth.impersonate_uid {
        put("impersonate-uid", uid)?;
    }
    for (key, values) in auth.impersonate_user_extra.iter().flatten() {
        let name = format!("impersonate-extra-{}", key.to_ascii_lowercase());
        values.iter().try_for_each(|value| put(&name, value))?;
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn told(flag: Option<&ActingAs>, auth: serde_json::Value) -> Result<Vec<String>, LostReason> {
        let auth: AuthInfo = serde_json::from_value(auth).unwrap();
        let line = |(name, value): &(HeaderName, HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
        Ok(headers(flag, &auth)?.iter().map(line).collect())
    }

    #[test]
    fn the_flag_wins_over_the_kubeconfig_and_neither_is_dropped() {
        let kubeconfig = serde_json::json!({"as": "bo", "as-groups": ["ops", "dev"], "as-uid": "7", "as-user-extra": {"Why": ["drill"]}});
        assert_eq!(
            told(None, kubeconfig.clone()).unwrap(),
            [
                "impersonate-user: bo",
                "impersonate-group: ops",
                "impersonate-group: dev",
                "impersonate-uid: 7",
                "impersonate-extra-why: drill"
            ]
        );
        let flag = ActingAs { user: "cy".into(), groups: vec!["night".into()] };
        assert_eq!(told(Some(&flag), kubeconfig).unwrap(), ["impersonate-user: cy", "impersonate-group: night"]);
        assert!(told(None, serde_json::json!({})).unwrap().is_empty());
    }

    #[test]
    fn a_name_that_no_header_holds_is_refused_and_nobody_acts_as_himself() {
        let flag = ActingAs { user: "bo\nimpersonate-group: system:masters".into(), groups: Vec::new() };
        assert!(told(Some(&flag), serde_json::json!({})).is_err());
    }
}
