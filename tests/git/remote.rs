//! A bare repository on disk, somebody who pushes to it, and users of it with settings of their own.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use gonogo::domain::outside::{GitChange, Push};
use gonogo::io::command::{Command, NotRun, Processes, Ran, Runner};
use gonogo::io::git::{Carried, Git, GitError, Repository, Seen, Where};

pub const PATH: &str = "apps/shop/eu/kustomization.yaml";
pub const POINTER: &str = "/images[name=registry.example/shop/web]/newTag";
pub const OVERLAY: &str = "\
# People depend on it.
kind: Kustomization
resources: [../../base]

images:
  - {newTag: v1 # now
    , name: registry.example/shop/web}
  - name: sidecar
    newTag: \"v3\"
";

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(120);

pub struct Remote {
    folder: tempfile::TempDir,
}

/// Programs of this host, with the settings of this test in place of the user's. Where `$HANGS` comes to be
/// while one runs, its time is over: no test waits for a limit.
struct WithSettings(Vec<(String, String)>);

impl Runner for WithSettings {
    fn run(&self, mut command: Command, limit: Duration) -> BoxFuture<'_, Result<Ran, NotRun>> {
        command.env.extend(self.0.iter().cloned());
        Box::pin(async move {
            let hangs = self.0.iter().find(|(name, _)| name == "HANGS").map(|(_, file)| file.as_str());
            let hung = async {
                while hangs.is_none_or(|file| std::fs::remove_file(file).is_err()) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::select! {
                ran = Processes.run(command, limit) => ran,
                () = hung => Err(NotRun::Timeout(limit.as_secs())),
            }
        })
    }
    fn run_interactive(&self, command: Command) -> BoxFuture<'_, Result<Ran, NotRun>> {
        self.run(command, LONG)
    }
}

impl Remote {
    /// A repository with one overlay.
    pub fn new(overlay: &str) -> Self {
        Self::with(&[(PATH, overlay), ("base.yaml", "a: 1\n")])
    }

