//! Names of attributes (RFC 4512 section 2.5).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

/// An attribute description: a short name or an OID, perhaps with options such as `;binary` or `;range=0-1499`.
///
/// It is shown as it was written; comparison, order and hash ignore ASCII case. A clone is cheap.
#[derive(Clone)]
pub struct AttributeName(Text);

/// Names known when the program is built need no allocation.
#[derive(Clone)]
enum Text {
    Fixed(&'static str),
    Shared(Arc<str>),
}

/// A text that is no attribute name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not an attribute name: write a letter followed by letters, digits and hyphens (givenName), \
     or an OID (2.5.4.42)"
)]
pub struct InvalidName {
    /// What was written.
    pub text: String,
}

impl AttributeName {
    /// Asks a search for no attribute at all (RFC 4511 section 4.5.1.8).
    pub const NONE: Self = Self(Text::Fixed("1.1"));

    /// The name that `text` writes.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        if is_description(text) {
            Ok(Self(Text::Shared(Arc::from(text))))
        } else {
            Err(InvalidName { text: text.to_owned() })
        }
    }

    /// A short name known when the program is built.
    ///
    /// # Panics
    /// When `name` is not a letter followed by letters, digits and hyphens; in a constant, that is a build error.
    #[must_use]
    pub const fn literal(name: &'static str) -> Self {
        let bytes = name.as_bytes();
        assert!(!bytes.is_empty() && bytes[0].is_ascii_alphabetic(), "an attribute name starts with a letter");
        let mut at = 1;
        while at < bytes.len() {
            assert!(is_key_character(bytes[at]), "an attribute name has letters, digits and hyphens");
            at += 1;
        }
        Self(Text::Fixed(name))
    }

    /// The name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Fixed(name) => name,
            Text::Shared(name) => name,
        }
    }

    /// The attribute type alone: the name up to its first option.
    #[must_use]
    pub fn base(&self) -> &str {
        let text = self.as_str();
        text.split_once(';').map_or(text, |(base, _)| base)
    }

    /// The options, without their semicolons, as written.
    pub fn options(&self) -> impl Iterator<Item = &str> {
        self.as_str().split(';').skip(1)
    }

    /// The same attribute type without any option.
    #[must_use]
    pub fn without_options(&self) -> Self {
        let base = self.base();
        if base.len() == self.as_str().len() { self.clone() } else { Self(Text::Shared(Arc::from(base))) }
    }
}

/// `attributedescription` of RFC 4512 section 2.5, and the range option of Active Directory.
fn is_description(text: &str) -> bool {
    let mut parts = text.split(';');
    parts.next().is_some_and(is_object_identifier) && parts.all(is_option)
}

/// `oid` of RFC 4512 section 1.4: a short name or dotted numbers.
pub(super) fn is_object_identifier(text: &str) -> bool {
    match text.as_bytes() {
        [first, rest @ ..] if first.is_ascii_alphabetic() => rest.iter().copied().all(is_key_character),
        [first, ..] if first.is_ascii_digit() => text.contains('.') && text.split('.').all(is_number),
        _ => false,
    }
}

const fn is_key_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

/// Digits without a superfluous leading zero.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'))
}

fn is_option(text: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && part.bytes().all(is_key_character);
    match text.split_once('=') {
        None => plain(text),
        Some((name, range)) => {
            let (low, high) = range.split_once('-').unwrap_or((range, ""));
            name.eq_ignore_ascii_case("range") && is_number(low) && (high == "*" || is_number(high))
        }
    }
}

impl FromStr for AttributeName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::parse(text)
    }
}

impl AsRef<str> for AttributeName {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for AttributeName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for AttributeName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.as_str())
    }
}

impl PartialEq for AttributeName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str().eq_ignore_ascii_case(other.as_str())
    }
}

impl Eq for AttributeName {}

impl Ord for AttributeName {
    fn cmp(&self, other: &Self) -> Ordering {
        let lower = |byte: u8| byte.to_ascii_lowercase();
        self.as_str().bytes().map(lower).cmp(other.as_str().bytes().map(lower))
    }
}

impl PartialOrd for AttributeName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for AttributeName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.as_str().bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
        state.write_u8(0xff);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::*;

    #[test]
    fn names_oids_and_options_are_accepted() {
        for text in ["cn", "msDS-UserPasswordExpiryTimeComputed", "2.5.4.3", "cn;lang-de;x-hr", "member;range=0-1499"] {
            assert_eq!(AttributeName::parse(text).unwrap().as_str(), text);
        }
        assert!(AttributeName::parse("member;range=1500-*").is_ok());
    }

    #[test]
    fn anything_else_is_refused() {
        let bad = [
            "",
            " cn",
            "cn ",
            "1",
            "2.",
            "2..5",
            "2.05",
            "c_n",
            "c=n",
            "cn;",
            "cn;;x",
            "cn;range=",
            "cn;range=1",
            "cn;range=1-",
            "cn;rang=1-2",
            "cn)(uid=*",
            "été",
            "c\0n",
            "*",
            "+",
            "-cn",
        ];
        for text in bad {
            assert!(AttributeName::parse(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn case_does_not_matter_for_equality_order_and_hash() {
        let (lower, upper) = (AttributeName::parse("givenname").unwrap(), AttributeName::literal("givenName"));
        assert_eq!(lower, upper);
        assert_eq!(lower.cmp(&upper), Ordering::Equal);
        assert!(HashSet::from([lower.clone()]).contains(&upper));
        assert!(
            BTreeSet::from([AttributeName::literal("CN"), AttributeName::literal("b")]).first().unwrap()
                == &AttributeName::literal("b")
        );
        assert_ne!(lower, AttributeName::literal("given"));
    }

    #[test]
    fn options_can_be_left_off() {
        let name = AttributeName::parse("userCertificate;binary").unwrap();
        assert_eq!(name.base(), "userCertificate");
        assert_eq!(name.options().collect::<Vec<_>>(), ["binary"]);
        assert_eq!(name.without_options().as_str(), "userCertificate");
    }
}
