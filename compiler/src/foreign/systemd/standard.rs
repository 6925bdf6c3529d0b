//! systemd's own targets, for machines that have no systemd: what stands in bootup(7), and no more.
//!
//! Every unit with default dependencies counts on them, and systemd would start none of it without.

/// The name and text of each.
const TARGETS: [(&str, &str); 12] = [
    ("sysinit.target", "[Unit]\nWants=local-fs.target swap.target\nAfter=local-fs.target swap.target\n"),
    (
        "basic.target",
        "[Unit]\nRequires=sysinit.target\nWants=sockets.target timers.target paths.target slices.target\n\
         After=sysinit.target sockets.target paths.target slices.target\n",
    ),
    ("sockets.target", "[Unit]\n"),
    ("timers.target", "[Unit]\nDefaultDependencies=no\n"),
    ("paths.target", "[Unit]\n"),
    ("slices.target", "[Unit]\n"),
    ("local-fs.target", "[Unit]\nDefaultDependencies=no\nAfter=local-fs-pre.target\n"),
    ("remote-fs.target", "[Unit]\nAfter=remote-fs-pre.target\n"),
    ("swap.target", "[Unit]\n"),
    ("network-online.target", "[Unit]\nAfter=network.target\n"),
    ("multi-user.target", "[Unit]\nRequires=basic.target\nAfter=basic.target\n"),
    ("graphical.target", "[Unit]\nRequires=multi-user.target\nAfter=multi-user.target\n"),
];

/// Returns the text of a target.
#[must_use]
pub fn text(name: &str) -> Option<&'static str> {
    TARGETS.iter().find(|(target, _)| *target == name).map(|(_, text)| *text)
}
