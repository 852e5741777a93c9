//! `[repository.NAME]`, and what `git` says of a service: where its versions stand.

use std::time::Duration;

use super::super::model::RepositoryServer;
use super::super::reader::Table;
use super::super::source::{At, Span};
use super::Build;
use super::names::{self, Kind};
use super::workload::{Here, first_text};
use crate::domain::carrier::OverlayRef;
use crate::domain::fleet::CarryPath;
use crate::domain::id::Text;

/// How long an exchange may take unless said otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The shortest and the longest: a write that was not answered for two minutes counts as lost.
const SHORTEST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(90);

/// Every repository.
pub(super) fn repositories(build: &Build<'_>, root: Table<'_>) -> Vec<RepositoryServer> {
    let mut out = Vec::new();
    for (name, table) in root.named("repository") {
        names::check(build.problems, "repository", &name.value, name.at);
        let timeout = table.duration("timeout");
        if let Some(timeout) = &timeout
            && !(SHORTEST..=LONGEST).contains(&timeout.value)
        {
            let message = "`timeout` must be from 5s to 90s";
            build.problems.error("bad-duration", timeout.at, message, "write `timeout = \"60s\"`");
        }
        if table.raw("url").is_none() {
            table.missing("url", "\"git@git.example:team/deploys.git\"");
        }
        let Some(url) = table.text("url") else { continue };
        if !usable(build, &url) {
            continue;
        }
        // A relative path would mean another repository in another folder.
        let is_path = !url.value.contains(':');
        let place = if is_path { build.path(&url.value).to_string_lossy().into_owned() } else { url.value };
        out.push(RepositoryServer {
            name: name.value.into(),
            url: place.into(),
            timeout: timeout.map_or(TIMEOUT, |t| t.value),
        });
    }
    out
}

fn usable(build: &Build<'_>, url: &At<String>) -> bool {
    let authority = url.value.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or(rest));
    let user = authority.and_then(|a| a.rsplit_once('@')).map(|(user, _)| user);
    let http = url.value.starts_with("http://") || url.value.starts_with("https://");
    if user.is_some_and(|user| http || user.contains(':')) {
        let fix = "take it out; a credential helper of git gives it: `git config --global credential.helper …`";
        build.problems.error("secret-in-file", url.at, "the URL holds a user or password", fix);
        return false;
    }
    // `ext::sh -c …` would run what it says.
    let helper = url.value.split_once("::").is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_alphanumeric()));
    let plain = !url.value.is_empty()
        && !url.value.starts_with('-')
        && !helper
        && !url.value.contains(|c: char| c.is_whitespace() || c.is_control());
    if !plain {
        let fix = "write it like `git@git.example:team/deploys.git` or `https://git.example/team/deploys.git`";
        build.problems.error("bad-url", url.at, format!("`{}` is no repository", url.value), fix);
    }
    plain
}

/// What of a service's place in Git does not depend on the region.
pub(super) struct GitDraft<'a> {
    tables: [Option<Table<'a>>; 2],
    repository: Option<Text>,
    pointer: Option<Text>,
    own_branch: bool,
    except: Vec<At<String>>,
}

/// Where the versions of a service stand; none: in its workloads.
pub(super) fn git<'a>(
    build: &Build<'_>,
    root: Table<'_>,
    service: Table<'a>,
    defaults: Option<Table<'a>>,
) -> Option<GitDraft<'a>> {
    if service.is_off("git") {
        return None;
    }
    let tables = [service.table("git"), defaults.and_then(|d| d.table("git"))];
    let table = tables.iter().flatten().next().copied()?;
    let with = |key: &str| tables.iter().flatten().find(|t| t.raw(key).is_some()).copied();
    if with("path").is_none() {
        table.missing("path", "\"apps/{{service}}/{{region}}/kustomization.yaml\"");
    }
    let push = with("push").and_then(|t| t.word("push"));
    Some(GitDraft {
        repository: repository(build, root, &tables, table.at),
        pointer: pointer(build, &tables, table),
        own_branch: push.is_some_and(|p| p.value == "branch"),
        except: with("except").and_then(|t| t.texts("except")).unwrap_or_default(),
        tables,
    })
}

