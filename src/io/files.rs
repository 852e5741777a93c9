//! Where files live: the XDG folders, from the values of the environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folders of gonogo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// `$XDG_STATE_HOME/gonogo`: journal, log, remembered identities.
    pub state: PathBuf,
    /// `$XDG_CONFIG_HOME/gonogo`: configuration, themes, keymap.
    pub config: PathBuf,
    /// `$XDG_CACHE_HOME/gonogo`: what can be fetched again, e.g. runbooks.
    pub cache: PathBuf,
    /// Why what is under `state` may be gone tomorrow; none: it lasts.
    pub passing: Option<String>,
}

impl Places {
    /// The folders as the XDG specification has them: relative values are ignored.
    ///
    /// `env` looks up one variable. Without a home folder all is under `fallback`.
    pub fn of(env: impl Fn(&str) -> Option<OsString>, fallback: &Path) -> Self {
        let absolute = |name: &str| env(name).map(PathBuf::from).filter(|p| p.is_absolute());
        let home = absolute("HOME").unwrap_or_else(|| fallback.to_owned());
        let place = |name: &str, below: &str| absolute(name).unwrap_or_else(|| home.join(below)).join("gonogo");
        let state = place("XDG_STATE_HOME", ".local/state");
        let homeless = absolute("HOME").is_none() && absolute("XDG_STATE_HOME").is_none();
        let passing = homeless.then(|| {
            let place = state.display();
            format!(
                "neither $HOME nor $XDG_STATE_HOME names a folder: {place} is temporary, a journal there does not last"
            )
        });
        Self { passing, state, config: place("XDG_CONFIG_HOME", ".config"), cache: place("XDG_CACHE_HOME", ".cache") }
    }

    /// Folder of the journal.
    pub fn journal(&self) -> PathBuf {
        self.state.join("journal")
    }

    /// Folder of the clones.
    pub fn git(&self) -> PathBuf {
        self.cache.join("git")
    }

    /// Folder of the log files.
    pub fn log(&self) -> PathBuf {
        self.state.join("log")
    }

    /// Folder of the identities that contexts had.
    pub fn identities(&self) -> PathBuf {
        self.state.join("clusters")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_follow_xdg_and_relative_values_do_not_count() {
        let env = |name: &str| match name {
            "HOME" => Some("/home/ann".into()),
            "XDG_STATE_HOME" => Some("/var/ann".into()),
            "XDG_CACHE_HOME" => Some("relative".into()),
            _ => None,
        };
        let places = Places::of(env, Path::new("/tmp"));
        assert_eq!(places.journal(), Path::new("/var/ann/gonogo/journal"));
        assert_eq!(places.config, Path::new("/home/ann/.config/gonogo"));
        assert_eq!(places.cache, Path::new("/home/ann/.cache/gonogo"));
        assert_eq!(places.passing, None);
        let homeless = Places::of(|_| None, Path::new("/tmp"));
        assert_eq!(homeless.state, Path::new("/tmp/.local/state/gonogo"));
        assert!(homeless.passing.is_some_and(|why| why.contains("/tmp/.local/state/gonogo is temporary")));
    }
}
