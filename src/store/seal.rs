//! Secrets that have to lie on the disk for a while: sealed with a key that lies elsewhere.
//!
//! A sealed secret is a format number, four bytes that tell which key it was, a random nonce of twelve bytes, and what
//! ChaCha20-Poly1305 (RFC 8439) makes of the secret. What the secret is *about* is authenticated with it, so that
//! nobody can move it to where it does not belong.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

const FORMAT: u8 = 1;
/// Bytes of a key.
const KEY: usize = 32;
/// Bytes that tell one key from another.
const TAG: usize = 4;
/// Bytes before the sealed secret itself.
const HEAD: usize = 1 + TAG + NONCE_LEN;

/// The key that secrets are sealed with.
#[derive(Clone)]
pub struct SealKey {
    key: LessSafeKey,
    tag: [u8; TAG],
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[hidden]")
    }
}

/// Why bytes are no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Too few, or too many.
    #[error("it has {0} bytes, where a key has 32, or 64 hexadecimal digits")]
    Length(usize),
    /// Sixteen bytes, written as digits.
    #[error("it has 32 hexadecimal digits, which is half a key: write 64")]
    Half,
    /// The system does not take it.
    #[error("the system refuses it")]
    Refused,
}

/// Why a secret can't be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealFault {
    /// The system has no random numbers.
    #[error("the system refuses random numbers, so the secret can't be sealed")]
    NoRandomness,
    /// Another key is needed.
    #[error("the secret was sealed with another key than the one in `key_file` of [store]: bring the old key back")]
    OtherKey,
    /// It is not what was sealed.
    #[error("the sealed secret is damaged, or does not belong here")]
    Damaged,
}

impl SealKey {
    /// The key in a file: 32 bytes, or 64 hexadecimal digits with or without an end of line.
    pub fn read(content: &[u8]) -> Result<Self, KeyFault> {
        let text = content.trim_ascii();
        let is_text = text.iter().all(u8::is_ascii_hexdigit);
        if is_text && text.len() == KEY {
            return Err(KeyFault::Half);
        }
        if is_text && text.len() == 2 * KEY {
            let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0);
            let pairs = text.as_chunks::<2>().0.iter();
            let bytes = pairs.map(|[high, low]| u8::try_from(digit(*high) * 16 + digit(*low)).unwrap_or(0));
            return Self::new(&Zeroizing::new(bytes.collect::<Vec<u8>>()));
        }
        Self::new(content)
    }

    fn new(bytes: &[u8]) -> Result<Self, KeyFault> {
        if bytes.len() != KEY {
            return Err(KeyFault::Length(bytes.len()));
        }
        let key = UnboundKey::new(&CHACHA20_POLY1305, bytes).map_err(|_| KeyFault::Refused)?;
        let name = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, bytes), b"which key");
        let tag = name.as_ref().first_chunk().copied().unwrap_or_default();
        Ok(Self { key: LessSafeKey::new(key), tag })
    }

    /// Seals a secret. Only who says the same `about` can open it again.
    pub fn seal(&self, secret: &[u8], about: &[u8]) -> Result<Vec<u8>, SealFault> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SealFault::NoRandomness)?;
        let mut sealed = Vec::with_capacity(HEAD + secret.len() + CHACHA20_POLY1305.tag_len());
        sealed.push(FORMAT);
        sealed.extend_from_slice(&self.tag);
        sealed.extend_from_slice(&nonce);
        let mut inside = secret.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_append_tag(nonce, Aad::from(about), &mut inside).map_err(|_| SealFault::Damaged)?;
        sealed.append(&mut inside);
        Ok(sealed)
    }

    /// Opens a sealed secret.
    pub fn open(&self, sealed: &[u8], about: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealFault> {
        let (head, inside) = sealed.split_first_chunk::<HEAD>().ok_or(SealFault::Damaged)?;
        let [FORMAT, head @ ..] = head else { return Err(SealFault::Damaged) };
        let (tag, nonce) = head.split_first_chunk::<TAG>().ok_or(SealFault::Damaged)?;
        if *tag != self.tag {
            return Err(SealFault::OtherKey);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealFault::Damaged)?;
        let mut inside = Zeroizing::new(inside.to_vec());
        let length =
            self.key.open_in_place(nonce, Aad::from(about), &mut inside).map_err(|_| SealFault::Damaged)?.len();
        inside.truncate(length);
        Ok(inside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SealKey {
        SealKey::read(&[byte; 32]).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_again_and_shows_nothing_of_the_secret() {
        let sealed = key(1).seal(b"correct horse", b"item 7").unwrap();
        assert_eq!(**key(1).open(&sealed, b"item 7").unwrap(), *b"correct horse");
        assert!(!sealed.windows(5).any(|window| window == b"horse"));
        assert_ne!(sealed, key(1).seal(b"correct horse", b"item 7").unwrap(), "a nonce of its own each time");
    }

    #[test]
    fn a_secret_opens_only_where_it_belongs_with_its_own_key_and_undamaged() {
        let sealed = key(1).seal(b"correct horse", b"item 7").unwrap();
        assert_eq!(key(1).open(&sealed, b"item 8"), Err(SealFault::Damaged));
        assert_eq!(key(2).open(&sealed, b"item 7"), Err(SealFault::OtherKey));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key(1).open(&changed, b"item 7").is_err(), "byte {at}");
            assert!(key(1).open(&sealed[..at], b"item 7").is_err(), "{at} bytes");
        }
    }

    #[test]
    fn a_key_is_32_bytes_or_64_digits() {
        let digits = "00ff".repeat(16);
        let bytes = [0x00, 0xff].repeat(16);
        let sealed = SealKey::read(&bytes).unwrap().seal(b"x", b"").unwrap();
        for content in [digits.clone(), format!("{digits}\n"), digits.to_uppercase()] {
            assert_eq!(**SealKey::read(content.as_bytes()).unwrap().open(&sealed, b"").unwrap(), *b"x", "{content}");
        }
        let fault = |content: &[u8]| SealKey::read(content).unwrap_err();
        assert_eq!(fault(b""), KeyFault::Length(0));
        assert_eq!(fault(&[7; 33]), KeyFault::Length(33));
        assert_eq!(fault(&digits.as_bytes()[..32]), KeyFault::Half);
        assert_eq!(fault("zz".repeat(32).as_bytes()), KeyFault::Length(64));
    }

    #[test]
    fn a_key_never_shows() {
        assert_eq!(format!("{:?}", key(90)), "[hidden]");
    }
}
