//! What there is to say of objects, facets and the whole, word by word.

use super::codes;
use super::open::Broken;
use super::reader::{OUTSIDE_TABLE, Reader, UNKNOWN_CODE, below, coded, maybe, rights};
use crate::model::{
    Address, CapId, Level, Never, ObjectId, Only, PathUse, Protocol, Resource, Rights, Service,
};
use crate::source::Span;
use std::sync::Arc;

/// Reads words one after another.
pub struct Words<'r, 'i> {
    /// Where they lie.
    pub reader: &'r Reader<'r, 'i>,
    /// The next.
    pub at: u32,
}

impl Words<'_, '_> {
    /// Returns the next number.
    pub fn next(&mut self) -> Result<u32, Broken> {
        let word = self.reader.index.tables.words.get(self.at, 0).ok_or(OUTSIDE_TABLE)?;
        self.at += 1;
        Ok(word)
    }

    /// Returns how many things follow, each of which is a word at least.
    pub fn count(&mut self) -> Result<u32, Broken> {
        let count = self.next()?;
        below(count, self.reader.index.tables.words.len())
    }

    /// Returns the next as a text.
    pub fn text(&mut self) -> Result<Arc<str>, Broken> {
        let number = self.next()?;
        self.reader.text(number).cloned()
    }

    fn maybe_text(&mut self) -> Result<Option<String>, Broken> {
        maybe(self.next()?, |number| self.reader.text(number).map(|text| text.to_string()))
    }

    fn span(&mut self) -> Result<Span, Broken> {
        let number = self.next()?;
        self.reader.span(number)
    }

    /// Returns a path with its place.
    pub fn path(&mut self) -> Result<PathUse, Broken> {
        Ok(PathUse { path: self.text()?, span: self.span()? })
    }

    /// Returns several of them.
    pub fn paths(&mut self) -> Result<Vec<PathUse>, Broken> {
        (0..self.count()?).map(|_| self.path()).collect()
    }

    fn maybe_path(&mut self) -> Result<Option<PathUse>, Broken> {
        match self.next()? {
            0 => Ok(None),
            _ => self.path().map(Some),
        }
    }

    fn object(&mut self) -> Result<ObjectId, Broken> {
        let number = self.next()?;
        self.reader.object(number)
    }

    fn level(&mut self) -> Result<Level, Broken> {
        match self.next()? {
            0 => Ok(Level::Hold),
            1 => Ok(Level::Reach),
            _ => Err(UNKNOWN_CODE),
        }
    }

    fn asserted(&mut self) -> Result<(CapId, Rights, Span), Broken> {
        let capability = self.next()?;
        Ok((self.reader.capability(capability)?, rights(self.next()?)?, self.span()?))
    }

    /// Returns a `never`.
    pub fn never(&mut self) -> Result<Never, Broken> {
        let (scope, subject, level) = (self.object()?, self.object()?, self.level()?);
        let (capability, rights, span) = self.asserted()?;
        let (subject_span, capability_span) = (span, span);
        Ok(Never { scope, subject, level, capability, rights, span, subject_span, capability_span })
    }

    /// Returns an `only`.
    pub fn only(&mut self) -> Result<Only, Broken> {
        let (scope, level) = (self.object()?, self.level()?);
        let (capability, rights, span) = self.asserted()?;
        let mut subjects = Vec::new();
        for _ in 0..self.count()? {
            subjects.push((self.object()?, self.span()?));
        }
        Ok(Only { scope, subjects, level, capability, rights, span, capability_span: span })
    }

    /// Returns a resource.
    pub fn resource(&mut self) -> Result<Resource, Broken> {
        use codes::resource as sort;
        Ok(match self.next()? {
            sort::PATH => Resource::Path { kind: coded(self.next()?)?, path: self.text()? },
            sort::LISTEN => Resource::Listen(self.address()?),
            sort::CONNECT => Resource::Connect(self.address()?),
            sort::IDENTITY => Resource::Identity { user: self.maybe_text()?, group: self.maybe_text()? },
            sort::NETWORK => Resource::Network,
            sort::PRIVILEGE => Resource::Privilege(self.text()?),
            sort::CALLER => Resource::Caller(self.text()?),
            _ => return Err(UNKNOWN_CODE),
        })
    }

    /// Returns an address.
    pub fn address(&mut self) -> Result<Address, Broken> {
        Ok(match self.next()? {
            codes::address::IP => {
                let protocol = coded::<Protocol>(self.next()?)?;
                let host = self.text()?.to_string();
                let port = u16::try_from(self.next()?).map_err(|_| UNKNOWN_CODE)?;
                Address::Ip { protocol, host, port }
            }
            codes::address::UNIX => Address::Unix(self.text()?),
            _ => return Err(UNKNOWN_CODE),
        })
    }

    /// Returns what a process is made of.
    pub fn process(&mut self) -> Result<Service, Broken> {
        let reader = self.reader;
        let mut process = Service {
            program: self.maybe_path()?,
            prepare: self.maybe_path()?.map(|path| (path, Vec::new())),
            image: self.paths()?,
            config: self.paths()?,
            argument_paths: self.paths()?,
            ..Service::default()
        };
        let identity = maybe(self.next()?, |capability| reader.capability(capability))?;
        let span = maybe(self.next()?, |span| reader.span(span))?;
        process.identity = identity.zip(span);
        process.unconfined = maybe(self.next()?, |span| reader.span(span))?;
        for _ in 0..self.count()? {
            let facet = self.next()?;
            process.facets.push(reader.facet(facet)?);
        }
        Ok(process)
    }
}
