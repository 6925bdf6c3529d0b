//! Reads the main file and every module that it uses, each once, in the order of their first `use`, depth first.

use super::declaration::{Declarations, Item, UseDeclaration};
use super::standard;
use super::words::Reader;
use crate::diag::{Code, Diagnostic};
use crate::model::FileKind;
use crate::source::{FileId, Files, SourceMap, Span};
use crate::syntax::{Language, text};
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The files of a configuration, read and typed.
pub struct Loaded {
    /// Their texts.
    pub sources: SourceMap,
    /// What each says; none where there is no usable header. By [`FileId`].
    pub declarations: Vec<Option<Declarations>>,
    /// For each file, the file that each of its `use` statements (in source order) means.
    pub uses: Vec<Vec<Option<FileId>>>,
    /// The homes that are read beside the main file.
    pub homes: Vec<FileId>,
    /// What is wrong with them.
    pub diagnostics: Vec<Diagnostic>,
    /// The main file could not be read at all.
    pub unreadable: bool,
}

/// A file with its name in diagnostics.
#[derive(Clone, Debug)]
pub struct Named {
    /// Its absolute path.
    pub path: PathBuf,
    /// As a person named it.
    pub shown: String,
}

/// How far a file's `use` statements have been followed.
struct Frame {
    file: FileId,
    next: usize,
}

/// Reads everything that `main` (an absolute path) and some homes use. `shown` is its name in diagnostics.
pub fn load(files: &dyn Files, main: &Path, shown: &str, homes: &[Named]) -> Loaded {
    let mut loader = Loader {
        files,
        loaded: Loaded {
            sources: SourceMap::default(),
            declarations: Vec::new(),
            uses: Vec::new(),
            homes: Vec::new(),
            diagnostics: Vec::new(),
            unreadable: false,
        },
        by_path: HashMap::new(),
        statements: Vec::new(),
    };
    let main = normal(main);
    match loader.read(&main, shown) {
        Ok(file) => loader.follow(file),
        Err(error) => {
            let file = loader.loaded.sources.add(shown.to_owned(), main, "".into());
            let span = Span { file, start: 0, end: 0 };
            let unreadable = Diagnostic::new(
                Code::BadValue,
                format!("cannot read `{shown}`: {}", plain(&error)),
                span,
                "this file",
            );
            loader
                .loaded
                .diagnostics
                .push(unreadable.help("name a configuration file that exists and that you may read"));
            loader.loaded.unreadable = true;
        }
    }
    for home in homes {
        let path = normal(&home.path);
        if loader.by_path.contains_key(&path) {
            continue;
        }
        // One that cannot be read was reported by whoever found it to be a home.
        if let Ok(file) = loader.read(&path, &home.shown) {
            loader.loaded.homes.push(file);
            loader.follow(file);
        }
    }
    loader.loaded
}

struct Loader<'a> {
    files: &'a dyn Files,
    loaded: Loaded,
    by_path: HashMap<PathBuf, FileId>,
    /// The `use` statements of each file, in source order.
    statements: Vec<Vec<UseDeclaration>>,
}

