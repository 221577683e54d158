//! Distinguished names (RFC 4514): the one place where they are read, compared and escaped.

mod parse;
mod text;

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use super::name::AttributeName;

/// The distinguished name of an entry.
///
/// Shown as it was written, or in canonical form where blanks around separators or needless escapes were written.
/// Comparison, order and hash work on a normal form: case of types and values, blanks at the ends of a value and
/// runs of blanks, the way something is escaped, the order inside a multi-valued RDN, and `cn` for `commonName`
/// make no difference.
#[derive(Clone)]
pub struct Dn {
    text: Arc<str>,
    normal: Arc<str>,
}

/// The first component of a [`Dn`]: one pair of attribute and value, rarely several.
#[derive(Clone)]
pub struct Rdn {
    /// Never empty.
    pairs: Vec<Pair>,
}

#[derive(Clone)]
struct Pair {
    attribute: AttributeName,
    value: Vec<u8>,
    /// The value is the BER encoding, written `#...` (RFC 4514 section 2.4).
    encoded: bool,
}

/// A text that is no distinguished name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a distinguished name: column {column}: {reason}")]
pub struct InvalidDn {
    /// What was written.
    pub text: String,
    /// Where, in characters, counted from 1.
    pub column: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

impl Dn {
    /// The name that `text` writes, in the form of RFC 4514; blanks around separators are allowed.
    pub fn parse(text: &str) -> Result<Self, InvalidDn> {
        match parse::plain(text) {
            Some(normal) => Ok(Self::of(text, &normal)),
            None => Ok(Self::from_rdns(&parse::rdns(text)?)),
        }
    }

    /// The name that a value of an attribute writes; none where it is something else.
    #[must_use]
    pub fn in_value(value: &[u8]) -> Option<Self> {
        Self::parse(std::str::from_utf8(value).ok()?).ok()
    }

    /// What values have in common that name the same entry, however they spell it. A value that names none stays itself.
    #[must_use]
    pub fn form_of_value(value: &[u8]) -> Vec<u8> {
        Self::in_value(value).map_or_else(|| value.to_vec(), |dn| dn.normal.as_bytes().to_vec())
    }

    /// The empty name, of the root of the directory tree.
    #[must_use]
    pub fn root() -> Self {
        Self::of("", "")
    }

    /// The name of the entry `attribute` = `value` directly below this one; `value` is any text and gets escaped.
    #[must_use]
    pub fn child(&self, attribute: &AttributeName, value: &str) -> Self {
        self.below(&Rdn::single(attribute, value))
    }

    /// The name with `rdn` in front of this one.
    #[must_use]
    pub fn below(&self, rdn: &Rdn) -> Self {
        let (mut written, mut normal) = (rdn.to_string(), rdn.normal());
        if !self.is_root() {
            written.push(',');
            written.push_str(&self.text);
            normal.push(',');
            normal.push_str(&self.normal);
        }
        Self::of(&written, &normal)
    }

    /// The name without its first component; none for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let mut rdns = self.rdns().into_iter();
        rdns.next()?;
        Some(Self::from_rdns(rdns.as_slice()))
    }

    /// The first component; none for the root.
    #[must_use]
    pub fn rdn(&self) -> Option<Rdn> {
        self.rdns().into_iter().next()
    }

    /// All components, the entry's own first.
    #[must_use]
    pub fn rdns(&self) -> Vec<Rdn> {
        // The text was read once already, so it can be read again.
        parse::rdns(&self.text).unwrap_or_default()
    }

    /// The name beside this one: the same parent, `rdn` in front.
    #[must_use]
    pub fn with_rdn(&self, rdn: &Rdn) -> Self {
        self.parent().unwrap_or_else(Self::root).below(rdn)
    }

    /// The name of this entry after a move below `parent`.
    #[must_use]
    pub fn moved_under(&self, parent: &Self) -> Self {
        self.rdn().map_or_else(|| parent.clone(), |rdn| parent.below(&rdn))
    }

    /// Whether this entry is `other` or stands anywhere below it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        if other.is_root() {
            return true;
        }
        // In the normal form a comma is always a separator.
        let above = self.normal.strip_suffix(&*other.normal);
        above.is_some_and(|rest| rest.is_empty() || rest.ends_with(','))
    }

    /// Whether this is the empty name.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.text.is_empty()
    }

    /// The name as text, ready for the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The form that is compared: two names of one entry have the same one. Fit as a key, not for the wire.
    #[must_use]
    pub fn normal_form(&self) -> &str {
        &self.normal
    }

    fn from_rdns(rdns: &[Rdn]) -> Self {
        let join = |texts: Vec<String>| texts.join(",");
        Self::of(&join(rdns.iter().map(Rdn::to_string).collect()), &join(rdns.iter().map(Rdn::normal).collect()))
    }

    fn of(written: &str, normal: &str) -> Self {
        let text: Arc<str> = Arc::from(written);
        let normal = if written == normal { Arc::clone(&text) } else { Arc::from(normal) };
        Self { text, normal }
    }
}

