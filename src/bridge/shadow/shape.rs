//! What the model has to know of a tenant's table and of its server.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use super::backlog::Backlog;
use super::pins::gone;
use super::record::FORM;
use super::rules::{Rule, Rules};
use crate::bridge::primary::OBJECT_SID;
use crate::directory::{AttributeName, Dialect, Dn, Entry, Filter};
use crate::mapping::protect::{Protect, Protected};
use crate::mapping::{
    Codec, GroupsOf, IdAttribute, IdForm, Mapping, MemberValue, Members, ReferenceKey, ResourceMapping,
};
use crate::scim::{AttributePath, Projection, ResourceKind};

const OBJECT_CLASS: AttributeName = AttributeName::literal("objectClass");
/// Where passwords are.
const SECRET: [AttributeName; 2] = [AttributeName::literal("unicodePwd"), AttributeName::literal("userPassword")];
const MEMBER_OF: AttributeName = AttributeName::literal("memberOf");

/// What the model has to know of the tenant's table and of the server.
pub(in crate::bridge) struct Shape {
    /// Where in the store the entries are: the tenant's name.
    pub space: String,
    /// How the server speaks.
    pub dialect: &'static Dialect,
    /// The name of this target, for logs.
    pub name: String,
    mapping: Arc<Mapping>,
    kinds: Vec<ResourceKind>,
    rules: BTreeMap<AttributeName, Rule>,
    indexed: BTreeSet<AttributeName>,
    member_of: Vec<AttributeName>,
    /// What is never kept: passwords.
    secret: BTreeSet<AttributeName>,
    fixed: Vec<(ResourceKind, BTreeSet<AttributeName>)>,
    /// What the filters of `protect` ask about.
    guarded: BTreeSet<AttributeName>,
    remembered: Mutex<Arc<Rules>>,
    /// What is not in the entries yet.
    pub backlog: Arc<Backlog>,
}

impl Shape {
    /// What `mapping` and `dialect` say. `tenant` is the name of the part of the store, `directory` that of the
    /// directory; `groups` says whether the tenant serves groups.
    pub fn new(tenant: &str, directory: &str, mapping: &Arc<Mapping>, dialect: &'static Dialect, groups: bool) -> Self {
        let mut kinds = vec![ResourceKind::User];
        kinds.extend(mapping.group.as_ref().filter(|_| groups).map(|_| ResourceKind::Group));
        let mut shape = Self {
            space: tenant.to_owned(),
            dialect,
            name: ["shadow of ", directory].concat(),
            mapping: Arc::clone(mapping),
            kinds,
            rules: BTreeMap::new(),
            indexed: BTreeSet::new(),
            member_of: vec![MEMBER_OF],
            secret: SECRET.iter().cloned().collect(),
            fixed: Vec::new(),
            guarded: BTreeSet::new(),
            remembered: Mutex::default(),
            backlog: Arc::default(),
        };
        for part in shape.parts().cloned().collect::<Vec<_>>() {
            shape.learn_part(&part);
        }
        shape
    }

    /// The same, with echoes that wait there.
    pub fn with_backlog(self, backlog: Arc<Backlog>) -> Self {
        Self { backlog, ..self }
    }

    /// The same, with what it takes to tell which entries the filters of `lines` protect.
    pub fn with_protect(mut self, lines: &[Protect]) -> Self {
        for line in lines {
            if let Protected::Filter(filter) = &line.what {
                mentioned_in(filter, &mut self.guarded);
            }
        }
        self
    }

