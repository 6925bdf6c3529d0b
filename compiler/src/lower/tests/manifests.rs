//! Manifests and plans.

use super::{lowered, machine, manifest};
use crate::lower::Mode;

/// Compares lines of the manifest of the service `a`: each must be there.
#[track_caller]
fn check(mode: Mode, body: &str, fragments: &[&str]) {
    let lowered = lowered(body, &machine(), mode).unwrap();
    let text = manifest(&lowered, "a");
    for fragment in fragments {
        match fragment.strip_prefix('!') {
            Some(absent) => {
                assert!(!text.lines().any(|line| line.starts_with(absent)), "{absent} in\n{text}")
            }
            None => assert!(text.lines().any(|line| line == *fragment), "{fragment} is not in\n{text}"),
        }
    }
}

#[track_caller]
fn check_root(body: &str, fragments: &[&str]) {
    check(Mode::Root, body, fragments);
}

const TOOL: &str = "run \"/usr/bin/tool\"";

#[test]
fn a_whole_manifest_is_as_it_was() {
    let body = format!(
        r#"
        dir site "/srv/site"
        secret key "/etc/key"
        state data "/var/lib/data"
        listen http tcp="127.0.0.1:8080"
        service a {{
            {TOOL} "--one" "two words"
            prepare "/usr/bin/tool" "init"
            env LANG="C.UTF-8"
            workdir "/data"
            scratch "/run/a" size="1M"
            holds site read
            holds key at="/etc/a/key"
            holds data read write at="/data"
            holds http accept
            provides status socket="/run/status/s"
            ready "notify"
            limits files=64 memory="1M" tasks=4
        }}
        "#
    );
    let lowered = lowered(&body, &machine(), Mode::Root).unwrap();
    let digest = "DIGEST";
    let text: String = manifest(&lowered, "a")
        .lines()
        .map(|line| match line.strip_prefix("pinned ") {
            Some(rest) => {
                let words: Vec<&str> = rest.split(' ').collect();
                format!("pinned {} {} {digest} {}\n", words[0], words[1], words[3])
            }
            None => format!("{line}\n"),
        })
        .collect();
    assert_eq!(text, include_str!("whole.manifest"));
    assert_eq!(lowered.notes, ["`a`: the limit on memory counts for each of its processes alone"]);
}

#[test]
fn what_is_given_back_by_name_order_does_not_matter() {
    let services = [
        "service a { run \"/usr/bin/tool\" }",
        "service b { run \"/usr/bin/tool\"; holds site }",
        "dir site \"/srv/site\"",
    ];
    let one = lowered(&services.join("\n"), &machine(), Mode::Root).unwrap();
    let other = lowered(&[services[2], services[1], services[0]].join("\n"), &machine(), Mode::Root).unwrap();
    assert_eq!(one.manifests, other.manifests);
    assert_eq!(one.plan, other.plan);
}

#[test]
fn granted_paths_appear_as_the_services_own() {
    let kdl = format!(
        "dir site \"/srv/site\"\nservice a {{ {TOOL}; holds site read exec; holds site write at=\"/w\" path=\"up\" }}"
    );
    let mut machine = machine();
    machine.dir("/srv/site/up").owned("/srv/site/up", 1000, 100, 0o755);
    let lowered = lowered(&kdl, &machine, Mode::Root).unwrap();
    let text = manifest(&lowered, "a");
    for line in [
        "grant /srv/site /srv/site dir ro exec 1000:1000",
        "grant /w /srv/site/up dir rw noexec 1000:100",
        "allow /srv/site read,exec",
        "allow /w modify,create,remove",
    ] {
        assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
    }
}

#[test]
fn a_reader_of_anothers_state_sees_it_as_its_own() {
    let kdl = format!(
        "state data \"/var/lib/data\"\nservice a {{ {TOOL}; holds data read }}\nservice w {{ {TOOL}; holds data read write }}"
    );
    let lowered = lowered(&kdl, &machine(), Mode::Root).unwrap();
    let reader = manifest(&lowered, "a");
    assert!(
        reader.contains("grant /var/lib/data /var/lib/data dir ro noexec 1879048193:1879048193\n"),
        "{reader}"
    );
    assert!(!reader.contains("\nstate "), "{reader}");
    let writer = manifest(&lowered, "w");
    assert!(writer.contains("state /var/lib/data\n") && writer.contains("dir rw noexec plain\n"), "{writer}");
    assert_eq!(lowered.notes, ["`a` cannot start before `w` has made `/var/lib/data`"]);
}

#[test]
fn a_plain_users_state_is_kept_in_the_store() {
    check(
        Mode::User,
        &format!("state data \"/var/lib/my+data\"\nservice a {{ {TOOL}; holds data read write }}"),
        &[
            "mode user",
            "state /store/state/var+lib+my%252Bdata",
            "grant /var/lib/my+data /store/state/var+lib+my%252Bdata dir rw noexec plain",
        ],
    );
}

