//! House rules.

use crate::scene::{files_below, repository};

#[test]
fn a_module_uses_only_modules_declared_before_it() {
    let source = repository().join("compiler/src");
    let lib = std::fs::read_to_string(source.join("lib.rs")).unwrap();
    let order: Vec<&str> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert!(order.len() > 10);
    for path in files_below(&source, "rs") {
        let relative = path.strip_prefix(&source).unwrap();
        let room = relative
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap()
            .trim_end_matches(".rs")
            .to_owned();
        let Some(own) = order.iter().position(|name| *name == room) else { continue };
        let text = std::fs::read_to_string(&path).unwrap();
        let production = text.split("#[cfg(test)]").next().unwrap();
        for used in production.split("crate::").skip(1) {
            let used: String =
                used.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
            if let Some(at) = order.iter().position(|name| *name == used) {
                assert!(at <= own, "{} uses `{used}`, which comes after `{room}`", relative.display());
            }
        }
    }
}

#[test]
fn no_file_holds_two_notions() {
    for room in ["compiler/src", "runtime-stub/src", "supervisor/src", "schemas/src"] {
        for path in files_below(&repository().join(room), "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let lines = text.split("#[cfg(test)]").next().unwrap().lines().count();
            assert!(lines <= 500, "{} has {lines} lines without its tests", path.display());
        }
    }
}

#[test]
fn the_launchers_tree_stays_tiny() {
    let manifest = std::fs::read_to_string(repository().join("runtime-stub/Cargo.toml")).unwrap();
    let dependencies = manifest.split("[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let names = dependencies.lines().filter(|line| !line.trim_start().starts_with('#'));
    let names: Vec<&str> = names.filter_map(|line| Some(line.split_once('=')?.0.trim())).collect();
    assert_eq!(names, ["capc-schemas", "ed25519-dalek", "linux-raw-sys", "sha2"]);
}