    /// A repository with these files.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let remote = Self::empty();
        for (path, text) in files {
            let path = remote.at("work").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        }
        remote.first();
        remote
    }

    /// A repository with a link.
    pub fn with_link(path: &str, to: &str) -> Self {
        let remote = Self::empty();
        let path = remote.at("work").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(to, path).unwrap();
        remote.first();
        remote
    }

    fn empty() -> Self {
        let remote = Self { folder: tempfile::tempdir().unwrap() };
        let settings = "[user]\nname = Ann\nemail = ann@example.com\n[init]\ndefaultBranch = main\n[protocol \"file\"]\nallow = always\n";
        std::fs::write(remote.at("settings"), settings).unwrap();
        remote.git(".", &["init", "--quiet", "--bare", "remote.git"]);
        remote.git("remote.git", &["config", "uploadpack.allowFilter", "true"]);
        remote.git("remote.git", &["config", "uploadpack.allowAnySHA1InWant", "true"]);
        remote.git(".", &["init", "--quiet", "work"]);
        // What is written here is not converted.
        remote.git("work", &["config", "core.autocrlf", "false"]);
        remote.git("work", &["config", "core.attributesFile", "/dev/null"]);
        remote
    }

    fn first(&self) {
        let attributes = self.at("work/.git/info/attributes");
        std::fs::create_dir_all(attributes.parent().unwrap()).unwrap();
        std::fs::write(attributes, "* -text\n").unwrap();
        self.git("work", &["add", "--all"]);
        self.git("work", &["commit", "--quiet", "--date=2026-11-20T00:00:00Z", "-m", "first"]);
        self.git("work", &["push", "--quiet", &self.url(), "HEAD:main"]);
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn url(&self) -> String {
        format!("file://{}", self.at("remote.git").display())
    }

    fn settings(&self) -> Vec<(String, String)> {
        let at = |name: &str| self.at(name).display().to_string();
        [
            ("GIT_CONFIG_GLOBAL", at("settings")),
            ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
            ("HOME", at("home")),
            ("HANGS", at("hangs")),
            ("RACE", at("race.sh")),
            ("RACED", at("raced")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn git(&self, folder: &str, args: &[&str]) -> String {
        let mut git = Process::new("git");
        git.current_dir(self.at(folder)).args(args).envs(self.settings());
        git.env_remove("GIT_DIR").env_remove("GIT_INDEX_FILE").env_remove("GIT_WORK_TREE");
        git.env("GIT_COMMITTER_DATE", "2026-11-20T00:00:00Z");
        let out = git.output().unwrap();
        assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }

    /// What git says in the repository itself.
    pub fn says(&self, args: &[&str]) -> String {
        self.git("remote.git", args).trim_end().to_owned()
    }

    pub fn head(&self, branch: &str) -> String {
        self.says(&["rev-parse", branch])
    }

    /// The overlay at the head of a branch.
    pub fn file(&self, branch: &str) -> String {
        self.git("remote.git", &["cat-file", "blob", &format!("{branch}:{PATH}")])
    }

    /// Somebody else pushes a file; its commit.
    pub fn somebody_writes(&self, path: &str, text: &str) -> String {
        self.git("work", &["fetch", "--quiet", &self.url(), "main"]);
        self.git("work", &["reset", "--quiet", "--hard", "FETCH_HEAD"]);
        std::fs::write(self.at("work").join(path), text).unwrap();
        self.git("work", &["add", "--all"]);
        self.git("work", &["commit", "--quiet", "-m", "somebody"]);
        self.git("work", &["push", "--quiet", "--no-verify", &self.url(), "HEAD:main"]);
        self.head("main")
    }

    /// What `$RACE` runs: somebody else pushes a file.
    pub fn race_script(&self, path: &str, text: &str) {
        let work = self.at("work").display().to_string();
        let script = format!(
            "unset GIT_DIR GIT_INDEX_FILE; cd {work} && printf '%s' '{text}' > {path} && git add --all && \
             git commit --quiet -m somebody && git push --quiet --no-verify {} HEAD:main",
            self.url()
        );
        std::fs::write(self.at("race.sh"), script).unwrap();
    }

    /// A hook of the repository.
    pub fn hook(&self, name: &str, body: &str) {
        self.executable(&self.at("remote.git/hooks").join(name), body);
    }

    /// A hook of the user.
    pub fn hook_of_user(&self, name: &str, body: &str) {
        let hooks = self.at("hooks");
        self.executable(&hooks.join(name), body);
        self.set("core.hooksPath", &hooks.display().to_string());
    }

    /// A program.
    pub fn script(&self, name: &str, body: &str) -> String {
        let path = self.at(name);
        self.executable(&path, body);
        path.display().to_string()
    }

    fn executable(&self, path: &Path, body: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Written by another process: a file that this one has open for writing while another thread starts
        // a program cannot be run.
        let script = format!("#!/bin/sh\n{body}\n");
        let mut process = Process::new("sh");
        process.args(["-c", "printf '%s' \"$1\" > \"$2\" && chmod 755 \"$2\"", "sh", &script]).arg(path);
        assert!(process.status().unwrap().success());
    }

    /// A setting of the user.
    pub fn set(&self, key: &str, value: &str) {
        self.git(".", &["config", "--global", key, value]);
    }

    /// The setting is not there any more.
    pub fn unset(&self, key: &str) {
        self.git(".", &["config", "--global", "--unset", key]);
    }

    /// The repository is gone.
    pub fn vanish(&self) {
        std::fs::rename(self.at("remote.git"), self.at("gone.git")).unwrap();
    }

    /// A user with a cache of his own.
    pub fn user(&self, cache: &str) -> Git {
        self.user_with(cache, LONG)
    }

    /// The same, with so much patience.
    pub fn user_with(&self, cache: &str, limit: Duration) -> Git {
        self.user_of(cache, &self.url(), limit)
    }

    /// The same, of a repository elsewhere.
    pub fn user_of(&self, cache: &str, url: &str, limit: Duration) -> Git {
        let repository = Repository { url: url.to_owned(), limit };
        let all = BTreeMap::from([("deploys".to_owned(), repository)]);
        Git::new(Arc::new(WithSettings(self.settings())), self.at(cache), all)
    }

    /// The clone in a cache.
    pub fn clone_of(&self, cache: &str) -> PathBuf {
        let entries = std::fs::read_dir(self.at(cache)).unwrap().map(|e| e.unwrap().path());
        entries.into_iter().find(|p| p.extension().is_some_and(|e| e == "git")).unwrap()
    }

    /// No name of a file below a folder holds the text.
    pub fn nothing_below(&self, folder: &str, text: &str) -> bool {
        std::fs::read_dir(self.at(folder)).unwrap().all(|e| !e.unwrap().path().to_string_lossy().contains(text))
    }

    pub fn on<'a>(&self, branch: &'a str, path: &'a str) -> Where<'a> {
        Where { repository: "deploys", branch, path, pointer: POINTER }
    }

    pub async fn read(&self, git: &Git) -> Result<Seen, GitError> {
        git.read(self.on("main", PATH)).await
    }

    /// The change that a plan would hold.
    pub fn change(&self, seen: &Seen, from: &str, to: &str) -> GitChange {
        GitChange {
            repository: "deploys".into(),
            branch: "main".into(),
            path: PATH.into(),
            pointer: POINTER.into(),
            from: from.into(),
            to: to.into(),
            base: seen.head.as_str().into(),
            message: format!("shop eu: {from} -> {to}\n\nGonogo-Plan: 01J\nGonogo-Region: eu").into(),
            push: Push::Direct,
            reverts: None,
        }
    }

    pub async fn carry(&self, git: &Git, change: &GitChange) -> Result<Carried, GitError> {
        git.carry(change, "2026-11-21T10:00:00Z".parse().unwrap()).await
    }
}
