//! Whose capc is: what an init starts as root is to be root's alone.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A directory in which nobody moves what is another's.
const STICKY: u32 = 0o1000;
/// Rights to change of those who are not the owner.
const OTHERS: u32 = 0o022;

/// Returns who besides root can change a program or put another in its place, as a clause, if somebody can.
#[must_use]
pub fn who_can_change(program: &Path) -> Option<String> {
    let program = program.canonicalize().ok()?;
    program.ancestors().find_map(|path| {
        let metadata = fs::symlink_metadata(path).ok()?;
        let is_open = metadata.mode() & OTHERS != 0 && !(metadata.is_dir() && metadata.mode() & STICKY != 0);
        match (metadata.uid(), is_open) {
            (0, false) => None,
            (0, true) => Some(format!("others than root may write to `{}`", path.display())),
            (uid, _) => Some(format!("`{}` belongs to uid {uid}", path.display())),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_others_than_root_can_change_is_told_with_its_place() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("not tried: whose a program is (run the tests as root)");
            return;
        }
        assert_eq!(who_can_change(Path::new("/usr/bin/env")), None);
        let place = Path::new("/srv").join(format!("capc-own-{}", std::process::id()));
        let program = place.join("capc");
        fs::create_dir_all(&place).unwrap();
        fs::write(&program, "").unwrap();
        let told = |mode: u32, uid: u32| {
            fs::set_permissions(&place, PermissionsExt::from_mode(mode)).unwrap();
            std::os::unix::fs::chown(&place, Some(uid), None).unwrap();
            who_can_change(&program)
        };
        let shown = place.display();
        assert_eq!(told(0o755, 0), None);
        assert_eq!(told(0o1777, 0), None);
        assert_eq!(told(0o775, 0), Some(format!("others than root may write to `{shown}`")));
        assert_eq!(told(0o755, 4000), Some(format!("`{shown}` belongs to uid 4000")));
        fs::remove_dir_all(&place).unwrap();
    }
}
