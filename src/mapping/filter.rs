//! From a SCIM filter to an LDAP filter (RFC 7644 section 3.4.2.2, RFC 4515).
//!
//! The compiled filter never leaves out an entry that the SCIM filter matches. Where LDAP can't say exactly what SCIM
//! asks, it lets more through and says so: the caller then asks the SCIM filter about each resource, before it counts
//! or pages anything.

mod answers;
mod carried;

use std::collections::HashMap;

use answers::{Answer, Answers};

use super::codec::Codec;
use super::row::{Direction, Row};
use super::table::ResourceMapping;
use super::write::{Mention, Mentions};
use crate::directory::{AttributeName, Dialect, Filter as LdapFilter, SchemaView};
use crate::scim::{AttributePath, Comparison, Fault, FaultKind, Filter, Literal};

/// An LDAP filter for a SCIM filter.
#[derive(Debug, Clone, PartialEq)]
pub struct Compiled {
    /// Matches at least every entry that the SCIM filter matches.
    pub filter: LdapFilter,
    /// It matches no other entry either.
    pub exact: bool,
}

impl Compiled {
    const fn exact(filter: LdapFilter) -> Self {
        Self { filter, exact: true }
    }

    const fn wider(filter: LdapFilter) -> Self {
        Self { filter, exact: false }
    }

    fn everything() -> Self {
        Self::wider(LdapFilter::any())
    }

    fn nothing() -> Self {
        Self::exact(LdapFilter::never())
    }
}

/// What compilation needs to know besides the table.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// Which entries the filter's references mean, from [`ResourceMapping::filter_mentions`].
    pub mentions: &'a Mentions,
    /// What the directory holds for the members, from [`ResourceMapping::filter_members`].
    pub members: &'a HashMap<String, Vec<u8>>,
    /// The server's schema, if it was read: it says which comparisons an attribute can answer.
    pub schema: Option<&'a SchemaView>,
    /// The kind of server.
    pub dialect: &'a Dialect,
    /// An attribute that the table does not carry has no value, instead of being a fault: other kinds of resource are
    /// asked the same, and may have it.
    pub lenient: bool,
}

impl ResourceMapping {
    /// The ids of members that `filter` asks for (`members.value eq "…"`), which must be looked up before it can be
    /// compiled.
    #[must_use]
    pub fn filter_members(&self, filter: &Filter) -> Vec<String> {
        if self.members.is_none() {
            return Vec::new();
        }
        match filter {
            Filter::And(parts) | Filter::Or(parts) => parts.iter().flat_map(|part| self.filter_members(part)).collect(),
            Filter::Not(inner) => self.filter_members(inner),
            Filter::Compare { path, value: Literal::String(text), .. } if is_member(path) => vec![text.clone()],
            Filter::Complex { path, filter } if is_member(path) => {
                element_value(filter).map(ToOwned::to_owned).into_iter().collect()
            }
            Filter::Compare { .. } | Filter::Complex { .. } | Filter::Present(_) => Vec::new(),
        }
    }

    /// The references in `filter` (`manager.value eq "…"`) that must be looked up before it can be compiled.
    #[must_use]
    pub fn filter_mentions(&self, filter: &Filter) -> Vec<Mention> {
        match filter {
            Filter::And(parts) | Filter::Or(parts) => {
                parts.iter().flat_map(|part| self.filter_mentions(part)).collect()
            }
            Filter::Not(inner) => self.filter_mentions(inner),
            Filter::Compare { path, value: Literal::String(text), .. } => {
                self.reference_rows(path).filter_map(|row| mention(row, text)).collect()
            }
            Filter::Compare { .. } | Filter::Complex { .. } | Filter::Present(_) => Vec::new(),
        }
    }

    fn reference_rows<'a>(&'a self, path: &'a AttributePath) -> impl Iterator<Item = &'a Row> {
        self.reading_rows(path).filter(|row| row.reference.is_some())
    }

