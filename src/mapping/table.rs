//! The mapping table: how users and groups stand in one directory.

mod check;
mod read;
mod served;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Map, Value};

use super::group_names::GroupNames;
use super::row::Row;
use super::template::dn::DnTemplate;
use crate::directory::{AttributeName, Dialect, Dn, Filter, IdForm};
use crate::scim::{ResourceKind, ResourceSchema};
use crate::tables::{Diagnostics, Findings, Place, Source};

/// A validated mapping table.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// How users are mapped.
    pub user: ResourceMapping,
    /// How groups are mapped, if they are.
    pub group: Option<ResourceMapping>,
}

/// How one kind of resource is mapped.
#[derive(Debug, Clone)]
pub struct ResourceMapping {
    /// Users or groups.
    pub kind: ResourceKind,
    /// Where the table stands.
    pub place: Place,
    /// Where the directory begins: names that have to be unique are so from here down.
    pub root: Dn,
    /// Where entries are.
    pub base: Base,
    /// The object classes of a new entry.
    pub object_class: Vec<String>,
    /// The naming attribute.
    pub rdn: AttributeName,
    /// Which entries are resources of this kind at all.
    pub filter: Filter,
    /// What the SCIM id is.
    pub id: IdAttribute,
    /// How a user is disabled; `None`: a request to deactivate is refused.
    pub disable: Option<Disable>,
    /// Where a new account has its first password from, if the client gives none.
    pub initial_password: InitialPassword,
    /// Whoever gets a first password has to choose another one at the first log-on.
    pub must_change: bool,
    /// What a DELETE does.
    pub delete: Delete,
    /// Where a group keeps its members.
    pub members: Option<Members>,
    /// Where the groups of a user are read from.
    pub groups: GroupsOf,
    /// A user's groups are also those that hold the groups of the user.
    pub nested_groups: bool,
    /// Attributes of users that hold the names of their groups.
    pub group_names: Vec<GroupNames>,
    /// What proves that a name is not taken.
    pub unique: Unique,
    /// The attributes.
    pub rows: Vec<Row>,
    /// The schemas by which requests are read: the standard ones and the attributes that the rows add.
    pub schema: ResourceSchema,
    /// The schemas that clients are shown: only what the rows serve.
    pub served: ResourceSchema,
}

impl ResourceMapping {
    /// The rows that write, with their LDAP attributes.
    pub fn writers(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.writes())
    }

    /// The rows that read.
    pub fn readers(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.reads())
    }

    /// Whether what is written of a user may depend on the groups that he is in.
    #[must_use]
    pub fn depends_on_groups(&self) -> bool {
        let is_about = |name: &str| matches!(name.split('.').next(), Some("groups" | "resource"));
        let by_row = |row: &Row| {
            let made = row.generate.as_ref().map(|generate| &generate.from);
            let mut templates = row.value.iter().chain(&row.fallback).chain(made);
            let mut depends = templates.any(|template| template.mentions("groups") || template.mentions("resource"));
            if let Some(filter) = &row.only_if {
                filter.paths(&mut |path| depends |= is_about(&path.attribute));
            }
            depends || row.scim.as_ref().is_some_and(|scim| is_about(&scim.path.attribute))
        };
        let by_place = matches!(&self.base, Base::Template { template, .. } if template.attributes().any(is_about));
        by_place || self.rows.iter().any(by_row)
    }
}

/// Where new entries go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// All below this entry.
    Fixed(Dn),
    /// It depends on the resource.
    Template {
        /// Computes the parent of the new entry.
        template: DnTemplate,
        /// The fixed end of all these names: where searches start.
        root: Dn,
    },
}

impl Base {
    /// Where searches start.
    #[must_use]
    pub fn root(&self) -> &Dn {
        match self {
            Self::Fixed(dn) | Self::Template { root: dn, .. } => dn,
        }
    }

    /// The parent of the entry of this resource; the error is for the admin who sent it.
    pub fn parent_for(&self, resource: &Map<String, Value>) -> Result<Dn, String> {
        match self {
            Self::Fixed(dn) => Ok(dn.clone()),
            Self::Template { template, .. } => template.render(resource),
        }
    }
}

