//! A file system of a test's own, on a loop device, whose files were last changed long ago.

use crate::world::{Caller, Scratch};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A mounted ext4, gone at the end.
pub struct Disk {
    pub path: PathBuf,
    _scratch: Scratch,
}

fn run(program: &str, arguments: &[&str]) -> bool {
    let output = Command::new(program).args(arguments).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output();
    output.is_ok_and(|output| output.status.success())
}

impl Disk {
    /// Returns a disk with these programs; none, with a line that says so, where there are no loop devices.
    pub fn with(programs: &[(&str, &[u8])]) -> Option<Self> {
        let scratch = Scratch::new(Caller::Root);
        let (from, path) = (scratch.path.join("from"), scratch.path.join("disk"));
        fs::create_dir(&from).unwrap();
        fs::create_dir(&path).unwrap();
        for (name, bytes) in programs {
            fs::write(from.join(name), bytes).unwrap();
            fs::set_permissions(from.join(name), std::os::unix::fs::PermissionsExt::from_mode(0o755))
                .unwrap();
        }
        let image = scratch.path.join("image");
        let [from, at, image] = [&from, &path, &image].map(|path| path.to_str().unwrap());
        assert!(run("mkfs.ext4", &["-q", "-d", from, image, "24M"]), "this test needs mkfs.ext4 (e2fsprogs)");
        for (name, _) in programs {
            // Without nanoseconds, in 2001: nobody could do this to a file that is mounted.
            let set = |field: &str, value: &str| {
                assert!(run("debugfs", &["-w", "-R", &format!("sif /{name} {field} {value}"), image]));
            };
            set("ctime", "20010909014640");
            set("ctime_extra", "0");
        }
        if run("mount", &["-o", "loop", image, at]) {
            return Some(Self { path, _scratch: scratch });
        }
        eprintln!("not tried: what needs a file system of its own (no loop device can be mounted here)");
        None
    }

    /// Mounts it again, read-only or writable.
    pub fn remount(&self, option: &str) {
        assert!(run("mount", &["-o", &format!("remount,{option}"), self.path.to_str().unwrap()]));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.path, rustix::mount::UnmountFlags::DETACH);
    }
}
