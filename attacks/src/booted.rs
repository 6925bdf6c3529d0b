//! A machine of one's own: the real systemd as the first process of namespaces over this one's files.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Where Debian has it.
const SYSTEMD: &str = "/lib/systemd/systemd";
/// How long it may take to come up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Makes control groups for it, waits, and takes everything away when whoever waits for it ends.
///
/// A controller that the machine has in a hierarchy of the first version stays there.
const OUTSIDE: &str = r#"
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /sys/fs/cgroup
cd /sys/fs/cgroup
mkdir unified
mount -t cgroup2 cgroup2 unified
own=capc-test-$$
OLD=$(cut -d: -f2 /proc/self/cgroup | grep -v -e '^$' -e '^name=' | tr '\n' ' ')
for controller in $OLD; do
    mkdir $controller
    mount -t cgroup -o $controller cgroup $controller
done
if [ -n "$OLD" ]; then
    OLD="$OLD systemd"
    mkdir systemd
    mount -t cgroup -o none,name=systemd cgroup systemd
else
    echo "+memory +pids +cpu" > unified/cgroup.subtree_control || true
fi
export OLD
for hierarchy in unified $OLD; do mkdir $hierarchy/$own; done
for set in cpuset.cpus cpuset.mems; do
    # Without any, nothing may run there.
    if [ -e cpuset/$set ]; then cat cpuset/$set > cpuset/$own/$set; fi
done
(
    for hierarchy in unified $OLD; do echo 0 > $hierarchy/$own/cgroup.procs; done
    cd "$HOME"
    exec unshare --pid --fork --kill-child --mount --cgroup --ipc --uts --net sh -c "$INSIDE" < /dev/null > /dev/null
) &
echo $!
cat
kill -KILL $!
wait
for _ in $(seq 100); do
    if find */$own -depth -type d -exec rmdir {} + 2> /dev/null; then break; fi
    sleep 0.02
done
"#;

/// Makes what systemd writes to its own, leaves out what is for hardware, and becomes systemd.
const INSIDE: &str = r#"
set -e
mount -t proc proc /proc
if [ -n "$OLD" ]; then
    mount -t tmpfs tmpfs /sys/fs/cgroup
    for hierarchy in unified $OLD; do mkdir /sys/fs/cgroup/$hierarchy; done
    mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
    for hierarchy in $OLD; do
        options=$hierarchy
        if [ $hierarchy = systemd ]; then options=none,name=systemd; fi
        mount -t cgroup -o $options cgroup /sys/fs/cgroup/$hierarchy
    done
else
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
mount -t tmpfs -o mode=755 tmpfs /run
cp -a /etc /run/etc
rm -rf /run/etc/systemd/system
mkdir /run/etc/systemd/system
: > /run/etc/fstab
mount --bind /run/etc /etc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/built
mount --bind "$BUILT" /run/built
mount -t tmpfs -o mode=1777 tmpfs /tmp
if [ ! -d "$BUILT" ]; then
    # What is tried was built below /tmp.
    mkdir -p "$BUILT"
    mount --bind /run/built "$BUILT"
fi
umount /run/built
rmdir /run/built
mount -t tmpfs -o mode=755 tmpfs /var/log
mkdir -p /var/lib/systemd
mount -t tmpfs -o mode=755 tmpfs /var/lib/systemd
[ -s /etc/machine-id ] || echo 0123456789abcdef0123456789abcdef > /etc/machine-id
for target in sysinit sockets local-fs timers multi-user graphical; do
    for unit in /lib/systemd/system/$target.target.wants/*; do
        case "$unit" in
            */systemd-journald*|*'*') ;;
            *) ln -sf /dev/null "/etc/systemd/system/${unit##*/}" ;;
        esac
    done
done
ln -s /dev/null /etc/systemd/system/systemd-remount-fs.service
if [ -d etc ]; then cp -a etc/. /etc/; fi
exec env -i container=capc PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd \
    --system --unit=multi-user.target --log-target=null --show-status=no
"#;

/// A machine, switched off in the end.
pub struct Booted {
    outside: Child,
    first: u32,
    home: PathBuf,
}

impl Booted {
    /// Boots one in which commands are run in a directory; what lies in `etc` there is laid over its own, and programs
    /// that were built are where they are here.
    ///
    /// # Errors
    /// When there is no systemd, or it does not come up.
    pub fn new(home: &Path, built: &Path) -> io::Result<Self> {
        if !Path::new(SYSTEMD).exists() {
            return Err(io::Error::other(format!("{SYSTEMD} is not there: apt-get install systemd")));
        }
        let mut outside = Command::new("unshare")
            .args(["--mount", "sh", "-c", OUTSIDE])
            .env("INSIDE", INSIDE)
            .env("HOME", home)
            .env("BUILT", built)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let said = outside.stdout.take();
        let mut machine = Self { outside, first: 0, home: home.to_owned() };
        let mut line = String::new();
        if let Some(said) = said {
            BufReader::new(said).read_line(&mut line)?;
        }
        let parent = line.trim().parse().map_err(|_| io::Error::other("the machine has not begun"))?;
        let began = Instant::now();
        while !machine.is_up(parent) {
            if began.elapsed() > PATIENCE {
                return Err(io::Error::other("the machine does not come up"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(machine)
    }

    fn is_up(&mut self, parent: u32) -> bool {
        self.first = child_of(parent).unwrap_or(0);
        let mut asking = self.command(&["systemctl", "is-active", "multi-user.target"]);
        let asking = asking.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.first != 0 && asking.status().is_ok_and(|status| status.success())
    }

    /// Returns a command that is run in it.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.first.to_string(), "--all"]);
        command.arg(format!("--wd={}", self.home.display())).args(["--", "env", "-i"]);
        command.args(["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"]).args(words);
        command
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        drop(self.outside.stdin.take());
        let _ = self.outside.wait();
    }
}

fn child_of(parent: u32) -> Option<u32> {
    let names =
        fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    names.into_iter().find(|pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
        after.split(' ').nth(1).and_then(|word| word.parse().ok()) == Some(parent)
    })
}
