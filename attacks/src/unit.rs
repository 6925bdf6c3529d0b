//! The world of a hardened unit of systemd's, on a machine of its own: everything outside is on that machine too.

use crate::booted::Booted;
use crate::outside::OUTSIDE;
use crate::report::{self, Line};
use crate::world::PLAIN;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// What hardens a unit of systemd 252 that was given these three things, short of a root of its own, so that the program runs
/// unchanged. GIVEN, STATE and BIN are directories.
const HARDENING: &str = "\
User=attacker
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
KeyringMode=private
PrivateTmp=yes
PrivateDevices=yes
PrivateNetwork=yes
PrivateIPC=yes
PrivateUsers=yes
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
ProcSubset=pid
ProtectHostname=yes
ProtectClock=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
DevicePolicy=closed
IPAddressDeny=any
InaccessiblePaths=-/boot -/mnt -/media -/opt -/var/lib -/var/cache -/etc/ssh
TemporaryFileSystem=/srv:ro
BindReadOnlyPaths=GIVEN BIN
BindPaths=STATE
NoExecPaths=/ GIVEN STATE /tmp /var/tmp /dev/shm /dev/mqueue
ExecPaths=BIN /usr/lib
TasksMax=64
MemoryMax=128M
MemorySwapMax=0
OOMPolicy=continue
LimitCORE=0
LimitNOFILE=1024
";

/// Runs the attacks in a hardened unit of a systemd that is booted for it; returns also what systemd says of the unit.
///
/// # Errors
/// When they cannot be run.
pub fn systemd(base: &Path, program: &Path) -> io::Result<(Vec<Line>, String)> {
    let state = base.join("state");
    fs::create_dir_all(&state)?;
    fs::set_permissions(base, PermissionsExt::from_mode(0o755))?;
    fs::set_permissions(&state, PermissionsExt::from_mode(0o777))?;
    let built = program.parent().ok_or_else(|| io::Error::other("no build directory"))?;
    let machine = Booted::new(base, built)?;
    let ran = attacked(&machine, base, program);
    drop(machine);
    let _ = fs::remove_dir_all(base);
    ran
}

fn attacked(machine: &Booted, base: &Path, program: &Path) -> io::Result<(Vec<Line>, String)> {
    let words = [&program.display().to_string(), OUTSIDE, &base.display().to_string(), &PLAIN.to_string()];
    let mut outside = machine.command(&words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut arguments = Vec::new();
    if let Some(said) = outside.stdout.take() {
        let lines = BufReader::new(said).lines().map_while(Result::ok);
        arguments.extend(lines.take_while(|line| !line.is_empty()));
    }
    let ran = unit(machine, base, &arguments);
    drop(outside.stdin.take());
    outside.wait()?;
    ran
}

fn unit(machine: &Booted, base: &Path, arguments: &[String]) -> io::Result<(Vec<Line>, String)> {
    let at = |name: &str| base.join(name).display().to_string();
    let hardening = [("GIVEN", "given"), ("STATE", "state"), ("BIN", "bin")];
    let hardening =
        hardening.iter().fold(HARDENING.to_owned(), |text, (word, name)| text.replace(word, &at(name)));
    let service = format!(
        "[Service]\nType=oneshot\nExecStart={} {}\nStandardOutput=file:{}\nStandardError=null\n{hardening}",
        at("bin/attacks"),
        arguments.join(" "),
        at("said")
    );
    fs::write(base.join("attacks.service"), service)?;
    // A port of its own machine: nobody else is there.
    fs::write(base.join("attacks.socket"), "[Socket]\nListenStream=127.0.0.1:8080\n")?;
    let line = format!(
        "echo attacker:x:{PLAIN}:{PLAIN}::/nonexistent:/usr/sbin/nologin >> /etc/passwd && echo attacker:x:{PLAIN}: >> /etc/group && \
         cp attacks.service attacks.socket /run/systemd/system/ && systemctl daemon-reload && \
         systemctl start attacks.socket attacks.service 1>&2"
    );
    let started = output(&mut machine.command(&["sh", "-c", &line]))?;
    let lines = report::read(&fs::read_to_string(base.join("said")).unwrap_or_default());
    if lines.is_empty() {
        let status = output(&mut machine.command(&["systemctl", "status", "--no-pager", "attacks.service"]))?;
        return Err(io::Error::other(format!("{started}{status}")));
    }
    let judged =
        output(&mut machine.command(&["systemd-analyze", "security", "--no-pager", "attacks.service"]))?;
    let overall = judged.lines().find_map(|line| Some(line.split_once("attacks.service: ")?.1.to_owned()));
    Ok((lines, overall.unwrap_or_default()))
}

/// Returns all that a command says.
fn output(command: &mut Command) -> io::Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&said).into_owned())
}
