//! Power cuts: the writer is stopped at every call that changes the disk, and what the disk holds at that moment is looked
//! at as a machine would find it.
//!
//! The store lies on an ext4 of its own on a loop device. At each stop the file behind it is copied, and the copy mounted,
//! which replays its journal. The file system is told to keep neither order nor promise that it need not keep
//! (`data=writeback`, `noauto_da_alloc`, no commit by itself): what is there was flushed, or is there by luck.

use crate::scene::{Scene, is_root, run};
use crate::transaction::make_key;
use capc_schemas::token::Digest;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The calls that change a disk, and the one by which a person is told.
const CHANGING: &str = "openat,mkdir,symlink,link,linkat,rename,renameat2,unlink,unlinkat,rmdir,chmod,ftruncate,write,\
fsync,fdatasync,syncfs";
const FLUSHES: &str = "fsync,fdatasync,syncfs";

/// Who else uses the disk.
#[derive(Copy, Clone, PartialEq)]
enum Company {
    /// Nobody: what is not flushed is not there.
    None,
    /// Somebody who flushes a file of his own at every moment, and so writes the journal, but not our data.
    Flushing,
}

/// What the kernel does when it is asked to flush.
#[derive(Copy, Clone, PartialEq)]
enum Flushes {
    Done,
    /// It says that it did.
    LeftOut,
}

/// How a generation comes onto the disk: everything at once, or file by file.
#[derive(Copy, Clone, Debug, PartialEq)]
enum Way {
    Many,
    Few,
}

/// What came of a run with power cuts.
struct Cuts {
    count: usize,
    faults: Vec<String>,
    way: Way,
}

/// A store on a disk of its own.
struct Disk {
    scene: Scene,
    /// What the disk held when it was last looked at, what was expected then, and found.
    seen: RefCell<Option<Seen>>,
}

type Seen = (Digest, Vec<Option<u64>>, Result<(), String>);

fn mounted(image: &Path, at: &Path) -> bool {
    let options = "loop,data=writeback,noauto_da_alloc,commit=600,noatime";
    let output = Command::new("mount").args(["-o", options]).arg(image).arg(at).output().unwrap();
    output.status.success()
}

fn unmount(at: &Path) {
    let status = Command::new("umount").arg(at).status().unwrap();
    assert!(status.success());
}

impl Disk {
    fn new(name: &str, services: usize) -> Option<Self> {
        if !is_root() {
            eprintln!("not tried: power cuts (run the tests as root)");
            return None;
        }
        let scene = Scene::new(name);
        let disk = Self { scene, seen: RefCell::new(None) };
        fs::create_dir(disk.place()).unwrap();
        let mut make = Command::new("mkfs.ext4");
        make.args(["-q", "-b", "4096", "-J", "size=4"]).arg(disk.image()).arg("24M");
        run(make).exits(0);
        if !mounted(&disk.image(), &disk.place()) {
            eprintln!("not tried: power cuts (no loop device can be mounted here)");
            return None;
        }
        make_key(&disk.scene, "key", "");
        disk.configure(services, "first");
        Some(disk)
    }

    fn image(&self) -> PathBuf {
        self.scene.path.join("image")
    }

    fn place(&self) -> PathBuf {
        self.scene.path.join("disk")
    }

    /// Writes a configuration of which a third of the services say a word.
    fn configure(&self, services: usize, word: &str) {
        let mut text = "system cut\n".to_owned();
        for number in 0..services {
            let word = if number % 3 == 0 { word } else { "same" };
            writeln!(text, "service s{number} {{ run \"/usr/bin/env\"; oneshot; env A=\"{word}\"; }}")
                .unwrap();
        }
        self.scene.write("system.kdl", text);
    }

    fn words() -> [&'static str; 9] {
        ["reconfigure", "system.kdl", "--init", "none", "--store", "disk/store", "--key", "key", "--yes"]
    }

    fn current(&self) -> Option<u64> {
        let target = fs::read_link(self.place().join("store/current")).ok()?;
        target.strip_prefix("generations").ok()?.to_str()?.parse().ok()
    }

    /// Returns what is on the disk at one moment: the kernel writes to it when it likes, also while it is read.
    fn picture(&self) -> Vec<u8> {
        let mut picture = fs::read(self.image()).unwrap();
        loop {
            let again = fs::read(self.image()).unwrap();
            if again == picture {
                return picture;
            }
            picture = again;
        }
    }

    /// Looks at what a machine would find after a cut now; says what is wrong with it.
    fn after_a_cut(&self, expected: &[Option<u64>], and_goes_on: bool) -> Result<(), String> {
        let copy = self.scene.path.join("copy");
        let picture = self.picture();
        // Most calls change nothing that is on the disk yet: the same bytes need no second look.
        let digest = capc::seal::digest(&picture);
        if let Some((known, wanted, found)) = &*self.seen.borrow()
            && (*known, wanted.as_slice()) == (digest, expected)
        {
            return found.clone();
        }
        // A file of its own each time: mount(8) takes up a loop device that still has the last one, and what was read of it.
        let _ = fs::remove_file(&copy);
        fs::write(&copy, picture).unwrap();
        // Over the disk itself: who is stopped looks no path up, and the store's own paths stay true.
        if !mounted(&copy, &self.place()) {
            return Err("the file system does not mount".into());
        }
        let found = self.judge(expected, and_goes_on);
        unmount(&self.place());
        *self.seen.borrow_mut() = Some((digest, expected.to_vec(), found.clone()));
        found
    }

