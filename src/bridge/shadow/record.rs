//! An entry as the store keeps it.

use super::{Doc, key};
use crate::directory::{AttributeName, Dn, Entry};
use crate::scim::ResourceKind;
use crate::store::Stored;

/// The form of the bytes. A store with records of another form is filled anew.
pub(super) const FORM: u8 = 1;

/// The kinds of resource that an entry is: the filter of the table holds for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    pub fn only(kind: ResourceKind) -> Self {
        Self::default().with(kind, true)
    }

    pub fn has(self, kind: ResourceKind) -> bool {
        self.0 & bit(kind) != 0
    }

    pub fn with(self, kind: ResourceKind, is: bool) -> Self {
        if is { Self(self.0 | bit(kind)) } else { Self(self.0 & !bit(kind)) }
    }
}

const fn bit(kind: ResourceKind) -> u8 {
    match kind {
        ResourceKind::User => 1,
        ResourceKind::Group => 2,
    }
}

/// Where in the bytes the kinds are.
pub(super) const KINDS_AT: usize = 1;

/// The kinds that their byte means.
pub(super) const fn kinds_of(byte: u8) -> Kinds {
    Kinds(byte)
}

/// The bytes of an entry, without what is kept as links.
pub(super) fn written(entry: &Entry, kinds: Kinds) -> Vec<u8> {
    let mut out = vec![FORM, kinds.0];
    put(&mut out, entry.dn.as_str().as_bytes());
    for (name, values) in entry.attributes() {
        put(&mut out, name.as_str().as_bytes());
        out.extend_from_slice(&length(values.len()));
        for value in values {
            put(&mut out, value);
        }
    }
    out
}

/// The entry that a document of the store holds; `None` when the bytes are of no form that is known.
pub(super) fn read(stored: &Stored) -> Option<Doc> {
    let mut bytes = stored.body.as_slice();
    let [FORM, kinds, rest @ ..] = bytes else { return None };
    bytes = rest;
    let mut entry = Entry::new(Dn::parse(text(&mut bytes)?).ok()?);
    while !bytes.is_empty() {
        let name = AttributeName::parse(text(&mut bytes)?).ok()?;
        let count = number(&mut bytes)?;
        let values = (0..count).map(|_| take(&mut bytes).map(<[u8]>::to_vec)).collect::<Option<Vec<_>>>()?;
        entry.insert(name, values);
    }
    debug_assert_eq!(stored.key, key::of(&entry.dn), "the key follows from the name");
    Some(Doc { row: stored.row, stamp: stored.stamp, kinds: Kinds(*kinds), entry })
}

pub(super) fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&length(bytes.len()));
    out.extend_from_slice(bytes);
}

pub(super) fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

pub(super) fn number(bytes: &mut &[u8]) -> Option<usize> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    usize::try_from(u32::from_le_bytes(*number)).ok()
}

pub(super) fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = number(bytes)?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

pub(super) fn text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(take(bytes)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_comes_back_as_it_was_kept() {
        let mut entry = Entry::new(Dn::parse("uid=Zoë,OU=People,dc=x").unwrap());
        entry.insert(AttributeName::literal("cn"), vec![b"Zo".to_vec(), vec![0, 255], Vec::new()]);
        entry.insert(AttributeName::parse("mail;lang-en").unwrap(), vec![b"z@x".to_vec()]);
        let kinds = Kinds::only(ResourceKind::Group);
        let stored = Stored { row: 7, key: key::of(&entry.dn), body: written(&entry, kinds), stamp: 9 };
        let doc = read(&stored).unwrap();
        assert_eq!((doc.row, doc.stamp, doc.kinds, &doc.entry), (7, 9, kinds, &entry));
        assert_eq!(doc.entry.dn.as_str(), entry.dn.as_str());
        let mut cut = stored.clone();
        cut.body.truncate(cut.body.len() - 1);
        assert!(read(&cut).is_none());
        assert!(read(&Stored { body: vec![FORM + 1], ..stored }).is_none());
    }
}
