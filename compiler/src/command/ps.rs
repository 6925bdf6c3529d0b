//! `capc ps`: how the services of what runs are.

use super::{Failure, instance, print_json, say, say_as_is};
use crate::cli::{AnswerFormat, Exit, Ps};

/// Lists the services of every system of the caller's that runs, or of one.
pub fn run(arguments: &Ps) -> Exit {
    list(arguments).unwrap_or_else(|failure| failure.report())
}

fn list(arguments: &Ps) -> Result<Exit, Failure> {
    let found = instance::running(arguments.config.as_deref())?;
    match arguments.format {
        AnswerFormat::Json => {
            for one in &found {
                print_json(&one.ps)?;
            }
        }
        AnswerFormat::Human if found.is_empty() => say!("no system of yours runs here"),
        AnswerFormat::Human => {
            for (index, one) in found.iter().enumerate() {
                if found.len() > 1 {
                    say!("{}{}:", if index > 0 { "\n" } else { "" }, one.ps.system);
                }
                say_as_is!("{}", one.ps);
            }
        }
    }
    Ok(Exit::Clean)
}
