//! What the dynamic loader would read in one ELF file.

use elf::ElfBytes;
use elf::abi::{
    DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME, DT_STRSZ, DT_STRTAB, EM_X86_64, ET_DYN, ET_EXEC, PT_INTERP,
    PT_LOAD,
};
use elf::endian::LittleEndian;
use elf::file::Class;
use elf::string_table::StringTable;

/// How every ELF file begins.
pub const MAGIC: &[u8] = b"\x7fELF";

/// What a program or a library asks of the loader.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ElfFile {
    /// The loader of a dynamically linked program.
    pub interpreter: Option<String>,
    /// Its own name as a library.
    pub soname: Option<String>,
    /// The libraries that it needs, in order.
    pub needed: Vec<String>,
    /// Where it and those that it loads look first, unless it has a runpath.
    pub rpath: Vec<String>,
    /// Where it alone looks.
    pub runpath: Option<Vec<String>>,
    /// Whether it ends or cancels threads, or prints its own stack: the C library then opens `libgcc_s.so.1` by name.
    pub unwinds: bool,
}

/// Reads an ELF file for this kind of processor; none if it is another sort of file.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<ElfFile> {
    let file = ElfBytes::<LittleEndian>::minimal_parse(bytes).ok()?;
    let header = file.ehdr;
    if header.class != Class::ELF64
        || header.e_machine != EM_X86_64
        || !matches!(header.e_type, ET_DYN | ET_EXEC)
    {
        return None;
    }
    let mut found = ElfFile::default();
    for segment in file.segments()?.iter().filter(|segment| segment.p_type == PT_INTERP) {
        let text = file.segment_data(&segment).ok()?;
        found.interpreter =
            Some(std::str::from_utf8(text.strip_suffix(b"\0").unwrap_or(text)).ok()?.to_owned());
    }
    let Ok(Some(dynamic)) = file.dynamic() else { return Some(found) };
    let value = |tag| dynamic.iter().find(|entry| entry.d_tag == tag).map(|entry| entry.d_val());
    let Some(names) = value(DT_STRTAB).and_then(|address| strings(&file, bytes, address, value(DT_STRSZ)?))
    else {
        return Some(found);
    };
    let table = StringTable::new(names);
    for entry in dynamic.iter() {
        let text = || table.get(usize::try_from(entry.d_val()).ok()?).ok().map(str::to_owned);
        match entry.d_tag {
            DT_NEEDED => found.needed.extend(text()),
            DT_SONAME => found.soname = text(),
            DT_RPATH => found.rpath = text().as_deref().map(directories).unwrap_or_default(),
            DT_RUNPATH => found.runpath = text().as_deref().map(directories),
            _ => {}
        }
    }
    let unwinding: [&[u8]; 3] = [b"pthread_exit", b"pthread_cancel", b"backtrace"];
    // The C library has these names because they are its own.
    let is_libc = found.soname.as_deref().is_some_and(|soname| soname.starts_with("libc.so"));
    found.unwinds = !is_libc && names.split(|byte| *byte == 0).any(|name| unwinding.contains(&name));
    Some(found)
}

fn directories(list: &str) -> Vec<String> {
    list.split(':').filter(|directory| !directory.is_empty()).map(str::to_owned).collect()
}

/// Returns the string table, which is told by its address in memory.
fn strings<'a>(
    file: &ElfBytes<'a, LittleEndian>,
    bytes: &'a [u8],
    address: u64,
    size: u64,
) -> Option<&'a [u8]> {
    let holds = |start: u64, length: u64| start <= address && address - start < length;
    let mut loaded = file.segments()?.iter().filter(|segment| segment.p_type == PT_LOAD);
    let segment = loaded.find(|segment| holds(segment.p_vaddr, segment.p_filesz))?;
    let start = segment.p_offset.checked_add(address - segment.p_vaddr)?;
    bytes.get(usize::try_from(start).ok()?..usize::try_from(start.checked_add(size)?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_this_machine_tells_what_it_needs() {
        let program = read(&std::fs::read("/bin/sh").unwrap()).unwrap();
        assert!(program.interpreter.unwrap().contains("ld-"));
        assert!(program.needed.iter().any(|name| name.starts_with("libc.")), "{:?}", program.needed);
    }

    #[test]
    fn other_files_and_broken_ones_are_none() {
        for bytes in [
            &b""[..],
            b"#!/bin/sh\n",
            MAGIC,
            b"\x7fELF\x02\x01\x01garbage that is long enough to be a header........",
        ] {
            assert_eq!(read(bytes), None);
        }
        let mut cut = std::fs::read("/bin/sh").unwrap();
        for length in (0..cut.len()).rev().step_by(997) {
            cut.truncate(length);
            let _ = read(&cut);
        }
    }
}
