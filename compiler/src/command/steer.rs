//! `capc stop`, `restart` and `reload`: one service of what runs.

use super::{Failure, instance, say};
use crate::cli::{Exit, Steer};
use capc_supervisor::{Answer, Request, ask};

/// Stops a service.
pub fn stop(arguments: &Steer) -> Exit {
    run(arguments, |service| Request::Stop { service })
}

/// Starts a service again.
pub fn restart(arguments: &Steer) -> Exit {
    run(arguments, |service| Request::Restart { service })
}

/// Lets a service read its configuration again.
pub fn reload(arguments: &Steer) -> Exit {
    run(arguments, |service| Request::Reload { service })
}

fn run(arguments: &Steer, request: fn(String) -> Request) -> Exit {
    steer(arguments, &request(arguments.service.clone())).unwrap_or_else(|failure| failure.report())
}

fn steer(arguments: &Steer, request: &Request) -> Result<Exit, Failure> {
    let service = &arguments.service;
    let instance = instance::with_service(service, arguments.config.as_deref())?;
    match ask(&instance.runtime, request).map_err(|error| Failure::refused(error.to_string()))? {
        Answer::Done { state } => {
            say!("{service} is {state}");
            let is_bad =
                matches!(state.as_str(), "failed" | "refused" | "not-started" | "pausing" | "stopped");
            match (request, is_bad) {
                (Request::Restart { .. }, true) => {
                    Err(Failure::refused(format!("`{service}` did not start; see `capc logs {service}`")))
                }
                _ => Ok(Exit::Clean),
            }
        }
        Answer::Refused { why } => Err(Failure::refused(why)),
        Answer::Ps { .. } => Err(Failure::refused("the supervisor answers something else than it was asked")),
    }
}