    fn judge(&self, expected: &[Option<u64>], and_goes_on: bool) -> Result<(), String> {
        let current = self.current();
        if !expected.contains(&current) {
            return Err(format!("generation {current:?} is current, and not one of {expected:?}"));
        }
        if current.is_some() {
            let verify = self.scene.capc(["verify", "--store", "disk/store"]);
            if verify.status != Some(0) {
                return Err(format!("generation {current:?} is not whole: {}", verify.err));
            }
        }
        if and_goes_on {
            let next = self.scene.capc(Self::words());
            if next.status != Some(0) || self.current() != Some(current.unwrap_or(0) + 1) {
                return Err(format!("the next run after {current:?}: {}", next.err));
            }
        }
        Ok(())
    }

    /// Runs reconfigure, cutting the power at every call.
    fn reconfigure(&self, company: Company, flushes: Flushes) -> Cuts {
        let (old, new) = (self.current(), Some(self.current().unwrap_or(0) + 1));
        let (mut cuts, mut faults, mut acknowledged) = (0, Vec::new(), false);
        let trace = self.scene.path.join("trace");
        let _ = fs::remove_file(&trace);
        rustix::fs::mknodat(rustix::fs::CWD, &trace, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let plain: Vec<&str> = CHANGING.split(',').filter(|call| !FLUSHES.contains(call)).collect();
        let flush = if flushes == Flushes::LeftOut { ":retval=0" } else { "" };
        let mut command = Command::new("strace");
        // The writer is our own child (-D), and stopped after each call.
        command.args(["-D", "-qq", "-y", "-o"]).arg(&trace).args(["-e", &format!("trace={CHANGING}")]);
        command.args(["-e", &format!("inject={}:signal=STOP", plain.join(","))]);
        command.args(["-e", &format!("inject={FLUSHES}:signal=STOP{flush}")]);
        command.arg(env!("CARGO_BIN_EXE_capc")).args(Self::words()).current_dir(&self.scene.path);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        let (mut last, mut way) = (String::new(), Way::Few);
        for line in BufReader::new(File::open(&trace).unwrap()).lines() {
            let line = line.unwrap();
            if !line.starts_with("---") {
                last = line;
                continue;
            }
            if !line.contains("stopped by") {
                continue;
            }
            if last.starts_with("syncfs(") {
                way = Way::Many;
            }
            acknowledged |= last.starts_with("write(1<") && last.contains(" is current");
            let is_ours = last.contains("/disk") && (!last.starts_with("openat") || last.contains("O_CREAT"));
            if is_ours || acknowledged {
                if company == Company::Flushing {
                    let own = File::create(self.place().join("company")).unwrap();
                    own.sync_all().unwrap();
                }
                cuts += 1;
                let expected: &[_] = if acknowledged { &[new] } else { &[old, new] };
                let found = self.after_a_cut(expected, cuts % 16 == 0 || acknowledged);
                faults.extend(found.err().map(|fault| format!("after {last}: {fault}")));
            }
            rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
        }
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success(), "{said}");
        assert_eq!(self.current(), new);
        Cuts { count: cuts, faults, way }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The copy may lie over it, if a test failed there.
        for _ in 0..2 {
            let _ = rustix::mount::unmount(self.place(), rustix::mount::UnmountFlags::DETACH);
        }
    }
}

/// How many services there are at first and then, of which a third changes, and how each comes onto the disk.
const COURSES: [[(usize, Way); 2]; 3] =
    [[(26, Way::Many), (26, Way::Few)], [(3, Way::Few), (26, Way::Many)], [(60, Way::Many), (40, Way::Many)]];

#[test]
fn a_power_cut_at_any_call_leaves_the_old_or_the_new_generation_whole() {
    let mut all = 0;
    for (course, company) in COURSES.iter().zip([Company::None, Company::Flushing]) {
        let Some(disk) = Disk::new("cut", course[0].0) else { return };
        for ((services, way), word) in course.iter().zip(["first", "second"]) {
            disk.configure(*services, word);
            let cuts = disk.reconfigure(company, Flushes::Done);
            assert_eq!(cuts.faults, [""; 0]);
            assert_eq!(cuts.way, *way, "{services} services");
            all += cuts.count;
        }
    }
    assert!(all >= 200, "only {all} cuts");
    eprintln!("{all} cuts");
}

// What the harness is worth: a store that does not flush does not pass it, in whichever way it would.
#[test]
fn a_store_without_flushes_does_not_survive_a_power_cut() {
    for (services, way) in [(26, Way::Few), (40, Way::Many)] {
        for (company, words) in
            [(Company::None, "is current, and not one of"), (Company::Flushing, "is not whole")]
        {
            let Some(disk) = Disk::new("unflushed", services) else { return };
            disk.scene.capc(Disk::words()).exits(0);
            disk.configure(services, "second");
            let cuts = disk.reconfigure(company, Flushes::LeftOut);
            assert!(cuts.faults.iter().any(|fault| fault.contains(words)), "{way:?}: {:#?}", cuts.faults);
            assert_eq!(cuts.way, way);
        }
    }
}
