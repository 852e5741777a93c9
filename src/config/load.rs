//! Finding and reading the file.

use std::path::{Path, PathBuf};

use super::error::{ConfigError, Severity};
use super::model::{Config, Given};
use super::source::{Source, Span};

/// Where a configuration may be named.
#[derive(Clone, Debug, Default)]
pub struct SearchPaths {
    /// `--config`.
    pub flag: Option<PathBuf>,
    /// `$GONOGO_CONFIG`.
    pub gonogo_config: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME`.
    pub xdg_config_home: Option<PathBuf>,
    /// `$HOME`.
    pub home: Option<PathBuf>,
}

/// The file to read, and why that one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// Who says so, for messages: a part of a sentence.
    pub because: &'static str,
}

impl SearchPaths {
    /// From a flag and the environment.
    pub fn from_env(flag: Option<PathBuf>, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let path = |name: &str| env(name).map(PathBuf::from);
        Self {
            flag,
            gonogo_config: path("GONOGO_CONFIG"),
            xdg_config_home: path("XDG_CONFIG_HOME"),
            home: path("HOME"),
        }
    }
}

/// The first that is named: `--config`, `$GONOGO_CONFIG`, `$XDG_CONFIG_HOME/gonogo/config.toml`
/// (`~/.config` where that is unset or relative, as the XDG rules say). Empty variables count as unset.
pub fn locate(paths: &SearchPaths) -> Option<Place> {
    let some = |path: &Option<PathBuf>| path.clone().filter(|p| !p.as_os_str().is_empty());
    if let Some(path) = &paths.flag {
        return Some(Place { path: path.clone(), because: "named by --config" });
    }
    if let Some(path) = some(&paths.gonogo_config) {
        return Some(Place { path, because: "named by $GONOGO_CONFIG" });
    }
    let (folder, because) = match some(&paths.xdg_config_home).filter(|p| p.is_absolute()) {
        Some(folder) => (folder, "looked for under $XDG_CONFIG_HOME"),
        None => (some(&paths.home)?.join(".config"), "looked for under ~/.config"),
    };
    Some(Place { path: folder.join("gonogo").join("config.toml"), because })
}

/// A configuration and what there is to say about it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Findings and notes, in the file's order.
    pub findings: Vec<ConfigError>,
}

/// A file larger than that is no configuration.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Reads the file at a place.
pub fn load(place: &Place, given: &Given<'_>) -> Result<Loaded, Vec<ConfigError>> {
    let fail = |why: String, fix: &str| {
        let source = Source::new(&place.path, "");
        let message = format!("{why} ({})", place.because);
        vec![ConfigError::new(Severity::Error, "unreadable", &source, Span::default(), message).fix(fix)]
    };
    let size = std::fs::metadata(&place.path).map(|m| m.len());
    if size.is_ok_and(|size| size > LARGEST) {
        return Err(fail("the file is larger than 16 MiB".to_owned(), "name another file"));
    }
    let bytes = std::fs::read(&place.path).map_err(|error| {
        let fix = match error.kind() {
            std::io::ErrorKind::NotFound => {
                "`gonogo print config` prints a complete example; `gonogo demo` needs no file"
            }
            _ => "check the path and its rights",
        };
        fail(format!("cannot be read: {error}"), fix)
    })?;
    let origin: &Path = &place.path;
    super::read(origin, &bytes, given).map(|(config, findings)| Loaded { config, findings })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_named_wins() {
        let path = |p: &str| Some(PathBuf::from(p));
        let all = SearchPaths {
            flag: path("a.toml"),
            gonogo_config: path("b.toml"),
            xdg_config_home: path("/xdg"),
            home: path("/home/me"),
        };
        let found = |paths: &SearchPaths| locate(paths).map(|p| p.path.display().to_string());
        type Change = fn(&mut SearchPaths);
        let steps: [(Change, &str); 5] = [
            (|_| (), "a.toml"),
            (|p| p.flag = None, "b.toml"),
            (|p| p.gonogo_config = Some(PathBuf::new()), "/xdg/gonogo/config.toml"),
            (|p| p.xdg_config_home = Some("relative".into()), "/home/me/.config/gonogo/config.toml"),
            (|p| p.xdg_config_home = None, "/home/me/.config/gonogo/config.toml"),
        ];
        let mut paths = all;
        for (change, expected) in steps {
            change(&mut paths);
            assert_eq!(found(&paths).as_deref(), Some(expected));
        }
        paths.home = None;
        assert_eq!(found(&paths), None);
    }

    #[test]
    fn a_file_that_is_not_there_is_named_with_who_named_it() {
        let env = |_: &str| None;
        let place = Place { path: "/nonexistent/gonogo.toml".into(), because: "named by $GONOGO_CONFIG" };
        let errors = load(&place, &Given::env(&env)).err().unwrap_or_default();
        let shown = super::super::render_errors(&errors, false);
        assert!(shown.contains("/nonexistent/gonogo.toml") && shown.contains("$GONOGO_CONFIG"), "{shown}");
    }
}
