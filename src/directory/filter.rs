//! Search filters (RFC 4515): the one place where they are written, read and escaped.

mod parse;

#[cfg(test)]
mod tests;

use std::fmt::{self, Write as _};
use std::str::FromStr;

use super::entry::Entry;
use super::name::{AttributeName, is_object_identifier};

const OBJECT_CLASS: AttributeName = AttributeName::literal("objectClass");

/// A search filter. Values are bytes, unescaped; [`Display`](fmt::Display) writes the text for the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Every one holds. Empty: always true.
    And(Vec<Self>),
    /// At least one holds. Empty: never true.
    Or(Vec<Self>),
    /// The inner filter does not hold.
    Not(Box<Self>),
    /// A value equals this one by the attribute's equality rule.
    Equal(AttributeName, Vec<u8>),
    /// A value has these parts in this order; empty parts count as absent.
    Substrings {
        /// The attribute whose values are looked at.
        attribute: AttributeName,
        /// What the value starts with.
        initial: Option<Vec<u8>>,
        /// What it contains, one after the other.
        any: Vec<Vec<u8>>,
        /// What it ends with.
        last: Option<Vec<u8>>,
    },
    /// A value is this one or sorts behind it by the attribute's ordering rule.
    GreaterOrEqual(AttributeName, Vec<u8>),
    /// A value is this one or sorts before it by the attribute's ordering rule.
    LessOrEqual(AttributeName, Vec<u8>),
    /// The attribute has a value.
    Present(AttributeName),
    /// A value matches by the rule named (extensible match), such as Active Directory's bit-and.
    Matches {
        /// The attribute whose values are looked at.
        attribute: AttributeName,
        /// Name or OID of the matching rule. Characters that cannot stand in one are not written.
        rule: String,
        /// The assertion.
        value: Vec<u8>,
    },
}

/// A text that is no search filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a search filter: column {column}: {reason}")]
pub struct InvalidFilter {
    /// What was written.
    pub text: String,
    /// Where, in characters, counted from 1.
    pub column: usize,
    /// What is wrong there.
    pub reason: String,
}

impl Filter {
    /// The filter that `text` writes. Blanks between components, and a single item without its parentheses, are
    /// allowed, as they are common in configuration files.
    pub fn parse(text: &str) -> Result<Self, InvalidFilter> {
        parse::filter(text)
    }

    /// Holds for every entry.
    #[must_use]
    pub fn any() -> Self {
        Self::Present(OBJECT_CLASS)
    }

    /// Holds for no entry.
    #[must_use]
    pub fn never() -> Self {
        Self::Not(Box::new(Self::any()))
    }

    /// Whether it shows, without anybody being asked, that it holds for no entry.
    #[must_use]
    pub fn is_never(&self) -> bool {
        match self {
            Self::And(parts) => parts.iter().any(Self::is_never),
            Self::Or(parts) => parts.iter().all(Self::is_never),
            Self::Not(inner) => **inner == Self::any(),
            _ => false,
        }
    }

