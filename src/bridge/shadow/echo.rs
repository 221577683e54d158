//! What the directory has done is repeated on the shadow.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::change::Draft;
use super::record::Kinds;
use super::{Doc, Shadow, Stop, key};
use crate::directory::{AttributeName, Dn, Entry, Modification, Rdn};
use crate::store::StoreFault;

/// An operation that the directory has carried out, with the entry as it was read afterwards, if it was.
#[derive(Debug, Clone)]
pub(in crate::bridge) enum Echo<'a> {
    /// A new entry.
    Added {
        /// Its name.
        dn: Cow<'a, Dn>,
        /// As it was sent.
        attributes: Cow<'a, [(AttributeName, Vec<Vec<u8>>)]>,
        /// As it is; without, it is passed over, for nobody knows its id.
        read: Option<Cow<'a, Entry>>,
    },
    /// A changed entry.
    Modified {
        /// Its name.
        dn: Cow<'a, Dn>,
        /// As they were sent.
        modifications: Cow<'a, [Modification]>,
        /// The entry as it is.
        read: Option<Cow<'a, Entry>>,
    },
    /// An entry with another name.
    Renamed {
        /// Its name before.
        dn: Cow<'a, Dn>,
        /// The new first component.
        rdn: Cow<'a, Rdn>,
        /// The entry that it stands below now, if that is another one.
        parent: Option<Cow<'a, Dn>>,
        /// The entry as it is.
        read: Option<Cow<'a, Entry>>,
    },
    /// An entry that is gone.
    Deleted {
        /// Its name.
        dn: Cow<'a, Dn>,
    },
}

impl Echo<'_> {
    /// The name that an entry has left. One that only has other capitals is the same.
    pub fn leaves(&self) -> Option<&Dn> {
        match self {
            Self::Added { .. } | Self::Modified { .. } => None,
            Self::Renamed { dn, rdn, parent, .. } => {
                let new = parent.as_ref().map_or_else(|| dn.with_rdn(rdn), |parent| parent.below(rdn));
                (new != **dn).then_some(dn)
            }
            Self::Deleted { dn } => Some(dn),
        }
    }
}

impl Shadow {
    /// Repeats what the directory has done. What owed items hold is left alone, and an entry that is not known is
    /// passed over.
    pub fn echo(&self, echo: &Echo<'_>) -> Result<(), StoreFault> {
        match echo {
            Echo::Added { dn, attributes, read } => self.echo_added(dn, attributes, read.as_deref()),
            Echo::Modified { dn, modifications, read } => match self.free(dn)? {
                Some(doc) => self.echo_modified(&doc, modifications, read.as_deref()),
                None => Ok(()),
            },
            Echo::Renamed { dn, rdn, parent, read } => match self.free(dn)? {
                Some(doc) => self.echo_renamed(&doc, rdn, parent.as_deref(), read.as_deref()),
                None => Ok(()),
            },
            Echo::Deleted { dn } => self.echo_deleted(dn),
        }
    }

    fn echo_added(
        &self,
        dn: &Dn,
        attributes: &[(AttributeName, Vec<Vec<u8>>)],
        read: Option<&Entry>,
    ) -> Result<(), StoreFault> {
        let (mut entry, links) = self.sorted(dn, attributes);
        for (attribute, values) in links {
            entry.insert(attribute, values);
        }
        overlay(&mut entry, read);
        let (Some(part), Some(_)) = (self.part_of(&entry)?, self.shape.id_of(&entry)) else { return Ok(()) };
        let kinds = Kinds::only(part.kind);
        match self.doc_at(dn)? {
            Some(doc) if self.is_pinned(doc.row)? => Ok(()),
            _ => self.keep_read(entry, kinds, self.now()),
        }
    }

    fn echo_modified(&self, doc: &Doc, modifications: &[Modification], read: Option<&Entry>) -> Result<(), StoreFault> {
        let mut draft = Draft::new(self, doc.clone(), true);
        for modification in modifications {
            match draft.apply(modification) {
                Ok(()) | Err(Stop::Refused(_)) => {}
                Err(Stop::Store(fault)) => return Err(fault),
            }
        }
        let mut after = self.settle(doc, draft, modifications)?;
        self.echo_read(&mut after, read)
    }

    fn echo_renamed(&self, doc: &Doc, rdn: &Rdn, parent: Option<&Dn>, read: Option<&Entry>) -> Result<(), StoreFault> {
        let old = &doc.entry.dn;
        let new = parent.map_or_else(|| old.with_rdn(rdn), |parent| parent.below(rdn));
        if let Some(other) = self.doc_at(&new)?.filter(|other| other.row != doc.row) {
            if self.is_pinned(other.row)? {
                return Ok(());
            }
            self.session.delete(other.row)?;
        }
        let mut after = self.move_to(doc, &new)?;
        self.echo_read(&mut after, read)?;
        if new == *old { Ok(()) } else { self.follow(old, Some(&new)) }
    }

    /// What was read afterwards is truer than what follows from the change.
    fn echo_read(&self, doc: &mut Doc, read: Option<&Entry>) -> Result<(), StoreFault> {
        let Some(read) = read else { return Ok(()) };
        let mut read = read.clone();
        let members = self.shape.members().map(|members| (&members.attribute, read.remove(&members.attribute)));
        self.strip(&mut read);
        overlay(&mut doc.entry, Some(&read));
        let kept = self.keep(doc.entry.clone(), doc.kinds, self.now())?;
        match members {
            Some((attribute, values)) if !values.is_empty() => self.replace_links(kept.row, attribute, &values),
            _ => Ok(()),
        }
    }

    fn echo_deleted(&self, dn: &Dn) -> Result<(), StoreFault> {
        let Some(doc) = self.free(dn)? else { return Ok(()) };
        self.session.delete(doc.row)?;
        // A reading of the directory that began before must not bring it back.
        let ids: BTreeSet<String> = self.shape.id_of(&doc.entry).into_iter().collect();
        self.bury(&key::of(dn), &ids)?;
        self.follow(dn, None)
    }

    /// The entry `dn`, when it is known and nothing is owed for it.
    fn free(&self, dn: &Dn) -> Result<Option<Doc>, StoreFault> {
        match self.doc_at(dn)? {
            Some(doc) if !self.is_pinned(doc.row)? => Ok(Some(doc)),
            _ => Ok(None),
        }
    }
}

/// The attributes of `read` take the place of those in `entry`.
fn overlay(entry: &mut Entry, read: Option<&Entry>) {
    for (attribute, values) in read.iter().flat_map(|read| read.attributes()) {
        entry.insert(attribute.clone(), values.to_vec());
    }
}