    /// `filter` for the directory. A filter on an attribute that the table does not serve is a fault that says so: an
    /// empty list would make the client create everybody again.
    pub fn compile(&self, filter: &Filter, terms: Terms<'_>) -> Result<Compiled, Fault> {
        match filter {
            atom if terms.lenient && self.carries(atom) == Some(false) => Ok(carried::without_value(atom)),
            Filter::And(parts) => {
                let parts = parts.iter().map(|part| self.compile(part, terms)).collect::<Result<Vec<_>, _>>()?;
                let exact = parts.iter().all(|part| part.exact);
                Ok(Compiled { filter: LdapFilter::And(parts.into_iter().map(|part| part.filter).collect()), exact })
            }
            Filter::Or(parts) => {
                let parts = parts.iter().map(|part| self.compile(part, terms)).collect::<Result<Vec<_>, _>>()?;
                let exact = parts.iter().all(|part| part.exact);
                Ok(Compiled { filter: LdapFilter::Or(parts.into_iter().map(|part| part.filter).collect()), exact })
            }
            Filter::Not(inner) => Ok(negated(self.compile(inner, terms)?)),
            Filter::Present(path) => self.compile_present(path),
            Filter::Compare { path, op, value } => self.compile_comparison(path, *op, value, terms),
            Filter::Complex { path, filter } => self.compile_complex(path, filter, terms),
        }
    }

    fn compile_comparison(
        &self,
        path: &AttributePath,
        op: Comparison,
        value: &Literal,
        terms: Terms<'_>,
    ) -> Result<Compiled, Fault> {
        match (op, value) {
            (Comparison::Eq, Literal::Null) => return Ok(negated(self.compile_present(path)?)),
            (Comparison::Ne, Literal::Null) => return self.compile_present(path),
            (Comparison::Ne, _) => {
                return Ok(negated(self.compile_comparison(path, Comparison::Eq, value, terms)?));
            }
            _ => {}
        }
        if let Some(compiled) = self.compile_common(path, op, value, terms) {
            return Ok(compiled);
        }
        if self.members.is_some() && is_member(path) {
            return Ok(self.compile_member(op, value, terms));
        }
        let rows: Vec<&Row> = self.reading_rows(path).collect();
        if rows.is_empty() {
            return self.unmapped(path);
        }
        if path.sub.as_deref().is_some_and(is_marker) {
            return Ok(Compiled::wider(any_of(rows.into_iter().map(presence).collect()).filter));
        }
        let parts: Vec<Compiled> = rows.iter().map(|row| self.compile_row(row, op, value, terms)).collect();
        Ok(any_of(parts))
    }

    /// The attributes that no row stands for: `id`, `active`, `meta`, `schemas` (RFC 7643 section 3.1).
    fn compile_common(
        &self,
        path: &AttributePath,
        op: Comparison,
        value: &Literal,
        terms: Terms<'_>,
    ) -> Option<Compiled> {
        if path.schema.is_some() {
            return None;
        }
        match (path.attribute.as_str(), path.sub.as_deref()) {
            ("id", None) => Some(match (op, value) {
                (Comparison::Eq, Literal::String(id)) => {
                    self.id.filter(id).map_or_else(Compiled::nothing, Compiled::exact)
                }
                _ => Compiled::everything(),
            }),
            ("active", None) if self.disable.is_some() => {
                let inactive = self.disable.as_ref().and_then(super::table::Disable::inactive_filter);
                Some(match (inactive, op, value) {
                    (Some(inactive), Comparison::Eq, Literal::Boolean(false)) => Compiled::exact(inactive),
                    (Some(inactive), Comparison::Eq, Literal::Boolean(true)) => {
                        Compiled::exact(LdapFilter::Not(Box::new(inactive)))
                    }
                    _ => Compiled::everything(),
                })
            }
            ("meta", Some("created")) => Some(stamp(&terms.dialect.created, op, value)),
            ("meta", Some("lastModified")) => Some(stamp(&terms.dialect.modified, op, value)),
            ("meta", Some("resourceType")) => Some(self.compile_kind(op, value)),
            ("meta" | "schemas", _) => Some(Compiled::everything()),
            _ => None,
        }
    }

    fn compile_member(&self, op: Comparison, value: &Literal, terms: Terms<'_>) -> Compiled {
        let (Some(members), Comparison::Eq, Literal::String(text)) = (&self.members, op, value) else {
            return Compiled::everything();
        };
        match terms.members.get(text) {
            Some(value) => Compiled::exact(LdapFilter::Equal(members.attribute.clone(), value.clone())),
            None => Compiled::nothing(),
        }
    }

    fn compile_present(&self, path: &AttributePath) -> Result<Compiled, Fault> {
        let always = path.schema.is_none()
            && (matches!(path.attribute.as_str(), "id" | "meta" | "schemas")
                || (path.attribute == "active" && self.disable.is_some()));
        if always {
            return Ok(Compiled::everything());
        }
        if self.members.is_some() && is_member(path) {
            return Ok(Compiled::everything());
        }
        let rows: Vec<&Row> = self.reading_rows(path).collect();
        if rows.is_empty() {
            return self.unmapped(path);
        }
        Ok(any_of(rows.into_iter().map(presence).collect()))
    }

