//! The SCIM `id`: the directory's own unique id, or an attribute that the bridge writes (RFC 7643 section 3.1).

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use super::table::IdAttribute;
use crate::directory::{Entry, Filter, IdForm};

impl IdAttribute {
    /// The SCIM id of `entry`; `None` when the entry does not hold the attribute (a right to read it may be missing).
    #[must_use]
    pub fn of(&self, entry: &Entry) -> Option<String> {
        self.text(entry.values(&self.attribute).first()?)
    }

    /// The id that this value of the attribute stands for.
    #[must_use]
    pub fn text(&self, value: &[u8]) -> Option<String> {
        match self.form {
            IdForm::ObjectGuid => guid_to_text(value),
            IdForm::EntryUuid | IdForm::NsUniqueId | IdForm::Writable => {
                std::str::from_utf8(value).ok().map(ToOwned::to_owned)
            }
        }
    }

    /// The filter that finds the entry with this id; `None` when no entry can have it, because the text is not of the
    /// id's form: servers answer such a search with an error or with everything undefined, clients want 404.
    #[must_use]
    pub fn filter(&self, id: &str) -> Option<Filter> {
        Some(Filter::Equal(self.attribute.clone(), self.value(id)?))
    }

    /// The value of the attribute that stands for this id; `None` when no entry can have it.
    #[must_use]
    pub fn value(&self, id: &str) -> Option<Vec<u8>> {
        Some(match self.form {
            IdForm::EntryUuid if is_uuid(id) => id.as_bytes().to_vec(),
            IdForm::NsUniqueId if is_ns_unique_id(id) => id.as_bytes().to_vec(),
            IdForm::ObjectGuid => guid_from_text(id)?,
            IdForm::Writable if !id.is_empty() && !id.chars().any(char::is_control) => id.as_bytes().to_vec(),
            _ => return None,
        })
    }

    /// A new id in the attribute's form. Those of one moment begin alike and later ones sort behind earlier ones, so that
    /// the store finds them close together (RFC 9562 section 5.7); the rest is at random.
    #[must_use]
    pub fn mint(&self) -> String {
        let mut chance = [0; 10];
        // The seventh byte and the ninth hold more than chance.
        let random = uuid::Uuid::new_v4().into_bytes().into_iter();
        let random = random.enumerate().filter(|(at, _)| !matches!(at, 6 | 8));
        chance.iter_mut().zip(random).for_each(|(place, (_, byte))| *place = byte);
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let millis = u64::try_from(millis).unwrap_or_default();
        let id = uuid::Builder::from_unix_timestamp_millis(millis, &chance).into_uuid();
        match self.form {
            IdForm::NsUniqueId => {
                let digits = id.simple().to_string();
                let (first, rest) = digits.split_at(8);
                let (second, rest) = rest.split_at(8);
                let (third, fourth) = rest.split_at(8);
                [first, second, third, fourth].join("-")
            }
            IdForm::EntryUuid | IdForm::ObjectGuid | IdForm::Writable => id.to_string(),
        }
    }
}

/// The canonical 8-4-4-4-12 form, lower case: the one spelling an id is ever given out in.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// 389 Directory Server's four groups of eight hexadecimal digits.
fn is_ns_unique_id(text: &str) -> bool {
    text.len() == 35
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 17 | 26 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// objectGUID holds its first three fields in little-endian order (MS-DTYP 2.3.4.2).
const GUID_ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

fn guid_to_text(value: &[u8]) -> Option<String> {
    if value.len() != 16 {
        return None;
    }
    let mut text = String::with_capacity(36);
    for (at, from) in GUID_ORDER.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        write!(text, "{:02x}", value.get(from)?).ok()?;
    }
    Some(text)
}

fn guid_from_text(text: &str) -> Option<Vec<u8>> {
    if !is_uuid(text) {
        return None;
    }
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
    let bytes: Vec<u8> = digits
        .chunks(2)
        .filter_map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    GUID_ORDER.into_iter().map(|from| bytes.get(from).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{AttributeName, Dn};

    fn attribute(form: IdForm) -> IdAttribute {
        IdAttribute { attribute: AttributeName::parse("x").unwrap(), form }
    }

    #[test]
    fn ids_that_are_made_up_differ_and_later_ones_sort_behind_earlier_ones() {
        for form in [IdForm::EntryUuid, IdForm::NsUniqueId, IdForm::ObjectGuid, IdForm::Writable] {
            let id = attribute(form);
            let (one, other) = (id.mint(), id.mint());
            assert!(one != other && id.value(&one).is_some(), "{one} {other}");
            std::thread::sleep(std::time::Duration::from_millis(2));
            assert!(id.mint() > one.max(other));
        }
    }

    fn entry(value: &[u8]) -> Entry {
        let mut entry = Entry::new(Dn::parse("cn=x").unwrap());
        entry.insert(AttributeName::parse("x").unwrap(), vec![value.to_vec()]);
        entry
    }

    const GUID: [u8; 16] =
        [0x33, 0x22, 0x11, 0, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff];

    #[test]
    fn an_object_guid_reads_in_microsofts_field_order_and_finds_its_entry_again() {
        let guid = attribute(IdForm::ObjectGuid);
        assert_eq!(guid.of(&entry(&GUID)).as_deref(), Some("00112233-4455-6677-8899-aabbccddeeff"));
        let Some(Filter::Equal(_, value)) = guid.filter("00112233-4455-6677-8899-aabbccddeeff") else { panic!() };
        assert_eq!(value, GUID);
    }

    #[test]
    fn an_id_of_the_wrong_form_finds_nothing() {
        for id in ["", "010101001010101011001010101011", "00919288221112222", "*", "00112233445566778899aabbccddeeff"] {
            for form in [IdForm::EntryUuid, IdForm::ObjectGuid, IdForm::NsUniqueId] {
                assert_eq!(attribute(form).filter(id), None, "{id} as {form:?}");
            }
        }
        assert_eq!(attribute(IdForm::EntryUuid).filter("00112233-4455-6677-8899-AABBCCDDEEFF"), None, "ids are exact");
    }

    #[test]
    fn an_object_guid_of_the_wrong_length_is_no_id() {
        assert_eq!(attribute(IdForm::ObjectGuid).of(&entry(b"short")), None);
    }
}
