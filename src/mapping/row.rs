//! One row of the mapping table: which SCIM attribute and which LDAP attribute belong together, and how.

mod checks;
mod next;
mod path;
mod read;

use std::fmt;

use serde_json::Value;

use super::codec::Codec;
use super::generate::Generate;
use super::lookup::Lookup;
use super::template::Template;
use crate::directory::AttributeName;
use crate::scim::{AttributePath, Filter, Literal, ResourceKind};
use crate::tables::Place;

pub use next::{Number, NumberRange};
pub(super) use read::{Draft, read_row};

/// A validated row.
#[derive(Debug, Clone)]
pub struct Row {
    /// Where it stands.
    pub place: Place,
    /// The SCIM attribute; none for a value that is only computed.
    pub scim: Option<RowPath>,
    /// The LDAP attribute.
    pub ldap: AttributeName,
    /// Computes what is written, in place of the value of `scim`.
    pub value: Option<Template>,
    /// Computes what is written when there is no value; never shown back as the resource's own.
    pub fallback: Option<Template>,
    /// The value of `scim` when the client gives none; shown back.
    pub default: Option<Value>,
    /// A resource without a value for `scim` is refused.
    pub required: bool,
    /// Which way values go.
    pub direction: Direction,
    /// When the row writes.
    pub when: When,
    /// The only values allowed; empty: any.
    pub one_of: Vec<String>,
    /// A value given although this does not hold is refused.
    pub only_if: Option<Filter>,
    /// Values are exchanged by this table.
    pub lookup: Option<Lookup>,
    /// Text is written in this case.
    pub case: Option<Case>,
    /// Most characters a value may have.
    pub max_length: Option<usize>,
    /// The row carries all values, not one.
    pub multi: bool,
    /// The form of the LDAP values.
    pub codec: Codec,
    /// The values name another resource; the directory stores its DN.
    pub reference: Option<Reference>,
    /// The bridge makes the value up when it creates the entry.
    pub generate: Option<Generate>,
    /// Stands behind a value that does not have its first character.
    pub suffix: Option<String>,
    /// A new entry gets the next free one of these numbers.
    pub next: Option<NumberRange>,
}

impl Row {
    /// True when the row is used to write entries.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.direction != Direction::FromLdap
    }

    /// True when the row is used to read entries.
    #[must_use]
    pub fn reads(&self) -> bool {
        self.scim.is_some() && self.direction != Direction::ToLdap
    }

    /// True when the row always has something to write.
    #[must_use]
    pub fn never_empty(&self) -> bool {
        self.required || self.default.is_some() || self.fallback.is_some() || self.next.is_some()
    }
}

/// The place in a resource that a row is about.
#[derive(Debug, Clone, PartialEq)]
pub struct RowPath {
    /// The attribute, with the sub-attribute that holds the value.
    pub path: AttributePath,
    /// Which elements of a multi-valued attribute are meant: alternatives in order of preference, each a list of
    /// sub-attributes and the values they must have. Empty: all elements, or the attribute isn't multi-valued.
    pub selectors: Vec<Vec<(String, Literal)>>,
    /// The attribute holds a list of elements.
    pub multi_valued: bool,
}

impl fmt::Display for RowPath {
    /// As a table writes it: `emails[type eq "work" or primary eq true].value`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.selectors.is_empty() {
            return write!(formatter, "{}", self.path);
        }
        let one = |(name, value): &(String, Literal)| format!("{name} eq {value}");
        let every = |all: &Vec<(String, Literal)>| all.iter().map(one).collect::<Vec<_>>().join(" and ");
        let whole = AttributePath { sub: None, ..self.path.clone() };
        write!(formatter, "{whole}[{}]", self.selectors.iter().map(every).collect::<Vec<_>>().join(" or "))?;
        self.path.sub.as_ref().map_or(Ok(()), |sub| write!(formatter, ".{sub}"))
    }
}

/// Which way values go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Written to the directory and read back.
    #[default]
    Both,
    /// Written only.
    ToLdap,
    /// Read only; what clients send is ignored.
    FromLdap,
}

/// When a row writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum When {
    /// Whenever the value changes.
    #[default]
    Always,
    /// When the entry is created.
    CreateOnly,
    /// While the LDAP attribute has no value.
    IfEmpty,
}

/// The case that text is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// Small letters.
    Lower,
    /// Capital letters.
    Upper,
}

/// Values name other resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The kind of resource they name.
    pub to: ResourceKind,
    /// What the values may be, tried in this order.
    pub by: Vec<ReferenceKey>,
}

/// What identifies the resource that a reference names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ReferenceKey {
    /// Its SCIM id.
    Id,
    /// The value of an attribute.
    Path(AttributePath),
}
