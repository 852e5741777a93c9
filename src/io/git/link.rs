//! Where people open a change request for a branch, on hosts whose addresses are known.

/// The address at which a change request from `own` to `branch` can be opened; none: the host is not known.
pub fn compare(url: &str, branch: &str, own: &str) -> Option<String> {
    let (host, path) = parts(url)?;
    let (branch, own) = (escaped(branch), escaped(own));
    let at = format!("https://{host}/{path}");
    let word = |name: &str| host == name || host.starts_with(&format!("{}.", name.split('.').next().unwrap_or(name)));
    if word("github.com") {
        Some(format!("{at}/compare/{branch}...{own}?expand=1"))
    } else if word("gitlab.com") {
        let ask = format!("merge_request[source_branch]={own}&merge_request[target_branch]={branch}");
        Some(format!("{at}/-/merge_requests/new?{ask}"))
    } else if host == "bitbucket.org" {
        Some(format!("{at}/pull-requests/new?source={own}&dest={branch}"))
    } else if host == "codeberg.org" || word("gitea.com") || word("forgejo.org") {
        Some(format!("{at}/compare/{branch}...{own}"))
    } else {
        None
    }
}

/// Host and path of a repository, without user, port and `.git`.
fn parts(url: &str) -> Option<(String, String)> {
    let (authority, path) = match url.split_once("://") {
        Some((scheme, rest)) if ["https", "http", "ssh", "git+ssh"].contains(&scheme) => rest.split_once('/')?,
        Some(_) => return None,
        // `git@host:owner/name.git`
        None => url.split_once(':').filter(|(host, _)| !host.contains('/'))?,
    };
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host.split(':').next().unwrap_or(host).to_lowercase();
    let path = path.trim_matches('/').trim_end_matches(".git");
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '~');
    let fine = host.contains('.') && !path.is_empty() && host.chars().chain(path.chars()).all(plain);
    fine.then(|| (host, path.to_owned()))
}

fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_hosts_have_a_page_for_it_and_credentials_are_not_in_its_address() {
        let of = |url: &str| compare(url, "main", "gonogo/x y");
        let github = Some("https://github.com/acme/deploys/compare/main...gonogo/x%20y?expand=1".to_owned());
        assert_eq!(of("git@github.com:acme/deploys.git"), github);
        assert_eq!(of("ssh://git@github.com:22/acme/deploys.git"), github);
        assert_eq!(of("https://ann:secret@github.com/acme/deploys"), github);
        assert_eq!(
            of("https://gitlab.example.com/g/s/p.git").as_deref(),
            Some(
                "https://gitlab.example.com/g/s/p/-/merge_requests/new?merge_request[source_branch]=gonogo/x%20y&merge_request[target_branch]=main"
            )
        );
        assert_eq!(
            of("https://bitbucket.org/a/b.git").as_deref(),
            Some("https://bitbucket.org/a/b/pull-requests/new?source=gonogo/x%20y&dest=main")
        );
        for unknown in ["/srv/git/x.git", "file:///srv/x.git", "https://git.example.com/a/b", "host:x", ""] {
            assert_eq!(of(unknown), None, "{unknown}");
        }
    }
}
