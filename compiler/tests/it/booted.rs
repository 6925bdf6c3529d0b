//! A machine of a test's own, in which commands are run.

use crate::scene::{Run, Scene, run};
use std::path::Path;
use std::process::Command;

/// A machine, switched off in the end.
pub struct Booted(capc_attacks::booted::Booted);

impl Booted {
    /// Boots one in which commands are run in a scene's directory; what lies in `etc` there is laid over its own.
    #[track_caller]
    pub fn new(scene: &Scene) -> Self {
        let built = Path::new(env!("CARGO_BIN_EXE_capc")).parent().unwrap();
        Self(capc_attacks::booted::Booted::new(&scene.path, built).unwrap())
    }

    /// Returns a command that is run in it.
    pub fn command(&self, words: &[&str]) -> Command {
        self.0.command(words)
    }

    /// Runs a line of a shell.
    #[track_caller]
    pub fn sh(&self, line: &str) -> Run {
        run(self.command(&["sh", "-c", line]))
    }

    /// Runs capc.
    #[track_caller]
    pub fn capc(&self, words: &[&str]) -> Run {
        run(self.command(&[&[env!("CARGO_BIN_EXE_capc")], words].concat()))
    }

    /// Returns what systemd says of a unit.
    #[track_caller]
    pub fn show(&self, unit: &str, property: &str) -> String {
        let shown = run(self.command(&["systemctl", "show", "--value", "--property", property, "--", unit]));
        shown.exits(0).out.trim().to_owned()
    }
}