    /// Whether it certainly holds for an entry with these attributes, by whatever rules the server matches: the very
    /// bytes are equal by any rule. Not to be sure says nothing.
    #[must_use]
    pub fn surely_holds(&self, entry: &Entry) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.surely_holds(entry)),
            Self::Or(parts) => parts.iter().any(|part| part.surely_holds(entry)),
            Self::Equal(attribute, value) if *attribute == OBJECT_CLASS => {
                entry.values(attribute).iter().any(|class| class.eq_ignore_ascii_case(value))
            }
            Self::Equal(attribute, value) => entry.values(attribute).contains(value),
            Self::Present(attribute) => entry.has(attribute),
            _ => false,
        }
    }

    /// The attributes that [`surely_holds`](Self::surely_holds) looks at.
    pub fn simple_attributes(&self, names: &mut Vec<AttributeName>) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.simple_attributes(names)),
            Self::Equal(attribute, _) | Self::Present(attribute) if !names.contains(attribute) => {
                names.push(attribute.clone());
            }
            _ => {}
        }
    }

    /// The attribute equals the text `value`.
    #[must_use]
    pub fn equal(attribute: &AttributeName, value: &str) -> Self {
        Self::Equal(attribute.clone(), value.as_bytes().to_vec())
    }

    /// Both filters hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match self {
            Self::And(mut parts) => {
                parts.push(other);
                Self::And(parts)
            }
            first => Self::And(vec![first, other]),
        }
    }

    /// `value` escaped so that it can stand in a filter that is put together as text and then parsed.
    #[must_use]
    pub fn escaped(value: &str) -> String {
        let mut out = String::with_capacity(value.len());
        escape(value.as_bytes(), &mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            // RFC 4526's (&) and (|) are not known to every server.
            Self::And(parts) if parts.is_empty() => Self::any().write(out),
            Self::Or(parts) if parts.is_empty() => Self::never().write(out),
            Self::And(parts) => write_all('&', parts, out),
            Self::Or(parts) => write_all('|', parts, out),
            Self::Not(inner) => write_all('!', std::iter::once(&**inner), out),
            Self::Equal(attribute, value) => write_item(attribute, "=", value, out),
            Self::GreaterOrEqual(attribute, value) => write_item(attribute, ">=", value, out),
            Self::LessOrEqual(attribute, value) => write_item(attribute, "<=", value, out),
            Self::Present(attribute) => out.extend(["(", written(attribute), "=*)"]),
            Self::Substrings { attribute, initial, any, last } => {
                write_substrings(attribute, initial.as_deref(), any, last.as_deref(), out);
            }
            Self::Matches { attribute, rule, value } => {
                let rule: String = if is_object_identifier(rule) { rule.clone() } else { harmless(rule) };
                write_item(attribute, &[":", &rule, ":="].concat(), value, out);
            }
        }
    }
}

/// A range of values is a thing of answers only, and its equals sign would be taken for the filter's.
fn written(attribute: &AttributeName) -> &str {
    if attribute.as_str().contains('=') { attribute.base() } else { attribute.as_str() }
}

fn write_all<'a>(sign: char, parts: impl IntoIterator<Item = &'a Filter>, out: &mut String) {
    out.extend(['(', sign]);
    parts.into_iter().for_each(|part| part.write(out));
    out.push(')');
}

fn write_item(attribute: &AttributeName, sign: &str, value: &[u8], out: &mut String) {
    out.extend(["(", written(attribute), sign]);
    escape(value, out);
    out.push(')');
}

fn write_substrings(
    attribute: &AttributeName,
    initial: Option<&[u8]>,
    any: &[Vec<u8>],
    last: Option<&[u8]>,
    out: &mut String,
) {
    out.extend(["(", written(attribute), "="]);
    escape(initial.unwrap_or_default(), out);
    out.push('*');
    for part in any.iter().filter(|part| !part.is_empty()) {
        escape(part, out);
        out.push('*');
    }
    escape(last.unwrap_or_default(), out);
    out.push(')');
}

/// Keeps a rule that is no OID from ending its place in the filter; the server will say that it does not know it.
fn harmless(rule: &str) -> String {
    let kept: String = rule.chars().filter(char::is_ascii_alphanumeric).collect();
    if is_object_identifier(&kept) { kept } else { String::from("unknown") }
}

/// RFC 4515 section 3: what has a meaning of its own, and every byte that is no text, in hexadecimal.
fn escape(value: &[u8], out: &mut String) {
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '(' | ')' | '*' | '\\' => write_hex(character as u8, out),
                character if character.is_ascii_control() => write_hex(character as u8, out),
                character => out.push(character),
            }
        }
        chunk.invalid().iter().for_each(|byte| write_hex(*byte, out));
    }
}

fn write_hex(byte: u8, out: &mut String) {
    let _ = write!(out, "\\{byte:02x}");
}

impl fmt::Display for Filter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::with_capacity(64);
        self.write(&mut out);
        formatter.write_str(&out)
    }
}

impl FromStr for Filter {
    type Err = InvalidFilter;

    fn from_str(text: &str) -> Result<Self, InvalidFilter> {
        Self::parse(text)
    }
}
