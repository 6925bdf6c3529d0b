//! The identity cache: files that were hashed in this boot and have not changed since need not be hashed again.
//!
//! Whoever changes a file cannot keep its time of change from moving on, with two exceptions. Someone who had it mapped
//! for writing before it was hashed could store into the mapping afterwards, unnoticed: so it is hashed under a lease,
//! which the kernel refuses while anybody could write. And a second change in one tick of the clock leaves the time as it
//! was: so its last change must be two seconds ago. Both hold on file systems whose times are the kernel's own.
//!
//! What is odd about the cache is no reason to refuse a start: without it, everything is hashed.

use crate::load::{NO_LINKS, READ};
use crate::refusal::Sentence;
use crate::sys::{
    self, At, Errno, Fd, FileIdentity, FileType, Moment, O_CREAT, O_DIRECTORY, O_EXCL, O_PATH, O_WRONLY,
    RESOLVE_BENEATH,
};
use capc_schemas::token::Digest;
use capc_schemas::trust::Root;
use core::ffi::CStr;

/// The files that are known.
pub struct Identities<'r> {
    /// Where the cache lies; none if there is none.
    place: Option<Place>,
    /// The header, then the records, ascending by device and inode.
    room: &'r mut [u8],
    count: usize,
    is_new: bool,
}

struct Place {
    dir: Fd,
    draft: Draft,
}

/// The file that the cache is going to be.
enum Draft {
    /// Not needed so far.
    None,
    /// Made at this moment of the kernel's own, by which file times are told.
    Made(Fd, Moment),
    /// It cannot be made.
    Impossible,
}

/// A file that nobody can write to while it is hashed.
pub struct Watch(FileIdentity);

const NAME: &CStr = c"identities";
const MAGIC: &[u8; 16] = b"CAPC-IDENTITIES1";
/// The magic and the number of this boot.
const HEADER: usize = 64;
/// Seven numbers and a digest.
const RECORD: usize = 7 * 8 + 32;
/// How long ago a file must have been changed, in seconds.
const SETTLED: u64 = 2;

impl<'r> Identities<'r> {
    /// Returns a cache that knows nothing and learns nothing.
    #[must_use]
    pub fn none() -> Self {
        Self { place: None, room: &mut [], count: 0, is_new: false }
    }

    /// Opens the cache in the runtime directory, which must be root's alone, as the cache must.
    #[must_use]
    pub fn open(trust: &Root<'_>, room: &'r mut [u8]) -> Self {
        let mut cache = Self { place: None, room, count: 0, is_new: false };
        let Some(dir) = directory(trust) else { return cache };
        let Some(header) = header() else { return cache };
        cache.count = cache.read(&dir, &header).unwrap_or(0);
        if let Some(place) = cache.room.get_mut(..HEADER) {
            place.copy_from_slice(&header);
        }
        cache.place = Some(Place { dir, draft: Draft::None });
        cache
    }

    fn read(&mut self, dir: &Fd, header: &[u8; HEADER]) -> Option<usize> {
        let file = sys::open(At::Dir(dir), NAME, READ, 0, NO_LINKS | RESOLVE_BENEATH).ok()?;
        let status = sys::status(&file).ok()?;
        let is_ours = status.file_type == FileType::Regular && status.uid == 0 && status.mode & 0o077 == 0;
        let text = if is_ours { sys::read_all(&file, self.room).ok()? } else { return None };
        let (start, records) = text.split_at_checked(HEADER)?;
        let is_whole = text.len() as u64 == status.size && records.len().is_multiple_of(RECORD);
        (is_whole && start == header).then_some(records.len() / RECORD)
    }

    /// Returns what a file held when it was hashed, if it has not changed since.
    #[must_use]
    pub fn digest_of(&self, identity: &FileIdentity) -> Option<Digest> {
        let numbers = numbers(identity);
        let record = self.records().get(self.find(&numbers).ok()?)?;
        let (known, digest) = record.split_at_checked(numbers.len())?;
        if *known == numbers { digest.try_into().ok().map(Digest) } else { None }
    }

    /// Keeps everybody from writing to a file, if it is one that can be remembered.
    pub fn watch(&mut self, file: &Fd) -> Option<Watch> {
        self.place.as_ref()?;
        let on = sys::file_system(file).ok()?;
        // Others may answer for times as they like: over a network, from a program, through layers.
        let is_sound = sys::ON_DISK.contains(&on.magic) || sys::WRITTEN_ONCE.contains(&on.magic);
        if !is_sound || sys::take_lease(file).is_err() {
            return None;
        }
        sys::status(file).ok().map(|status| Watch(status.identity))
    }

    /// Remembers what a watched file holds, and lets others write to it again.
    pub fn learn(&mut self, file: &Fd, watch: &Watch, digest: Digest) {
        let is_same =
            sys::has_lease(file) && sys::status(file).is_ok_and(|status| status.identity == watch.0);
        let _ = sys::leave_lease(file);
        let settled = watch.0.changed.0.checked_add(SETTLED);
        if is_same && settled.zip(self.now()).is_some_and(|(settled, now)| settled < now.0) {
            self.insert(&watch.0, digest);
        }
    }

