//! The command line: hands the command the capabilities that it needs, and nothing below asks for more.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    ExitCode::from(capc::command::called(&arguments))
}