impl Loader<'_> {
    fn read(&mut self, path: &Path, shown: &str) -> io::Result<FileId> {
        let bytes = self.files.read(path)?;
        Ok(self.add(path, shown, bytes))
    }

    fn add(&mut self, path: &Path, shown: &str, bytes: Vec<u8>) -> FileId {
        let (file, text, broken) = text::add(&mut self.loaded.sources, path, shown, bytes);
        self.by_path.insert(path.to_owned(), file);
        let directory = path.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
        let declarations = match broken {
            Some(broken) => {
                self.loaded.diagnostics.push(broken);
                None
            }
            None => self.declare(file, Language::of(path), text, &directory),
        };
        let items = declarations.iter().flat_map(|declarations| &declarations.items);
        let uses = items.filter_map(|item| match item {
            Item::Use(used) => Some(used.clone()),
            _ => None,
        });
        self.statements.push(uses.collect());
        self.loaded.declarations.push(declarations);
        self.loaded.uses.push(Vec::new());
        file
    }

    fn declare(
        &mut self,
        file: FileId,
        language: Language,
        text: Arc<str>,
        directory: &str,
    ) -> Option<Declarations> {
        let (tree, errors) = language.read(text.clone());
        let mut broken: BTreeSet<Span> = BTreeSet::new();
        for error in errors {
            let span = Span { file, start: error.range.start, end: error.range.end };
            broken.insert(span);
            let diagnostic = Diagnostic::new(error.code, error.message, span, "here");
            self.loaded.diagnostics.push(match error.help {
                Some(help) => diagnostic.help(help),
                None => diagnostic,
            });
        }
        let mut reader = Reader::new(&tree, file);
        let declarations = super::file::read(&mut reader, directory);
        // A file that is not in its language may well lack its header because of that.
        if broken.is_empty() || declarations.is_some() {
            // Nor is a word that is none of the language blamed for what it was read as, or a statement for what is
            // missing where something that cannot be read stands in its place.
            let stands_for_it = |span: Span| {
                let next = broken.range(Span { start: span.end, ..span }..).next();
                let between = next.and_then(|next| text.get(span.end as usize..next.start as usize));
                between.is_some_and(|between| !between.contains('\n'))
            };
            let mut found = std::mem::take(&mut reader.diagnostics);
            found.retain(|diagnostic| {
                let follows = |span: Span| {
                    broken.contains(&span) || (diagnostic.code == Code::MissingWord && stands_for_it(span))
                };
                !diagnostic.labels.iter().any(|label| label.primary && follows(label.span))
            });
            self.loaded.diagnostics.append(&mut found);
        }
        declarations
    }

    /// Follows `use` statements with a stack of our own, so that depth is bounded by memory alone.
    fn follow(&mut self, main: FileId) {
        let mut stack = vec![Frame { file: main, next: 0 }];
        while let Some(frame) = stack.last_mut() {
            let (file, next) = (frame.file, frame.next);
            frame.next += 1;
            let Some(used) = self.use_statement(file, next) else {
                stack.pop();
                continue;
            };
            let found = self.used_file(file, &used, &stack);
            if let Some(uses) = self.loaded.uses.get_mut(file.0 as usize) {
                uses.push(found.map(|(id, _)| id));
            }
            if let Some((id, true)) = found {
                stack.push(Frame { file: id, next: 0 });
            }
        }
    }

    fn use_statement(&self, file: FileId, number: usize) -> Option<UseDeclaration> {
        self.statements.get(file.0 as usize)?.get(number).cloned()
    }

    /// Returns the file that a `use` means, and whether it was read just now.
    fn used_file(&mut self, user: FileId, used: &UseDeclaration, stack: &[Frame]) -> Option<(FileId, bool)> {
        if used.file.text.starts_with(standard::PREFIX) {
            return self.standard_module(used);
        }
        let (base, shown) = {
            let file = self.loaded.sources.file(user)?;
            let base = file.path.parent().unwrap_or(Path::new("/")).to_owned();
            let shown = Path::new(&file.name).parent().unwrap_or(Path::new("")).join(&*used.file.text);
            (base, shown.to_string_lossy().into_owned())
        };
        let path = normal(&base.join(&*used.file.text));
        if let Some(known) = self.by_path.get(&path).copied() {
            if let Some(from) = stack.iter().position(|frame| frame.file == known) {
                self.module_cycle(stack.get(from..).unwrap_or(&[]), used);
                return None;
            }
            return self.is_module(known, used).then_some((known, false));
        }
        match self.read(&path, &shown) {
            Ok(file) => self.is_module(file, used).then_some((file, true)),
            Err(error) => {
                let message = format!("cannot read the module `{}`: {}", used.file.text, plain(&error));
                let unreadable = Diagnostic::new(Code::BadValue, message, used.file.span, "this file");
                self.loaded
                    .diagnostics
                    .push(unreadable.help("name a file by its path from this file's directory"));
                None
            }
        }
    }

    /// Returns the file of a module that comes with capc. None uses another, so none is in a circle.
    fn standard_module(&mut self, used: &UseDeclaration) -> Option<(FileId, bool)> {
        let path = PathBuf::from(&*used.file.text);
        if let Some(known) = self.by_path.get(&path).copied() {
            return Some((known, false));
        }
        let sealed = self.files.standard(&used.file.text);
        match sealed.map_or_else(|| standard::module(&used.file).map(|text| text.as_bytes().to_vec()), Ok) {
            Ok(bytes) => Some((self.add(&path, &used.file.text, bytes), true)),
            Err(unknown) => {
                self.loaded.diagnostics.push(*unknown);
                None
            }
        }
    }

    fn is_module(&mut self, file: FileId, used: &UseDeclaration) -> bool {
        let Some(Some(declarations)) = self.loaded.declarations.get(file.0 as usize) else { return false };
        if declarations.kind == FileKind::Module {
            return true;
        }
        let message = format!("`{}` is no module", used.file.text);
        self.loaded.diagnostics.push(
            Diagnostic::new(Code::WrongKind, message, used.file.span, "used here")
                .label(declarations.name.span, format!("this is a {} file", declarations.kind.word()))
                .help("only a file that begins with `module NAME` can be used"),
        );
        false
    }

    /// Reports a module that uses itself, with every `use` on the way round.
    fn module_cycle(&mut self, circle: &[Frame], last: &UseDeclaration) {
        let name = last.file.text.clone();
        let mut diagnostic = Diagnostic::new(
            Code::ModuleCycle,
            format!("`{name}` uses itself"),
            last.file.span,
            "this `use` closes the circle",
        );
        // The last frame's `use` is `last` itself.
        for frame in circle.iter().take(circle.len().saturating_sub(1)) {
            if let Some(used) = self.use_statement(frame.file, frame.next.saturating_sub(1)) {
                diagnostic = diagnostic.label(used.file.span, "by way of this `use`");
            }
        }
        self.loaded.diagnostics.push(diagnostic.help("move what both need into a third module"));
    }
}

/// Returns a path without `.` and `..`, by its letters alone.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

/// Returns an error's words without its number.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    text.chars()
        .next()
        .map_or_else(String::new, |first| first.to_lowercase().chain(text.chars().skip(1)).collect())
}
