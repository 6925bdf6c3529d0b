//! The kernel's audit records of denials, from their text.
//!
//! Values that others chose (paths, names of programs) stand in quotes, or in hexadecimal where they could pass for more.

use crate::emit::harmless::one_line;

/// `AUDIT_SYSCALL` of linux/audit.h: the process behind the other records of an event.
const SYSCALL: u16 = 1300;
/// `AUDIT_EOE`: the end of an event.
const END: u16 = 1320;
/// `AUDIT_SECCOMP`.
const SECCOMP: u16 = 1326;
/// `AUDIT_LANDLOCK_ACCESS`.
const ACCESS: u16 = 1423;
/// `AUDIT_LANDLOCK_DOMAIN`.
const DOMAIN: u16 = 1424;

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Landlock refused something.
    Refused(Refused),
    /// Whose domain it is.
    Domain { domain: u64, pid: u32 },
    /// A domain is gone.
    Gone { domain: u64 },
    /// Which process it was.
    Process(Process),
    /// A filter refused a system call.
    Call { call: u32, is_native: bool, process: Process },
    /// There are no more records of the event.
    End,
}

/// What Landlock refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// By which domain.
    pub domain: u64,
    /// The rights that lacked, such as `fs.write_file`.
    pub rights: Vec<String>,
    /// A file, or the directory in which a name was to be made or removed.
    pub path: Option<Vec<u8>>,
    /// The address and the port of a socket.
    pub address: Option<String>,
    /// The same.
    pub port: u16,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Whose it is.
    pub uid: u32,
    /// Its name, harmless.
    pub name: String,
}

/// Reads a record; returns the number of its event too. None when it is of no use here.
#[must_use]
pub fn parse(kind: u16, text: &[u8]) -> Option<(u64, Record)> {
    let text = text.strip_prefix(b"audit(")?;
    let stamp = text.split(|byte| *byte == b')').next()?;
    let serial = number(stamp.rsplit(|byte| *byte == b':').next()?)?;
    let fields = Fields(text.get(stamp.len()..)?.strip_prefix(b"): ")?);
    let record = match kind {
        ACCESS => Record::Refused(Refused {
            domain: fields.hexadecimal("domain")?,
            rights: words(fields.of("blockers")?),
            path: fields.of("path").map(decoded),
            address: fields.of("daddr").or_else(|| fields.of("saddr")).map(shown),
            port: fields.of("dest").or_else(|| fields.of("src")).and_then(number).unwrap_or(0),
        }),
        DOMAIN if fields.of("status")? == b"allocated" => {
            Record::Domain { domain: fields.hexadecimal("domain")?, pid: number(fields.of("pid")?)? }
        }
        DOMAIN => Record::Gone { domain: fields.hexadecimal("domain")? },
        SYSCALL => Record::Process(fields.process()?),
        SECCOMP => Record::Call {
            call: number(fields.of("syscall")?)?,
            is_native: fields.hexadecimal("arch")? == u64::from(NATIVE),
            process: fields.process()?,
        },
        END => Record::End,
        _ => return None,
    };
    Some((serial, record))
}

/// `AUDIT_ARCH_X86_64` and `AUDIT_ARCH_AARCH64`.
const NATIVE: u32 = if cfg!(target_arch = "aarch64") { 0xc000_00b7 } else { 0xc000_003e };

/// `key=value` after `key=value`; the first of a key counts, as the kernel's own stand before those that others chose.
struct Fields<'t>(&'t [u8]);

impl<'t> Fields<'t> {
    fn of(&self, key: &str) -> Option<&'t [u8]> {
        let mut rest = self.0;
        while !rest.is_empty() {
            let equals = rest.iter().position(|byte| *byte == b'=')?;
            let (name, after) = rest.split_at(equals);
            let after = after.get(1..)?;
            // No value has a quote inside: such are in hexadecimal.
            let is_quoted = after.first() == Some(&b'"');
            let end = match is_quoted {
                true => 2 + after.get(1..)?.iter().position(|byte| *byte == b'"')?,
                false => after.iter().position(|byte| *byte == b' ').unwrap_or(after.len()),
            };
            let (value, after) = after.split_at_checked(end)?;
            if name == key.as_bytes() {
                return Some(value);
            }
            rest = after.strip_prefix(b" ").unwrap_or(after);
        }
        None
    }

    fn hexadecimal(&self, key: &str) -> Option<u64> {
        u64::from_str_radix(std::str::from_utf8(self.of(key)?).ok()?, 16).ok()
    }

    fn process(&self) -> Option<Process> {
        Some(Process {
            pid: number(self.of("pid")?)?,
            uid: number(self.of("uid")?)?,
            name: shown(&decoded(self.of("comm")?)),
        })
    }
}

fn number<N: std::str::FromStr>(text: &[u8]) -> Option<N> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn words(list: &[u8]) -> Vec<String> {
    list.split(|byte| *byte == b',').map(shown).collect()
}

fn shown(text: &[u8]) -> String {
    one_line(&String::from_utf8_lossy(text))
}

