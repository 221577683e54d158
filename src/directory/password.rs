//! Passwords on their way into the directory.

use std::fmt;

use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use super::name::AttributeName;

/// How the password of an entry is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordWay {
    /// As the value of this attribute, in the same request as other changes.
    Attribute(AttributeName),
    /// By the password modify operation (RFC 3062), so that the server digests it and holds it to its policy.
    Operation,
}

/// A password. It is written, and never shown: not in logs, answers or messages.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

/// Active Directory's password, which has a form of its own.
const UNICODE_PWD: AttributeName = AttributeName::literal("unicodePwd");

/// Signs that stand between the letters and digits of a random password. None of them parts a name into words, and
/// none needs to be escaped anywhere.
const SIGNS: &[u8; 16] = b"!$%&()*+:;<=>?@^";
const UPPER: &[u8; 26] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER: &[u8; 26] = b"abcdefghijklmnopqrstuvwxyz";
const DIGITS: &[u8; 10] = b"0123456789";
/// Characters of a random password: about 160 bits.
const LENGTH: usize = 40;

impl Password {
    /// The password `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// A password that nobody knows: long, of every class of characters, and without two letters or digits in a row,
    /// so that no part of the user's name can be in it. `None` when the system has no random numbers.
    #[must_use]
    pub fn random() -> Option<Self> {
        let mut bytes = Zeroizing::new([0_u8; LENGTH]);
        SystemRandom::new().fill(bytes.as_mut_slice()).ok()?;
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        for (at, byte) in bytes.iter().enumerate() {
            let class: &[u8] = match at % 6 {
                0 => UPPER,
                2 => LOWER,
                4 => DIGITS,
                _ => SIGNS,
            };
            text.push(char::from(*class.get(usize::from(*byte) % class.len())?));
        }
        Some(Self(text))
    }

    /// As the value that `attribute` takes: quoted UTF-16 for Active Directory (MS-ADTS section 3.1.1.3.1.5.1), plain
    /// UTF-8 for every other.
    #[must_use]
    pub fn value_for(&self, attribute: &AttributeName) -> Vec<u8> {
        if *attribute != UNICODE_PWD {
            return self.0.as_bytes().to_vec();
        }
        let quote = || std::iter::once(u16::from(b'"'));
        quote().chain(self.0.encode_utf16()).chain(quote()).flat_map(u16::to_le_bytes).collect()
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(...)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn active_directory_gets_it_quoted_in_utf_16_and_others_as_it_is() {
        let password = Password::new("Ö1");
        assert_eq!(password.value_for(&UNICODE_PWD), [0x22, 0, 0xd6, 0, 0x31, 0, 0x22, 0]);
        assert_eq!(password.value_for(&AttributeName::literal("userPassword")), "Ö1".as_bytes());
    }

    #[test]
    fn a_random_password_has_every_class_of_characters_and_no_part_of_any_name() {
        let password = Password::random().unwrap();
        let text = password.expose();
        assert_eq!(text.len(), LENGTH);
        for class in [&UPPER[..], LOWER, DIGITS, SIGNS] {
            assert!(text.bytes().any(|byte| class.contains(&byte)));
        }
        let pairs = text.as_bytes().windows(2);
        assert!(pairs.into_iter().all(|pair| !pair.iter().all(u8::is_ascii_alphanumeric)));
        assert_ne!(text, Password::random().unwrap().expose());
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(format!("{:?}", Password::new("1mz050nq")), "Password(...)");
    }
}
