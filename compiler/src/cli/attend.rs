//! The arguments of what inits call, and nobody types.

use capc_supervisor::Passed;
use clap::Args;
use std::path::PathBuf;

/// `capc attend`.
#[derive(Debug, Args)]
pub struct Attend {
    /// What the service is passed, in order: `init` for the next descriptor from 3 on, `channel:NAME` for an end of a channel.
    #[arg(long, value_parser = passed)]
    pub pass: Vec<Passed>,
    /// A socket of the service's world that must listen before it is ready.
    #[arg(long, value_name = "PATH")]
    pub ready_socket: Vec<String>,
    /// A TCP port that must.
    #[arg(long, value_name = "PORT")]
    pub ready_port: Vec<u16>,
    /// The service says by itself that it is ready.
    #[arg(long)]
    pub ready_notify: bool,
    /// Stay until the service ends, hand signals on, and end as it does.
    #[arg(long)]
    pub wait: bool,
    /// How long it may take to become ready, in thousandths of seconds.
    #[arg(long, value_name = "MS")]
    pub within: Option<u64>,
    /// Write a byte to this descriptor when it is ready.
    #[arg(long, value_name = "NUMBER")]
    pub say_ready: Option<i32>,
    /// Write `e`, its status and a newline to this descriptor when it has ended.
    #[arg(long, value_name = "NUMBER")]
    pub say_end: Option<i32>,
    /// The store's launcher.
    pub launcher: PathBuf,
    /// The generation's directory.
    pub generation: PathBuf,
    /// The service.
    pub service: String,
}

/// `capc channels` and `capc facets`.
#[derive(Debug, Args)]
pub struct Prepared {
    /// The generation's directory.
    pub generation: PathBuf,
}

fn passed(text: &str) -> Result<Passed, String> {
    match text.split_once(':') {
        None if text == "init" => Ok(Passed::Init),
        Some(("channel", name)) if !name.is_empty() => Ok(Passed::Channel(name.to_owned())),
        _ => Err("say `init` or `channel:NAME`".to_owned()),
    }
}
