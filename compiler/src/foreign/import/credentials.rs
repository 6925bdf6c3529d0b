//! Devices and credentials.

use super::mapping::Mapping;
use super::service::{Hold, Kind, Resource, clean};
use crate::machine::{FileType, last_name, walk};

/// Devices and credentials.
pub fn given(mapping: &mut Mapping<'_>) {
    for setting in mapping.all("DeviceAllow") {
        let words = mapping.words(&setting);
        let device = words.first().and_then(|path| clean(path)).filter(|path| path.starts_with("/dev/"));
        let Some(target) = device else {
            mapping
                .out
                .remark(&setting, "declare each device of it that is needed: `device NAME \"/dev/…\"`");
            continue;
        };
        let modes = words.get(1).map_or("rw", String::as_str);
        let rights =
            [('r', "read"), ('w', "write")].into_iter().filter(|(letter, _)| modes.contains(*letter));
        let rights: Vec<&'static str> = rights.map(|(_, right)| right).collect();
        if rights.is_empty() {
            mapping.out.remark(&setting, "nothing makes devices in a world");
            continue;
        }
        mapping.out.hold(
            Hold { resource: Resource { kind: Kind::Device, target }, rights, at: None, like: None },
            "DeviceAllow",
        );
        mapping.out.remark(&setting, "if it is steered by ioctl(2), let it hold the right `ioctl` too");
    }
    credentials(mapping);
    for key in ["SetCredential", "SetCredentialEncrypted", "LoadCredentialEncrypted"] {
        for mut setting in mapping.all(key) {
            // What stands there may be the secret itself.
            setting.value = setting.value.split(':').next().unwrap_or_default().to_owned();
            mapping
                .out
                .remark(&setting, "put it into a file of root's alone, and declare that as a `secret`");
        }
    }
}

fn credentials(mapping: &mut Mapping<'_>) {
    let directory = format!("/run/credentials/{}", mapping.unit.id);
    let mut has_any = false;
    for setting in mapping.all("LoadCredential") {
        let Some(said) = mapping.expand(&setting, &setting.value) else { continue };
        let (name, path) = said.split_once(':').unwrap_or((&said, ""));
        let is_name =
            !name.is_empty() && !name.contains('/') && name != "." && name != ".." && name.len() <= 255;
        let is_file = |path: &String| {
            walk(mapping.machine, path).map_or(true, |found| found.metadata.file_type == FileType::Regular)
        };
        let Some(target) = clean(path).filter(|path| is_name && path != "/" && is_file(path)) else {
            mapping.out.remark(&setting, "declare each file of it as a `secret NAME PATH`, and hold that");
            continue;
        };
        let at = clean(&format!("{directory}/{name}"));
        let like = Some(last_name(&target).to_owned());
        let resource = Resource { kind: Kind::Secret, target };
        mapping.out.hold(Hold { resource, rights: vec!["read"], at, like }, "LoadCredential");
        has_any = true;
    }
    if has_any {
        mapping.environment.push(("CREDENTIALS_DIRECTORY".to_owned(), directory));
    }
}