/// The LDAP attribute that holds the SCIM id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdAttribute {
    /// The attribute.
    pub attribute: AttributeName,
    /// What its values look like.
    pub form: IdForm,
}

impl From<&Dialect> for IdAttribute {
    fn from(dialect: &Dialect) -> Self {
        Self { attribute: dialect.id_attribute.clone(), form: dialect.id_form }
    }
}

/// How a user is disabled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disable {
    /// Bit 2 of `userAccountControl`.
    AdAccountControl,
    /// `pwdAccountLockedTime`.
    Ppolicy,
    /// `nsAccountLock`.
    NsAccountLock,
    /// An attribute of the admin's choice.
    Attribute {
        /// The attribute.
        attribute: AttributeName,
        /// Its value while enabled; `None`: no value.
        enabled: Option<String>,
        /// Its value while disabled.
        disabled: String,
    },
    /// The entry is moved below this one.
    MoveTo(Dn),
}

/// Where a new account has its first password from, if the client gives none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitialPassword {
    /// The directory needs none: the account is made as it is asked for.
    NotNeeded,
    /// It is made up, and nobody is told.
    Random,
    /// There is none, and the account stays disabled.
    Missing,
}

/// What a DELETE does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delete {
    /// The entry is deleted.
    Delete,
    /// The entry is disabled and stays.
    Disable,
    /// The entry is moved below this one.
    MoveTo(Dn),
}

/// Where a group keeps its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// The attribute.
    pub attribute: AttributeName,
    /// What its values are.
    pub holds: MemberValue,
    /// The value that stands for nobody in a group that must not be empty: the empty DN, or an entry's.
    pub placeholder: String,
    /// Where entries that can be members stand: below the bases of users and groups. Other values of the attribute
    /// belong to somebody else.
    pub within: Vec<Dn>,
    /// Where the table says so.
    pub place: Place,
}

/// What the values of a member attribute are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberValue {
    /// The DN of the member, a user or a group (`member`, `uniqueMember`).
    Dn,
    /// The value that this attribute of the member has, a user always (`memberUid` holds `uid`).
    Name(AttributeName),
}

/// Where a user's groups are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupsOf {
    /// An attribute of the user that the server keeps: `memberOf`.
    Attribute(AttributeName),
    /// A search for the groups that list the user, one more for each user that is read.
    Search,
    /// They are not shown.
    None,
}

/// What proves that no other entry has the same `userName` (a group: `displayName`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unique {
    /// The directory's refusal of a second entry with the same DN.
    Naming,
    /// A search before writing.
    Search,
}

impl Mapping {
    /// Reads the text of a mapping file. `{base_dn}` in it becomes `base_dn`; `id_default` is what the directory
    /// uses as id when the file doesn't say.
    pub fn parse(source: Source, base_dn: &Dn, id_default: &IdAttribute) -> Result<Self, Diagnostics> {
        let findings = Findings::new();
        let mapping = read::mapping(&Arc::new(source), base_dn, id_default, &findings);
        findings.into_result(mapping.map(Self::with_member_bases))
    }

    fn with_member_bases(mut self) -> Self {
        let mut within = self.user.search_bases();
        if let Some(group) = &mut self.group {
            within.extend(group.search_bases());
            if let Some(members) = &mut group.members {
                members.within = within;
                // No server keeps memberOf for names; only a search finds the groups then.
                if members.holds != MemberValue::Dn && self.user.groups != GroupsOf::None {
                    self.user.groups = GroupsOf::Search;
                }
                // Names are those of users, so no group is in a group.
                self.user.nested_groups &= members.holds == MemberValue::Dn;
            }
        }
        self
    }

    /// The mapping of one kind of resource.
    #[must_use]
    pub fn of(&self, kind: ResourceKind) -> Option<&ResourceMapping> {
        match kind {
            ResourceKind::User => Some(&self.user),
            ResourceKind::Group => self.group.as_ref(),
        }
    }
}
