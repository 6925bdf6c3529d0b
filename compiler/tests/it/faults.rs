//! Every call that changes the disk fails once, and is the last one once: nothing is switched to, and the next run works.

use crate::scene::{Run, Scene, needs_root, run};
use crate::transaction::make_key;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The calls that change a disk.
const CHANGING: &str = "openat,mkdir,mkdirat,symlink,symlinkat,link,linkat,rename,renameat,renameat2,unlink,unlinkat,\
rmdir,chmod,fchmod,fchmodat,ftruncate,write,pwrite64,fsync,fdatasync,syncfs";

/// A store whose current generation is 1, and a configuration that makes another of it.
struct Store {
    scene: Scene,
}

/// A call that changes the store.
#[derive(Debug)]
struct Call {
    name: String,
    /// Its number among those of its name.
    nth: usize,
    /// The file that it makes, if it opens one.
    made: Option<String>,
    /// As strace shows it.
    text: String,
}

/// A service that stays as it is, and some that have this text.
fn system(others: usize, text: &str) -> String {
    let service = |name: &str, text: &str| {
        format!("service {name} {{ run \"/usr/bin/env\"; oneshot; env A=\"{text}\"; }}\n")
    };
    let others: String = (0..others).map(|other| service(&format!("other-{other}"), text)).collect();
    format!("system faulty\n{}{others}", service("first", "same"))
}

fn words() -> [&'static str; 9] {
    ["reconfigure", "system.kdl", "--init", "none", "--store", "store", "--key", "key", "--yes"]
}

impl Store {
    fn new(name: &str) -> Self {
        Self::with_changed(name, 1)
    }

    fn with_changed(name: &str, changed: usize) -> Self {
        let scene = Scene::new(name);
        make_key(&scene, "key", "");
        scene.write("system.kdl", system(changed, "before"));
        scene.capc(words()).exits(0);
        scene.write("system.kdl", system(changed, "after"));
        let store = Self { scene };
        store.copy("store", "as-it-was");
        store
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.scene.path.join(name)
    }

    fn copy(&self, from: &str, to: &str) {
        let _ = fs::remove_dir_all(self.path(to));
        assert!(
            Command::new("cp").arg("-a").args([self.path(from), self.path(to)]).status().unwrap().success()
        );
    }

    fn restore(&self) {
        self.copy("as-it-was", "store");
    }

    fn current(&self) -> u64 {
        let target = fs::read_link(self.path("store/current")).unwrap();
        target.strip_prefix("generations").unwrap().to_str().unwrap().parse().unwrap()
    }

    /// Runs reconfigure under strace.
    fn traced(&self, arguments: &[String]) -> Run {
        let mut command = Command::new("strace");
        // Of the main thread alone: it is the one that writes.
        command.args(["-qq", "-y", "-o"]).arg(self.path("trace")).args(arguments);
        command.arg(env!("CARGO_BIN_EXE_capc")).args(words()).current_dir(&self.scene.path);
        run(command)
    }

    /// Runs reconfigure with something done to one of the calls.
    fn with(&self, call: &Call, what: &str) -> Run {
        let name = &call.name;
        let mut arguments = vec!["-e".to_owned(), format!("trace={name}")];
        // How often files are opened depends on what else runs on the machine; a new one is opened once.
        let nth = match call.made.as_ref() {
            Some(path) => {
                arguments.extend(["-P".to_owned(), path.clone()]);
                1
            }
            None => call.nth,
        };
        arguments.extend(["-e".to_owned(), format!("inject={name}:{what}:when={nth}")]);
        self.traced(&arguments)
    }

    /// Returns the calls that change the store.
    fn calls(&self) -> Vec<Call> {
        self.traced(&["-e".into(), format!("trace={CHANGING}")]).exits(0);
        assert_eq!(self.current(), 2);
        let mut counts = std::collections::BTreeMap::new();
        let mut calls = Vec::new();
        for line in fs::read_to_string(self.path("trace")).unwrap().lines() {
            let Some((name, rest)) = line.split_once('(') else { continue };
            let count = counts.entry(name.to_owned()).or_insert(0);
            *count += 1;
            let changes = name != "openat" || rest.contains("O_CREAT");
            let store = self.path("store");
            if changes && rest.contains(store.to_str().unwrap()) && !rest.contains(" = -1 ") {
                let made = (name == "openat").then(|| rest.split('"').nth(1).unwrap().to_owned());
                calls.push(Call { name: name.to_owned(), nth: *count, made, text: line.to_owned() });
            }
        }
        self.restore();
        calls
    }

    /// Asserts that what is current is whole, and that the next run comes to its end and leaves nothing but generations.
    #[track_caller]
    fn goes_on(&self, fault: &str) {
        let before = self.current();
        let next = self.scene.capc(words());
        assert_eq!(next.status, Some(0), "after {fault}: {}", next.err);
        assert_eq!(self.current(), before + 1, "after {fault}");
        let names = |below: &str| -> Vec<String> {
            let entries = fs::read_dir(self.path("store").join(below)).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        };
        let strange = |name: &String| name.parse::<u64>().map_or(true, |number| number > before + 1);
        assert!(!names("generations").iter().any(strange), "after {fault}: {:?}", names("generations"));
        let draft = |name: &String| name.ends_with(".new");
        assert!(!names("trust").iter().chain(&names("")).any(draft), "after {fault}: {:?}", names("trust"));
    }
}

