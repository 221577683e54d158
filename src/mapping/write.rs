//! From a resource to the attribute values that an entry should hold.

use std::collections::HashMap;

use serde_json::Value;

use super::codec::Codec;
use super::lookup::Lookup;
use super::row::{Case, Direction, NumberRange, ReferenceKey, Row, When};
use super::select;
use super::table::ResourceMapping;
use crate::directory::Dn;
use crate::scim::{Fault, FaultKind, Resource, ResourceKind};

/// What a row wants the entry to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The row does not write now: it only reads, or the request says nothing it could carry.
    Untouched,
    /// The entry should hold these values, none if empty.
    Values(Vec<Vec<u8>>),
}

/// Something a resource refers to, in the client's words.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mention {
    /// What is referred to.
    pub to: ResourceKind,
    /// How the words are to be understood, tried in this order.
    pub by: Vec<ReferenceKey>,
    /// The client's words: an id, a userName, an address.
    pub text: String,
}

/// Which entry each mention means. A mention that is missing here means nothing the directory has.
#[derive(Debug, Clone, Default)]
pub struct Mentions {
    known: HashMap<Mention, Dn>,
    unasked: bool,
}

impl Mentions {
    /// Nobody knows what any mention means, because the directory could not be asked.
    #[must_use]
    pub fn unasked() -> Self {
        Self { known: HashMap::new(), unasked: true }
    }

    /// Whether the directory could not be asked.
    #[must_use]
    pub const fn is_unasked(&self) -> bool {
        self.unasked
    }

    /// Notes that `mention` means the entry `dn`.
    pub fn insert(&mut self, mention: Mention, dn: Dn) {
        self.known.insert(mention, dn);
    }

    /// The entry that `mention` means.
    #[must_use]
    pub fn get(&self, mention: &Mention) -> Option<&Dn> {
        self.known.get(mention)
    }
}

/// Whether a request makes a new entry or changes one that is there, and what it may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteMode {
    /// The entry does not exist yet.
    pub creating: bool,
    /// Passwords in requests are carried over.
    pub password_sync: bool,
}

impl ResourceMapping {
    /// Everything `resource` refers to and that must be looked up before it can be written.
    #[must_use]
    pub fn mentions(&self, resource: &Resource) -> Vec<Mention> {
        let mut found: Vec<Mention> = Vec::new();
        for (at, row) in self.rows.iter().enumerate() {
            if row.reference.is_some() && row.direction != Direction::FromLdap {
                found.extend(self.row_mentions(at, row, resource));
            }
        }
        found
    }

    fn row_mentions(&self, at: usize, row: &Row, resource: &Resource) -> Vec<Mention> {
        let (Some(reference), Some(path)) = (&row.reference, &row.scim) else { return Vec::new() };
        select::select(row, path, resource, self.takes_untyped(at))
            .into_iter()
            .filter_map(Value::as_str)
            .map(|text| Mention { to: reference.to, by: reference.by.clone(), text: text.to_owned() })
            .collect()
    }

    /// Whether elements without a `type` may stand in for the one that the row at `at` asks for: only the first row
    /// of each list attribute takes them, so that one value never lands in two attributes.
    fn takes_untyped(&self, at: usize) -> bool {
        let path = self.rows.get(at).and_then(|row| row.scim.as_ref()).map(|path| &path.path);
        self.rows.iter().position(|row| row.scim.as_ref().map(|path| &path.path) == path) == Some(at)
    }

    /// What the row at index `at` wants.
    pub(super) fn wanted(
        &self,
        at: usize,
        resource: &Resource,
        mentions: &Mentions,
        mode: WriteMode,
    ) -> Result<Wanted, Fault> {
        let Some(row) = self.rows.get(at).filter(|row| row.direction != Direction::FromLdap) else {
            return Ok(Wanted::Untouched);
        };
        if row.when == When::CreateOnly && !mode.creating {
            return Ok(Wanted::Untouched);
        }
        if row.codec == Codec::Password {
            return password(row, resource, mode);
        }
        if let Some(generate) = &row.generate {
            return Self::generated_value(row, generate, self.given_text(at, row, resource), resource)
                .map(|(wanted, _)| wanted);
        }
        if row.reference.is_some() {
            return Ok(referred(&self.row_mentions(at, row, resource), mentions));
        }
        let mut values = self.given(at, row, resource)?;
        if let Some(range) = &row.next {
            return numbered(row, range, &values, mode);
        }
        if let Some(condition) = &row.only_if
            && !condition.matches(resource, &self.schema)
        {
            if !values.is_empty() {
                return Err(invalid(row, &format!("may only be given when {condition}")));
            }
            return Ok(Wanted::Values(Vec::new()));
        }
        if values.is_empty() {
            values.extend(row.default.clone());
        }
        if values.is_empty() && row.required {
            return Err(invalid(row, "is required and missing or empty"));
        }
        let mut encoded = Vec::with_capacity(values.len());
        for value in &values {
            let value = row.encode(value)?;
            if !encoded.contains(&value) {
                encoded.push(value);
            }
        }
        if encoded.is_empty() {
            encoded.extend(fallback(row, resource)?);
        }
        row.codec.mark_primary(&mut encoded);
        Ok(Wanted::Values(encoded))
    }

    /// Whether `resource` has a value for the row at `at`.
    pub(super) fn shows(&self, at: usize, resource: &Resource) -> bool {
        let Some(row) = self.rows.get(at) else { return false };
        row.scim.as_ref().is_some_and(|path| !select::select(row, path, resource, self.takes_untyped(at)).is_empty())
    }

