//! Paths and query strings as clients really send them: doubled slashes, stray `&` and `?`, `+` for a blank.

use std::borrow::Cow;

/// The non-empty segments of a path, each percent-decoded on its own, so that an encoded slash stays inside its segment.
///
/// `None` when a segment is not UTF-8 once it is decoded.
pub(super) fn segments(path: &str) -> Option<Vec<Cow<'_, str>>> {
    path.split('/').filter(|segment| !segment.is_empty()).map(|segment| decode(segment, Plus::Literal)).collect()
}

/// The `key=value` pairs of a query string, decoded.
///
/// `None` when a key or a value is not UTF-8 once it is decoded.
pub(super) fn pairs(query: &str) -> Option<Vec<(Cow<'_, str>, Cow<'_, str>)>> {
    query
        .split('&')
        .map(|piece| piece.trim_start_matches('?'))
        .filter(|piece| !piece.is_empty())
        .map(|piece| {
            let (key, value) = piece.split_once('=').unwrap_or((piece, ""));
            Some((decode(key, Plus::Blank)?, decode(value, Plus::Blank)?))
        })
        .collect()
}

/// What a `+` stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plus {
    Literal,
    Blank,
}

/// Percent-decodes `text`; a `%` that no two hexadecimal digits follow stands for itself.
fn decode(text: &str, plus: Plus) -> Option<Cow<'_, str>> {
    let is_special = |byte: u8| byte == b'%' || (byte == b'+' && plus == Plus::Blank);
    if !text.bytes().any(is_special) {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if let (b'%', Some((byte, after))) = (first, escaped(tail)) {
            decoded.push(byte);
            rest = after;
            continue;
        }
        decoded.push(if *first == b'+' && plus == Plus::Blank { b' ' } else { *first });
        rest = tail;
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

/// The byte that two hexadecimal digits at the start of `text` stand for, and what follows them.
fn escaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let [high, low, rest @ ..] = text else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some((digit(*high)? << 4 | digit(*low)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded_segments(path: &str) -> Vec<String> {
        segments(path).unwrap().into_iter().map(Cow::into_owned).collect()
    }

    fn decoded_pairs(query: &str) -> Vec<(String, String)> {
        pairs(query).unwrap().into_iter().map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
    }

    #[test]
    fn doubled_and_trailing_slashes_make_no_segments() {
        assert_eq!(decoded_segments("/scim/v2//Users/"), ["scim", "v2", "Users"]);
        assert!(decoded_segments("//").is_empty());
    }

    #[test]
    fn an_encoded_slash_stays_inside_its_segment() {
        assert_eq!(decoded_segments("/Users/a%2Fb%20c"), ["Users", "a/b c"]);
    }

    #[test]
    fn a_plus_in_a_path_is_a_plus() {
        assert_eq!(decoded_segments("/Users/a+b"), ["Users", "a+b"]);
    }

    #[test]
    fn blanks_in_a_query_come_as_plus_and_as_percent_20() {
        let expected = [("filter".to_owned(), r#"userName eq "a@b""#.to_owned())];
        assert_eq!(decoded_pairs("filter=userName+eq+%22a%40b%22"), expected);
        assert_eq!(decoded_pairs("filter=userName%20eq%20%22a%40b%22"), expected);
    }

    #[test]
    fn stray_ampersands_and_question_marks_are_passed_over() {
        let expected = [("count".to_owned(), "2".to_owned()), ("startIndex".to_owned(), "1".to_owned())];
        assert_eq!(decoded_pairs("&?count=2&&startIndex=1&"), expected);
        assert!(decoded_pairs("").is_empty());
    }

    #[test]
    fn a_key_without_a_value_is_a_pair_with_an_empty_value() {
        assert_eq!(decoded_pairs("aadOptscim062020"), [("aadOptscim062020".to_owned(), String::new())]);
    }

    #[test]
    fn a_percent_sign_without_digits_stands_for_itself() {
        assert_eq!(
            decoded_pairs("a=100%25&b=5%&c=%zz"),
            [
                ("a".to_owned(), "100%".to_owned()),
                ("b".to_owned(), "5%".to_owned()),
                ("c".to_owned(), "%zz".to_owned()),
            ]
        );
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_refused() {
        assert!(segments("/Users/%ff").is_none());
        assert!(pairs("filter=%C3%28").is_none());
    }
}