    fn compile_complex(&self, path: &AttributePath, filter: &Filter, terms: Terms<'_>) -> Result<Compiled, Fault> {
        if self.members.is_some() && is_member(path) {
            let compiled = element_value(filter)
                .map(|text| self.compile_member(Comparison::Eq, &Literal::String(text.to_owned()), terms));
            return Ok(compiled.map_or_else(Compiled::everything, |compiled| Compiled::wider(compiled.filter)));
        }
        if self.reading_rows(path).next().is_none() {
            return self.unmapped(path);
        }
        // Conditions on the element as a whole: only an equality on a sub-attribute that a row carries narrows it down.
        let Some(equalities) = filter.simple_equalities() else {
            let rows = self.reading_rows(path).map(presence).collect();
            return Ok(Compiled::wider(any_of(rows).filter));
        };
        let mut parts = Vec::new();
        for (sub, value) in equalities.into_iter().filter(|(sub, _)| !is_marker(sub)) {
            let inner = AttributePath { sub: Some(sub.to_owned()), ..path.clone() };
            let rows: Vec<&Row> = self.reading_rows(&inner).collect();
            if !rows.is_empty() {
                parts
                    .push(any_of(rows.iter().map(|row| self.compile_row(row, Comparison::Eq, value, terms)).collect()));
            }
        }
        if parts.is_empty() {
            let rows = self.reading_rows(path).map(presence).collect();
            return Ok(Compiled::wider(any_of(rows).filter));
        }
        Ok(Compiled::wider(LdapFilter::And(parts.into_iter().map(|part| part.filter).collect())))
    }

    /// Rows that answer for `path`: the attribute itself, or any part of it when the path names the whole.
    fn reading_rows<'a>(&'a self, path: &'a AttributePath) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(move |row| {
            row.direction != Direction::ToLdap
                && row.scim.as_ref().is_some_and(|own| {
                    own.path.schema == path.schema
                        && own.path.attribute == path.attribute
                        && match (&path.sub, &own.path.sub) {
                            (None, None | Some(_)) => true,
                            (Some(asked), Some(has)) => asked == has || is_marker(asked),
                            (Some(asked), None) => asked == "value" || is_marker(asked),
                        }
                })
        })
    }

    fn compile_row(&self, row: &Row, op: Comparison, value: &Literal, terms: Terms<'_>) -> Compiled {
        let exact_case = row
            .scim
            .as_ref()
            .and_then(|path| self.schema.resolve(&path.path))
            .is_some_and(|(_, attribute)| attribute.case_exact);
        let answers = Answers::of(&row.ldap, terms, exact_case);
        let compiled = match (op, value) {
            (Comparison::Eq, Literal::String(text)) if row.reference.is_some() => {
                match mention(row, text).and_then(|mention| terms.mentions.get(&mention).cloned()) {
                    Some(dn) => Compiled::wider(LdapFilter::Equal(row.ldap.clone(), dn.as_str().as_bytes().to_vec())),
                    None => Compiled::nothing(),
                }
            }
            (Comparison::Eq, _) => equality(row, value, answers),
            (Comparison::Co | Comparison::Sw | Comparison::Ew, Literal::String(text)) => {
                substring(row, op, text, answers)
            }
            // LDAP has no order that is SCIM's.
            _ => Compiled::wider(presence(row).filter),
        };
        // A value that a fallback made up is in the directory and not in the resource, and a row may show a value
        // only while an earlier row has none.
        let plain = row.fallback.is_none() && row.lookup.is_none() && !has_selector(row);
        Compiled { exact: compiled.exact && plain, ..compiled }
    }

    fn unmapped(&self, path: &AttributePath) -> Result<Compiled, Fault> {
        let mut served: Vec<String> =
            self.rows.iter().filter_map(|row| row.scim.as_ref()).map(|path| path.path.to_string()).collect();
        served.dedup();
        Err(Fault::new(
            FaultKind::InvalidFilter,
            format!(
                "The filter asks for {path}, which this mapping does not carry. Add a row for it to the mapping table, \
                 or match on one of: id, {}.",
                served.join(", ")
            ),
        ))
    }
}

fn is_member(path: &AttributePath) -> bool {
    path.schema.is_none() && path.attribute == "members" && path.sub.as_deref().is_none_or(|sub| sub == "value")
}

fn element_value(filter: &Filter) -> Option<&str> {
    match filter.simple_equalities()?.as_slice() {
        [("value", Literal::String(text))] => Some(text),
        _ => None,
    }
}

