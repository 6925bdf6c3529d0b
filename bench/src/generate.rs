//! Configurations of any size, the same on every run and machine.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// How many services each service is handed a facet of.
pub const FACETS: usize = 4;
/// How many directories, or parts of directories, each service is handed.
const DIRECTORIES: usize = 3;
/// How many services share one directory.
const SHARING: usize = 100;

/// Numbers that look like chance and are not (Knuth's linear congruence).
pub struct Numbers(u64);

impl Numbers {
    /// Returns the beginning of the one sequence there is.
    pub const fn new() -> Self {
        Self(1)
    }

    /// Returns the next number below a bound.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }
}

/// Returns for each service the earlier services that it depends on: no circle.
pub fn dependencies(services: usize, each: usize) -> impl Iterator<Item = Vec<usize>> {
    let mut numbers = Numbers::new();
    (0..services).map(move |service| {
        let mut on: Vec<usize> = (0..each.min(service)).map(|_| numbers.below(service)).collect();
        on.sort_unstable();
        on.dedup();
        on
    })
}

/// Writes services in a dependency graph, each with a facet that others hold and nothing else.
pub fn graph(path: &Path, services: usize) -> io::Result<()> {
    let mut out = begin(path)?;
    for (service, on) in dependencies(services, FACETS).enumerate() {
        service_head(&mut out, service)?;
        for other in on {
            writeln!(out, "    holds s{other}.api")?;
        }
        writeln!(out, "}}")?;
    }
    out.flush()
}

/// What is added to a configuration of holdings.
#[derive(Copy, Clone, Default)]
pub struct Additions {
    /// This many assertions, all of which hold.
    pub assertions: usize,
    /// One more grant, to the service in the middle.
    pub grant: bool,
}

/// Writes services that each come to ten holdings: three for what it is, four facets, three directories.
///
/// One in fifty is trusted, so that authority does not flow everywhere. The last service has a secret, which nobody can reach.
pub fn holdings(path: &Path, services: usize, additions: Additions) -> io::Result<()> {
    let mut out = begin(path)?;
    let mut numbers = Numbers::new();
    let directories = services.div_ceil(SHARING);
    for directory in 0..directories {
        writeln!(out, "dir d{directory} \"/srv/d{directory}\"")?;
    }
    writeln!(out, "secret vault \"/srv/vault/key\"\n")?;
    for (service, on) in dependencies(services, FACETS).enumerate() {
        service_head(&mut out, service)?;
        for other in on {
            writeln!(out, "    holds s{other}.api")?;
        }
        let own = service / SHARING;
        writeln!(out, "    holds d{own} read")?;
        for _ in 1..DIRECTORIES {
            writeln!(out, "    holds d{own} read write path=\"p{}/q{service}\"", numbers.below(SHARING))?;
        }
        if service % 50 == 7 {
            writeln!(out, "    trusted \"relays what its callers may see\"")?;
        }
        if additions.grant && service == services / 2 {
            writeln!(out, "    holds d0 read")?;
        }
        writeln!(out, "}}")?;
    }
    writeln!(out, "service keeper {{\n    run \"/usr/bin/keeper\"\n    holds vault\n}}")?;
    for _ in 0..additions.assertions {
        let service = numbers.below(services);
        let level = if numbers.below(2) == 0 { "holds" } else { "reaches" };
        writeln!(out, "never s{service} {level} vault")?;
    }
    out.flush()
}

/// Writes services as [`holdings`] does, of what there is on this machine, so that they can be sealed: the directories are made.
pub fn sealable(path: &Path, services: usize) -> io::Result<()> {
    let mut out = begin(path)?;
    let mut numbers = Numbers::new();
    let below = path.with_extension("d");
    for directory in 0..services.div_ceil(SHARING) {
        let directory = below.join(format!("d{directory}"));
        for part in 0..SHARING {
            let part = directory.join(format!("p{part}"));
            std::fs::create_dir_all(&part)?;
            // Whoever a service runs as may write there.
            std::fs::set_permissions(&part, std::fs::Permissions::from_mode(0o777))?;
        }
        let name = directory.file_name().unwrap_or_default().to_string_lossy();
        writeln!(out, "dir {name} \"{}\"", directory.display())?;
    }
    for (service, on) in dependencies(services, FACETS).enumerate() {
        writeln!(out, "service s{service} {{\n    run \"/usr/bin/true\" \"s{service}\"")?;
        writeln!(out, "    provides api channel=#true")?;
        for other in on {
            writeln!(out, "    holds s{other}.api")?;
        }
        let own = service / SHARING;
        writeln!(out, "    holds d{own} read")?;
        for _ in 1..DIRECTORIES {
            writeln!(out, "    holds d{own} read write path=\"p{}\"", numbers.below(SHARING))?;
        }
        if service % 50 == 7 {
            writeln!(out, "    trusted \"relays what its callers may see\"")?;
        }
        writeln!(out, "}}")?;
    }
    out.flush()
}

/// Writes services of which each grants four others a part of what it holds: four grants a service.
///
/// Where one is to be changed, that service grants the first of them another right.
pub fn grants(path: &Path, services: usize, changed: Option<usize>) -> io::Result<()> {
    let mut out = begin(path)?;
    writeln!(out, "dir site \"/srv/site\"\n")?;
    for (service, on) in dependencies(services, FACETS).enumerate() {
        service_head(&mut out, service)?;
        writeln!(out, "    holds site read modify path=\"p{service}\" as=own")?;
        for (at, other) in on.into_iter().enumerate() {
            let right = if changed == Some(service) && at == 0 { "modify" } else { "read" };
            writeln!(out, "    holds s{other}.api")?;
            writeln!(out, "    grants own {right} to=s{other}")?;
        }
        writeln!(out, "}}")?;
    }
    out.flush()
}

/// Writes a configuration of at least so many bytes, as people write them: comments, numbers, escapes.
pub fn text(path: &Path, bytes: usize) -> io::Result<()> {
    let mut out = begin(path)?;
    let mut written = 0;
    let mut service = 0usize;
    while written < bytes {
        let block = format!(
            "// The {service}th of many.\nservice s{service} {{\n    run \"/usr/bin/serve\" \"--listen\" \"--name=s{service}\"\n    \
             env LANG=\"C.UTF-8\" GREETING=\"say \\\"hello\\\"\"\n    limits memory=\"64M\" tasks={} best-effort=#true\n    \
             provides api socket=\"/run/s{service}/api.sock\" {{\n        data-only\n    }}\n    holds site read at=\"/data\" when=use\n}}\n\n",
            service % 64 + 1,
        );
        out.write_all(block.as_bytes())?;
        written += block.len();
        service += 1;
    }
    out.flush()
}

fn begin(path: &Path) -> io::Result<BufWriter<File>> {
    let mut out = BufWriter::new(File::create(path)?);
    writeln!(out, "system bench\n")?;
    Ok(out)
}

fn service_head(out: &mut impl Write, service: usize) -> io::Result<()> {
    writeln!(out, "service s{service} {{\n    run \"/usr/bin/serve\" \"s{service}\"")?;
    writeln!(out, "    provides api socket=\"/run/s{service}/api.sock\"")
}
