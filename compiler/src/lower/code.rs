//! What a service is made of: its programs with all they need, its images, its configuration.

use super::closure::{self, Closure, NoClosure};
use super::place::Place;
use super::world::World;
use super::{Run, Subject};
use crate::machine::{FileType, Machine, Walk, Wish, join, walk};
use crate::model::{Model, PathUse, path_contains};
use crate::source::Span;
use capc_schemas::manifest::{Execution, Integrity};
use std::collections::BTreeMap;

/// Adds the programs of `run` and `prepare`, and the images.
pub fn add(run: &mut Run<'_>, world: &mut World, subject: Subject<'_>) {
    let service = subject.service;
    if let Some(program) = &service.program {
        world.run = program.path.to_string();
        world.arguments = service.arguments.iter().map(|(argument, _)| argument.to_string()).collect();
        add_program(run, world, program);
    }
    if let Some((program, arguments)) = &service.prepare {
        world.prepare = Some((program.path.to_string(), arguments.iter().map(ToString::to_string).collect()));
        add_program(run, world, program);
    }
    let mut absent: BTreeMap<Span, bool> = BTreeMap::new();
    for image in &service.image {
        let is_standard = service.standard.contains(&image.span);
        if is_standard {
            let is_there = walk(run.host.machine, &image.path).is_ok();
            *absent.entry(image.span).or_insert(true) &= !is_there;
            if !is_there {
                continue;
            }
        }
        match walk(run.host.machine, &image.path) {
            Ok(Walk { real, metadata, .. }) if metadata.file_type == FileType::Directory => {
                world.put(&image.path, Place::Image { from: real.clone() }, image.span, &mut run.refusals);
                let closure = plugins(run, &image.path, &real);
                for (library, by) in &closure.missing {
                    run.refusals.note(format!(
                        "`{by}` needs `{library}`, which this machine does not have; it cannot be loaded"
                    ));
                }
                put(run, world, &closure, image.span);
            }
            Ok(Walk { metadata, .. }) if metadata.file_type == FileType::Regular => {
                add_image_file(run, world, image)
            }
            Ok(Walk { metadata, .. }) => {
                let message = format!("`{}` is {}", image.path, metadata.file_type.words());
                run.refusals.refuse(image.span, message, "an image is a directory or a file", "leave it out");
            }
            Err((at, error)) => missing(run, image, &at, &error),
        }
    }
    for (span, _) in absent.into_iter().filter(|(_, is_absent)| *is_absent) {
        let help = "install it, or name the paths that it has on this machine";
        run.refusals.refuse(span, "this machine has nothing of this image", "needed by this", help);
    }
}

fn missing(run: &mut Run<'_>, path: &PathUse, at: &str, error: &std::io::Error) {
    let message = format!("`{at}` cannot be looked at: {error}");
    run.refusals.refuse(
        path.span,
        message,
        "needed by this",
        "install or make it, or write the path that you mean",
    );
}

fn add_program(run: &mut Run<'_>, world: &mut World, program: &PathUse) {
    match run.host.closure(&program.path).as_ref() {
        Ok(closure) => {
            if let Ok(Walk { real, .. }) = walk(run.host.machine, &program.path) {
                refuse_unreadable(run, world, &real, program.span, Wish::Execute);
            }
            put(run, world, closure, program.span);
        }
        Err(NoClosure { message, help }) => {
            run.refusals.refuse(program.span, message, "needed to run this", help)
        }
    }
}

/// Adds a single file of code; what it is made of too, if it is a program.
fn add_image_file(run: &mut Run<'_>, world: &mut World, image: &PathUse) {
    let mut closure = Closure::default();
    // Of a script only the text is needed: who reads it is said by `run`.
    match closure::add_program(&run.host, &mut closure, &image.path) {
        Ok(()) => {}
        Err(_) => closure.missing.clear(),
    }
    put(run, world, &closure, image.span);
}

/// Returns what the ELF files below a directory need besides each other.
fn plugins(run: &Run<'_>, at: &str, real: &str) -> Closure {
    let mut closure = Closure::default();
    let mut waiting = vec![String::new()];
    while let Some(below) = waiting.pop() {
        for name in run.host.machine.list(&join(real, &below)).unwrap_or_default() {
            let inside = join(&below, &name);
            let path = join(real, &inside);
            match run.host.machine.metadata(&path).map(|metadata| metadata.file_type) {
                Ok(FileType::Directory) => waiting.push(inside),
                Ok(FileType::Regular) => {
                    closure::add_plugin(&run.host, &mut closure, &join(at, &inside), &path)
                }
                _ => {}
            }
        }
    }
    // What lies in the image itself comes with it.
    closure.files.retain(|place, _| !path_contains(at, place));
    closure
}

fn put(run: &mut Run<'_>, world: &mut World, closure: &Closure, span: Span) {
    for (at, target) in &closure.links {
        world.put(at, Place::Link { target: target.clone() }, span, &mut run.refusals);
    }
    for (at, from) in &closure.files {
        let integrity = integrity_of(run, from);
        if integrity == Integrity::Store {
            refuse_changeable(run, from, span);
        }
        seal(run, world, (at, from), Execution::Exec, integrity, span);
    }
}

