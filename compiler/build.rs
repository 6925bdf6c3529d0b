//! Builds the launcher and hands its path to the compiler, which embeds it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[path = "../runtime-stub/freestanding.rs"]
mod freestanding;

fn main() -> ExitCode {
    match embed() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            for line in problem.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn embed() -> Result<(), String> {
    let machine = (variable("CARGO_CFG_TARGET_ARCH")?, variable("CARGO_CFG_TARGET_OS")?);
    if (machine.0.as_str(), machine.1.as_str()) != ("x86_64", "linux") {
        return Err(format!("capc is for x86_64 Linux only, not for {} {}", machine.0, machine.1));
    }
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let (launcher, schemas) = (here.join("../runtime-stub"), here.join("../schemas"));
    for part in ["Cargo.toml", "freestanding.rs", "src"] {
        watch(&launcher.join(part));
    }
    for part in ["Cargo.toml", "src"] {
        watch(&schemas.join(part));
    }
    for part in ["Cargo.toml", "Cargo.lock"] {
        watch(&here.join("..").join(part));
    }
    let target_dir = Path::new(&variable("OUT_DIR")?).join("launcher");
    let program = freestanding::build(&launcher, &target_dir)
        .map_err(|problem| format!("the launcher does not build from {}: {problem}", launcher.display()))?;
    println!("cargo::rustc-env=CAPC_LAUNCHER={}", program.display());
    Ok(())
}

fn watch(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("cargo sets no {name}"))
}
