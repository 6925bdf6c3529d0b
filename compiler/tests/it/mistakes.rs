//! Many mistakes in one configuration: each is reported once, none hides another, and none is reported for what it causes.

use crate::scene::Scene;

const SYSTEM: &str = r#"system every-mistake
dir site "/srv/site"
dir docs "/srv//docs"                                  // bad-value
dir etc "/etc"
file motd "/etc/motd"
secret key "/etc/secrets/key"
state data "/var/lib/data"
colour "red"                                           // unknown-word
dir site "/srv/other"                                  // duplicate-name
service nginx {                                        // missing-word
    holds site raed                                    // unknown-word
    holds motd create                                  // wrong-kind
    holds pages                                        // unheld
    holds docs read
    holds docs exec
    holds key
}
service a {
    run "/usr/bin/a"
    holds data write
    holds b.sock                                       // bootstrap-cycle
    provides sock socket="/run/a/sock"
    provides port tcp="127.0.0.1:8080"
    restart "sometimes"                                // unknown-word
}
service b {
    run "/usr/bin/b"
    holds data write                                   // conflict
    holds a.sock
    provides sock socket="/run/b/sock"
    provides port tcp="127.0.0.1:8080"                 // conflict
}
service c {
    run "/usr/bin/c"
    holds readable read write                          // excess-rights
    holds key
    grants key to=a                                    // no-introduction
}
facet readable of=site read
service d {
    run "/usr/bin/d"
    holds etc write
    schedule "sometimes"                               // bad-value
    syscalls "iouring"                                 // unknown-word
}
service e {
    run "/usr/bin/e"
    holds f.face
    provides face channel=#true
    grants site to=f                                   // circular-provenance
}
service f {
    run "/usr/bin/f"
    holds e.face
    provides face channel=#true
    grants site to=e
}
program p {
    run "/usr/bin/p"
    provides x socket="/run/p/x"                       // unknown-word
}
powerbox box {
    offers site wriet                                  // unknown-word
    asks "window"                                      // unknown-word
}
user alice {
    holds site read
    holds tty                                          // unheld
    grants site to=nginx                               // unknown-word
}
use "modules/ambient.kdl" as=ambient
use "modules/cycle.kdl" as=cycle
use "std:nothing" as=nothing                           // unknown-word
privilege root "CAP_ROOT"                              // bad-value
never nginx holds key                                  // assertion-failed
never site reaches key                                 // vacuous
only nobody hold key                                   // unheld
trust etc reason="x"                                   // vacuous
trust d                                                // missing-word
allow no-such-lint reason="x"                          // unknown-word
service root-maker {
    run "/usr/bin/r"
    holds etc write                                    // root-cycle
}
"#;

#[test]
fn every_mistake_is_reported_once_where_it_is_made() {
    let scene = Scene::new("mistakes");
    let system = scene.write("system.kdl", SYSTEM);
    scene.write(
        "modules/ambient.kdl",
        "module ambient\ndir here \"/here\"\nservice s { run \"/usr/bin/s\"; holds here read write }",
    );
    scene.write("modules/cycle.kdl", "module cycle\nuse \"cycle.kdl\" as=again");
    let run =
        scene.capc(["check".as_ref(), "--format".as_ref(), "plain".as_ref(), system.as_os_str()]).exits(1);
    let place = |line: &str| {
        let (file, rest) = line.split_once(".kdl:")?;
        let (at, code) = (rest.split(':').next()?, rest.split(": ").nth(1)?);
        let file = file.rsplit('/').next()?;
        Some(format!("{file}:{at} {code}"))
    };
    let mut found: Vec<String> = run.out.lines().filter_map(place).collect();
    let marked = SYSTEM.lines().enumerate().filter_map(|(index, line)| {
        let (_, code) = line.split_once("// ")?;
        Some(format!("system:{} {code}", index + 1))
    });
    let mut expected: Vec<String> = marked.collect();
    expected.extend(["ambient:2 ambient".to_owned(), "cycle:2 module-cycle".to_owned()]);
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "{}", run.out);
}

// What other inits say otherwise is answered with what to write here.
#[test]
fn words_of_other_inits_are_answered_with_what_to_write_here() {
    let in_service =
        |line: &str| format!("system s\nservice web {{\n    run \"/usr/sbin/web\"\n    {line}\n}}\n");
    let in_system = |line: &str| format!("system s\n{line}\n");
    for (text, help) in [
        (
            in_service("user \"www-data\""),
            "declare `identity www user=\"www-data\"` beside the services, and write `as www` here",
        ),
        (in_service("ExecStart \"/usr/sbin/web\""), "each argument in quotes of its own"),
        (
            in_service("listen tcp=\"0.0.0.0:80\""),
            "declare `listen http tcp=\"0.0.0.0:80\"` beside the services",
        ),
        (in_service("after \"redis\""), "nothing is ordered by hand"),
        (in_service("read \"/srv/www\""), "and write `holds site read` here"),
        (in_service("ready \"forking\""), "let the program stay in the foreground"),
        (in_service("image \"curl\""), "write the whole path, like \"/usr/bin/curl\""),
        (in_service("env \"LANG=C\""), "write the name before the quotes"),
        (in_service("as www-data"), "declare it beside the services: `identity www-data user=\"www-data\"`"),
        (in_service("as ww") + "identity www user=\"www-data\"\n", "did you mean `www`?"),
        (in_service("holds \"/etc/nginx\" read"), "paths are named once, beside the services"),
        (in_system("daemon web"), "write `service web { run \"/usr/sbin/nginx\" }`"),
        (in_system("listen http \"0.0.0.0:80\""), "write `tcp=\"0.0.0.0:80\"`"),
        (in_system("listen http tcp=\":80\""), "write \"0.0.0.0:80\" for all addresses"),
        (in_system("listen http tcp=\"localhost:80\""), "write \"127.0.0.1:80\""),
        (in_system("dir www \"/var//www/\""), "write \"/var/www\""),
        (
            in_system("dir www \"/var/www\"\nservice web { run \"/usr/sbin/web\"; holds www rw; }"),
            "write `read write`",
        ),
    ] {
        let scene = Scene::new("other-words");
        scene.write("system.kdl", &text);
        let checked = scene.capc(["check", "--format", "plain", "system.kdl"]).exits(1).says(help);
        assert_eq!(checked.out.lines().filter(|line| line.contains(".kdl:")).count(), 1, "{}", checked.out);
    }
}

#[test]
fn a_command_in_one_piece_is_answered_with_how_its_words_are_written() {
    let scene = Scene::new("one-piece");
    scene.write("system.kdl", "system s\nservice web { run \"/usr/sbin/nginx -g x\"; }\n");
    scene
        .capc(["up", "system.kdl", "--store", "store"])
        .exits(3)
        .complains("`run \"/usr/sbin/nginx\" \"…\"`");
}
