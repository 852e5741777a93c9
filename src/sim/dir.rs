//! Writes the files of a served fleet; the only place of the simulation that touches the disk.

use std::fs;
use std::io;
use std::path::Path;

use super::fleet_files::{self, Addresses, ClockLine};
use super::world::layout::Layout;

/// Writes `kubeconfig` and `config.toml` into `dir`, making it where it is missing, and notes
/// where they are.
///
/// # Errors
/// When the directory or a file cannot be written.
pub fn write(dir: &Path, addresses: &mut Addresses, layout: &Layout, clock: &ClockLine) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let dir = fs::canonicalize(dir)?;
    addresses.kubeconfig = dir.join("kubeconfig");
    addresses.config = dir.join("config.toml");
    fs::write(&addresses.kubeconfig, fleet_files::kubeconfig(layout, addresses))?;
    fs::write(&addresses.config, fleet_files::config(layout, addresses, clock))
}