/// Returns what a value stands for that others chose.
fn decoded(value: &[u8]) -> Vec<u8> {
    if let Some(inside) = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")) {
        return inside.to_vec();
    }
    let (pairs, rest) = value.as_chunks::<2>();
    let byte = |pair: &[u8; 2]| {
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let [high, low] = *pair;
        Some(digit(high)? << 4 | digit(low)?)
    };
    let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    // Else it is a word of the kernel's, such as `<no_memory>`.
    bytes.filter(|_| rest.is_empty()).unwrap_or_else(|| value.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: u16, text: &str, expected: Option<(u64, Record)>) {
        assert_eq!(parse(kind, text.as_bytes()), expected);
    }

    fn refused(right: &str) -> Refused {
        Refused { domain: 0x1_7198_7aab, rights: vec![right.to_owned()], path: None, address: None, port: 0 }
    }

    // What follows was read from a kernel 6.18.
    #[test]
    fn a_file_that_landlock_refuses_is_read_with_its_process() {
        let text = r#"audit(1795980337.222:161): domain=171987aab blockers=fs.write_file path="/srv/capc-den/g2/file" dev="vda" ino=1761318"#;
        let expected = Refused { path: Some(b"/srv/capc-den/g2/file".to_vec()), ..refused("fs.write_file") };
        check(ACCESS, text, Some((161, Record::Refused(expected))));
        let text = r#"audit(1795980337.214:160): domain=171987aab status=allocated mode=enforcing pid=14138 uid=1879048192 exe=2F6D656D66643A636170632D6C61756E63686572202864656C6574656429 comm="7""#;
        check(DOMAIN, text, Some((160, Record::Domain { domain: 0x1_7198_7aab, pid: 14138 })));
        let text = "audit(1795980337.478:174): domain=171987aab status=deallocated denials=9";
        check(DOMAIN, text, Some((174, Record::Gone { domain: 0x1_7198_7aab })));
        let text = r#"audit(1795980337.222:161): arch=c000003e syscall=257 success=no exit=-13 a0=ffffff9c a1=7fb5f8032ed0 a2=80241 a3=1b6 items=0 ppid=14124 pid=14138 auid=4294967295 uid=1879048192 gid=1879048192 tty=(none) ses=4294967295 comm="python3" exe="/usr/bin/python3.11" key=(null)"#;
        let process = Process { pid: 14138, uid: 1_879_048_192, name: "python3".to_owned() };
        check(SYSCALL, text, Some((161, Record::Process(process))));
        check(END, "audit(1795980337.222:161): ", Some((161, Record::End)));
    }

    #[test]
    fn a_port_and_a_system_call_are_read() {
        let text =
            "audit(1795980337.222:166): domain=171987aab blockers=net.connect_tcp daddr=127.0.0.1 dest=9";
        let expected =
            Refused { address: Some("127.0.0.1".to_owned()), port: 9, ..refused("net.connect_tcp") };
        check(ACCESS, text, Some((166, Record::Refused(expected))));
        let text = "audit(1795980337.222:167): domain=171987aab blockers=net.bind_tcp src=999";
        check(ACCESS, text, Some((167, Record::Refused(Refused { port: 999, ..refused("net.bind_tcp") }))));
        let text = r#"audit(1795980337.222:170): auid=4294967295 uid=1879048192 gid=1879048192 ses=4294967295 pid=14138 comm="python3" exe="/usr/bin/python3.11" sig=0 arch=c000003e syscall=272 compat=0 ip=0x7fb5f83710f7 code=0x50000"#;
        let process = Process { pid: 14138, uid: 1_879_048_192, name: "python3".to_owned() };
        let is_native = cfg!(target_arch = "x86_64");
        check(SECCOMP, text, Some((170, Record::Call { call: 272, is_native, process })));
    }

    #[test]
    fn a_name_that_others_chose_is_nothing_but_a_name() {
        let text = r#"audit(1795980337.222:163): domain=171987aab blockers=fs.write_file path=2F7372762F636170632D64656E2F67322F782079227A0A dev="vda" ino=1761649"#;
        let expected =
            Refused { path: Some(b"/srv/capc-den/g2/x y\"z\n".to_vec()), ..refused("fs.write_file") };
        check(ACCESS, text, Some((163, Record::Refused(expected))));
        let text = r#"audit(1.2:3): domain=171987aab blockers=fs.write_file path="/a domain=1 dest=22 blockers=net.bind_tcp" dev="x" ino=1"#;
        let expected = Refused {
            path: Some(b"/a domain=1 dest=22 blockers=net.bind_tcp".to_vec()),
            ..refused("fs.write_file")
        };
        check(ACCESS, text, Some((3, Record::Refused(expected))));
        let text = "audit(1.2:3): pid=7 uid=9 comm=781B5B324A";
        let process = Process { pid: 7, uid: 9, name: r"x\u{1b}[2J".to_owned() };
        check(SYSCALL, text, Some((3, Record::Process(process))));
    }

    #[test]
    fn what_is_no_record_is_left_out() {
        for text in [
            "",
            "audit(",
            "audit(1.2:3)",
            "audit(1.2:x): pid=7",
            "audit(1.2:3): pid",
            "audit(1.2:3): pid=\"7",
        ] {
            check(SYSCALL, text, None);
        }
        check(1334, "audit(1795980268.643:10): prog-id=2860 op=LOAD", None);
        check(ACCESS, "audit(1.2:3): domain=xyz blockers=fs.read_file", None);
    }
}