/// Returns how code is kept from changing, by where it really lies.
pub fn integrity(model: &Model, machine: &dyn Machine) -> Vec<(String, Integrity)> {
    let real = |path: &str| walk(machine, path).map_or_else(|_| path.to_owned(), |walk| walk.real);
    model.integrity.iter().map(|(path, level)| (real(&path.path), *level)).collect()
}

/// Returns what the innermost path that is spoken of says about a file of the machine.
fn integrity_of(run: &Run<'_>, from: &str) -> Integrity {
    let around = run.integrity.iter().filter(|(path, _)| path_contains(path, from));
    around.max_by_key(|(path, _)| path.len()).map_or(Integrity::Pinned, |(_, level)| *level)
}

/// Refuses a file that is taken for unchanging and is not.
fn refuse_changeable(run: &mut Run<'_>, from: &str, span: Span) {
    let machine = run.host.machine;
    let is_item =
        machine.metadata(from).is_ok_and(|found| Integrity::is_store_item(from.as_bytes(), found.mode));
    if !is_item && !machine.is_read_only(from).unwrap_or(false) {
        let message = format!("`{from}` could be changed where it lies: it is not mounted read-only");
        let help = "mount its directory read-only, or write `integrity pinned` or `integrity memfd`";
        run.refusals.refuse(span, message, "part of this, which is said to be in a store", help);
    }
}

fn seal(
    run: &mut Run<'_>,
    world: &mut World,
    (at, from): (&str, &str),
    execution: Execution,
    integrity: Integrity,
    span: Span,
) {
    match run.host.digest(from) {
        Ok(digest) => {
            let place = Place::Sealed { from: from.to_owned(), digest, execution, integrity };
            world.put(at, place, span, &mut run.refusals);
        }
        Err(error) => {
            let message = format!("`{from}` cannot be read: {error}");
            run.refusals.refuse(span, message, "part of this", "make it readable, or leave it out");
        }
    }
}

/// Refuses a file that the service's own identity could not use: what it is made of is seen with its real owner.
fn refuse_unreadable(run: &mut Run<'_>, world: &World, real: &str, span: Span, wish: Wish) {
    let Ok(metadata) = run.host.machine.metadata(real) else { return };
    let may = match run.options.mode {
        super::Mode::Root => super::owner::permits(metadata, (world.uid, world.gid), wish),
        super::Mode::User => run.host.machine.may(real, wish),
    };
    if !may {
        let Wish::Execute = wish else {
            let message =
                format!("`{real}` could not be read by `{}`: {}", world.name, super::owner::words(metadata));
            let help = "make it readable for all, or let the service hold it as a `file` or a `secret`";
            return run.refusals.refuse(
                span,
                message,
                "configuration is seen with its own owner and mode",
                help,
            );
        };
        let message =
            format!("`{real}` could not be executed by `{}`: {}", world.name, super::owner::words(metadata));
        run.refusals.refuse(
            span,
            message,
            "code is seen with its own owner and mode",
            "make it executable for all",
        );
    }
}

/// Adds the configuration: every file pinned, every link as it is.
pub fn add_config(run: &mut Run<'_>, world: &mut World, subject: Subject<'_>) {
    for config in &subject.service.config {
        let Some(metadata) = super::grants::straight(run, &config.path, config.span) else { continue };
        let mut waiting = vec![(config.path.to_string(), metadata.file_type)];
        let mut links = Vec::new();
        while let Some((path, file_type)) = waiting.pop() {
            match file_type {
                FileType::Regular => {
                    refuse_unreadable(run, world, &path, config.span, Wish::Read);
                    seal(run, world, (&path, &path), Execution::NoExec, Integrity::Pinned, config.span);
                }
                FileType::Directory => match run.host.machine.list(&path) {
                    Ok(names) => waiting.extend(names.iter().filter_map(|name| {
                        let path = join(&path, name);
                        run.host.machine.metadata(&path).ok().map(|metadata| (path, metadata.file_type))
                    })),
                    Err(error) => {
                        let message = format!("`{path}` cannot be listed: {error}");
                        let help = "make it readable, or name the files one by one";
                        run.refusals.refuse(config.span, message, "part of this", help);
                    }
                },
                FileType::Link => match run.host.machine.read_link(&path) {
                    Ok(target) => links.push((path, target)),
                    Err(error) => run.refusals.refuse(
                        config.span,
                        format!("`{path}`: {error}"),
                        "part of this",
                        "leave it out",
                    ),
                },
                FileType::Socket | FileType::Device | FileType::Other => {
                    let message = format!("`{path}` is {}, which cannot be sealed", file_type.words());
                    let help = "take it out of the directory, or name the files one by one";
                    run.refusals.refuse(config.span, message, "part of this", help);
                }
            }
        }
        for (at, target) in links {
            world.put(&at, Place::Link { target }, config.span, &mut run.refusals);
        }
    }
}
