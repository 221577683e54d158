//! From what is on the wire to [`Entry`], without a detour through text.

use ldap3::LdapResult;
use ldap3::asn1::{PL, StructureTag};
use ldap3::controls::{Control, RawControl};

use super::ber::{self, Reader};
use super::dn::Dn;
use super::entry::Entry;
use super::name::AttributeName;
use super::server::{PAGED_RESULTS, POST_READ};

/// Tag of a `SearchResultEntry` (RFC 4511 section 4.5.2).
const SEARCH_RESULT_ENTRY: u64 = 4;
/// The same with its class, as it stands on the wire.
const SEARCH_RESULT_ENTRY_BER: u8 = 0x64;

/// The entry in a `SearchResultEntry`; none when it is malformed. Attributes get the spelling of `wanted`.
pub(super) fn entry(tag: StructureTag, wanted: &[AttributeName]) -> Option<Entry> {
    if tag.id != SEARCH_RESULT_ENTRY {
        return None;
    }
    let mut parts = constructed(tag)?.into_iter();
    let dn = String::from_utf8(primitive(parts.next()?)?).ok()?;
    let attributes = constructed(parts.next()?)?;
    let mut decoded = Vec::with_capacity(attributes.len());
    for attribute in attributes {
        let mut parts = constructed(attribute)?.into_iter();
        let name = primitive(parts.next()?)?;
        let values = constructed(parts.next()?)?.into_iter().map(primitive).collect::<Option<Vec<_>>>()?;
        if let Some(name) = spelled(&name, wanted) {
            decoded.push((name, values));
        }
    }
    Some(Entry::from_wire(Dn::parse(&dn).ok()?, decoded))
}

/// A name that was asked for needs no new allocation; one that is no attribute description is left out.
fn spelled(name: &[u8], wanted: &[AttributeName]) -> Option<AttributeName> {
    let asked = wanted.iter().find(|wanted| wanted.as_str().as_bytes().eq_ignore_ascii_case(name));
    asked.cloned().or_else(|| AttributeName::parse(std::str::from_utf8(name).ok()?).ok())
}

/// The entry as it is after a write, when the server added it to the answer (RFC 4527).
pub(super) fn post_read(result: &LdapResult, wanted: &[AttributeName]) -> Option<Entry> {
    let mut reader = Reader(control(result, POST_READ)?);
    // Not every server writes the tag of the application.
    entry_parts(&mut Reader(reader.take(&[SEARCH_RESULT_ENTRY_BER, ber::SEQUENCE])?), wanted)
}

/// The entry that stands in the content of a `SearchResultEntry`.
pub(super) fn entry_parts(parts: &mut Reader<'_>, wanted: &[AttributeName]) -> Option<Entry> {
    let dn = std::str::from_utf8(parts.take(&[ber::OCTETS])?).ok()?;
    let mut attributes = Reader(parts.take(&[ber::SEQUENCE])?);
    let mut decoded = Vec::with_capacity(wanted.len());
    while !attributes.is_done() {
        decoded.extend(attribute(&mut attributes, wanted)?);
    }
    Some(Entry::from_wire(Dn::parse(dn).ok()?, decoded))
}

/// The next attribute of a list, where it can be one of an entry; none when it is malformed.
#[expect(clippy::option_option, reason = "malformed is not the same as of no use")]
pub(super) fn attribute(
    list: &mut Reader<'_>,
    wanted: &[AttributeName],
) -> Option<Option<(AttributeName, Vec<Vec<u8>>)>> {
    let mut attribute = Reader(list.take(&[ber::SEQUENCE])?);
    let name = attribute.take(&[ber::OCTETS])?;
    let mut set = Reader(attribute.take(&[ber::SET])?);
    let mut values = Vec::new();
    while !set.is_done() {
        values.push(set.take(&[ber::OCTETS])?.to_vec());
    }
    Some(spelled(name, wanted).map(|name| (name, values)))
}

/// The value of the control that asks for `attributes` after a write.
pub(super) fn read_back_request(attributes: &[AttributeName]) -> RawControl {
    let names = attributes.iter().map(|name| name.as_str().as_bytes());
    RawControl { ctype: POST_READ.to_owned(), crit: false, val: Some(ber::sequence_of_octets(names)) }
}

/// The cookie that asks for the next page, empty behind the last (RFC 2696); none when the server added none.
pub(super) fn page_cookie(result: &LdapResult) -> Option<Vec<u8>> {
    let mut parts = Reader(Reader(control(result, PAGED_RESULTS)?).take(&[ber::SEQUENCE])?);
    parts.take(&[ber::INTEGER])?;
    parts.take(&[ber::OCTETS]).map(<[u8]>::to_vec)
}