    fn insert(&mut self, identity: &FileIdentity, digest: Digest) {
        let numbers = numbers(identity);
        let (at, moved) = match self.find(&numbers) {
            Ok(at) => (at, 0),
            Err(at) => (at, 1),
        };
        let (at, moved) = if self.room.len() < HEADER + (self.count + moved) * RECORD {
            // Full of what was here in the past: what is used is learnt again.
            self.count = 0;
            (0, 1)
        } else {
            (at, moved)
        };
        let (begin, end) = (HEADER + at * RECORD, HEADER + self.count * RECORD);
        if moved > 0 && begin < end {
            self.room.copy_within(begin..end, begin + RECORD);
        }
        let Some(record) = self.room.get_mut(begin..begin + RECORD) else { return };
        let (known, held) = record.split_at_mut(numbers.len());
        known.copy_from_slice(&numbers);
        held.copy_from_slice(&digest.0);
        self.count += moved;
        self.is_new = true;
    }

    /// Writes the cache if there is something new in it.
    pub fn keep(self) {
        let Some(Place { dir, draft: Draft::Made(file, _) }) = self.place else { return };
        let text = self.room.get(..HEADER + self.count * RECORD).unwrap_or(&[]);
        let is_kept = self.is_new
            && sys::write_all(&file, text).is_ok()
            && sys::rename(At::Dir(&dir), draft_name().c_str(), NAME).is_ok();
        if !is_kept {
            let _ = sys::unlink(At::Dir(&dir), draft_name().c_str());
        }
    }

    /// Returns the present moment: when the draft was made, by the clock that file times are taken from.
    fn now(&mut self) -> Option<Moment> {
        let place = self.place.as_mut()?;
        if matches!(place.draft, Draft::None) {
            place.draft = draft(&place.dir).unwrap_or(Draft::Impossible);
        }
        match place.draft {
            Draft::Made(_, now) => Some(now),
            Draft::None | Draft::Impossible => None,
        }
    }

    fn records(&self) -> &[[u8; RECORD]] {
        let records = self.room.get(HEADER..HEADER + self.count * RECORD);
        records.unwrap_or(&[]).as_chunks().0
    }

    fn find(&self, numbers: &[u8; 56]) -> Result<usize, usize> {
        let file = |record: &[u8]| record.first_chunk::<16>().copied();
        self.records().binary_search_by_key(&file(numbers), |record| file(record))
    }
}

/// Opens the runtime directory; makes it if it is not there yet.
fn directory(trust: &Root<'_>) -> Option<Fd> {
    let mut path = [0; 4096];
    trust.runtime.token().copy_to(&mut path);
    let path = CStr::from_bytes_until_nul(&path).ok()?;
    let open = || sys::open(At::Here, path, O_PATH | O_DIRECTORY, 0, NO_LINKS);
    let dir = match open() {
        Err(Errno::ENOENT) => sys::make_dir(At::Here, path, 0o700).and_then(|()| open()),
        other => other,
    }
    .ok()?;
    let status = sys::status(&dir).ok()?;
    (status.uid == 0 && status.mode & 0o022 == 0).then_some(dir)
}

/// Returns what a cache of this boot begins with.
fn header() -> Option<[u8; HEADER]> {
    let file = sys::open(At::Here, c"/proc/sys/kernel/random/boot_id", READ, 0, NO_LINKS).ok()?;
    let mut header = [0; HEADER];
    let (magic, boot) = header.split_at_mut(MAGIC.len());
    magic.copy_from_slice(MAGIC);
    let length = sys::read_all(&file, boot).ok()?.len();
    (length >= 32).then_some(header)
}

fn draft(dir: &Fd) -> Option<Draft> {
    let name = draft_name();
    let flags = O_CREAT | O_EXCL | O_WRONLY;
    match sys::open(At::Dir(dir), name.c_str(), flags, 0o600, NO_LINKS | RESOLVE_BENEATH) {
        Ok(file) => {
            let made = sys::status(&file).ok()?.identity.changed;
            Some(Draft::Made(file, made))
        }
        // Left over by a launcher of this number that was killed; the next one will find the name free.
        Err(Errno::EEXIST) => {
            let _ = sys::unlink(At::Dir(dir), name.c_str());
            None
        }
        Err(_) => None,
    }
}

fn draft_name() -> Sentence {
    Sentence::of(format_args!("identities.{}", sys::own_pid()))
}

/// Returns an identity as it stands in a record; first what tells the file from others.
fn numbers(identity: &FileIdentity) -> [u8; 56] {
    let FileIdentity { device, inode, size, changed, modified } = *identity;
    let mut bytes = [0; 56];
    let values = [device, inode, size, changed.0, changed.1, modified.0, modified.1];
    for (place, value) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(values) {
        *place = value.to_be_bytes();
    }
    bytes
}
