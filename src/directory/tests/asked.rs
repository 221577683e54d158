//! What a search asks for (RFC 4511 section 4.5.1), as far as these tests do.

use super::super::ber::{self, Reader};
use super::super::{Dn, PAGED_RESULTS};
use super::domain::{Attributes, name};
use super::peer::SEARCH;

pub(super) struct Search {
    pub base: Dn,
    /// 0: the base alone.
    pub scope: u8,
    pub filter: Asked,
    /// In small letters.
    pub attributes: Vec<String>,
    /// How many entries were sent before, and how many are asked for (RFC 2696).
    pub page: Option<(usize, usize)>,
}

/// A filter.
pub(super) enum Asked {
    And(Vec<Asked>),
    Or(Vec<Asked>),
    Not(Box<Asked>),
    Equal(String, Vec<u8>),
    Present(String),
}

impl Search {
    pub(super) fn read(content: &[u8]) -> Self {
        let mut message = Reader(content);
        let mut reader = Reader(message.take(&[SEARCH]).unwrap());
        let base = name(&mut reader);
        let scope = reader.take(&[0x0a]).unwrap()[0];
        for tag in [0x0a, ber::INTEGER, ber::INTEGER, 0x01] {
            reader.take(&[tag]).unwrap();
        }
        let filter = Asked::read(&mut reader);
        let mut list = Reader(reader.take(&[ber::SEQUENCE]).unwrap());
        let mut attributes = Vec::new();
        while let Some(name) = list.take(&[ber::OCTETS]) {
            attributes.push(lower(name));
        }
        Self { base, scope, filter, attributes, page: page(&mut message) }
    }
}

/// The size of the page that is asked for, and where it begins: the cookie is the number in digits.
fn page(message: &mut Reader<'_>) -> Option<(usize, usize)> {
    let mut controls = Reader(message.take(&[0xa0])?);
    while let Some(mut control) = controls.take(&[ber::SEQUENCE]).map(Reader) {
        let is_page = control.take(&[ber::OCTETS]) == Some(PAGED_RESULTS.as_bytes());
        control.take(&[0x01]);
        let value = control.take(&[ber::OCTETS]);
        if let Some(value) = value.filter(|_| is_page) {
            let mut page = Reader(Reader(value).take(&[ber::SEQUENCE])?);
            let size = page.take(&[ber::INTEGER])?.iter().fold(0, |size, byte| size << 8 | usize::from(*byte));
            let cookie = String::from_utf8(page.take(&[ber::OCTETS])?.to_vec()).unwrap();
            return Some((cookie.parse().unwrap_or(0), size));
        }
    }
    None
}

impl Asked {
    fn read(reader: &mut Reader<'_>) -> Self {
        let tag = reader.0[0];
        let mut content = Reader(reader.take(&[tag]).unwrap());
        let parts = |content: &mut Reader<'_>| {
            let mut all = Vec::new();
            while !content.is_done() {
                all.push(Self::read(content));
            }
            all
        };
        match tag {
            0xa0 => Self::And(parts(&mut content)),
            0xa1 => Self::Or(parts(&mut content)),
            0xa2 => Self::Not(Box::new(Self::read(&mut content))),
            0xa3 => {
                let key = lower(content.take(&[ber::OCTETS]).unwrap());
                Self::Equal(key, content.take(&[ber::OCTETS]).unwrap().to_vec())
            }
            0x87 => Self::Present(lower(content.0)),
            other => panic!("a filter with {other:x}"),
        }
    }

    pub(super) fn holds(&self, attributes: &Attributes) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(attributes)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(attributes)),
            Self::Not(part) => !part.holds(attributes),
            Self::Equal(key, value) => {
                attributes.get(key).is_some_and(|all| all.iter().any(|has| has.eq_ignore_ascii_case(value)))
            }
            Self::Present(key) => attributes.contains_key(key),
        }
    }
}

fn lower(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_lowercase()
}
