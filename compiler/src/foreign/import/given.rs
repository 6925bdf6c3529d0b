//! What a unit is given of the machine: directories of its own, and paths.

use super::accounts::Wish;
use super::mapping::Mapping;
use super::service::{Hold, Kind, Resource, clean};
use super::unit::Setting;
use crate::machine::{FileType, walk};
use crate::model::path_contains;
use crate::syntax::print::kdl::string;

const READ: &[&str] = &["read"];
const READ_WRITE: &[&str] = &["read", "write"];

/// Places of the whole machine; whoever is given one of them is given what others keep there.
const BROAD: [&str; 17] = [
    "/",
    "/etc",
    "/usr",
    "/usr/share",
    "/usr/local",
    "/var",
    "/var/lib",
    "/var/log",
    "/var/cache",
    "/var/spool",
    "/var/tmp",
    "/home",
    "/root",
    "/run",
    "/srv",
    "/opt",
    "/mnt",
];
/// Places that each world has of its own.
const OWN: [&str; 4] = ["/proc", "/sys", "/dev", "/tmp"];

/// The directories that systemd makes for a unit.
pub fn directories(mapping: &mut Mapping<'_>) {
    for (key, base, variable) in [
        ("StateDirectory", "/var/lib", "STATE_DIRECTORY"),
        ("CacheDirectory", "/var/cache", "CACHE_DIRECTORY"),
        ("LogsDirectory", "/var/log", "LOGS_DIRECTORY"),
        ("RuntimeDirectory", "/run", "RUNTIME_DIRECTORY"),
        ("ConfigurationDirectory", "/etc", "CONFIGURATION_DIRECTORY"),
    ] {
        let mut made: Vec<String> = Vec::new();
        for setting in mapping.all(key) {
            for said in mapping.words(&setting) {
                let (said, link) =
                    said.split_once(':').map_or((said.as_str(), None), |(said, link)| (said, Some(link)));
                let Some(path) = clean(&format!("{base}/{said}")).filter(|path| path != base) else {
                    mapping.out.remark(&setting, "systemd passes over what is no relative path");
                    continue;
                };
                if link.is_some_and(|link| !link.is_empty()) {
                    mapping.out.remark(&setting, "the link that is to lead there is not made");
                }
                if !made.contains(&path) {
                    made.push(path.clone());
                    directory(mapping, &setting, key, path);
                }
            }
        }
        if !made.is_empty() && !mapping.environment.iter().any(|(name, _)| name == variable) {
            mapping.environment.push((variable.to_owned(), made.join(":")));
        }
    }
}

fn directory(mapping: &mut Mapping<'_>, setting: &Setting, key: &str, path: String) {
    match key {
        "RuntimeDirectory" => {
            mapping.out.say(format!("scratch {}", string(&path)), key);
            let what = "it is in memory and seen by this service alone: a socket that others use there is `provides NAME socket=\"PATH\"` (and no `scratch` then)";
            mapping.out.remark(setting, what);
            mapping.out.places.push(path);
        }
        "ConfigurationDirectory" if walk(mapping.machine, &path).is_err() => {
            let what = format!("it is not there yet: make it, and write `config {}`", string(&path));
            mapping.out.remark(setting, what);
        }
        "ConfigurationDirectory" if !mapping.could(&path, Wish::Read) => {
            let what = format!(
                "something there is not for the unit's account to read, and what a service is given it sees as its own: write `config` for the files that are meant, or `config {}` for all",
                string(&path)
            );
            mapping.out.remark(setting, what);
        }
        "ConfigurationDirectory" => {
            mapping.out.say(format!("config {}", string(&path)), key);
            mapping.out.places.push(path);
        }
        _ => {
            let is_moved = walk(mapping.machine, &path).is_ok_and(|found| found.real != path);
            if is_moved {
                let what = "what systemd keeps elsewhere behind a symbolic link (below `private/`) is to be moved to the path itself first";
                mapping.out.remark(setting, what);
            }
            let resource = Resource { kind: Kind::State, target: path };
            mapping.out.hold(Hold { resource, rights: READ_WRITE.to_vec(), at: None, like: None }, key);
        }
    }
}