/// Sub-attributes that say which element it is and are not stored as such: `type`, `primary`.
fn is_marker(sub: &str) -> bool {
    matches!(sub, "type" | "primary" | "display" | "$ref")
}

fn has_selector(row: &Row) -> bool {
    row.scim.as_ref().is_some_and(|path| !path.selectors.is_empty())
}

fn mention(row: &Row, text: &str) -> Option<Mention> {
    let reference = row.reference.as_ref()?;
    Some(Mention { to: reference.to, by: reference.by.clone(), text: text.to_owned() })
}

fn negated(compiled: Compiled) -> Compiled {
    if compiled.exact { Compiled::exact(LdapFilter::Not(Box::new(compiled.filter))) } else { Compiled::everything() }
}

fn any_of(mut parts: Vec<Compiled>) -> Compiled {
    match (parts.len(), parts.pop()) {
        (_, None) => Compiled::nothing(),
        (1, Some(only)) => only,
        (_, Some(last)) => {
            parts.push(last);
            Compiled::wider(LdapFilter::Or(parts.into_iter().map(|part| part.filter).collect()))
        }
    }
}

fn presence(row: &Row) -> Compiled {
    let present = LdapFilter::Present(row.ldap.clone());
    // A stored value may not show: one that a fallback made up, or one that the codec can't read.
    let exact = row.fallback.is_none() && row.codec == Codec::Text && !has_selector(row) && row.reference.is_none();
    Compiled { filter: present, exact }
}

fn equality(row: &Row, value: &Literal, answers: Answers) -> Compiled {
    let Ok(bytes) = row.encode_for_filter(value) else { return Compiled::nothing() };
    match answers.equality {
        Answer::Exact => Compiled::exact(LdapFilter::Equal(row.ldap.clone(), bytes)),
        Answer::Wider => Compiled::wider(LdapFilter::Equal(row.ldap.clone(), bytes)),
        Answer::None => Compiled::wider(LdapFilter::Present(row.ldap.clone())),
    }
}

fn substring(row: &Row, op: Comparison, text: &str, answers: Answers) -> Compiled {
    // At the ends of a value blanks count for nothing in LDAP (RFC 4518 section 2.6.1), and in SCIM they do.
    let trimmed = text.trim();
    let usable = row.codec == Codec::Text && row.lookup.is_none() && !trimmed.is_empty();
    if !usable || answers.substring == Answer::None {
        return Compiled::wider(LdapFilter::Present(row.ldap.clone()));
    }
    let bytes = trimmed.as_bytes().to_vec();
    let (initial, any, last) = match op {
        Comparison::Sw => (Some(bytes), Vec::new(), None),
        Comparison::Ew => (None, Vec::new(), Some(bytes)),
        _ => (None, vec![bytes], None),
    };
    let filter = LdapFilter::Substrings { attribute: row.ldap.clone(), initial, any, last };
    Compiled { filter, exact: answers.substring == Answer::Exact && trimmed == text }
}

/// The server's change stamps have whole seconds, SCIM compares fractions: the LDAP filter takes in a second more on
/// each side, the exact comparison follows.
fn stamp(attribute: &AttributeName, op: Comparison, value: &Literal) -> Compiled {
    let Literal::String(text) = value else { return Compiled::everything() };
    let Some((from, to)) = super::codec::seconds_around(text) else { return Compiled::everything() };
    let at_least = LdapFilter::GreaterOrEqual(attribute.clone(), from);
    let at_most = LdapFilter::LessOrEqual(attribute.clone(), to);
    Compiled::wider(match op {
        Comparison::Gt | Comparison::Ge => at_least,
        Comparison::Lt | Comparison::Le => at_most,
        Comparison::Eq => LdapFilter::And(vec![at_least, at_most]),
        _ => LdapFilter::any(),
    })
}

impl Row {
    /// A filter's value as the directory stores it. A value that the row could never hold matches nothing, so the
    /// row's own limits (`one_of`, `max_length`) are no faults here.
    fn encode_for_filter(&self, value: &Literal) -> Result<Vec<u8>, Fault> {
        self.encode(&match value {
            Literal::String(text) => serde_json::Value::from(text.as_str()),
            Literal::Integer(number) => serde_json::Value::from(*number),
            Literal::Decimal(number) => serde_json::Value::from(*number),
            Literal::Boolean(flag) => serde_json::Value::from(*flag),
            Literal::Null => serde_json::Value::Null,
        })
    }
}

#[cfg(test)]
mod tests;