impl Rdn {
    /// The component `attribute` = `value`; `value` is any text and gets escaped. Options of the name are left off.
    #[must_use]
    pub fn single(attribute: &AttributeName, value: &str) -> Self {
        Self { pairs: vec![Pair::of(attribute, value)] }
    }

    /// The component that `text` writes.
    pub fn parse(text: &str) -> Result<Self, InvalidDn> {
        let mut rdns = parse::rdns(text)?.into_iter();
        match (rdns.next(), rdns.next()) {
            (Some(rdn), None) => Ok(rdn),
            _ => Err(InvalidDn { text: text.to_owned(), column: 1, reason: "one name component is expected" }),
        }
    }

    /// The unescaped value of `attribute`, when it is part of this component and is text.
    #[must_use]
    pub fn value_of(&self, attribute: &AttributeName) -> Option<&str> {
        let pair = self.pairs.iter().find(|pair| pair.names(attribute) && !pair.encoded)?;
        std::str::from_utf8(&pair.value).ok()
    }

    /// The attributes that make this component up.
    pub fn attributes(&self) -> impl Iterator<Item = &AttributeName> {
        self.pairs.iter().map(|pair| &pair.attribute)
    }

    /// This component with another value for `attribute`; its other pairs stay. Where `attribute` is not part of
    /// it, the component becomes `attribute` = `value` alone.
    #[must_use]
    pub fn replacing(&self, attribute: &AttributeName, value: &str) -> Self {
        if !self.pairs.iter().any(|pair| pair.names(attribute)) {
            return Self::single(attribute, value);
        }
        let replace = |pair: &Pair| {
            if pair.names(attribute) { Pair::of(&pair.attribute, value) } else { pair.clone() }
        };
        Self { pairs: self.pairs.iter().map(replace).collect() }
    }

    /// `value` escaped so that it can stand in a name that is put together as text and then parsed, whole or as
    /// part of a value.
    #[must_use]
    pub fn escaped(value: &str) -> String {
        let mut out = String::with_capacity(value.len());
        text::escape(value.as_bytes(), &mut out);
        out
    }

    fn normal(&self) -> String {
        let mut pairs: Vec<String> = self.pairs.iter().map(Pair::normal).collect();
        pairs.sort_unstable();
        pairs.join("+")
    }
}

impl Pair {
    fn of(attribute: &AttributeName, value: &str) -> Self {
        Self { attribute: attribute.without_options(), value: value.as_bytes().to_vec(), encoded: false }
    }

    fn names(&self, attribute: &AttributeName) -> bool {
        text::short_name(self.attribute.base()).eq_ignore_ascii_case(text::short_name(attribute.base()))
    }

    fn normal(&self) -> String {
        let mut out = text::short_name(self.attribute.as_str()).to_ascii_lowercase();
        out.push('=');
        if self.encoded {
            text::write_encoded(&self.value, &mut out);
        } else {
            text::fold(&self.value, &mut out);
        }
        out
    }
}

impl fmt::Display for Rdn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, pair) in self.pairs.iter().enumerate() {
            let mut value = String::with_capacity(pair.value.len());
            if pair.encoded {
                text::write_encoded(&pair.value, &mut value);
            } else {
                text::escape(&pair.value, &mut value);
            }
            write!(formatter, "{}{}={value}", if at == 0 { "" } else { "+" }, pair.attribute)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Rdn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.to_string())
    }
}

impl PartialEq for Rdn {
    fn eq(&self, other: &Self) -> bool {
        self.normal() == other.normal()
    }
}

impl Eq for Rdn {}

impl FromStr for Dn {
    type Err = InvalidDn;

    fn from_str(text: &str) -> Result<Self, InvalidDn> {
        Self::parse(text)
    }
}

impl fmt::Display for Dn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Dn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.text)
    }
}

impl PartialEq for Dn {
    fn eq(&self, other: &Self) -> bool {
        self.normal == other.normal
    }
}

impl Eq for Dn {}

impl Ord for Dn {
    fn cmp(&self, other: &Self) -> Ordering {
        self.normal.cmp(&other.normal)
    }
}

impl PartialOrd for Dn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Dn {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.normal.hash(state);
    }
}
