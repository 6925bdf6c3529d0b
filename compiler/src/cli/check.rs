//! The arguments of `capc check`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// `capc check`.
#[derive(Debug, Args)]
pub struct Check {
    /// System or module files; with --from, Scheme files, or units by name, file or directory.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Look for circles in the order of start of services that another init starts.
    #[arg(long, value_enum, value_name = "INIT", conflicts_with = "at")]
    pub from: Option<Foreign>,
    /// The root of another system, whose units are looked up; with `--from systemd`.
    #[arg(long, value_name = "DIR", requires = "from")]
    pub root: Option<PathBuf>,
    /// How to print what is found.
    #[arg(long, value_enum, default_value = "human")]
    pub format: ReportFormat,
    /// Make a lint an error; may be given several times.
    #[arg(long, value_name = "CODE")]
    pub deny: Vec<String>,
    /// Leave a lint a warning, also under --deny-warnings; may be given several times.
    #[arg(long, value_name = "CODE")]
    pub warn: Vec<String>,
    /// Make every lint an error.
    #[arg(long)]
    pub deny_warnings: bool,
    /// The day that waivers are measured by, YYYY-MM-DD; by default today.
    #[arg(long, value_name = "DATE")]
    pub at: Option<String>,
}

/// An init whose services are looked at.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub enum Foreign {
    /// GNU Shepherd's services, or Guix's records of them, in Scheme.
    Shepherd,
    /// systemd's units.
    Systemd,
}

/// How diagnostics are printed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Excerpts with the words underlined.
    Human,
    /// One line each.
    Plain,
    /// `capc/diagnostics/1`.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Workflow commands, shown beside the lines of a change.
    Github,
}
