//! Where entries of a kind stand, and what makes one of them the only one of its name.

use super::row::{Direction, Row};
use super::select;
use super::table::{Disable, ResourceMapping};
use super::write::needs_suffix;
use crate::directory::{AttributeName, Dn, Filter};
use crate::scim::{AttributePath, Resource, ResourceKind};

impl ResourceMapping {
    /// The bases of every search for entries of this kind: where they are made, and where `disable` moves them.
    #[must_use]
    pub fn search_bases(&self) -> Vec<Dn> {
        let root = self.base.root();
        let mut bases = vec![root.clone()];
        if let Some(Disable::MoveTo(container)) = &self.disable
            && !container.is_within(root)
        {
            bases.push(container.clone());
        }
        bases
    }

    /// Whether an entry of this kind may stand at `dn`.
    #[must_use]
    pub fn holds(&self, dn: &Dn) -> bool {
        self.search_bases().iter().any(|base| dn.is_within(base))
    }

    /// The attribute that names a resource for people and must be unique: `userName`, for groups `displayName`.
    #[must_use]
    pub const fn unique_name(&self) -> &'static str {
        match self.kind {
            ResourceKind::User => "userName",
            ResourceKind::Group => "displayName",
        }
    }

    /// The same for two resources that must not be there both.
    #[must_use]
    pub fn unique_key(&self, resource: &Resource) -> String {
        let path = AttributePath::core(self.unique_name());
        let name = resource.text(&path).unwrap_or_default();
        let carries = |row: &&Row| row.scim.as_ref().is_some_and(|own| own.path == path);
        let suffix = self.rows.iter().filter(carries).find_map(|row| row.suffix.as_deref());
        let mut key = self.kind.name().to_owned();
        key.push(':');
        key.push_str(&name.to_lowercase());
        if let Some(suffix) = suffix.filter(|suffix| needs_suffix(name, suffix)) {
            key.push_str(&suffix.to_lowercase());
        }
        key
    }

    /// Finds the entries that have the name of `resource`.
    #[must_use]
    pub fn unique_filter(&self, resource: &Resource) -> Option<Filter> {
        let path = AttributePath::core(self.unique_name());
        self.key_filter(&path, resource.text(&path)?)
    }

    /// Finds entries by the value of one attribute, in any of the LDAP attributes that rows carry it to. `None` where
    /// no entry can have the value.
    #[must_use]
    pub fn key_filter(&self, path: &AttributePath, text: &str) -> Option<Filter> {
        let value = serde_json::Value::from(text);
        let mut filters: Vec<Filter> = self
            .rows
            .iter()
            .filter(|row| row.direction != Direction::ToLdap && row.reference.is_none())
            .filter(|row| row.scim.as_ref().is_some_and(|own| select::names(own, path)))
            .filter_map(|row| Some(Filter::Equal(row.ldap.clone(), row.encode(&value).ok()?)))
            .collect();
        if filters.len() > 1 { Some(Filter::Or(filters)) } else { filters.pop() }
    }

    /// The LDAP attributes that say how a resource is called in a reference to it, best first: those of `displayName`,
    /// as RFC 7643 section 4.3 wants it for managers, or where the table has no such row those of the unique name.
    #[must_use]
    pub fn display_attributes(&self) -> Vec<AttributeName> {
        let carrying = |name: &str| {
            let path = AttributePath::core(name);
            let rows = self.rows.iter().filter(|row| row.direction != Direction::ToLdap && row.fallback.is_none());
            let rows = rows.filter(|row| row.scim.as_ref().is_some_and(|own| own.path == path));
            rows.map(|row| row.ldap.clone()).collect::<Vec<_>>()
        };
        let names = carrying("displayName");
        if names.is_empty() { carrying(self.unique_name()) } else { names }
    }
}