    fn learn_part(&mut self, part: &ResourceMapping) {
        self.indexed.extend([part.id.attribute.clone(), part.rdn.clone()]);
        self.rules.insert(part.id.attribute.clone(), Rule::Exact);
        let mut keys: Vec<AttributePath> =
            [part.unique_name(), "externalId", "displayName", "emails"].into_iter().map(AttributePath::core).collect();
        for row in &part.rows {
            if row.codec == Codec::Password {
                self.secret.insert(row.ldap.clone());
            }
            for key in row.reference.iter().flat_map(|reference| &reference.by) {
                if let ReferenceKey::Path(path) = key {
                    keys.push(path.clone());
                }
            }
        }
        for row in &part.rows {
            let is_key = |path: &AttributePath| {
                keys.iter().any(|key| key.schema == path.schema && key.attribute == path.attribute)
            };
            if row.reference.is_some() {
                self.rules.insert(row.ldap.clone(), Rule::Name);
            } else if matches!(row.codec, Codec::Binary) {
                self.rules.insert(row.ldap.clone(), Rule::Exact);
            } else if matches!(row.codec, Codec::Password) {
                self.secret.insert(row.ldap.clone());
            }
            if row.reference.is_some() || row.scim.as_ref().is_some_and(|path| is_key(&path.path)) {
                self.indexed.insert(row.ldap.clone());
            }
        }
        if let Some(members) = &part.members {
            let rule = if members.holds == MemberValue::Dn { Rule::Name } else { Rule::Exact };
            self.rules.insert(members.attribute.clone(), rule);
        }
        if let GroupsOf::Attribute(attribute) = &part.groups
            && !self.member_of.contains(attribute)
        {
            self.member_of.push(attribute.clone());
        }
        for attribute in &self.member_of {
            self.rules.insert(attribute.clone(), Rule::Name);
        }
        let mut mentioned = BTreeSet::new();
        mentioned_in(&part.filter, &mut mentioned);
        self.fixed.push((part.kind, mentioned));
    }

    /// The kinds of resource that are kept.
    pub fn kinds(&self) -> &[ResourceKind] {
        &self.kinds
    }

    /// The tables of those kinds.
    pub fn parts(&self) -> impl Iterator<Item = &ResourceMapping> {
        self.kinds.iter().filter_map(|kind| self.mapping.of(*kind))
    }

    /// The table of one kind, where it is kept.
    pub fn part(&self, kind: ResourceKind) -> Option<&ResourceMapping> {
        self.parts().find(|part| part.kind == kind)
    }

    /// The place in the store of names that owed items have left.
    pub fn gone(&self) -> String {
        gone(&self.space)
    }

    /// How a group keeps its members, where there are groups.
    pub fn members(&self) -> Option<&Members> {
        self.part(ResourceKind::Group)?.members.as_ref()
    }

    /// The attributes that rows refer to other resources with.
    pub fn references(&self) -> BTreeSet<&AttributeName> {
        let rows = self.parts().flat_map(|part| &part.rows);
        rows.filter(|row| row.reference.is_some()).map(|row| &row.ldap).collect()
    }

    /// Whether the values of `attribute` are kept as links.
    pub fn is_link(&self, attribute: &AttributeName) -> bool {
        self.members().is_some_and(|members| members.attribute == *attribute)
    }

    /// Whether the values of `attribute` are the groups that list the entry.
    pub fn is_member_of(&self, attribute: &AttributeName) -> bool {
        self.members().is_some_and(|members| members.holds == MemberValue::Dn) && self.member_of.contains(attribute)
    }

    /// Whether `dn` is of a group whose members are known, so that a memberOf that names it need not be kept.
    pub fn knows_group(&self, dn: &Dn) -> bool {
        self.part(ResourceKind::Group).is_some_and(|part| part.holds(dn))
    }

    /// Whether values of `attribute` are found without reading other entries.
    pub fn is_indexed(&self, attribute: &AttributeName) -> bool {
        self.indexed.contains(attribute)
    }

    /// Whether `attribute` is never kept.
    pub fn is_secret(&self, attribute: &AttributeName) -> bool {
        self.secret.contains(attribute)
    }

    /// How values of `attribute` are compared, where the table tells.
    pub(super) fn rule(&self, attribute: &AttributeName) -> Option<Rule> {
        self.rules.get(attribute).copied()
    }

