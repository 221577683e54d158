//! A filter that several kinds of resource are asked at once (RFC 7644 section 3.4.2.1): which of its attributes the
//! table carries for this kind.

use super::{Compiled, LdapFilter, ResourceMapping, is_member};
use crate::scim::{AttributePath, Comparison, Filter, Literal};

impl ResourceMapping {
    /// The attributes that `filter` asks for, in its order, each with whether the table carries it.
    #[must_use]
    pub fn carried(&self, filter: &Filter) -> Vec<(AttributePath, bool)> {
        match filter {
            Filter::And(parts) | Filter::Or(parts) => parts.iter().flat_map(|part| self.carried(part)).collect(),
            Filter::Not(inner) => self.carried(inner),
            Filter::Compare { path, .. } | Filter::Present(path) | Filter::Complex { path, .. } => {
                vec![(path.clone(), self.carries(filter).unwrap_or_default())]
            }
        }
    }

    /// Whether the table carries what a single condition asks for; `None` for a combination of conditions.
    pub(super) fn carries(&self, atom: &Filter) -> Option<bool> {
        match atom {
            Filter::And(_) | Filter::Or(_) | Filter::Not(_) => None,
            Filter::Compare { path, .. } | Filter::Present(path) => Some(self.compile_present(path).is_ok()),
            Filter::Complex { path, .. } => {
                let is_members = self.members.is_some() && is_member(path);
                Some(is_members || self.reading_rows(path).next().is_some())
            }
        }
    }

    /// `meta.resourceType` is the same for all.
    pub(super) fn compile_kind(&self, op: Comparison, value: &Literal) -> Compiled {
        match (op, value) {
            (Comparison::Eq, Literal::String(name)) if name == self.kind.name() => Compiled::exact(LdapFilter::any()),
            (Comparison::Eq, _) => Compiled::nothing(),
            _ => Compiled::everything(),
        }
    }
}

/// What a condition says of an attribute that has no value, as [`Filter::matches`] has it.
pub(super) fn without_value(atom: &Filter) -> Compiled {
    let holds = match atom {
        Filter::Compare { op: Comparison::Ne, value, .. } => *value != Literal::Null,
        Filter::Compare { op: Comparison::Eq, value, .. } => *value == Literal::Null,
        _ => false,
    };
    if holds { Compiled::exact(LdapFilter::any()) } else { Compiled::nothing() }
}