    /// What the client itself sends for a row that makes its value up.
    pub(super) fn given_text<'a>(&self, at: usize, row: &Row, resource: &'a Resource) -> Option<&'a str> {
        let path = row.scim.as_ref()?;
        select::select(row, path, resource, self.takes_untyped(at)).first()?.as_str()
    }

    fn given(&self, at: usize, row: &Row, resource: &Resource) -> Result<Vec<Value>, Fault> {
        if let Some(template) = &row.value {
            let text = template.render(resource.as_map()).map_err(|reason| refused(row, &reason))?;
            return Ok(text.map(Value::from).into_iter().collect());
        }
        let Some(path) = &row.scim else { return Ok(Vec::new()) };
        Ok(select::select(row, path, resource, self.takes_untyped(at)).into_iter().cloned().collect())
    }
}

/// The DNs behind the mentions of a row. Where none of them is known yet the entry keeps what it has: an unknown
/// manager is no reason to take the known one away.
fn referred(asked: &[Mention], mentions: &Mentions) -> Wanted {
    let dns: Vec<Vec<u8>> =
        asked.iter().filter_map(|mention| mentions.get(mention)).map(|dn| dn.as_str().as_bytes().to_vec()).collect();
    if dns.is_empty() && !asked.is_empty() { Wanted::Untouched } else { Wanted::Values(dns) }
}

fn password(row: &Row, resource: &Resource, mode: WriteMode) -> Result<Wanted, Fault> {
    let given = row.scim.as_ref().and_then(|path| resource.get(&path.path));
    match given {
        Some(value) if mode.password_sync => Ok(Wanted::Values(vec![row.encode(value)?])),
        _ => Ok(Wanted::Untouched),
    }
}

/// The number that the client wants for something new. Without one it is not known yet which number it will be.
fn numbered(row: &Row, range: &NumberRange, given: &[Value], mode: WriteMode) -> Result<Wanted, Fault> {
    match given.first() {
        Some(value) if mode.creating => {
            let chosen = range.chosen(value).ok_or_else(|| {
                invalid(row, &format!("must be a number from {} to {}, or be left out", range.from, range.to))
            })?;
            Ok(Wanted::Values(vec![chosen.to_string().into_bytes()]))
        }
        _ => Ok(Wanted::Untouched),
    }
}

fn fallback(row: &Row, resource: &Resource) -> Result<Option<Vec<u8>>, Fault> {
    let Some(template) = &row.fallback else { return Ok(None) };
    let text = template.render(resource.as_map()).map_err(|reason| refused(row, &reason))?;
    Ok(text.map(String::into_bytes))
}

impl Row {
    /// One SCIM value as the bytes that the LDAP attribute holds, after every rule of the row.
    pub(super) fn encode(&self, value: &Value) -> Result<Vec<u8>, Fault> {
        if !self.one_of.is_empty() && !self.one_of.iter().any(|allowed| is_text(value, allowed)) {
            return Err(invalid(self, &format!("must be one of: {}", self.one_of.join(", "))));
        }
        let stored;
        let value = match &self.lookup {
            Some(lookup) => {
                stored = Value::from(lookup.to_ldap(value).ok_or_else(|| no_such_choice(self, lookup))?);
                &stored
            }
            None => value,
        };
        let Value::String(text) = value else {
            return self.codec.encode(value).map_err(|reason| refused(self, &reason));
        };
        let with_suffix;
        let (text, value) = match &self.suffix {
            Some(suffix) if needs_suffix(text, suffix) => {
                with_suffix = Value::String(text.clone() + suffix);
                (with_suffix.as_str().unwrap_or_default(), &with_suffix)
            }
            _ => (text.as_str(), value),
        };
        if let Some(most) = self.max_length
            && text.chars().count() > most
        {
            return Err(invalid(self, &format!("is longer than the {most} characters that it may have")));
        }
        let encoded = match self.case {
            Some(Case::Lower) => self.codec.encode(&Value::String(text.to_lowercase())),
            Some(Case::Upper) => self.codec.encode(&Value::String(text.to_uppercase())),
            None => self.codec.encode(value),
        };
        encoded.map_err(|reason| refused(self, &reason))
    }

    /// The name of the attribute as the client knows it.
    pub(super) fn subject(&self) -> String {
        self.scim.as_ref().map_or_else(|| format!("(computed) {}", self.ldap), |path| path.path.to_string())
    }
}

/// Whether `suffix`, such as `@example.com`, belongs behind `text`: not where its first character is in it already.
pub(super) fn needs_suffix(text: &str, suffix: &str) -> bool {
    !text.is_empty() && suffix.chars().next().is_some_and(|first| !text.contains(first))
}

fn is_text(value: &Value, allowed: &str) -> bool {
    match value {
        Value::String(text) => text == allowed,
        other => *other.to_string() == *allowed,
    }
}

fn no_such_choice(row: &Row, lookup: &Lookup) -> Fault {
    let choices: Vec<String> =
        lookup.pairs().map(|(scim, _)| scim.as_str().map_or_else(|| scim.to_string(), ToOwned::to_owned)).collect();
    invalid(row, &format!("must be one of: {}", choices.join(", ")))
}

fn refused(row: &Row, reason: &str) -> Fault {
    Fault::new(FaultKind::InvalidValue, format!("{}: {reason}.", row.subject()))
}

fn invalid(row: &Row, what: &str) -> Fault {
    Fault::new(FaultKind::InvalidValue, format!("{} {what}.", row.subject()))
}