#[test]
fn a_facet_is_a_directory_of_maker_and_holders() {
    let kdl = format!(
        "service m {{ {TOOL}; provides one socket=\"/run/m/one\"; provides two socket=\"/run/m/two\" {{ activated }} }}\n\
         service a {{ {TOOL}; holds m.one; holds m.two at=\"/srv/two\" }}"
    );
    let lowered = lowered(&kdl, &machine(), Mode::Root).unwrap();
    let maker = manifest(&lowered, "m");
    let holder = manifest(&lowered, "a");
    assert!(
        maker.contains("facet /run/m m.one make 1879048193 1879048193\nunlink /run/m/one\nproc\n"),
        "{maker}"
    );
    assert!(maker.contains("descriptor 3 listen two\n"), "{maker}");
    assert!(
        holder.contains("facet /run/m m.one hold 1879048193 1879048193\nfacet /srv m.one hold "),
        "{holder}"
    );
    let plan = lowered.plan;
    assert_eq!(plan.facets.iter().map(|facet| facet.key.as_str()).collect::<Vec<_>>(), ["m.one"]);
    let m = plan.services.iter().find(|service| service.name == "m").unwrap();
    assert_eq!(m.ready, capc_supervisor::Ready::Socket);
    assert_eq!(m.ready_sockets, ["/run/m/one"]);
}

#[test]
fn channels_have_two_ends_with_names() {
    let kdl = format!(
        "service m {{ {TOOL}; provides talk channel=#true }}\n\
         service a {{ {TOOL}; holds m.talk as=line }}\nservice b {{ {TOOL}; holds m.talk fd=7; holds m.control }}"
    );
    let lowered = lowered(&kdl, &machine(), Mode::Root).unwrap();
    assert!(manifest(&lowered, "m").contains("descriptor 3 channel talk.a\ndescriptor 4 channel talk.b\n"));
    assert!(manifest(&lowered, "a").contains("descriptor 3 channel line\n"));
    assert!(manifest(&lowered, "b").contains("descriptor 7 channel m.talk\n"));
    let pairs: Vec<_> = lowered
        .plan
        .channels
        .iter()
        .map(|pair| (pair.maker_name.as_str(), pair.holder_name.as_str()))
        .collect();
    assert_eq!(pairs, [("talk.a", "line"), ("talk.b", "m.talk")]);
}

#[test]
fn listening_sockets_come_first_and_in_order() {
    let kdl = format!(
        "listen one tcp=\"127.0.0.1:8001\"\nlisten two tcp=\"[::1]:8002\"\nlisten three unix=\"/srv/three.sock\"\n\
         service m {{ {TOOL}; provides talk channel=#true }}\n\
         service a {{ {TOOL}; holds m.talk; holds two accept; holds three accept fd=9; holds one accept }}"
    );
    check_root(
        &kdl,
        &[
            "landlock-abi 4",
            "network private",
            "descriptor 3 listen two",
            "descriptor 4 listen one",
            "descriptor 5 channel m.talk",
            "descriptor 9 listen three",
            "env LISTEN_FDS 2",
            "env LISTEN_FDNAMES two:one",
            "env LISTEN_PID 2",
            "env CAPC_FDS 1",
            "env CAPC_FDNAMES m.talk",
        ],
    );
}

#[test]
fn ports_and_hosts_are_in_the_hosts_network() {
    check_root(
        &format!(
            "listen web tcp=\"[::]:80\"\nconnect api tcp=\"api.example:443\"\nservice a {{ {TOOL}; holds web bind; holds api }}"
        ),
        &[
            "landlock-abi 6",
            "network host",
            "bind-port 80",
            "connect-port 443",
            "keep 10",
            "text /etc/hosts 444 127.0.0.1%20localhost%20a%0A::1%20localhost%0A192.0.2.7%20api.example%0A",
        ],
    );
    check_root(
        &format!(
            "service m {{ {TOOL}; provides db tcp=\"127.0.0.1:5432\" }}\nservice a {{ {TOOL}; holds m.db }}"
        ),
        &["network host", "connect-port 5432", "!bind-port", "!keep"],
    );
}

#[test]
fn configuration_is_pinned_file_by_file() {
    let mut machine = machine();
    machine
        .file("/etc/app/main.conf", "x")
        .file("/etc/app/parts/one.conf", "")
        .link("/etc/app/on", "/etc/app/parts/one.conf");
    let lowered =
        lowered(&format!("service a {{ {TOOL}; config \"/etc/app\" }}"), &machine, Mode::Root).unwrap();
    let text = manifest(&lowered, "a");
    assert!(text.contains("link /etc/app/on /etc/app/parts/one.conf\n"), "{text}");
    assert!(text.contains("pinned /etc/app/main.conf /etc/app/main.conf 2d7116"), "{text}");
    assert!(text.contains("pinned /etc/app/parts/one.conf ") && text.contains(" noexec\n"), "{text}");
    assert!(text.contains("allow /etc read\n"), "{text}");
}

