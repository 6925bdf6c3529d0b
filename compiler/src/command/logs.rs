//! `capc logs`: what a service printed, and what the supervisor said of it, also after the end.

use super::{Failure, instance, say};
use crate::cli::{Exit, Logs};
use capc_supervisor::log_path;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Prints the last lines of a service, and with `--follow` those to come.
pub fn run(arguments: &Logs) -> Exit {
    show(arguments).unwrap_or_else(|failure| failure.report())
}

fn show(arguments: &Logs) -> Result<Exit, Failure> {
    let path = find(arguments)?;
    let unreadable = |error: std::io::Error| Failure::refused(format!("cannot read the log: {error}"));
    // Watched before it is read, so that nothing is missed between.
    let watch = if arguments.follow { Some(watch(&path).map_err(unreadable)?) } else { None };
    let mut last: VecDeque<String> = VecDeque::new();
    let mut keep = |line: String| {
        last.push_back(line);
        if last.len() > arguments.lines {
            last.pop_front();
        }
    };
    match File::open(path.with_extension("log.1")) {
        Ok(before) => BufReader::new(before).lines().map_while(Result::ok).for_each(&mut keep),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(unreadable(error)),
    }
    let mut page = Page::open(&path).map_err(unreadable)?;
    page.read(&mut keep).map_err(unreadable)?;
    last.iter().for_each(|line| say!("{line}"));
    while let Some(watch) = &watch {
        wait(watch).map_err(unreadable)?;
        let mut print = |line: String| say!("{line}");
        page.read(&mut print).map_err(unreadable)?;
        if page.is_put_aside(&path) {
            // What was written between the last look and then.
            page.read(&mut print).map_err(unreadable)?;
            page = Page::open(&path).map_err(unreadable)?;
            page.read(&mut print).map_err(unreadable)?;
        }
    }
    Ok(Exit::Clean)
}

/// Returns where the log of a service is: of what runs, or of what ran last.
fn find(arguments: &Logs) -> Result<PathBuf, Failure> {
    let mut found: Vec<PathBuf> = instance::directories(arguments.config.as_deref())?
        .into_iter()
        .map(|runtime| log_path(&runtime, &arguments.service))
        .filter(|path| path.is_file())
        .collect();
    match (found.pop(), found.is_empty()) {
        (Some(path), true) => Ok(path),
        // Several have a log of it; one that runs counts before those that ran.
        (Some(_), false) => {
            let one = instance::with_service(&arguments.service, arguments.config.as_deref())?;
            Ok(log_path(&one.runtime, &arguments.service))
        }
        (None, _) => {
            // It says which services there are.
            instance::with_service(&arguments.service, arguments.config.as_deref())?;
            Err(Failure::refused(format!("`{}` has printed nothing yet", arguments.service)))
        }
    }
}

/// A log's file, read as far as it was written.
struct Page {
    file: BufReader<File>,
    number: u64,
    rest: Vec<u8>,
}

impl Page {
    fn open(path: &Path) -> std::io::Result<Page> {
        let file = File::open(path)?;
        let number = file.metadata()?.ino();
        Ok(Page { file: BufReader::new(file), number, rest: Vec::new() })
    }

    /// Passes on the whole lines that are new.
    fn read(&mut self, take: &mut dyn FnMut(String)) -> std::io::Result<()> {
        self.file.read_to_end(&mut self.rest)?;
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let rest = self.rest.split_off(whole);
        String::from_utf8_lossy(&self.rest).lines().for_each(|line| take(line.to_owned()));
        self.rest = rest;
        Ok(())
    }

    fn is_put_aside(&self, path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|now| now.ino() != self.number)
    }
}

fn watch(path: &Path) -> std::io::Result<OwnedFd> {
    let watch = inotify::init(CreateFlags::CLOEXEC)?;
    let flags = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_FROM;
    inotify::add_watch(&watch, path.parent().unwrap_or(path), flags)?;
    Ok(watch)
}

/// Waits until something is written.
fn wait(watch: &OwnedFd) -> std::io::Result<()> {
    match rustix::io::read(watch, &mut [0; 4096]) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
