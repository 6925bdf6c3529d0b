//! What each service printed, kept in a file of its own for `capc logs`.
//!
//! A line bears its time and a mark: `|` for what the service printed, `:` for what the supervisor says of it. The files
//! outlive the supervisor, so that one can read why it ended, and are bounded, since they may lie in memory.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::clock::Clock;
use crate::logs::Log;

/// A file that is longer is put aside, in the place of the one before.
const LONGEST: u64 = 512 * 1024;

/// Returns where the log of a service is kept; what came before it stands in the same place with `.1` behind.
pub fn log_path(runtime: &Path, service: &str) -> PathBuf {
    // INVARIANT: no name of a service has a point in it.
    directory(runtime).join(format!("{}.log", service.replace('/', ".")))
}

fn directory(runtime: &Path) -> PathBuf {
    runtime.join("logs")
}

/// Writes to the log that whoever started the supervisor reads, and to the files.
pub(crate) struct Journal<'a> {
    log: &'a mut dyn Log,
    runtime: PathBuf,
    files: BTreeMap<String, (File, u64)>,
    is_broken: bool,
}

impl Journal<'_> {
    /// Makes the directory of the files.
    pub(crate) fn new<'a>(runtime: &Path, log: &'a mut dyn Log) -> io::Result<Journal<'a>> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory(runtime))?;
        Ok(Journal { log, runtime: runtime.to_owned(), files: BTreeMap::new(), is_broken: false })
    }

    /// Takes a line of the supervisor's own, and about whom it is.
    pub(crate) fn event_of(&mut self, service: Option<&str>, event: &str) {
        self.log.event(event);
        if let Some(service) = service {
            self.keep(service, ':', event);
        }
    }

    fn keep(&mut self, service: &str, mark: char, text: &str) {
        match self.write(service, mark, text) {
            Ok(()) => self.is_broken = false,
            // A full disk is no reason to stop anybody; it is told once.
            Err(error) if !self.is_broken => {
                self.is_broken = true;
                self.log.event(&format!("the log of {service} cannot be kept: {error}"));
            }
            Err(_) => {}
        }
    }

    fn write(&mut self, service: &str, mark: char, text: &str) -> io::Result<()> {
        let path = log_path(&self.runtime, service);
        if self.files.get(service).is_some_and(|(_, length)| *length > LONGEST) {
            self.files.remove(service);
            fs::rename(&path, path.with_extension("log.1"))?;
        }
        if !self.files.contains_key(service) {
            let file = File::options().append(true).create(true).mode(0o600).open(&path)?;
            let length = file.metadata()?.len();
            self.files.insert(service.to_owned(), (file, length));
        }
        let Some((file, length)) = self.files.get_mut(service) else { return Ok(()) };
        let line = format!("{:.3} {mark} {text}\n", Clock::now());
        *length = length.saturating_add(line.len().try_into().unwrap_or(u64::MAX));
        // One call a line, so that a reader never sees half of one.
        file.write_all(line.as_bytes())
    }
}

impl Log for Journal<'_> {
    fn service_line(&mut self, service: &str, line: &str) {
        self.log.service_line(service, line);
        self.keep(service, '|', line);
    }

    fn event(&mut self, event: &str) {
        self.event_of(None, event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nowhere;

    impl Log for Nowhere {
        fn service_line(&mut self, _: &str, _: &str) {}
        fn event(&mut self, _: &str) {}
    }

    #[test]
    fn files_are_bounded_and_hold_the_latest_lines() {
        let place = std::env::temp_dir().join(format!("capc-journal-{}", std::process::id()));
        let _ = fs::remove_dir_all(&place);
        let mut log = Nowhere;
        let mut journal = Journal::new(&place, &mut log).unwrap();
        let text = "x".repeat(1000);
        for _ in 0..3000 {
            journal.service_line("shop/web", &text);
        }
        journal.event_of(Some("shop/web"), "shop/web ended well");
        let path = log_path(&place, "shop/web");
        assert_eq!(path, place.join("logs/shop.web.log"));
        let (now, before) =
            (fs::read_to_string(&path).unwrap(), fs::read_to_string(path.with_extension("log.1")).unwrap());
        assert!(now.ends_with(" : shop/web ended well\n"));
        assert!(now.len() + before.len() < 2 * 520 * 1024 && before.len() > 512 * 1024);
        fs::remove_dir_all(place).unwrap();
    }
}