fn repository(build: &Build<'_>, root: Table<'_>, tables: &[Option<Table<'_>>; 2], at: Span) -> Option<Text> {
    let known: Vec<String> = root.named("repository").into_iter().map(|(name, _)| name.value).collect();
    match (first_text(tables, "repository"), known.as_slice()) {
        (Some(wanted), _) => {
            if !known.contains(&wanted.value) {
                names::unknown(build.problems, Kind::Repository, &wanted, known.iter().map(String::as_str));
                return None;
            }
            Some(wanted.value.into())
        }
        (None, [only]) => Some(only.as_str().into()),
        (None, []) => {
            let fix = "add `[repository.NAME]` with its `url`";
            build.problems.error("missing-repository", at, "there is no repository", fix);
            None
        }
        (None, _) => {
            let names: Vec<&str> = known.iter().map(String::as_str).collect();
            let fix = format!("add `repository = \"…\"`; there is: {}", names::list(&names));
            build.problems.error("missing-repository", at, "`git` does not say which repository", fix);
            None
        }
    }
}

/// Which scalar: an entry of `images`, or any other.
fn pointer(build: &Build<'_>, tables: &[Option<Table<'_>>; 2], table: Table<'_>) -> Option<Text> {
    let field = tables.iter().flatten().find(|t| t.raw("field").is_some()).and_then(|t| t.word("field"));
    match (first_text(tables, "image"), first_text(tables, "pointer")) {
        (Some(_), Some(pointer)) => {
            let message = "`image` and `pointer` exclude each other";
            build.problems.error("contradiction", pointer.at, message, "keep one of them");
            None
        }
        (Some(image), None) => {
            if image.value.is_empty() || image.value.contains([']', '[']) {
                let message = format!("`{}` is no name of an image", image.value);
                let fix = "write the `name` of the entry, as it is in the file";
                build.problems.error("bad-name", image.at, message, fix);
                return None;
            }
            let field = field.map_or_else(|| "newTag".to_owned(), |f| f.value);
            Some(format!("/images[name={}]/{field}", image.value.replace('~', "~0")).into())
        }
        (None, Some(pointer)) => {
            if let Some(field) = field {
                let message = "`field` belongs to `image`, and there is a `pointer`";
                build.problems.error("contradiction", field.at, message, "take `field` out");
            }
            let Some(path) = CarryPath::parse(&pointer.value) else {
                let fix = "write it like `/spec/values/image/tag` or `/list[name=web]/tag`";
                build.problems.error("bad-pointer", pointer.at, format!("`{}` is not a pointer", pointer.value), fix);
                return None;
            };
            Some(path.to_string().into())
        }
        (None, None) => {
            if !tables.iter().flatten().any(|t| t.raw("image").is_some() || t.raw("pointer").is_some()) {
                table.missing("image", "\"registry.example/shop\"");
            }
            None
        }
    }
}

impl GitDraft<'_> {
    /// Names of regions that it mentions, to be checked against the service's.
    pub(super) fn mentioned(&self) -> impl Iterator<Item = &At<String>> {
        self.except.iter()
    }

    /// Where the version of one region stands; none: in its workload.
    pub(super) fn of(&self, build: &Build<'_>, here: Here<'_>, own: Option<Table<'_>>) -> Option<OverlayRef> {
        if own.and_then(|t| t.flag("git")) == Some(false) || self.except.iter().any(|e| e.value == here.region) {
            return None;
        }
        let filled = |template: &At<String>| here.fill(build, template).map(|value| At { value, at: template.at });
        let path = filled(&first_text(&self.tables, "path")?)?;
        if !is_path(&path.value) {
            let message = format!("`{}` is no file of a repository", path.value);
            let fix = "write it from the repository's root, without `..`: `apps/{{region}}/kustomization.yaml`";
            build.problems.error("bad-path", path.at, message, fix);
            return None;
        }
        let branch = match first_text(&self.tables, "branch") {
            Some(template) => filled(&template)?,
            None => At { value: "main".to_owned(), at: here.service.at },
        };
        if !is_branch(&branch.value) {
            let message = format!("`{}` cannot be a branch", branch.value);
            build.problems.error("bad-name", branch.at, message, "write its name without `refs/heads/`");
            return None;
        }
        Some(OverlayRef {
            repository: self.repository.clone()?,
            branch: build.name(&branch.value),
            path: build.name(&path.value),
            pointer: self.pointer.clone()?,
            own_branch: self.own_branch,
        })
    }
}

/// A file below the root, and not of git itself.
fn is_path(text: &str) -> bool {
    let part = |p: &str| !p.is_empty() && p != "." && p != ".." && !p.eq_ignore_ascii_case(".git");
    text.split('/').all(part) && !text.contains(['\\', '\0']) && !text.contains(char::is_control)
}

/// What git takes as the name of a branch, and what cannot be mistaken for something else.
fn is_branch(text: &str) -> bool {
    let part = |p: &str| !p.is_empty() && !p.starts_with('.') && !p.ends_with(".lock");
    let wrong = |c: char| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c);
    text.split('/').all(part)
        && !text.starts_with(['-', '+'])
        && !text.starts_with("refs/")
        && !text.ends_with('.')
        && !text.contains("..")
        && !text.contains("@{")
        && !text.contains(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_branches_are_told_from_what_is_neither() {
        for fine in ["a", "apps/eu/kustomization.yaml", ".github/x", "a b/c"] {
            assert!(is_path(fine), "{fine}");
        }
        for wrong in ["", "/etc/passwd", "../x", "a/../b", "a//b", ".git/config", "a/.GIT/x", "a/", "a\nb", "a\\b"] {
            assert!(!is_path(wrong), "{wrong}");
        }
        for fine in ["main", "release/1.2", "env-eu"] {
            assert!(is_branch(fine), "{fine}");
        }
        for wrong in ["", "-x", "+x", "a..b", "a b", "refs/heads/main", "a.lock", "a/.b", "x@{1}", "a:b", "a^", "a/"] {
            assert!(!is_branch(wrong), "{wrong}");
        }
    }
}
