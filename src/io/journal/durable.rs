//! Whether a folder keeps what is written to it: asked by a guard before it acts.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// File systems that are gone with the machine or the container.
const FLEETING: [(i64, &str); 3] = [
    (0x0102_1994, "tmpfs, in memory"),
    (0x8584_58f6, "ramfs, in memory"),
    (0x794c_7630, "the container's own layer (overlayfs)"),
];

/// Writes, makes durable and removes a file; and asks what kind of file system that is.
pub fn durable(folder: &Path) -> Result<(), String> {
    let told = |what: &str, e: &std::io::Error| format!("{what}: {e}");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| told("cannot be made", &e))?;
    let path = folder.join(format!(".durable-{}", std::process::id()));
    let probe = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(b"durable?\n")?;
        file.sync_all()?;
        fs::remove_file(&path)?;
        File::open(folder)?.sync_all()
    };
    probe().map_err(|e| told("cannot be written", &e))?;
    match rustix::fs::statfs(folder) {
        #[expect(clippy::useless_conversion, reason = "its type differs between platforms")]
        Ok(stat) => {
            let kind = i64::from(stat.f_type);
            match FLEETING.iter().find(|(magic, _)| *magic == kind) {
                Some((_, word)) => Err(format!("it is on {word}: it would be gone with a restart")),
                None => Ok(()),
            }
        }
        // Where that cannot be asked, the file that was made durable must do.
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_made_or_written_is_not_durable() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "x").unwrap();
        let why = durable(&file.join("below")).unwrap_err();
        assert!(why.starts_with("cannot be made: "), "{why}");
        assert!(durable(Path::new("/proc/self")).is_err());
    }

    #[test]
    fn memory_is_not_durable_and_nothing_is_left_behind() {
        let shm = Path::new("/dev/shm");
        if rustix::fs::statfs(shm).is_ok_and(|s| FLEETING.iter().any(|(magic, _)| s.f_type == *magic)) {
            let folder = tempfile::tempdir_in(shm).unwrap();
            let why = durable(folder.path()).unwrap_err();
            assert!(why.contains("gone with a restart"), "{why}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }
}
