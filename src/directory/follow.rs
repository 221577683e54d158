//! Entries that another entry names, returned with it: the dereference control of `OpenLDAP` and 389 Directory Server
//! (draft-masarati-ldap-deref). One search instead of hundreds tells who the members of a large group are.

use bytes::Bytes;
use ldap3::controls::{Control, RawControl};

use super::ber::{self, Reader};
use super::dn::Dn;
use super::entry::Entry;
use super::name::AttributeName;
use super::server::DEREFERENCE;

/// Tag of the attributes of a followed entry: `[0]`, constructed.
const ATTRIBUTES: u8 = 0xa0;

/// Which names in an entry are followed, and what is read where they lead.
#[derive(Debug, Clone)]
pub struct Follow {
    /// The attribute that holds names.
    pub attribute: AttributeName,
    /// What to read of each entry that is named.
    pub read: Vec<AttributeName>,
}

/// What the server found behind the names in one attribute of one entry, as it was sent: for a hundred thousand names
/// that is a tenth of what it would be as entries.
#[derive(Debug, Clone)]
pub struct Followed(Bytes);

/// One name, and what is behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowedName<'a> {
    /// The value of the attribute.
    pub value: &'a [u8],
    attributes: &'a [u8],
}

impl Follow {
    /// The control that asks for it. A server that does not know it answers without.
    pub(super) fn to_control(&self) -> RawControl {
        let read = ber::sequence_of_octets(self.read.iter().map(|name| name.as_str().as_bytes()));
        let mut what = Vec::new();
        ber::push(ber::OCTETS, self.attribute.as_str().as_bytes(), &mut what);
        what.extend(read);
        let (mut one, mut value) = (Vec::new(), Vec::new());
        ber::push(ber::SEQUENCE, &what, &mut one);
        ber::push(ber::SEQUENCE, &one, &mut value);
        RawControl { ctype: DEREFERENCE.to_owned(), crit: false, val: Some(value) }
    }
}

impl Followed {
    /// What came with an entry; none when nothing did.
    pub(super) fn take_from(controls: Vec<Control>) -> Option<Self> {
        let mut controls = controls.into_iter().map(|Control(_, raw)| raw);
        controls.find(|raw| raw.ctype == DEREFERENCE)?.val.map(|value| Self(value.into()))
    }

    /// The same, of the content of the controls of a message; what it holds are their bytes and no copy.
    pub(super) fn among(controls: &Bytes) -> Option<Self> {
        let mut list = Reader(controls);
        while !list.is_done() {
            let mut control = Reader(list.take(&[ber::SEQUENCE])?);
            let name = control.take(&[ber::OCTETS])?;
            if control.tag() == Some(ber::BOOLEAN) {
                control.take(&[ber::BOOLEAN])?;
            }
            if name == DEREFERENCE.as_bytes() {
                return Some(Self(controls.slice_ref(control.take(&[ber::OCTETS])?)));
            }
        }
        None
    }

    /// Its size.
    pub(super) const fn bytes(&self) -> usize {
        self.0.len()
    }

    /// Every name in the order of its bytes, as [`Entry`] has values; none when the server's answer makes no sense.
    #[must_use]
    pub fn names(&self) -> Option<Vec<FollowedName<'_>>> {
        let mut list = Reader(Reader(&self.0).take(&[ber::SEQUENCE])?);
        let mut names = Vec::new();
        while !list.is_done() {
            let mut one = Reader(list.take(&[ber::SEQUENCE])?);
            one.take(&[ber::OCTETS])?;
            let value = one.take(&[ber::OCTETS])?;
            let attributes = if one.is_done() { &[] } else { one.take(&[ATTRIBUTES])? };
            names.push(FollowedName { value, attributes });
        }
        names.sort_unstable_by_key(|name| name.value);
        Some(names)
    }
}

impl FollowedName<'_> {
    /// The entry that is named, with what the server read of it: nothing, where there is none or the account may not
    /// see it. None when the value is no name.
    #[must_use]
    pub fn entry(&self, wanted: &[AttributeName]) -> Option<Entry> {
        let dn = Dn::in_value(self.value)?;
        let mut attributes = Reader(self.attributes);
        let mut decoded = Vec::with_capacity(wanted.len());
        while !attributes.is_done() {
            decoded.extend(super::decode::attribute(&mut attributes, wanted)?);
        }
        Some(Entry::from_wire(dn, decoded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: AttributeName = AttributeName::literal("uid");

    fn follow() -> Follow {
        Follow { attribute: AttributeName::literal("member"), read: vec![UID, AttributeName::literal("sn")] }
    }

    fn answer() -> Vec<u8> {
        let tagged = |tag, parts: &[Vec<u8>]| {
            let mut out = Vec::new();
            ber::push(tag, &parts.concat(), &mut out);
            out
        };
        let text = |text: &str| tagged(ber::OCTETS, &[text.as_bytes().to_vec()]);
        let attribute = |name, values: &[Vec<u8>]| tagged(ber::SEQUENCE, &[text(name), tagged(ber::SET, values)]);
        let found = tagged(ATTRIBUTES, &[attribute("UID", &[text("b")]), attribute("sn", &[])]);
        let one = tagged(ber::SEQUENCE, &[text("member"), text("uid=b,dc=x"), found]);
        let gone = tagged(ber::SEQUENCE, &[text("member"), text("uid=a,dc=x")]);
        let nobody = tagged(ber::SEQUENCE, &[text("member"), text("")]);
        tagged(ber::SEQUENCE, &[one, gone, nobody])
    }

    fn followed(value: Vec<u8>) -> Option<Followed> {
        let raw = RawControl { ctype: DEREFERENCE.to_owned(), crit: false, val: Some(value) };
        Followed::take_from(vec![Control(None, raw)])
    }

    #[test]
    fn the_request_names_the_attribute_and_what_is_read() {
        let control = follow().to_control();
        assert!(!control.crit, "a server without it answers all the same");
        assert_eq!(control.val.unwrap(), b"\x30\x15\x30\x13\x04\x06member\x30\x09\x04\x03uid\x04\x02sn");
    }

    #[test]
    fn names_are_sorted_and_those_that_lead_nowhere_are_bare() {
        let followed = followed(answer()).unwrap();
        let names = followed.names().unwrap();
        let entries: Vec<Entry> = names.iter().map(|name| name.entry(&[UID]).unwrap()).collect();
        let seen: Vec<_> = entries.iter().map(|entry| (entry.dn.as_str(), entry.text(&UID))).collect();
        assert_eq!(seen, [("", None), ("uid=a,dc=x", None), ("uid=b,dc=x", Some("b"))]);
    }

    #[test]
    fn an_answer_that_is_cut_off_is_none_and_no_panic() {
        let whole = answer();
        for cut in 0..whole.len() {
            assert!(followed(whole[..cut].to_vec()).unwrap().names().is_none(), "{cut}");
        }
        assert!(Followed::take_from(Vec::new()).is_none());
    }
}