    /// Whether the server refuses `entry` without any member.
    pub fn needs_member(&self, entry: &Entry) -> bool {
        let Some(part) = self.part(ResourceKind::Group) else { return false };
        let is = |class: &String| entry.texts(&OBJECT_CLASS).any(|own| own.eq_ignore_ascii_case(class));
        part.needs_a_member(self.dialect) && part.object_class.iter().all(is)
    }

    /// Everything that must be read of an entry of this kind.
    pub fn attributes_to_read(&self, part: &ResourceMapping) -> Vec<AttributeName> {
        let mut names: BTreeSet<AttributeName> =
            part.attributes(self.dialect, &Projection::default()).into_iter().collect();
        names.extend([OBJECT_CLASS, part.rdn.clone()]);
        names.extend(self.dialect.primary_group.iter().flat_map(|names| [names.of_member.clone(), OBJECT_SID]));
        names.extend(self.mentioned(part.kind).into_iter().flatten().cloned());
        names.extend(self.guarded.iter().cloned());
        names.retain(|name| !self.is_secret(name));
        names.into_iter().collect()
    }

    /// The attributes that decide whether an entry is a resource of this kind.
    pub fn mentioned(&self, kind: ResourceKind) -> Option<&BTreeSet<AttributeName>> {
        self.fixed.iter().find(|(of, _)| *of == kind).map(|(_, mentioned)| mentioned)
    }

    /// Another text whenever entries must be read anew, because the table asks for something else.
    pub fn fingerprint(&self) -> String {
        let mut hasher = DefaultHasher::new();
        FORM.hash(&mut hasher);
        for part in self.parts() {
            part.kind.name().hash(&mut hasher);
            part.filter.to_string().hash(&mut hasher);
            part.id.attribute.hash(&mut hasher);
            part.search_bases().hash(&mut hasher);
            self.attributes_to_read(part).hash(&mut hasher);
        }
        self.indexed.hash(&mut hasher);
        self.members()
            .map(|members| (&members.attribute, self.rule(&members.attribute) == Some(Rule::Name)))
            .hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// The SCIM id of `entry`, as one of `kinds`.
    pub fn id_of(&self, entry: &Entry) -> Option<String> {
        self.parts().find_map(|part| part.id.of(entry))
    }

    /// The rules that were remembered in this form; read once as long as they stay the same.
    pub(super) fn rules(&self, remembered: Vec<u8>) -> Arc<Rules> {
        let mut known = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.are(&remembered) {
            *known = Arc::new(Rules::remembered(remembered));
        }
        Arc::clone(&known)
    }
}

/// A new value of the id attribute, in the form in which the server makes them.
pub(super) fn new_id(id: &IdAttribute) -> Vec<u8> {
    let text = match id.form {
        IdForm::NsUniqueId => {
            let hex = Uuid::new_v4().simple().to_string();
            let group = |at: usize| hex.get(at..at + 8).unwrap_or_default();
            [group(0), group(8), group(16), group(24)].join("-")
        }
        IdForm::EntryUuid | IdForm::ObjectGuid | IdForm::Writable => Uuid::new_v4().to_string(),
    };
    match id.filter(&text) {
        Some(Filter::Equal(_, value)) => value,
        _ => text.into_bytes(),
    }
}

fn mentioned_in(filter: &Filter, names: &mut BTreeSet<AttributeName>) {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().for_each(|part| mentioned_in(part, names)),
        Filter::Not(inner) => mentioned_in(inner, names),
        Filter::Equal(attribute, _)
        | Filter::Substrings { attribute, .. }
        | Filter::GreaterOrEqual(attribute, _)
        | Filter::LessOrEqual(attribute, _)
        | Filter::Present(attribute)
        | Filter::Matches { attribute, .. } => drop(names.insert(attribute.clone())),
    }
}