#[test]
fn a_call_that_fails_switches_to_nothing() {
    let store = Store::new("faults");
    let calls = store.calls();
    let count = |name: &str| calls.iter().filter(|call| call.name.starts_with(name)).count();
    // Each new file and each directory by itself: the few that there are.
    assert!(count("rename") >= 4 && count("fsync") >= 12 && count("syncfs") == 0, "{calls:#?}");
    assert!(count("write") >= 5 && count("openat") >= 5 && count("link") >= 1, "{calls:#?}");
    fail_each(&store, &calls);
}

#[test]
fn a_flush_of_many_files_that_fails_switches_to_nothing() {
    let store = Store::with_changed("faults-many", 20);
    let mut calls = store.calls();
    calls.retain(|call| call.name == "syncfs");
    assert_eq!(calls.len(), 1, "{calls:#?}");
    fail_each(&store, &calls);
}

#[test]
fn more_files_are_written_than_a_process_may_have_open() {
    let store = Store::with_changed("faults-open", 100);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64 && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_capc")]).args(words());
    command.current_dir(&store.scene.path);
    run(command).exits(0).says("generation 2 is current");
    store.goes_on("few open files");
}

fn fail_each(store: &Store, calls: &[Call]) {
    for call in calls {
        let Call { name, nth, text, made: _ } = call;
        let is_flush = ["fsync", "fdatasync", "syncfs"].contains(&name.as_str());
        let errors: &[&str] = match name.as_str() {
            "write" => &["ENOSPC", "EIO", "EINTR"],
            _ if is_flush => &["EIO", "EINTR"],
            _ => &["ENOSPC"],
        };
        for error in errors {
            let fault = format!("{error} of call {nth} of {name}: {text}");
            let run = store.with(call, &format!("error={error}"));
            // An interrupted call is made again; a link that cannot be made becomes a copy; an old draft may stay away.
            let may_go_on = *error == "EINTR" || name.contains("link") || name == "ftruncate";
            match run.status {
                Some(0) => {
                    assert!(may_go_on, "reported as done in spite of {fault}");
                    assert_eq!(store.current(), 2, "{fault}");
                }
                Some(3) => {
                    assert_eq!(store.current(), 1, "switched in spite of {fault}");
                    assert!(run.err.starts_with("capc: "), "{}", run.err);
                }
                other => assert_eq!(other, Some(3), "{fault}: {}", run.err),
            }
            store.goes_on(&fault);
            store.restore();
        }
    }
}

#[test]
fn a_run_that_is_killed_anywhere_leaves_the_old_or_the_new_and_the_next_works() {
    let store = Store::new("killed");
    let mut seen = [0; 2];
    for call in store.calls() {
        let text = &call.text;
        let run = store.with(&call, "signal=KILL");
        assert_ne!(run.status, Some(0), "killed at {text}");
        let current = store.current();
        seen[usize::from(current == 2)] += 1;
        assert!([1, 2].contains(&current), "killed at {text}");
        store.scene.capc(["verify", "--store", "store"]).exits(0);
        store.goes_on(&format!("a kill at {text}"));
        store.restore();
    }
    assert!(seen[0] > 20 && seen[1] > 0, "{seen:?}");
}

// Half a write fits, or a directory but no file in it: what a test that injects errors does not come to.
#[test]
fn a_disk_that_is_full_switches_to_nothing() {
    if !needs_root("a disk that fills up") {
        return;
    }
    let store = Store::new("full");
    let place = store.path("store");
    let full = Full::mount(&place, 4096);
    let copy = Command::new("cp").arg("-a").arg(store.path("as-it-was/.")).arg(&place).status();
    assert!(copy.unwrap().success());
    let used = rustix::fs::statvfs(&place).unwrap();
    let used = (used.f_blocks - used.f_bfree) * used.f_frsize / 1024;
    let mut refused = 0;
    for more in (0..).map(|step| step * 4) {
        full.resize(used + more);
        let run = store.scene.capc(words());
        match run.status {
            Some(0) => break,
            Some(3) => assert_eq!(store.current(), 1, "with {more} KiB: {}", run.err),
            other => panic!("with {more} KiB capc ends with {other:?}: {}", run.err),
        }
        store.scene.capc(["verify", "--store", "store"]).exits(0);
        refused += 1;
    }
    assert_eq!(store.current(), 2);
    assert!(refused > 5, "{refused}");
}

/// A file system in memory of a size, gone at the end.
struct Full<'a>(&'a Path);

impl<'a> Full<'a> {
    fn mount(at: &'a Path, kibibytes: u64) -> Self {
        let options = format!("size={kibibytes}k,mode=700");
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "full"]).arg(at).status();
        assert!(status.unwrap().success());
        Self(at)
    }

    fn resize(&self, kibibytes: u64) {
        let options = format!("remount,size={kibibytes}k");
        let status = Command::new("mount").args(["-o", &options]).arg(self.0).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Full<'_> {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(self.0, rustix::mount::UnmountFlags::DETACH);
    }
}
