//! How the launcher is built as a program without a standard library.
//!
//! Shared by `compiler/build.rs`, which embeds the program, and the launcher's own tests.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A whole and static program, small, with nothing of the C library and at fixed addresses.
const RUST_FLAGS: &[&str] = &[
    "-Cpanic=abort",
    "-Crelocation-model=static",
    "-Ctarget-feature=+crt-static",
    "-Clink-arg=-nostartfiles",
    "-Clink-arg=-nodefaultlibs",
    "-Clink-arg=-static",
    "-Clink-arg=-Wl,--build-id=none,--gc-sections,--no-eh-frame-hdr,-z,norelro",
    // One signature a start: the vectorised arithmetic would double the program for microseconds.
    "--cfg=curve25519_dalek_backend=\"serial\"",
];

/// Small, but for the arithmetic: at `opt-level="z"` a signature takes ten times as long.
const PROFILE: &[&str] = &[
    "profile.release.opt-level=\"s\"",
    "profile.release.lto=\"fat\"",
    "profile.release.codegen-units=1",
    "profile.release.panic=\"abort\"",
    "profile.release.strip=\"symbols\"",
    "profile.release.debug=false",
    "profile.release.overflow-checks=false",
    "profile.release.debug-assertions=false",
    "profile.release.package.curve25519-dalek.opt-level=3",
    "profile.release.package.ed25519-dalek.opt-level=3",
    "profile.release.package.sha2.opt-level=3",
];

/// Leaves out what would only be of use for unwinding a stack, which a program that aborts never does.
const DISCARD: &str = "SECTIONS { /DISCARD/ : { *(.eh_frame .eh_frame.* .comment) } } INSERT AFTER .text;\n";

/// Builds the launcher of the package in `package` with a target directory of its own, and returns the program.
///
/// # Errors
/// Says what failed.
pub fn build(package: &Path, target_dir: &Path) -> Result<PathBuf, String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args([
        "build",
        "--release",
        "--offline",
        "--locked",
        "--bin",
        "capc-launcher",
        "--features",
        "freestanding",
    ]);
    command.arg("--manifest-path").arg(package.join("Cargo.toml"));
    command.args(["--target", TARGET, "--target-dir"]).arg(target_dir);
    command.args(PROFILE.iter().flat_map(|setting| ["--config", setting]));
    // What the outer build was told (flags, wrappers, profiles, other targets) is not about this program.
    for (name, _) in env::vars_os() {
        let is_inherited = name.to_str().is_none_or(|name| {
            name.starts_with("CARGO_BUILD_")
                || name.starts_with("CARGO_PROFILE_")
                || name.starts_with("CARGO_TARGET_")
                || name.starts_with("CARGO_FEATURE_")
                || name.starts_with("CARGO_CFG_")
                || name.starts_with("CARGO_PKG_")
                || name.starts_with("CARGO_ENCODED_")
                || name.starts_with("RUSTC_")
                || name.starts_with("DEP_")
                || matches!(
                    name,
                    "RUSTFLAGS" | "TARGET" | "HOST" | "OUT_DIR" | "PROFILE" | "OPT_LEVEL" | "DEBUG"
                )
                || matches!(
                    name,
                    "CARGO_MANIFEST_DIR" | "CARGO_MANIFEST_PATH" | "CARGO_MAKEFLAGS" | "MAKEFLAGS"
                )
        });
        if is_inherited {
            command.env_remove(name);
        }
    }
    let discard = target_dir.join("discard.ld");
    fs::create_dir_all(target_dir)
        .and_then(|()| fs::write(&discard, DISCARD))
        .map_err(|error| format!("`{}` cannot be written: {error}", discard.display()))?;
    let script = format!("-Clink-arg={}", discard.display());
    let flags: Vec<&str> = RUST_FLAGS.iter().copied().chain(["-Clink-arg=-T", &script]).collect();
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    // Empty means none, also where a configuration file names one.
    command.env("RUSTC_WRAPPER", "").env("RUSTC_WORKSPACE_WRAPPER", "");
    let output = command.output().map_err(|error| format!("cargo does not start: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "cargo ended with {}:\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(target_dir.join(TARGET).join("release/capc-launcher"))
}
