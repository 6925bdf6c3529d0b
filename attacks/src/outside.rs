//! What lies outside: files, servers, processes and queues that answer whoever can reach them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// The argument with which the program that attacks makes what lies outside instead: `--outside BASE UID`.
pub const OUTSIDE: &str = "--outside";

/// What lies outside, removed in the end.
pub struct Outside {
    /// The directory of it all, with `given`, `state` and `outside`.
    pub base: PathBuf,
    /// The program that attacks, readable for everybody.
    pub program: PathBuf,
    port: u16,
    name: String,
    key: i32,
    others: Vec<Child>,
    _open: Vec<OwnedFd>,
}

impl Outside {
    /// Makes everything below a directory, for attacks by a program.
    ///
    /// # Errors
    /// When something cannot be made.
    pub fn new(base: &Path, program: &Path) -> io::Result<Self> {
        // Several may be made by one process at a time.
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = std::process::id().wrapping_mul(64).wrapping_add(MADE.fetch_add(1, Ordering::Relaxed));
        for name in ["", "given", "outside", "bin"] {
            let path = base.join(name);
            fs::create_dir_all(&path)?;
            fs::set_permissions(&path, PermissionsExt::from_mode(0o755))?;
        }
        let own = base.join("bin/attacks");
        // By another process, since a file that is open for writing cannot be executed (execve(2), ETXTBSY).
        for to in [&own, &base.join("given/program")] {
            let copied = Command::new("cp").arg(program).arg(to).status()?;
            if !copied.success() {
                return Err(io::Error::other("the program cannot be copied"));
            }
        }
        for name in ["file", "other", "other2", "other3", "other4", "old"] {
            fs::write(base.join("given").join(name), "given\n")?;
        }
        fs::write(base.join("outside/secret"), "secret\n")?;
        let mut open = Vec::new();
        for door in ["given/door", "outside/door"] {
            let path = base.join(door);
            let _ = fs::remove_file(&path);
            open.push(UnixListener::bind(&path)?.into());
            fs::set_permissions(&path, PermissionsExt::from_mode(0o777))?;
        }
        let pipe = base.join("given/pipe");
        let made = Command::new("mkfifo").args(["-m", "666"]).arg(&pipe).status()?;
        if !made.success() {
            return Err(io::Error::other("no FIFO can be made"));
        }
        // Somebody reads it, so that writing would work.
        let reader = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&pipe)?;
        open.push(File::into(reader));
        let name = format!("capc-attack-{number}");
        open.push(UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?.into());
        let port = serve()?;
        let key = number as i32;
        make_queues(key, &name);
        Ok(Self { base: base.to_owned(), program: own, port, name, key, others: Vec::new(), _open: open })
    }

    /// Returns the arguments of an attack by a world whose uid is this one outside.
    ///
    /// # Errors
    /// When no process can be started to aim at.
    pub fn arguments(&mut self, uid: u32) -> io::Result<Vec<String>> {
        let pid = self.process(0)?;
        let twin = self.process(uid)?;
        let at = |name: &str| self.base.join(name).display().to_string();
        Ok(vec![
            format!("given={}", at("given")),
            format!("state={}", at("state")),
            format!("outside={}", at("outside")),
            format!("port={}", self.port),
            format!("name={}", self.name),
            format!("key={}", self.key),
            format!("pid={pid}"),
            format!("twin={twin}"),
        ])
    }

    fn process(&mut self, uid: u32) -> io::Result<u32> {
        let child = Command::new("sleep").arg("600").uid(uid).gid(uid).spawn()?;
        let pid = child.id();
        self.others.push(child);
        Ok(pid)
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        for child in &mut self.others {
            let _ = child.kill();
            let _ = child.wait();
        }
        remove_queues(self.key, &self.name);
        let _ = fs::remove_dir_all(&self.base);
    }
}

/// Greets whoever connects and answers whoever sends, on one port of this machine; returns it.
fn serve() -> io::Result<u16> {
    let (tcp, udp) = one_port()?;
    let port = tcp.local_addr()?.port();
    thread::spawn(move || {
        for stream in tcp.incoming() {
            let _ = stream.and_then(|mut stream| stream.write_all(b"outside\n"));
        }
    });
    thread::spawn(move || {
        let mut bytes = [0; 64];
        while let Ok((_, from)) = udp.recv_from(&mut bytes) {
            let _ = udp.send_to(b"outside\n", from);
        }
    });
    Ok(port)
}

/// Binds a port that is free for both.
fn one_port() -> io::Result<(TcpListener, UdpSocket)> {
    let mut tried = Vec::new();
    for _ in 0..64 {
        let tcp = TcpListener::bind("127.0.0.1:0")?;
        match UdpSocket::bind(("127.0.0.1", tcp.local_addr()?.port())) {
            Ok(udp) => return Ok((tcp, udp)),
            // Kept until the end, so that the next one is another.
            Err(_) => tried.push(tcp),
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

fn make_queues(key: i32, name: &str) {
    let flags = libc::IPC_CREAT | 0o666;
    let path = std::ffi::CString::new(format!("/{name}")).unwrap_or_default();
    // SAFETY: numbers, and a text that outlives the call.
    unsafe {
        libc::shmget(key, 4096, flags);
        libc::msgget(key, flags);
        libc::semget(key, 1, flags);
        libc::mq_open(path.as_ptr(), libc::O_CREAT | libc::O_RDWR, 0o666, std::ptr::null::<libc::mq_attr>());
    }
}

fn remove_queues(key: i32, name: &str) {
    let path = std::ffi::CString::new(format!("/{name}")).unwrap_or_default();
    // SAFETY: numbers, and a text that outlives the call.
    unsafe {
        libc::shmctl(libc::shmget(key, 0, 0), libc::IPC_RMID, std::ptr::null_mut());
        libc::msgctl(libc::msgget(key, 0), libc::IPC_RMID, std::ptr::null_mut());
        libc::semctl(libc::semget(key, 0, 0), 0, libc::IPC_RMID);
        libc::mq_unlink(path.as_ptr());
    }
}
