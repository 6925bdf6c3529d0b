//! The arguments of `capc import`.

use super::FileLanguage;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `capc import`.
#[derive(Debug, Subcommand)]
pub enum Import {
    /// Write units of systemd down as a configuration to start from
    ///
    /// Each service with what its unit has: program, account, variables, directories, sockets, timers, limits. It grants nothing that the unit had
    /// not, and makes nothing up: what could not be translated stands beside the service as a comment, with the file and line. Nothing is
    /// started or changed.
    #[command(
        after_help = "Example: capc import systemd redis-server.service > system.kdl && capc check system.kdl"
    )]
    Systemd(ImportSystemd),
}

/// `capc import systemd`.
#[derive(Debug, Args)]
pub struct ImportSystemd {
    /// Units by name, file or directory: services, and the sockets and timers that start them.
    #[arg(required = true, value_name = "UNIT")]
    pub units: Vec<PathBuf>,
    /// The root of another system, whose units are looked up.
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// The language to write it in.
    #[arg(long, value_enum, value_name = "LANGUAGE", default_value = "kdl")]
    pub to: FileLanguage,
}
