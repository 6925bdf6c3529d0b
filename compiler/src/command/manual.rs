//! `capc completions` and `capc man`: what is said of the arguments, for shells and for man(1).

use super::Failure;
use crate::cli::{Cli, Exit};
use clap::CommandFactory;
use std::path::Path;

/// Prints a shell's completions.
pub fn completions(shell: clap_complete::Shell) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "capc", &mut script);
    super::say_as_is!("{}", String::from_utf8_lossy(&script));
    Exit::Clean
}

/// Writes the man pages.
pub fn pages(directory: &Path) -> Exit {
    let written =
        std::fs::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(Cli::command(), directory));
    match written {
        Ok(()) => Exit::Clean,
        Err(error) => {
            Failure::refused(format!("cannot write to `{}`: {error}", directory.display())).report()
        }
    }
}
