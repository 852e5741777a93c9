//! A folder that goes away with the run that made it.

use std::io;
use std::path::{Path, PathBuf};

/// Removed when dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A new folder of this process, in the system's place for temporary files.
    pub fn new(what: &str) -> io::Result<Self> {
        let name = format!("gonogo-{what}-{}-{}", std::process::id(), ulid::Ulid::new());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own cleaning.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
