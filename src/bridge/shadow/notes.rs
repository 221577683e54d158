//! Echoes that are kept as they come, and worked into the entries when there is time for it, or when somebody is about
//! to read or change them: a note is one row without an index, an entry that is found by its values is many.

use super::echo::Echo;
use super::record::{length, number, put, take, text};
use super::{Shadow, Shape, now};
use crate::directory::{AttributeName, Change, Dn, Entry, Modification};
use crate::store::{Session, StoreFault};

/// The form of the bytes. Notes of another form are passed over.
const FORM: u8 = 1;
/// How many notes are read at a time.
const PAGE: usize = 500;

const ADDED: u8 = 0;
const MODIFIED: u8 = 1;
const RENAMED: u8 = 2;
const DELETED: u8 = 3;

/// An echo as bytes, without passwords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::bridge) struct Note(pub(super) Vec<u8>);

impl Note {
    /// What the directory has done a moment ago.
    pub fn of(echo: &Echo, shape: &Shape) -> Self {
        let mut out = vec![FORM];
        out.extend_from_slice(&now().to_le_bytes());
        match echo {
            Echo::Added { dn, attributes, read } => {
                begin(&mut out, ADDED, dn);
                // What was read takes the place of what was sent.
                let sent =
                    |name: &AttributeName| !shape.is_secret(name) && read.as_ref().is_none_or(|read| !read.has(name));
                put_all(&mut out, attributes.iter().filter(|(name, _)| sent(name)).map(|(name, all)| (name, &**all)));
                put_read(&mut out, read.as_ref(), shape);
            }
            Echo::Modified { dn, modifications, read } => {
                begin(&mut out, MODIFIED, dn);
                put_modifications(&mut out, modifications, shape);
                put_read(&mut out, read.as_ref(), shape);
            }
            Echo::Renamed { dn, rdn, parent, read } => {
                begin(&mut out, RENAMED, dn);
                let new = parent.as_ref().map_or_else(|| dn.with_rdn(rdn), |parent| parent.below(rdn));
                put(&mut out, new.as_str().as_bytes());
                put_read(&mut out, read.as_ref(), shape);
            }
            Echo::Deleted { dn } => begin(&mut out, DELETED, dn),
        }
        Self(out)
    }

    /// Keeps it behind those that were kept before.
    pub fn keep(&self, session: &Session, shape: &Shape) -> Result<(), StoreFault> {
        session.add_note(&shape.space, &self.0)
    }
}

impl Shadow {
    /// Works up to `limit` notes in, the oldest first. Whether all were.
    pub fn catch_up(&self, limit: usize) -> Result<bool, StoreFault> {
        let mut left = limit;
        while left > 0 {
            let page = self.session.first_notes(&self.shape.space, left.min(PAGE))?;
            let Some((last, _)) = page.last() else { return Ok(true) };
            for (_, note) in &page {
                if let Some((at, echo)) = read(note) {
                    Self { back_then: Some(at), ..self.clone() }.echo(&echo)?;
                } else {
                    tracing::warn!("what the directory did was noted in a form that is not known, and is passed over");
                }
            }
            self.session.remove_notes(&self.shape.space, *last)?;
            left -= page.len();
        }
        Ok(false)
    }
}

fn begin(out: &mut Vec<u8>, what: u8, dn: &Dn) {
    out.push(what);
    put(out, dn.as_str().as_bytes());
}

fn put_all<'a>(out: &mut Vec<u8>, all: impl Iterator<Item = (&'a AttributeName, &'a [Vec<u8>])>) {
    let all: Vec<_> = all.collect();
    out.extend_from_slice(&length(all.len()));
    for (name, values) in all {
        put_values(out, name, values);
    }
}

fn put_values(out: &mut Vec<u8>, name: &AttributeName, values: &[Vec<u8>]) {
    put(out, name.as_str().as_bytes());
    out.extend_from_slice(&length(values.len()));
    for value in values {
        put(out, value);
    }
}

fn put_read(out: &mut Vec<u8>, read: Option<&Entry>, shape: &Shape) {
    let Some(read) = read else { return };
    put(out, read.dn.as_str().as_bytes());
    put_all(out, read.attributes().filter(|(name, _)| !shape.is_secret(name)));
}

fn put_modifications(out: &mut Vec<u8>, modifications: &[Modification], shape: &Shape) {
    let kept: Vec<_> = modifications.iter().filter(|it| !shape.is_secret(&it.attribute)).collect();
    out.extend_from_slice(&length(kept.len()));
    for Modification { attribute, change } in kept {
        let (kind, values) = match change {
            Change::Add(values) => (0, values),
            Change::Delete(values) => (1, values),
            Change::Replace(values) => (2, values),
        };
        out.push(kind);
        put_values(out, attribute, values);
    }
}

/// What was noted, and when; `None` when the bytes are of no form that is known.
pub(super) fn read(note: &[u8]) -> Option<(i64, Echo)> {
    let [FORM, bytes @ ..] = note else { return None };
    let (at, bytes) = bytes.split_first_chunk::<8>()?;
    let (what, mut bytes) = bytes.split_first()?;
    let dn = take_dn(&mut bytes)?;
    let echo = match *what {
        ADDED => Echo::Added { dn, attributes: take_all(&mut bytes)?, read: take_read(&mut bytes)? },
        MODIFIED => Echo::Modified { dn, modifications: take_modifications(&mut bytes)?, read: take_read(&mut bytes)? },
        RENAMED => {
            let new = take_dn(&mut bytes)?;
            Echo::Renamed { dn, rdn: new.rdn()?, parent: new.parent(), read: take_read(&mut bytes)? }
        }
        DELETED => Echo::Deleted { dn },
        _ => return None,
    };
    bytes.is_empty().then_some((i64::from_le_bytes(*at), echo))
}

fn take_dn(bytes: &mut &[u8]) -> Option<Dn> {
    Dn::parse(text(bytes)?).ok()
}

fn take_values(bytes: &mut &[u8]) -> Option<(AttributeName, Vec<Vec<u8>>)> {
    let name = AttributeName::parse(text(bytes)?).ok()?;
    let count = number(bytes)?;
    let values = (0..count).map(|_| take(bytes).map(<[u8]>::to_vec)).collect::<Option<_>>()?;
    Some((name, values))
}

fn take_all(bytes: &mut &[u8]) -> Option<Vec<(AttributeName, Vec<Vec<u8>>)>> {
    let count = number(bytes)?;
    (0..count).map(|_| take_values(bytes)).collect()
}

/// The entry as it was read, if it was: nothing comes behind it.
#[expect(clippy::option_option, reason = "nothing was read, or what stands there is no entry")]
fn take_read(bytes: &mut &[u8]) -> Option<Option<Entry>> {
    if bytes.is_empty() {
        return Some(None);
    }
    let mut entry = Entry::new(take_dn(bytes)?);
    for (name, values) in take_all(bytes)? {
        entry.insert(name, values);
    }
    Some(Some(entry))
}

fn take_modifications(bytes: &mut &[u8]) -> Option<Vec<Modification>> {
    let count = number(bytes)?;
    let one = |_| {
        let (kind, rest) = bytes.split_first()?;
        *bytes = rest;
        let (attribute, values) = take_values(bytes)?;
        let change = match kind {
            0 => Change::Add(values),
            1 => Change::Delete(values),
            2 => Change::Replace(values),
            _ => return None,
        };
        Some(Modification { attribute, change })
    };
    (0..count).map(one).collect()
}
