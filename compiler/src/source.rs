//! The door in: the only place that reads configuration files.
//!
//! Everything after it works on text that is UTF-8 and small enough for 32-bit offsets.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The longest configuration file that is read, in bytes; spans are 32-bit.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// The capability to read configuration files, handed in by `main`.
pub trait Files {
    /// Reads a whole file.
    ///
    /// # Errors
    /// Whatever the system says; a file over [`MAX_FILE_BYTES`] is `FileTooLarge`, what is no file at all `InvalidInput`.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Returns a module of the standard library (`std:NAME`) as it was when these files were sealed; none says that the one
    /// inside this capc counts.
    fn standard(&self, _name: &str) -> Option<Vec<u8>> {
        None
    }
}

/// The files of the machine itself.
pub struct RealFiles;

impl Files for RealFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        use std::io::Read;
        let file = open(path)?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than 1 GiB"));
        }
        Ok(bytes)
    }
}

/// Opens a file for reading, or what the caller was handed as a descriptor (`<(…)` of a shell); anything else that lies at a
/// path could keep the reader waiting for ever.
fn open(path: &Path) -> io::Result<std::fs::File> {
    use rustix::fs::{Mode, OFlags};
    let handed = ["/dev/fd", "/proc/self/fd", "/dev/stdin"].iter().any(|place| path.starts_with(place));
    let waiting = if handed { OFlags::empty() } else { OFlags::NONBLOCK };
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | waiting, Mode::empty())?;
    let file = std::fs::File::from(file);
    match handed || file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no regular file")),
    }
}

/// One configuration file of a compilation.
///
/// INVARIANT: ids count in the order of the files' first `use`, depth first, which is the order that ties in provenance go by.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// Bytes `start..end` of one file.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A file as read: its name as people typed it, and its text.
pub struct SourceFile {
    /// As shown in diagnostics.
    pub name: String,
    /// As opened.
    pub path: PathBuf,
    /// Its text; empty where only its lines are known.
    pub text: Arc<str>,
    /// How long its text is.
    length: u32,
    /// Made when the first place is asked for: most files have nothing wrong with them.
    index: OnceLock<Index>,
}

/// Where lines begin, and how many characters stand before each block of bytes, so that a place on a line of any length costs
/// the same.
struct Index {
    line_starts: Vec<u32>,
    characters: Vec<u32>,
}

/// The bytes of a block.
const BLOCK: usize = 1024;

/// A place for people: lines and columns count from 1, columns in characters.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl SourceFile {
    fn new(name: String, path: PathBuf, text: Arc<str>) -> Self {
        Self { name, path, length: text.len() as u32, text, index: OnceLock::new() }
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| {
            let bytes = self.text.as_bytes();
            let newlines = self.text.match_indices('\n');
            let line_starts = std::iter::once(0).chain(newlines.map(|(at, _)| at as u32 + 1)).collect();
            let blocks = bytes.chunks(BLOCK).scan(0, |before, block| {
                let here = *before;
                *before += characters(block);
                Some(here)
            });
            Index { line_starts, characters: blocks.collect() }
        })
    }

    /// Returns how many characters begin before a byte offset.
    fn characters_before(&self, offset: u32) -> u32 {
        let offset = offset as usize;
        let block = offset / BLOCK;
        let Some(before) = self.index().characters.get(block) else {
            let last = self.index().characters.len().saturating_sub(1);
            let rest = self.text.as_bytes().get(last * BLOCK..).unwrap_or_default();
            return self.index().characters.last().map_or(0, |before| before + characters(rest));
        };
        before + characters(self.text.as_bytes().get(block * BLOCK..offset).unwrap_or_default())
    }

    /// Returns the line and column of a byte offset; past the end it is the end.
    #[must_use]
    pub fn place(&self, offset: u32) -> Place {
        let offset = offset.min(self.length);
        let line_starts = &self.index().line_starts;
        let line = line_starts.partition_point(|start| *start <= offset).max(1);
        let start = line_starts.get(line - 1).copied().unwrap_or(0);
        let before = match self.text.as_bytes().get(start as usize..offset as usize) {
            Some(short) if short.len() <= BLOCK => characters(short),
            _ => self.characters_before(offset) - self.characters_before(start),
        };
        Place { line: line as u32, column: before + 1 }
    }

    /// Returns the byte range of a line (counted from 1), without its newline.
    #[must_use]
    pub fn line_range(&self, line: u32) -> std::ops::Range<usize> {
        let index = line.saturating_sub(1) as usize;
        let line_starts = &self.index().line_starts;
        let start = line_starts.get(index).copied().unwrap_or(self.text.len() as u32) as usize;
        let end = line_starts.get(index + 1).map_or(self.text.len(), |next| *next as usize - 1);
        start..end.max(start)
    }

    /// Returns how many lines the file has.
    #[must_use]
    pub fn line_count(&self) -> u32 {
        self.index().line_starts.len() as u32
    }
}

/// Returns how many characters begin in some bytes of UTF-8.
fn characters(bytes: &[u8]) -> u32 {
    bytes.iter().filter(|byte| **byte & 0xC0 != 0x80).count() as u32
}

/// All files of a compilation.
#[derive(Default)]
pub struct SourceMap {
    files: Vec<SourceFile>,
}

impl SourceMap {
    /// Adds a file and returns its id.
    pub fn add(&mut self, name: String, path: PathBuf, text: Arc<str>) -> FileId {
        self.files.push(SourceFile::new(name, path, text));
        FileId(self.files.len() as u32 - 1)
    }

    /// Adds a file of which only the beginnings of its lines are known, so that places have lines but no columns.
    pub fn add_lines(&mut self, name: String, path: PathBuf, line_starts: Vec<u32>, length: u32) -> FileId {
        let index = OnceLock::from(Index { line_starts, characters: Vec::new() });
        self.files.push(SourceFile { name, path, text: Arc::default(), length, index });
        FileId(self.files.len() as u32 - 1)
    }

    /// Returns a file. Ids are made by [`SourceMap::add`] alone, so there is one.
    #[must_use]
    pub fn file(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(id.0 as usize)
    }

    /// Returns the files in the order of their ids.
    pub fn files(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files.iter().enumerate().map(|(index, file)| (FileId(index as u32), file))
    }

    /// Returns the name of a span's file and where the span begins.
    #[must_use]
    pub fn locate(&self, span: Span) -> (&str, Place) {
        match self.file(span.file) {
            Some(file) => (&file.name, file.place(span.start)),
            None => ("", Place { line: 1, column: 1 }),
        }
    }

    /// Returns the text of a span.
    #[must_use]
    pub fn text(&self, span: Span) -> &str {
        self.file(span.file)
            .and_then(|file| file.text.get(span.start as usize..span.end as usize))
            .unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Lines and columns count from 1, columns in characters.
    #[test]
    fn a_place_is_what_counting_from_the_start_says() {
        for text in ["", "a", "\n", "é\nüü\n\nx", &"äb\n".repeat(900), &"é😀a".repeat(900)] {
            let file = SourceFile::new(String::new(), PathBuf::new(), text.into());
            for (offset, _) in text.char_indices().chain([(text.len(), ' ')]) {
                let before = &text[..offset];
                let line = before.matches('\n').count() as u32 + 1;
                let column = before.rsplit('\n').next().unwrap().chars().count() as u32 + 1;
                assert_eq!(file.place(offset as u32), Place { line, column }, "{offset} of {text:?}");
            }
        }
    }
}
