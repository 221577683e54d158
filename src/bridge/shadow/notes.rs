//! Echoes as bytes, without passwords.

use std::borrow::Cow;

use super::echo::Echo;
use super::record::{length, number, put, take, text};
use super::{Shape, now};
use crate::directory::{AttributeName, Change, Dn, Entry, Modification};

/// The form of the bytes. Notes of another form are passed over.
const FORM: u8 = 1;

const ADDED: u8 = 0;
const MODIFIED: u8 = 1;
const RENAMED: u8 = 2;
const DELETED: u8 = 3;

/// How many bytes most notes have.
const USUAL: usize = 1024;

/// What the directory has done a moment ago, and when.
pub(super) fn written(echo: &Echo<'_>, shape: &Shape) -> Vec<u8> {
    let mut out = Vec::with_capacity(USUAL);
    out.push(FORM);
    out.extend_from_slice(&now().to_le_bytes());
    match echo {
        Echo::Added { dn, attributes, read } => {
            begin(&mut out, ADDED, dn);
            // What was read takes the place of what was sent.
            let sent =
                |name: &AttributeName| !shape.is_secret(name) && read.as_ref().is_none_or(|read| !read.has(name));
            put_all(&mut out, attributes.iter().filter(|(name, _)| sent(name)).map(|(name, all)| (name, &**all)));
            put_read(&mut out, read.as_deref(), shape);
        }
        Echo::Modified { dn, modifications, read } => {
            begin(&mut out, MODIFIED, dn);
            put_modifications(&mut out, modifications, shape);
            put_read(&mut out, read.as_deref(), shape);
        }
        Echo::Renamed { dn, rdn, parent, read } => {
            begin(&mut out, RENAMED, dn);
            let new = parent.as_ref().map_or_else(|| dn.with_rdn(rdn), |parent| parent.below(rdn));
            put(&mut out, new.as_str().as_bytes());
            put_read(&mut out, read.as_deref(), shape);
        }
        Echo::Deleted { dn } => begin(&mut out, DELETED, dn),
    }
    out
}

/// What was noted, and when, in milliseconds since 1970; `None` when the bytes are of no form that is known.
pub(super) fn read(note: &[u8]) -> Option<(i64, Echo<'static>)> {
    let [FORM, bytes @ ..] = note else { return None };
    let (at, bytes) = bytes.split_first_chunk::<8>()?;
    let (what, mut bytes) = bytes.split_first()?;
    let dn = take_dn(&mut bytes)?;
    let echo = match *what {
        ADDED => Echo::Added { dn, attributes: take_all(&mut bytes)?.into(), read: take_read(&mut bytes)? },
        MODIFIED => {
            Echo::Modified { dn, modifications: take_modifications(&mut bytes)?.into(), read: take_read(&mut bytes)? }
        }
        RENAMED => {
            let new = take_dn(&mut bytes)?;
            let (rdn, parent) = (Cow::Owned(new.rdn()?), new.parent().map(Cow::Owned));
            Echo::Renamed { dn, rdn, parent, read: take_read(&mut bytes)? }
        }
        DELETED => Echo::Deleted { dn },
        _ => return None,
    };
    bytes.is_empty().then_some((i64::from_le_bytes(*at), echo))
}

fn begin(out: &mut Vec<u8>, what: u8, dn: &Dn) {
    out.push(what);
    put(out, dn.as_str().as_bytes());
}

/// Attributes behind their number.
fn put_all<'a>(out: &mut Vec<u8>, all: impl Iterator<Item = (&'a AttributeName, &'a [Vec<u8>])>) {
    let at = out.len();
    out.extend_from_slice(&length(0));
    let mut count = 0;
    for (name, values) in all {
        put_values(out, name, values);
        count += 1;
    }
    if let Some(place) = out.get_mut(at..at + length(0).len()) {
        place.copy_from_slice(&length(count));
    }
}

fn put_values(out: &mut Vec<u8>, name: &AttributeName, values: &[Vec<u8>]) {
    put(out, name.as_str().as_bytes());
    out.extend_from_slice(&length(values.len()));
    for value in values {
        put(out, value);
    }
}

/// Nothing stands where nothing was read: it comes last.
fn put_read(out: &mut Vec<u8>, read: Option<&Entry>, shape: &Shape) {
    let Some(read) = read else { return };
    put(out, read.dn.as_str().as_bytes());
    put_all(out, read.attributes().filter(|(name, _)| !shape.is_secret(name)));
}

fn put_modifications(out: &mut Vec<u8>, modifications: &[Modification], shape: &Shape) {
    let kept = || modifications.iter().filter(|it| !shape.is_secret(&it.attribute));
    out.extend_from_slice(&length(kept().count()));
    for Modification { attribute, change } in kept() {
        let (kind, values) = match change {
            Change::Add(values) => (0, values),
            Change::Delete(values) => (1, values),
            Change::Replace(values) => (2, values),
        };
        out.push(kind);
        put_values(out, attribute, values);
    }
}

fn take_dn(bytes: &mut &[u8]) -> Option<Cow<'static, Dn>> {
    Dn::parse(text(bytes)?).ok().map(Cow::Owned)
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

/// Nothing may stand there, which is not the same as something that can't be read.
#[expect(clippy::option_option, reason = "both are told apart")]
fn take_read(bytes: &mut &[u8]) -> Option<Option<Cow<'static, Entry>>> {
    if bytes.is_empty() {
        return Some(None);
    }
    let mut entry = Entry::new(take_dn(bytes)?.into_owned());
    for (name, values) in take_all(bytes)? {
        entry.insert(name, values);
    }
    Some(Some(Cow::Owned(entry)))
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