fn control<'a>(result: &'a LdapResult, oid: &str) -> Option<&'a [u8]> {
    let matching = |control: &&Control| control.1.ctype == oid;
    let Control(_, RawControl { val, .. }) = result.ctrls.iter().find(matching)?;
    val.as_deref()
}

fn constructed(tag: StructureTag) -> Option<Vec<StructureTag>> {
    match tag.payload {
        PL::C(parts) => Some(parts),
        PL::P(_) => None,
    }
}

fn primitive(tag: StructureTag) -> Option<Vec<u8>> {
    match tag.payload {
        PL::P(bytes) => Some(bytes),
        PL::C(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use ldap3::asn1::TagClass;

    use super::super::fault::tests::answer;
    use super::*;

    fn controlled(oid: &str, value: Vec<u8>) -> LdapResult {
        let raw = RawControl { ctype: oid.to_owned(), crit: false, val: Some(value) };
        LdapResult { ctrls: vec![Control(None, raw)], ..answer(0, "") }
    }

    fn octets(bytes: &[u8]) -> StructureTag {
        StructureTag { class: TagClass::Universal, id: 4, payload: PL::P(bytes.to_vec()) }
    }

    fn sequence(parts: Vec<StructureTag>) -> StructureTag {
        StructureTag { class: TagClass::Universal, id: 16, payload: PL::C(parts) }
    }

    fn result_entry(dn: &str, attributes: &[(&str, &[&[u8]])]) -> StructureTag {
        let attribute = |(name, values): &(&str, &[&[u8]])| {
            let values = PL::C(values.iter().map(|value| octets(value)).collect());
            sequence(vec![
                octets(name.as_bytes()),
                StructureTag { class: TagClass::Universal, id: 17, payload: values },
            ])
        };
        let parts = vec![octets(dn.as_bytes()), sequence(attributes.iter().map(attribute).collect())];
        StructureTag { class: TagClass::Application, id: SEARCH_RESULT_ENTRY, payload: PL::C(parts) }
    }

    #[test]
    fn an_entry_is_read_with_binary_values_sorted_and_the_spelling_that_was_asked_for() {
        let wanted = [AttributeName::literal("objectGUID")];
        let tag = result_entry("cn=a,dc=x", &[("OBJECTguid", &[&[0xff, 0], &[0, 1]]), ("mail", &[b"x"]), ("cn", &[])]);
        let entry = entry(tag, &wanted).unwrap();
        assert_eq!(entry.dn.as_str(), "cn=a,dc=x");
        let names: Vec<&str> = entry.attributes().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["objectGUID", "mail"]);
        assert_eq!(entry.values(&wanted[0]), [vec![0, 1], vec![0xff, 0]]);
    }

    #[test]
    fn a_malformed_entry_is_no_entry_and_no_panic() {
        for tag in [
            octets(b"x"),
            StructureTag { class: TagClass::Application, id: SEARCH_RESULT_ENTRY, payload: PL::C(vec![]) },
            StructureTag {
                class: TagClass::Application,
                id: SEARCH_RESULT_ENTRY,
                payload: PL::C(vec![octets(b"cn=a")]),
            },
            result_entry("no name", &[]),
        ] {
            assert_eq!(entry(tag, &[]), None);
        }
    }

    #[test]
    fn the_entry_after_a_write_is_found_among_the_controls() {
        let mut encoded = bytes::BytesMut::new();
        let tag = result_entry("cn=a", &[("objectGUID", &[&[0xff, 0x00]]), ("cn", &[b"b", b"a"]), ("sn", &[])]);
        ldap3::asn1::write::encode_into(&mut encoded, tag.clone()).unwrap();
        let result = controlled(POST_READ, encoded.to_vec());
        assert_eq!(post_read(&result, &[]), entry(tag, &[]));
        assert_eq!(post_read(&answer(0, ""), &[]), None);
        assert_eq!(page_cookie(&result), None);
        for cut in 0..encoded.len() {
            assert_eq!(post_read(&controlled(POST_READ, encoded[..cut].to_vec()), &[]), None);
        }
    }

    #[test]
    fn the_cookie_of_the_next_page_is_found() {
        let result = controlled(PAGED_RESULTS, b"\x30\x07\x02\x01\x00\x04\x02\xff\x00".to_vec());
        assert_eq!(page_cookie(&result), Some(vec![0xff, 0x00]));
        assert_eq!(page_cookie(&controlled(PAGED_RESULTS, b"\x30\x05\x02\x01\x00\x04\x00".to_vec())), Some(vec![]));
    }

    #[test]
    fn what_to_read_back_is_written_as_the_library_does() {
        let names = [AttributeName::literal("cn"), AttributeName::literal("entryUUID")];
        let theirs = ldap3::controls::PostRead::new(vec!["cn", "entryUUID"]);
        let ours = read_back_request(&names);
        assert_eq!((ours.ctype, ours.crit, ours.val), (theirs.ctype, theirs.crit, theirs.val));
    }
}
