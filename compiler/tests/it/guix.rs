//! The module for Guix, with plain Guile: Guix itself is not to be had here, so its own modules are stood in for by a few lines each.

use crate::herded::{First, Herded, guile};
use crate::scene::{Scene, needs_root, repository, run, until};
use crate::shepherd::reconfigure;
use crate::systemd::scene;
use std::process::Command;

/// Records as lists of their fields; a G-expression as the expression itself, with what is put into it.
const STANDS_IN: [(&str, &str); 3] = [
    (
        "guix/gexp.scm",
        r#"(define-module (guix gexp) #:export (gexp computed-file))
(read-hash-extend #\~ (lambda (_ port) (list 'gexp (read port))))
(read-hash-extend #\$ (lambda (_ port) (list 'ungexp (read port))))
(define-syntax gexp
  (lambda (s)
    (define (walk form)
      (syntax-case form (ungexp)
        ((ungexp value) #'value)
        ((head . tail) #`(cons #,(walk #'head) #,(walk #'tail)))
        (other #''other)))
    (syntax-case s () ((_ form) (walk #'form)))))
(define (computed-file name gexp) (list 'computed-file name gexp))
"#,
    ),
    (
        "gnu/services.scm",
        r#"(define-module (gnu services) #:export (service-type service-extension activation-service-type))
(define-syntax-rule (service-type (field value) ...) (list (cons 'field value) ...))
(define (service-extension type compute) (cons type compute))
(define activation-service-type 'activation)
"#,
    ),
    (
        "gnu/services/shepherd.scm",
        r#"(define-module (gnu services shepherd) #:export (shepherd-service shepherd-action shepherd-root-service-type))
(define-syntax-rule (shepherd-action (field value) ...) (list (cons 'field value) ...))
(define-syntax-rule (shepherd-service (field value) ...) (list (cons 'field value) ...))
(define shepherd-root-service-type 'shepherd-root)
"#,
    ),
];

/// Registers with the Shepherd what Guix would: the same expressions, evaluated where Guix has them evaluated.
const REGISTER: &str = r#"
(use-modules (capc services) (srfi srfi-1))
(define config (capc-configuration #:program "/bin/capc" #:directory "/srv" #:lock LOCK #:store STORE))
(define services (capc-shepherd-services config))
(define (of service field) (and=> (assq field service) cdr))
(write
 `(begin
    (register-services (list (service '(user-processes))))
    ,@(map (lambda (one)
             `(register-services
               (list (service ',(of one 'provision) #:requirement ',(of one 'requirement)
                              #:documentation ,(of one 'documentation) #:respawn? ,(of one 'respawn?)
                              #:start ,(of one 'start) #:stop ,(of one 'stop)
                              #:actions (list ,@(map (lambda (an)
                                                       `(action ',(of an 'name) ,(of an 'procedure) ,(of an 'documentation)))
                                                     (or (of one 'actions) '())))))))
           services)
    (start-in-the-background '(capc-sealed:loaded))))
"#;

fn stand_ins(scene: &Scene) {
    for (file, text) in STANDS_IN {
        scene.write(&format!("modules/{file}"), text);
    }
}

/// Runs lines of Guile that know the module, and returns what they print.
#[track_caller]
fn ask(scene: &Scene, lines: &str) -> crate::scene::Run {
    let file = scene.write("ask.scm", lines);
    let mut command = Command::new(guile().unwrap());
    command.args(["guile", "-L"]).arg(scene.path.join("modules")).arg("-L").arg(repository().join("guix"));
    run({
        command.arg("-s").arg(file);
        command
    })
}

#[test]
fn the_lock_file_is_read_and_never_evaluated() {
    if guile().is_none() {
        return;
    }
    let scene = Scene::new("guix-lock");
    stand_ins(&scene);
    let read = |lock: &str| {
        let file = scene.write("capc.lock.scm", lock);
        ask(&scene, &format!("(use-modules (capc services)) (write (read-capc-lock {file:?}))"))
    };
    let good = r#"(capc-lock (version 1) (system "s")
  (services ((name "db") (provision capc-db) (requirement) (respawn again))
            ((name "web") (provision capc-web) (requirement capc-db) (respawn never)))
  (identities ("db" 7)))"#;
    let answer = read(good).exits(0);
    assert_eq!(answer.out, r#"(("db" capc-db () #t) ("web" capc-web (capc-db) #f))"#);
    for bad in [
        good.replace("(version 1)", "(version 2)"),
        good.replace("capc-db)", "(system* \"touch\" \"evaluated\"))"),
        good.replace("(name \"db\")", "(name db)"),
        "#.(system* \"touch\" \"evaluated\")".to_owned(),
        String::new(),
    ] {
        assert_ne!(read(&bad).status, Some(0), "{bad}");
    }
    assert!(!scene.path.join("evaluated").exists());
    let kinds = "(use-modules (capc services)) (write (map car (assq-ref capc-service-type 'extensions)))";
    assert_eq!(ask(&scene, kinds).exits(0).out, "(shepherd-root activation)");
}

#[test]
fn what_guix_registers_starts_and_stops_what_is_sealed() {
    if !needs_root("services as Guix registers them") {
        return;
    }
    let Some(guile) = guile() else { return };
    let text = r#"system shown
dir given "./given"
service once { run "/usr/bin/true"; oneshot; provides done done=#true; }
service reader { run "/usr/bin/sleep" "1000"; holds given at="/given"; holds once.done; restart "on-failure"; }
"#;
    let scene = scene("guix", text);
    stand_ins(&scene);
    // Sealed first, where the Shepherd is not Guix's yet.
    let machine = Herded::new(&scene, guile, "", First::Shepherd);
    reconfigure(&machine, &[]).exits(0);
    drop(machine);
    let store = scene.path.join("store").display().to_string();
    let lock = format!("{store}/current/init/capc.lock.scm");
    let register = REGISTER.replace("LOCK", &format!("{lock:?}")).replace("STORE", &format!("{store:?}"));
    let config = ask(&scene, &register).exits(0).out;
    // A Shepherd that knows them from Guix alone, and has loaded nothing, is no obstacle either.
    let unloaded = config.replace("current/init", "nowhere/init");
    let fresh = Herded::new(&scene, guile, &unloaded, First::Shepherd);
    reconfigure(&fresh, &[]).exits(0).says("started    capc-reader");
    drop(fresh);
    let machine = Herded::new(&scene, guile, &config, First::Shepherd);
    until("all is up", || machine.herd(&["status", "capc"]).out.contains("running since"));
    let first = machine.pid("reader");
    assert!(machine.sees("reader", "/given/file"));
    // They are Guix's own objects, so that it never takes them for left over.
    machine.herd(&["doc", "capc-reader"]).exits(0).says("`reader`, as sealed by capc.");
    let requires =
        machine.herd(&["eval", "root", "(service-requirement (lookup-service 'capc-reader))"]).exits(0);
    requires.says("capc-sealed:loaded").says("capc-once");
    machine.herd(&["restart", "capc-reader"]).exits(0);
    assert_ne!(machine.pid("reader"), first);
    crate::systemd::edit(&scene, " holds given at=\"/given\";", "");
    reconfigure(&machine, &[]).exits(0).says("restarted  capc-reader");
    assert!(!machine.pid("reader").is_empty() && !machine.sees("reader", "/given/file"));
    machine.herd(&["stop", "capc"]).exits(0);
    assert_eq!(machine.pid("reader"), "");
}
