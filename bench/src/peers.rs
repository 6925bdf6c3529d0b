//! The same dependency graph, written for other programs.

use crate::generate::{FACETS, dependencies};
use std::fs;
use std::io;
use std::path::Path;

/// Writes one file a service for dinit, and one that depends on all.
pub fn dinit(directory: &Path, services: usize) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let mut all = "type = internal\n".to_owned();
    for (service, on) in dependencies(services, FACETS).enumerate() {
        let mut text = format!("type = process\ncommand = /bin/true s{service}\n");
        text.extend(on.iter().map(|other| format!("depends-on: s{other}\n")));
        fs::write(directory.join(format!("s{service}")), text)?;
        all.push_str(&format!("depends-on: s{service}\n"));
    }
    fs::write(directory.join("all"), all)
}

/// Writes one unit a service for systemd, and a target that wants all.
pub fn systemd(directory: &Path, services: usize) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let mut all = "[Unit]\nDefaultDependencies=no\n".to_owned();
    for (service, on) in dependencies(services, FACETS).enumerate() {
        let mut text = "[Unit]\nDefaultDependencies=no\n".to_owned();
        let needs = |other: &usize| format!("Requires=s{other}.service\nAfter=s{other}.service\n");
        text.extend(on.iter().map(needs));
        text.push_str(&format!("[Service]\nExecStart=/bin/true s{service}\n"));
        fs::write(directory.join(format!("s{service}.service")), text)?;
        all.push_str(&format!("Wants=s{service}.service\n"));
    }
    fs::write(directory.join("all.target"), all)
}