#[test]
fn numbers_are_kept_and_never_given_again() {
    use crate::lower::{Options, lower};
    use crate::source::SourceMap;
    use crate::{check, holdings, resolve};
    let text = format!("system \"test\"\nservice a {{ {TOOL} }}\nservice b {{ {TOOL} }}");
    let resolved =
        resolve::resolve(&super::OneFile(&text), std::path::Path::new("/system.kdl"), "system.kdl");
    let model = resolved.model.unwrap();
    let holdings = holdings::derive(&model);
    let checked = check::check(&model, &holdings, &SourceMap::default()).0.unwrap();
    let previous = [("b".to_owned(), 0x7000_0000), ("gone".to_owned(), 0x7000_0001)].into();
    let options =
        Options { mode: Mode::Root, state_root: None, previous, groups: crate::lower::Groups::default() };
    let lowered = lower(&model, &holdings, &checked, &machine(), &options).unwrap();
    let expected =
        [("a".to_owned(), 0x7000_0002), ("b".to_owned(), 0x7000_0000), ("gone".to_owned(), 0x7000_0001)];
    assert_eq!(lowered.identities, expected.into());
    let text = manifest(&lowered, "a");
    assert!(text.contains("uid 1879048194 1879048194\n"), "{text}");
}

#[test]
fn an_identity_of_the_machine_is_its_user_and_group() {
    check_root(
        &format!("identity db user=\"pg\"\nservice a {{ {TOOL}; as db; holds db }}"),
        &["uid 105 109", "text /etc/passwd 444 a:x:105:109::/:/usr/sbin/nologin%0A"],
    );
    check_root(
        &format!("identity db user=\"pg\" group=\"users\"\nservice a {{ {TOOL}; as db; holds db }}"),
        &["uid 105 100"],
    );
}

#[test]
fn an_argument_that_the_world_lacks_is_told() {
    let body = "service a { run \"/usr/bin/tool\" \"/etc/hosts\" \"/etc/passwd\" \"/srv/site\" \"/no\" \"/bin/tool\" }";
    let lowered = lowered(body, &machine(), Mode::Root).unwrap();
    assert_eq!(
        lowered.notes,
        [
            "`a`: its argument `/srv/site` is not there in its world; `image`, `config` or `holds` would bring it"
        ]
    );
}

#[test]
fn no_sockets_are_made_around_what_may_have_none() {
    check_root(
        &format!("dir site \"/srv/site\"\nservice a {{ {TOOL}; holds site read write at=\"/tmp/site\" }}"),
        &[
            "allow /tmp read,modify,create,remove",
            "allow /run read,modify,create,remove,socket",
            "!allow /tmp/site",
        ],
    );
}

#[test]
fn the_whole_network_is_the_hosts_with_every_port() {
    check_root(
        &format!("network net\nservice a {{ {TOOL}; holds net }}"),
        &["network open", "landlock-abi 6", "!bind-port", "!connect-port", "!keep"],
    );
    check_root(
        &format!(
            "network net\nconnect web tcp=\"192.0.2.1:80\"\nservice a {{ {TOOL}; holds web; holds net }}"
        ),
        &["network open"],
    );
}

#[test]
fn a_privilege_is_kept_by_its_number() {
    check_root(
        &format!("privilege clock \"CAP_SYS_TIME\"\nservice a {{ {TOOL}; holds clock }}"),
        &["keep 25", "network private"],
    );
}

#[test]
fn a_device_is_seen_with_the_rights_that_were_granted() {
    let mut machine = machine();
    machine.device("/dev/gpu").owned("/dev/gpu", 0, 0, 0o666);
    let body =
        format!("device gpu \"/dev/gpu\"\nservice a {{ {TOOL}; holds gpu read ioctl at=\"/dev/card\" }}");
    let lowered = lowered(&body, &machine, Mode::Root).unwrap();
    let text = manifest(&lowered, "a");
    for line in ["landlock-abi 5", "device /dev/card /dev/gpu", "allow /dev/card read,device"] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[test]
fn the_innermost_path_says_what_keeps_code_from_changing() {
    let mut machine = machine();
    machine.file("/usr/bin/deep/tool", super::elf_files::program().bytes());
    machine.owned("/usr/bin/deep/tool", 0, 0, 0o755);
    machine.read_only = vec!["/usr/bin/deep".into()];
    machine.file("/etc/app", "line");
    let program = |path: &str, levels: &str| {
        let body = format!("{levels}\nservice a {{ run \"{path}\"; config \"/etc/app\" }}");
        let text = manifest(&lowered(&body, &machine, Mode::Root).unwrap(), "a");
        let mut words = text.lines().find(|line| line.contains(" /usr/bin/")).unwrap().split(' ');
        assert!(text.contains("pinned /etc/app /etc/app "), "configuration is pinned always: {text}");
        words.next().unwrap().to_owned()
    };
    for (levels, tool, deep) in [
        ("", "pinned", "pinned"),
        ("integrity memfd \"/usr\"", "memfd", "memfd"),
        ("integrity memfd \"/usr\"; integrity pinned \"/usr/bin/deep\"", "memfd", "pinned"),
        ("integrity store \"/usr/bin/deep\"", "pinned", "store"),
        // By way of a link too.
        ("integrity memfd \"/bin\"", "memfd", "memfd"),
    ] {
        assert_eq!(program("/usr/bin/tool", levels), tool, "{levels}");
        assert_eq!(program("/usr/bin/deep/tool", levels), deep, "{levels}");
    }
}
