//! Reading a distinguished name.

use super::{InvalidDn, Pair, Rdn};
use crate::directory::name::AttributeName;

/// The normal form of a name that is plain: single-valued components, ASCII, nothing escaped, no blanks around
/// separators. Nearly every name that a server sends is, and this costs a tenth of the full reading.
pub(super) fn plain(text: &str) -> Option<String> {
    let mut normal = String::with_capacity(text.len());
    for component in text.split(',') {
        let (attribute, value) = component.split_once('=')?;
        let bytes = value.as_bytes();
        let simple_type = attribute.len() < 6
            && attribute.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && attribute.starts_with(|first: char| first.is_ascii_alphabetic());
        if !simple_type || !is_plain_value(bytes) {
            return None;
        }
        if !normal.is_empty() {
            normal.push(',');
        }
        normal.push_str(component);
    }
    normal.make_ascii_lowercase();
    Some(normal)
}

fn is_plain_value(value: &[u8]) -> bool {
    let (Some(first), Some(last)) = (value.first(), value.last()) else { return false };
    let ends = !matches!(first, b' ' | b'#') && *last != b' ';
    let special =
        |byte: u8| matches!(byte, b'"' | b'+' | b';' | b'<' | b'=' | b'>' | b'\\') || !(b' '..=b'~').contains(&byte);
    ends && !value.iter().copied().any(special) && !value.windows(2).any(|pair| pair == b"  ")
}

/// The components of the name that `text` writes; none for a blank text.
pub(super) fn rdns(text: &str) -> Result<Vec<Rdn>, InvalidDn> {
    let mut reader = Reader { text, at: 0 };
    reader.skip_blanks();
    let mut rdns = Vec::new();
    if reader.peek().is_none() {
        return Ok(rdns);
    }
    loop {
        let mut pairs = vec![reader.pair()?];
        while reader.take(b'+') {
            pairs.push(reader.pair()?);
        }
        rdns.push(Rdn { pairs });
        if !reader.take(b',') {
            break;
        }
    }
    if reader.peek().is_none() { Ok(rdns) } else { Err(reader.fault("a comma or a plus sign is expected")) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn pair(&mut self) -> Result<Pair, InvalidDn> {
        self.skip_blanks();
        let attribute = self.attribute()?;
        self.skip_blanks();
        if !self.take(b'=') {
            return Err(self.fault("an equals sign is expected after the attribute name"));
        }
        self.skip_blanks();
        let encoded = self.take(b'#');
        let value = if encoded { self.encoded_value()? } else { self.value()? };
        self.skip_blanks();
        Ok(Pair { attribute, value, encoded })
    }

    fn attribute(&mut self) -> Result<AttributeName, InvalidDn> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length =
            rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')).count();
        let name = rest.get(..length).unwrap_or_default();
        let name = AttributeName::parse(name).map_err(|_| self.fault("an attribute name is expected"))?;
        self.at += length;
        Ok(name)
    }

    /// `string` of RFC 4514 section 3, up to the next separator; blanks at its end count only when escaped.
    fn value(&mut self) -> Result<Vec<u8>, InvalidDn> {
        let mut value = Vec::new();
        let mut significant = 0;
        while let Some(byte) = self.peek() {
            match byte {
                b',' | b'+' => break,
                b'\\' => {
                    value.push(self.escape()?);
                    significant = value.len();
                    continue;
                }
                b'"' | b';' | b'<' | b'>' | 0 => {
                    return Err(self.fault("this character must be escaped with a backslash"));
                }
                byte => value.push(byte),
            }
            self.at += 1;
            if byte != b' ' {
                significant = value.len();
            }
        }
        value.truncate(significant);
        Ok(value)
    }

    /// A backslash and what follows: two hexadecimal digits, or a character that has a meaning of its own.
    fn escape(&mut self) -> Result<u8, InvalidDn> {
        self.at += 1;
        if let Some(byte) = self.hex_byte() {
            return Ok(byte);
        }
        match self.peek() {
            Some(byte @ (b' ' | b'"' | b'#' | b'+' | b',' | b';' | b'<' | b'=' | b'>' | b'\\')) => {
                self.at += 1;
                Ok(byte)
            }
            _ => Err(self.fault("after a backslash, write two hexadecimal digits or a special character")),
        }
    }

    fn encoded_value(&mut self) -> Result<Vec<u8>, InvalidDn> {
        let mut value = Vec::new();
        while let Some(byte) = self.hex_byte() {
            value.push(byte);
        }
        let ended = matches!(self.peek(), None | Some(b',' | b'+' | b' '));
        if ended && !value.is_empty() {
            Ok(value)
        } else {
            Err(self.fault("after #, write pairs of hexadecimal digits"))
        }
    }

    fn hex_byte(&mut self) -> Option<u8> {
        let digits = self.text.as_bytes().get(self.at..self.at + 2)?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let value = digit(*digits.first()?)? * 16 + digit(*digits.last()?)?;
        self.at += 2;
        u8::try_from(value).ok()
    }

    fn skip_blanks(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn fault(&self, reason: &'static str) -> InvalidDn {
        let before = self.text.as_bytes().get(..self.at).unwrap_or_default();
        let column = 1 + String::from_utf8_lossy(before).chars().count();
        InvalidDn { text: self.text.to_owned(), column, reason }
    }
}
