//! The little of BER (RFC 4511 section 5.1) that values of controls need, without a tree in between.

/// Tag of a sequence.
pub(super) const SEQUENCE: u8 = 0x30;
/// Tag of a set.
pub(super) const SET: u8 = 0x31;
/// Tag of a boolean.
pub(super) const BOOLEAN: u8 = 0x01;
/// Tag of a number that stands for a choice.
pub(super) const ENUMERATED: u8 = 0x0a;
/// Tag of an integer.
pub(super) const INTEGER: u8 = 0x02;
/// Tag of a text or any other bytes.
pub(super) const OCTETS: u8 = 0x04;

/// A sequence of octet strings.
pub(super) fn sequence_of_octets<'a>(items: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut content = Vec::with_capacity(128);
    for item in items {
        push(OCTETS, item, &mut content);
    }
    let mut out = Vec::with_capacity(content.len() + 6);
    push(SEQUENCE, &content, &mut out);
    out
}

/// Writes one element.
pub(super) fn push(tag: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    let bytes = content.len().to_be_bytes();
    let significant =
        bytes.iter().position(|byte| *byte != 0).map_or(&[][..], |at| bytes.get(at..).unwrap_or_default());
    match significant {
        [] => out.push(0),
        [length] if *length < 0x80 => out.push(*length),
        significant => {
            out.push(0x80 | u8::try_from(significant.len()).unwrap_or(0));
            out.extend_from_slice(significant);
        }
    }
    out.extend_from_slice(content);
}

/// Reads the elements that stand one after the other in some bytes.
pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The content of the next element; none when there is none, it is cut off, or its tag is none of `tags`.
    pub(super) fn take(&mut self, tags: &[u8]) -> Option<&'a [u8]> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = if *first < 0x80 {
            (usize::from(*first), rest)
        } else {
            let (length, rest) = rest.split_at_checked(usize::from(*first & 0x7f))?;
            (number(length)?, rest)
        };
        let (content, rest) = rest.split_at_checked(length)?;
        if !tags.contains(tag) {
            return None;
        }
        self.0 = rest;
        Some(content)
    }

    /// The tag of the next element.
    pub(super) fn tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Whether nothing is left.
    pub(super) const fn is_done(&self) -> bool {
        self.0.is_empty()
    }
}

/// A length in four bytes at most: no control is longer. No bytes, the indefinite length, is not allowed in LDAP.
fn number(bytes: &[u8]) -> Option<usize> {
    if bytes.is_empty() || bytes.len() > 4 {
        return None;
    }
    Some(bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_sequence_is_written_as_the_standard_says() {
        assert_eq!(sequence_of_octets([&b"cn"[..], b""].into_iter()), b"\x30\x06\x04\x02cn\x04\x00");
        let long = sequence_of_octets(std::iter::once(&[7; 200][..]));
        assert_eq!(long.get(..6), Some(&b"\x30\x81\xcb\x04\x81\xc8"[..]));
    }

    #[test]
    fn what_is_cut_off_or_of_another_kind_is_nothing() {
        for bytes in
            [&b""[..], b"\x04", b"\x04\x02a", b"\x04\x81", b"\x04\x80\x00\x00", b"\x04\x85\0\0\0\0\x01a", b"\x30\x00"]
        {
            assert_eq!(Reader(bytes).take(&[OCTETS]), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn a_sequence_is_read_as_it_was_written(items in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..5)) {
            let written = sequence_of_octets(items.iter().map(Vec::as_slice));
            let mut outer = Reader(&written);
            let mut inner = Reader(outer.take(&[SEQUENCE]).unwrap());
            prop_assert!(outer.is_done());
            for item in &items {
                prop_assert_eq!(inner.take(&[OCTETS]), Some(item.as_slice()));
            }
            prop_assert!(inner.is_done());
        }

        #[test]
        fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut reader = Reader(&bytes);
            while reader.take(&[OCTETS, SEQUENCE, SET, INTEGER]).is_some() {}
        }
    }
}
