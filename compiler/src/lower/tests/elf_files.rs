//! ELF files made of what the loader reads and nothing else.

/// What an ELF file says.
#[derive(Clone, Debug, Default)]
pub struct Elf {
    pub interpreter: Option<&'static str>,
    pub soname: Option<&'static str>,
    pub needed: Vec<&'static str>,
    pub rpath: Option<&'static str>,
    pub runpath: Option<&'static str>,
    /// Names of functions that it uses.
    pub names: Vec<&'static str>,
}

/// Returns a static program.
pub fn program() -> Elf {
    Elf::default()
}

/// Returns a program that needs libraries.
pub fn dynamic(needed: &[&'static str]) -> Elf {
    Elf { interpreter: Some("/lib64/ld-linux-x86-64.so.2"), needed: needed.to_vec(), ..Elf::default() }
}

/// Returns a library that needs others.
pub fn library(soname: &'static str, needed: &[&'static str]) -> Elf {
    Elf { soname: Some(soname), needed: needed.to_vec(), ..Elf::default() }
}

impl Elf {
    /// Returns the bytes of the file.
    pub fn bytes(&self) -> Vec<u8> {
        const HEADERS: u64 = 64 + 3 * 56;
        let mut strings = vec![0];
        let mut place = |text: &str| {
            let at = strings.len() as u64;
            strings.extend(text.bytes());
            strings.push(0);
            at
        };
        let mut dynamic: Vec<(u64, u64)> = Vec::new();
        dynamic.extend(self.needed.iter().map(|name| (1, place(name))));
        dynamic.extend(self.soname.map(|name| (14, place(name))));
        dynamic.extend(self.rpath.map(|path| (15, place(path))));
        dynamic.extend(self.runpath.map(|path| (29, place(path))));
        for name in &self.names {
            let _ = place(name);
        }
        let interpreter = self.interpreter.map(|path| (place(path), path.len() as u64 + 1));
        let size = strings.len() as u64;
        // DT_STRTAB, DT_STRSZ, DT_NULL
        dynamic.extend([(5, HEADERS), (10, size), (0, 0)]);
        let dynamic_at = HEADERS + size;
        let total = dynamic_at + 16 * dynamic.len() as u64;
        let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        let half = |bytes: &mut Vec<u8>, number: u16| bytes.extend(number.to_le_bytes());
        let word = |bytes: &mut Vec<u8>, number: u32| bytes.extend(number.to_le_bytes());
        let long = |bytes: &mut Vec<u8>, number: u64| bytes.extend(number.to_le_bytes());
        half(&mut bytes, 3);
        half(&mut bytes, 62);
        word(&mut bytes, 1);
        [0, 64, 0].into_iter().for_each(|number| long(&mut bytes, number));
        word(&mut bytes, 0);
        [64, 56, 3, 64, 0, 0].into_iter().for_each(|number| half(&mut bytes, number));
        let has_dynamic = !self.needed.is_empty() || self.soname.is_some();
        let (interpreter_at, interpreter_size) = interpreter.unwrap_or_default();
        let segments = [
            (1, 0, total),
            (if interpreter.is_some() { 3 } else { 0 }, HEADERS + interpreter_at, interpreter_size),
            (if has_dynamic { 2 } else { 0 }, dynamic_at, total - dynamic_at),
        ];
        for (kind, offset, size) in segments {
            word(&mut bytes, kind);
            word(&mut bytes, 4);
            [offset, offset, offset, size, size, 1].into_iter().for_each(|number| long(&mut bytes, number));
        }
        bytes.extend(strings);
        for (tag, value) in dynamic {
            long(&mut bytes, tag);
            long(&mut bytes, value);
        }
        bytes
    }
}
