//! The command line: hands the command the capabilities that it needs, and nothing below asks for more.
#![forbid(unsafe_code)]

use capc::cli::Cli;
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    ExitCode::from(capc::command::run(cli.command))
}