/// Paths that the unit may read or write to.
pub fn paths(mapping: &mut Mapping<'_>) {
    let taken_away: Vec<String> = mapping
        .all("InaccessiblePaths")
        .iter()
        .flat_map(|one| path_words(mapping, one))
        .map(|(_, path)| path)
        .collect();
    if !taken_away.is_empty() {
        mapping.out.needless.insert("InaccessiblePaths".to_owned());
    }
    let mut read_only: Vec<String> = Vec::new();
    for key in ["ReadOnlyPaths", "BindReadOnlyPaths", "ReadWritePaths", "BindPaths"] {
        for setting in mapping.all(key) {
            for (prefix, said) in path_words(mapping, &setting) {
                let mut parts = said.split(':');
                let (source, seen) = match key.starts_with("Bind") {
                    true => (parts.next().unwrap_or_default(), parts.next().filter(|seen| !seen.is_empty())),
                    false => (said.as_str(), None),
                };
                let (Some(path), Some(at)) =
                    (clean(source), seen.map(clean).unwrap_or_else(|| clean(source)))
                else {
                    mapping.out.remark(&setting, "this is no absolute path without `..`");
                    continue;
                };
                let wish = if key.contains("ReadOnly") { Wish::Read } else { Wish::Write };
                let is_taken = taken_away.iter().any(|taken| path_contains(taken, &path));
                if is_taken || (wish == Wish::Write && read_only.contains(&path)) {
                    mapping.out.remark(&setting, "another line takes it away again, which counts");
                    continue;
                }
                if key == "ReadOnlyPaths" {
                    read_only.push(path.clone());
                }
                self::path(mapping, &setting, path, at, (wish, prefix == "-"));
            }
        }
    }
    for setting in mapping.all("TemporaryFileSystem") {
        for (_, said) in path_words(mapping, &setting) {
            match clean(said.split(':').next().unwrap_or_default()) {
                Some(path) if !BROAD.contains(&path.as_str()) && !OWN.contains(&path.as_str()) => {
                    mapping.out.say(format!("scratch {}", string(&path)), "TemporaryFileSystem");
                    mapping.out.places.push(path);
                }
                _ => mapping.out.remark(&setting, "a world has nothing there that would have to be hidden"),
            }
        }
    }
}

/// Returns the paths of a list, each with the sign before it.
fn path_words(mapping: &mut Mapping<'_>, setting: &Setting) -> Vec<(String, String)> {
    let words = mapping.words(setting).into_iter();
    words
        .map(|word| {
            let path = word.trim_start_matches(['-', '+']);
            let sign =
                word.strip_suffix(path).unwrap_or_default().chars().filter(|sign| *sign == '-').collect();
            (sign, path.to_owned())
        })
        .collect()
}

/// Holds one path, if that grants nothing that the unit had not.
fn path(
    mapping: &mut Mapping<'_>,
    setting: &Setting,
    path: String,
    at: String,
    (wish, may_lack): (Wish, bool),
) {
    let shown = string(&path);
    if mapping.out.places.iter().any(|place| path_contains(place, &at)) {
        return mapping.out.remark(setting, format!("{shown} lies in what it has of its own already"));
    }
    if OWN.iter().any(|own| path_contains(own, &path)) {
        return mapping.out.remark(
            setting,
            format!("each world has {shown} of its own; `device` is the word for a device"),
        );
    }
    let named = match wish {
        Wish::Read => "read",
        Wish::Write => "read write",
    };
    if BROAD.contains(&path.as_str()) {
        return mapping.out.remark(
            setting,
            format!(
                "{shown} is everybody's: declare the part that it needs as `dir`, and hold that ({named})"
            ),
        );
    }
    let found = walk(mapping.machine, &path).ok();
    if found.is_none() && may_lack {
        return mapping.out.remark(
            setting,
            format!(
                "{shown} is not there, and may be missing: declare it as `dir` once it is needed ({named})"
            ),
        );
    }
    if !mapping.could(&path, wish) {
        let what = format!(
            "{shown} or something below it is others', and by its mode not for the unit's account ({named}); what a service holds it sees as its own. Declare as `dir` or `file` what of it is meant"
        );
        return mapping.out.remark(setting, what);
    }
    let kind = match found.as_ref().map(|found| found.metadata.file_type) {
        None | Some(FileType::Directory | FileType::Link | FileType::Other) => Kind::Dir,
        Some(FileType::Regular) => Kind::File,
        Some(FileType::Socket) => Kind::Socket,
        Some(FileType::Device) => Kind::Device,
    };
    let rights = match (kind, wish) {
        (Kind::Socket, _) => vec!["connect"],
        (_, Wish::Read) => READ.to_vec(),
        (_, Wish::Write) => READ_WRITE.to_vec(),
    };
    // A path that a symbolic link leads to is granted where it really lies.
    let real = found.map_or(path.clone(), |found| found.real);
    let at = (at != real).then_some(at);
    mapping
        .out
        .hold(Hold { resource: Resource { kind, target: real }, rights, at, like: None }, &setting.key);
}
