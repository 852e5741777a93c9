//! The repository of a simulated fleet: a real one, made by the `git` of this host, with somebody who brings what it
//! holds to the regions, and somebody else who pushes to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use color_eyre::eyre::{Result, WrapErr, bail};
use tokio::task::JoinHandle;

use crate::io::command::{Command, Inherits, Processes, Runner};
use crate::sim::fleet_files::REPOSITORY;
use crate::sim::scenario::RepositorySettings;
use crate::sim::world::overlays::Overlay;
use crate::sim::world::run::{SharedWorld, lock};

/// How long one run of git may take.
const LIMIT: Duration = Duration::from_secs(60);
/// What is followed.
const BRANCH: &str = "refs/heads/main";
/// What others write to.
const NOTES: &str = "notes/somebody.yaml";

/// Keeps the repository until it is dropped.
pub struct Keeper(Option<JoinHandle<()>>);

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}

/// Makes the repository in a folder, if the fleet has one, and keeps it.
pub async fn keep(world: &SharedWorld, folder: &Path) -> Result<Keeper> {
    let (settings, overlays) = {
        let world = lock(world);
        (world.scenario.repository, world.overlays())
    };
    let Some(settings) = settings else { return Ok(Keeper(None)) };
    let bare = Bare { folder: folder.join(format!("{REPOSITORY}.git")) };
    let place = bare.folder.to_string_lossy().into_owned();
    bare.git_in(folder, &["init", "--quiet", "--bare", "--template=", &place], None).await?;
    bare.git(&["symbolic-ref", "HEAD", BRANCH], None).await?;
    let files: Vec<(&str, &str)> = overlays.iter().map(|o| (o.path.as_str(), o.text.as_str())).collect();
    let first = bare.commit(None, "what runs", &files).await.wrap_err("the simulated repository cannot be made")?;
    bare.git(&["update-ref", BRANCH, &first], None).await?;
    let world = world.clone();
    Ok(Keeper(Some(tokio::spawn(async move { follow(&bare, &world, settings, overlays, first).await }))))
}

/// Brings what the branch holds, each time it moved; and moves it as somebody else would.
async fn follow(
    bare: &Bare,
    world: &SharedWorld,
    settings: RepositorySettings,
    mut overlays: Vec<Overlay>,
    first: String,
) {
    let real = |span: jiff::SignedDuration| lock(world).clock.real(span).max(Duration::from_millis(50));
    let mut syncs = tokio::time::interval(real(settings.sync.0));
    let mut others = settings.others.map(|span| tokio::time::interval(real(span.0)));
    let mut brought = first;
    let mut pushed = 0_u32;
    loop {
        let other = async {
            match &mut others {
                Some(interval) => drop(interval.tick().await),
                None => std::future::pending().await,
            }
        };
        // A repository that cannot be read now is read the next time.
        tokio::select! {
            _ = syncs.tick() => {
                let Ok(head) = bare.head().await else { continue };
                if head != brought && bare.read(&head, &mut overlays).await.is_ok() {
                    let mut world = lock(world);
                    for overlay in &overlays {
                        world.bring(overlay);
                    }
                    brought = head;
                }
            }
            () = other => {
                pushed += 1;
                let _ = bare.push_notes(pushed).await;
            }
        }
    }
}

/// A bare repository.
struct Bare {
    folder: PathBuf,
}

impl Bare {
    async fn git(&self, args: &[&str], input: Option<String>) -> Result<String> {
        self.git_in(&self.folder, args, input).await
    }

    async fn git_in(&self, folder: &Path, args: &[&str], input: Option<String>) -> Result<String> {
        let names = ["AUTHOR", "COMMITTER"];
        let who = |what: &str, value: &str| names.map(|name| (format!("GIT_{name}_{what}"), value.to_owned()));
        let mut env: Vec<(String, String)> = who("NAME", "Somebody").into();
        env.extend(who("EMAIL", "somebody@example.com"));
        // The settings of whoever runs the simulation are nobody's here.
        env.extend([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1"), ("LC_ALL", "C")].map(pair));
        let index = self.folder.join("index-of-somebody");
        env.push(pair(("GIT_INDEX_FILE", &index.to_string_lossy())));
        let command = Command {
            program: "git".to_owned(),
            args: args.iter().map(|a| (*a).to_owned()).collect(),
            env,
            inherits: Inherits::Only(vec!["PATH".to_owned()]),
            folder: Some(folder.to_owned()),
            input: input.map(String::into_bytes),
        };
        let ran = Processes.run(command, LIMIT).await.wrap_err("git")?;
        if let Some(how) = ran.failed {
            bail!("git: {how}: {}", ran.stderr);
        }
        Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
    }

    async fn head(&self) -> Result<String> {
        Ok(self.git(&["rev-parse", "--verify", "--quiet", BRANCH], None).await?.trim().to_owned())
    }

    /// A commit that sets files; on no branch yet.
    async fn commit(&self, parent: Option<&str>, message: &str, files: &[(&str, &str)]) -> Result<String> {
        let empty = ["read-tree", "--empty"];
        let of_parent = ["read-tree", parent.unwrap_or_default()];
        self.git(if parent.is_some() { &of_parent } else { &empty }, None).await?;
        let mut lines = String::new();
        for (path, text) in files {
            let blob = self.git(&["hash-object", "-w", "--stdin"], Some((*text).to_owned())).await?;
            lines.push_str(&format!("100644 {}\t{path}\n", blob.trim()));
        }
        self.git(&["update-index", "--index-info"], Some(lines)).await?;
        let tree = self.git(&["write-tree"], None).await?;
        let mut args = vec!["commit-tree", "-m", message];
        args.extend(parent.iter().flat_map(|parent| ["-p", *parent]));
        args.push(tree.trim());
        Ok(self.git(&args, None).await?.trim().to_owned())
    }

    /// Somebody else is faster, if nobody was faster than he.
    async fn push_notes(&self, number: u32) -> Result<()> {
        let head = self.head().await?;
        let text = format!("pushes: {number}\n");
        let commit = self.commit(Some(&head), &format!("somebody's work, {number}"), &[(NOTES, &text)]).await?;
        self.git(&["update-ref", BRANCH, &commit, &head], None).await.map(drop)
    }

    async fn read(&self, commit: &str, overlays: &mut [Overlay]) -> Result<()> {
        for overlay in overlays {
            overlay.text = self.git(&["cat-file", "blob", &format!("{commit}:{}", overlay.path)], None).await?;
        }
        Ok(())
    }
}

fn pair((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
