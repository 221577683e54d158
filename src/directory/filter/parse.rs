//! Reading a search filter: recursive descent over the grammar of RFC 4515 section 3.

use super::{Filter, InvalidFilter};
use crate::directory::name::{AttributeName, is_object_identifier};

/// Deeper nesting is a mistake, and the reader must not run out of stack.
const DEEPEST: usize = 64;

pub(super) fn filter(text: &str) -> Result<Filter, InvalidFilter> {
    let mut reader = Reader { text, at: 0 };
    reader.skip_blanks();
    let filter = if reader.peek() == Some(b'(') { reader.filter(0)? } else { reader.item()? };
    reader.skip_blanks();
    match reader.peek() {
        None => Ok(filter),
        Some(_) => Err(reader.fault("the filter ends before this character")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn filter(&mut self, depth: usize) -> Result<Filter, InvalidFilter> {
        if depth >= DEEPEST {
            return Err(self.fault("the parentheses are nested too deeply (64 at most)"));
        }
        if !self.take(b'(') {
            return Err(self.fault("an opening parenthesis is expected"));
        }
        self.skip_blanks();
        let filter = match self.peek() {
            Some(b'&') => Filter::And(self.list(depth)?),
            Some(b'|') => Filter::Or(self.list(depth)?),
            Some(b'!') => {
                self.at += 1;
                self.skip_blanks();
                Filter::Not(Box::new(self.filter(depth + 1)?))
            }
            _ => self.item()?,
        };
        self.skip_blanks();
        if self.take(b')') { Ok(filter) } else { Err(self.fault("a closing parenthesis is expected")) }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Filter>, InvalidFilter> {
        self.at += 1;
        let mut filters = Vec::new();
        loop {
            self.skip_blanks();
            if self.peek() != Some(b'(') {
                return Ok(filters);
            }
            filters.push(self.filter(depth + 1)?);
        }
    }

    fn item(&mut self) -> Result<Filter, InvalidFilter> {
        let attribute = self.attribute()?;
        let rest = self.text.get(self.at..).unwrap_or_default();
        let signs = [">=", "<=", "~=", ":", "="];
        let Some(sign) = signs.into_iter().find(|sign| rest.starts_with(sign)) else {
            return Err(self.fault("=, >= or <= is expected after the attribute name"));
        };
        if sign == "~=" {
            return Err(self.fault("an approximate match (~=) is not supported; use =, or = with *"));
        }
        self.at += sign.len();
        match sign {
            ">=" => Ok(Filter::GreaterOrEqual(attribute, self.single_value()?)),
            "<=" => Ok(Filter::LessOrEqual(attribute, self.single_value()?)),
            ":" => self.extensible(attribute),
            _ => self.equal(attribute),
        }
    }

    /// `attr=value`, `attr=*` or `attr=initial*any*last`.
    fn equal(&mut self, attribute: AttributeName) -> Result<Filter, InvalidFilter> {
        let mut parts = vec![self.value()?];
        while self.take(b'*') {
            parts.push(self.value()?);
        }
        let last = parts.pop().unwrap_or_default();
        if parts.is_empty() {
            return Ok(Filter::Equal(attribute, last));
        }
        let initial = parts.remove(0);
        if initial.is_empty() && last.is_empty() && parts.is_empty() {
            return Ok(Filter::Present(attribute));
        }
        if parts.iter().any(Vec::is_empty) {
            return Err(self.fault("two asterisks with nothing between them"));
        }
        let some = |part: Vec<u8>| if part.is_empty() { None } else { Some(part) };
        Ok(Filter::Substrings { attribute, initial: some(initial), any: parts, last: some(last) })
    }

    /// `attr:rule:=value`, from behind the first colon.
    fn extensible(&mut self, attribute: AttributeName) -> Result<Filter, InvalidFilter> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let rule = rest.split(":=").next().unwrap_or_default();
        if rule.len() == rest.len() || !is_object_identifier(rule) {
            return Err(self.fault("write an extensible match as (attribute:matching-rule:=value)"));
        }
        let rule = rule.to_owned();
        self.at += rule.len() + ":=".len();
        Ok(Filter::Matches { attribute, rule, value: self.single_value()? })
    }

    fn attribute(&mut self) -> Result<AttributeName, InvalidFilter> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b';');
        let length = rest.bytes().take_while(name).count();
        let name = AttributeName::parse(rest.get(..length).unwrap_or_default());
        let name = name.map_err(|_| self.fault("an attribute name is expected"))?;
        self.at += length;
        Ok(name)
    }

    fn single_value(&mut self) -> Result<Vec<u8>, InvalidFilter> {
        let value = self.value()?;
        if self.peek() == Some(b'*') { Err(self.fault("an asterisk cannot stand here; write \\2a")) } else { Ok(value) }
    }

    /// `assertionvalue` up to an asterisk or parenthesis.
    fn value(&mut self) -> Result<Vec<u8>, InvalidFilter> {
        let mut value = Vec::new();
        while let Some(byte) = self.peek() {
            match byte {
                b'*' | b')' => break,
                b'(' => return Err(self.fault("an opening parenthesis in a value is written \\28")),
                0 => return Err(self.fault("a NUL in a value is written \\00")),
                b'\\' => value.push(self.escape()?),
                byte => {
                    value.push(byte);
                    self.at += 1;
                }
            }
        }
        Ok(value)
    }

    fn escape(&mut self) -> Result<u8, InvalidFilter> {
        let digits = self.text.as_bytes().get(self.at + 1..self.at + 3).unwrap_or_default();
        let digit = |at: usize| digits.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        let byte = digit(0).zip(digit(1)).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        let byte = byte.ok_or_else(|| self.fault("after a backslash, write two hexadecimal digits"))?;
        self.at += 3;
        Ok(byte)
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
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

    fn fault(&self, reason: &str) -> InvalidFilter {
        let before = self.text.as_bytes().get(..self.at).unwrap_or_default();
        let column = 1 + String::from_utf8_lossy(before).chars().count();
        InvalidFilter { text: self.text.to_owned(), column, reason: reason.to_owned() }
    }
}
