//! The comparison of a mapping with the schema of the directory it is meant for. Pure; `scim2ldap check` shows it.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::row::Row;
use super::table::{Disable, ResourceMapping};
use crate::directory::{AttributeName, AttributeType, ClassKind, Dialect, Filter, IdForm, SchemaView};
use crate::tables::Place;
use crate::tables::reader::nearest;

/// Something in a mapping that does not go with the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where it stands.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is wrong; it is good to know.
    Note,
    /// Some requests will fail, or do something else than they look like.
    Warning,
    /// This part of the mapping can't work.
    Error,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Mandatory in Active Directory, but given by the server to entries that come without.
const GIVEN_BY_SERVER: [&str; 7] = [
    "objectClass",
    "instanceType",
    "nTSecurityDescriptor",
    "objectCategory",
    "objectSid",
    "sAMAccountName",
    "groupType",
];

/// Syntaxes whose values are distinguished names, with or without something added.
const DN_SYNTAXES: [&str; 2] = ["1.3.6.1.4.1.1466.115.121.1.12", "1.3.6.1.4.1.1466.115.121.1.34"];

/// Syntaxes whose values are whole numbers, the second one Active Directory's.
const NUMBER_SYNTAXES: [&str; 2] = ["1.3.6.1.4.1.1466.115.121.1.27", "1.2.840.113556.1.4.906"];

/// Everything in `mapping` that does not go with `schema` on a server that speaks `dialect`, worst first.
#[must_use]
pub fn check(mapping: &ResourceMapping, schema: &SchemaView, dialect: &Dialect) -> Vec<Finding> {
    let mut check = Check { mapping, schema, dialect, findings: Vec::new() };
    check.classes();
    for row in &mapping.rows {
        check.row(row);
    }
    check.group_names();
    check.naming();
    check.mandatory();
    check.members();
    check.account();
    check.id();
    check.filter();
    let mut findings = check.findings;
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

struct Check<'a> {
    mapping: &'a ResourceMapping,
    schema: &'a SchemaView,
    dialect: &'a Dialect,
    findings: Vec<Finding>,
}

impl Check<'_> {
    fn report(&mut self, severity: Severity, place: &Place, message: String, help: impl Into<String>) {
        self.findings.push(Finding { severity, place: place.clone(), message, help: help.into() });
    }

    fn error(&mut self, place: &Place, message: String, help: impl Into<String>) {
        self.report(Severity::Error, place, message, help);
    }

    /// New entries can be of the object classes.
    fn classes(&mut self) {
        let mapping = self.mapping;
        let mut structural = !self.dialect.demands_structural;
        for name in &mapping.object_class {
            let Some(class) = self.schema.object_class(name) else {
                let help = self.nearest_class(name);
                self.error(&mapping.place, format!("the directory has no object class {name}"), help);
                // It may well be the structural one.
                structural = true;
                continue;
            };
            structural |= class.kind == ClassKind::Structural;
        }
        if !structural {
            let message =
                format!("none of the object classes ({}) is a structural one", mapping.object_class.join(", "));
            self.error(&mapping.place, message, "add the class that says what the entries are, such as inetOrgPerson");
        }
    }

    fn nearest_class(&self, name: &str) -> String {
        let names: Vec<&str> =
            self.schema.object_classes().flat_map(|class| &class.names).map(String::as_str).collect();
        nearest(name, &names).map_or_else(
            || "load the schema that defines it into the server, or take it out of object_class".to_owned(),
            |nearest| format!("did you mean {nearest}?"),
        )
    }

    /// The attribute of a row is there and can hold what the row puts into it.
    fn row(&mut self, row: &Row) {
        let Some(attribute) = self.known(&row.ldap, &row.place) else { return };
        if row.writes() {
            self.writable(&row.ldap, attribute.no_user_modification, &row.place);
        } else if !self.allowed(&row.ldap) {
            let message = format!("entries of these object classes have no {}, so there is never a value", row.ldap);
            self.report(Severity::Warning, &row.place, message, self.class_for(&row.ldap));
        }
        if row.multi && attribute.single_value {
            let message = format!("{} holds one value only, but the row carries several", row.ldap);
            self.error(
                &row.place,
                message,
                "take multi = true out of the row, or take an attribute that holds several",
            );
        }
        let holds_dn = attribute.syntax.as_deref().is_none_or(|syntax| DN_SYNTAXES.contains(&syntax));
        let holds_numbers = attribute.syntax.as_deref().is_none_or(|syntax| NUMBER_SYNTAXES.contains(&syntax));
        if row.next.is_some() && !holds_numbers {
            let message = format!("{} holds no whole numbers, but the row gives some", row.ldap);
            self.error(&row.place, message, "take an attribute for numbers, such as gidNumber or uidNumber");
        }
        if row.reference.is_some() && !holds_dn {
            let message = format!("{} holds no distinguished names, but the row is a reference", row.ldap);
            self.error(&row.place, message, "take an attribute whose values are distinguished names, such as manager");
        }
    }

    /// The attributes for the names of a user's groups are there and hold text, as much as there may be.
    fn group_names(&mut self) {
        let mapping = self.mapping;
        for row in &mapping.group_names {
            let Some(attribute) = self.known(&row.ldap, &row.place) else { continue };
            self.writable(&row.ldap, attribute.no_user_modification, &row.place);
            let no_text = DN_SYNTAXES.iter().chain(&NUMBER_SYNTAXES).any(|no| attribute.syntax.as_deref() == Some(*no));
            if no_text {
                let message = format!("{} holds no text, but the row joins names in it", row.ldap);
                self.error(&row.place, message, "take an attribute for text, such as departmentNumber");
            }
            let room = attribute.length.and_then(|length| usize::try_from(length).ok());
            if let Some(room) = room.filter(|room| row.max_length.is_none_or(|most| most > *room)) {
                let message = format!("the schema says that {} holds {room} characters", row.ldap);
                let help = format!("write max_length = {room}, so that names which don't fit are left out whole");
                self.report(Severity::Warning, &row.place, message, help);
            }
        }
    }

    /// The attribute, if the directory has it; otherwise that is reported.
    fn known(&mut self, name: &AttributeName, place: &Place) -> Option<AttributeType> {
        let known = self.schema.attribute(name.as_str()).cloned();
        if known.is_none() {
            let help = self.nearest_attribute(name);
            self.error(place, format!("the directory has no attribute {}", name.base()), help);
        }
        known
    }

    /// The nearest name among the attributes that the entries can have, or else among all.
    fn nearest_attribute(&self, name: &AttributeName) -> String {
        let classes = &self.mapping.object_class;
        let own: BTreeSet<AttributeName> =
            self.schema.must_of(classes).into_iter().chain(self.schema.may_of(classes)).collect();
        let own: Vec<&str> = own.iter().map(AttributeName::as_str).collect();
        let all: Vec<&str> =
            self.schema.attributes().flat_map(|attribute| &attribute.names).map(String::as_str).collect();
        nearest(name.base(), &own).or_else(|| nearest(name.base(), &all)).map_or_else(
            || "load the schema that defines it into the server, or take another attribute".to_owned(),
            |nearest| format!("did you mean {nearest}?"),
        )
    }

    /// The bridge can write the attribute to an entry.
    fn writable(&mut self, name: &AttributeName, by_server_only: bool, place: &Place) {
        if by_server_only {
            let message = format!("{name} is set by the directory itself and can't be written");
            self.error(place, message, r#"write direction = "from-ldap" in the row, or take another attribute"#);
        } else if !self.allowed(name) {
            let classes = self.mapping.object_class.join(", ");
            let message = format!("entries of the object classes {classes} can't have {name}");
            self.error(place, message, self.class_for(name));
        }
    }

    fn allowed(&self, name: &AttributeName) -> bool {
        // Without a class that is known there is nothing to go by, and that is reported already.
        let known = self.mapping.object_class.iter().any(|class| self.schema.object_class(class).is_some());
        !known || self.schema.allows(&self.mapping.object_class, name.as_str())
    }

    /// Advice on the class that brings an attribute.
    fn class_for(&self, name: &AttributeName) -> String {
        let auxiliary = self.schema.object_classes().filter(|class| class.kind == ClassKind::Auxiliary);
        let usual = auxiliary.filter_map(|class| class.names.first());
        let names: Vec<&str> = usual
            .filter(|class| !class.eq_ignore_ascii_case("extensibleObject"))
            .filter(|class| self.schema.allows(&[class.as_str()], name.as_str()))
            .map(String::as_str)
            .take(3)
            .collect();
        if names.is_empty() {
            "take another attribute, or add an object class that has this one".to_owned()
        } else {
            format!("add an object class that has it ({}), or take another attribute", names.join(" or "))
        }
    }

    /// The rows that write the attribute, under whichever of its names.
    fn writers(&self, name: &AttributeName) -> Vec<&Row> {
        let oid = |name: &AttributeName| self.schema.attribute(name.as_str()).map(|attribute| attribute.oid.as_str());
        let same = |other: &AttributeName| other == name || (oid(name).is_some() && oid(other) == oid(name));
        self.mapping.rows.iter().filter(|row| row.writes() && same(&row.ldap)).collect()
    }

    /// Every new entry gets a name.
    fn naming(&mut self) {
        let mapping = self.mapping;
        let writers = self.writers(&mapping.rdn);
        if writers.is_empty() {
            let message = format!("no row gives a value for {}, which names the entries", mapping.rdn);
            self.error(&mapping.place, message, "add a row that writes it, with required = true");
        } else if let Some(row) = writers.iter().find(|_| !writers.iter().any(|row| always_writes(row))) {
            let message = format!("{} names the entries, but this row may come without a value", mapping.rdn);
            let place = row.place.clone();
            self.report(Severity::Warning, &place, message, "write required = true, or give the row a fallback");
        }
    }

    /// Every new entry gets what its object classes demand.
    fn mandatory(&mut self) {
        let mapping = self.mapping;
        let supplied =
            |name: &AttributeName| GIVEN_BY_SERVER.iter().any(|given| name.as_str().eq_ignore_ascii_case(given));
        for name in self.schema.must_of(&mapping.object_class) {
            let by_server = self.schema.attribute(name.as_str()).is_some_and(|it| it.no_user_modification);
            let is_members = mapping.members.as_ref().is_some_and(|members| members.attribute == name);
            if supplied(&name) || by_server || is_members || name == mapping.rdn {
                continue;
            }
            let writers = self.writers(&name);
            if writers.iter().any(|row| always_writes(row)) {
                continue;
            }
            let help = format!("give the row for {name} a fallback, such as the user name, or write required = true");
            if let Some(place) = writers.first().map(|row| row.place.clone()) {
                let message = format!("the directory demands {name}, but this row may come without a value");
                self.report(Severity::Warning, &place, message, help);
            } else {
                let message = format!("the directory demands {name} of every entry, but no row writes it");
                self.error(&mapping.place, message, format!("add a row for {name} with a value or a fallback"));
            }
        }
    }

    /// Groups can hold members.
    fn members(&mut self) {
        let Some(members) = &self.mapping.members else { return };
        let Some(attribute) = self.known(&members.attribute, &members.place) else { return };
        self.writable(&members.attribute, attribute.no_user_modification, &members.place);
        if attribute.single_value {
            let message = format!("{} holds one value only, so a group could have one member", members.attribute);
            self.error(&members.place, message, "take an attribute that holds several names, such as member");
        }
    }

    /// Users can be disabled.
    fn account(&mut self) {
        let mapping = self.mapping;
        let Some(name) = mapping.disable.as_ref().and_then(Disable::attribute) else { return };
        let Some(attribute) = self.schema.attribute(name.as_str()) else {
            let message = format!("disable needs the attribute {name}, which the directory does not have");
            self.error(
                &mapping.place,
                message,
                "switch on what brings it on the server, or choose another way to disable",
            );
            return;
        };
        let by_server_only = attribute.no_user_modification;
        self.writable(&name, by_server_only, &mapping.place);
    }

    /// Entries have an id.
    fn id(&mut self) {
        let mapping = self.mapping;
        let name = &mapping.id.attribute;
        let Some(attribute) = self.known(name, &mapping.place) else { return };
        if mapping.id.form == IdForm::Writable {
            self.writable(name, attribute.no_user_modification, &mapping.place);
        }
    }

    /// The filter can match.
    fn filter(&mut self) {
        let mapping = self.mapping;
        let mut names = BTreeSet::new();
        names_in(&mapping.filter, &mut names);
        for name in names {
            self.known(&name, &mapping.place);
        }
    }
}

/// Whether a row writes a value whatever the resource is like.
fn always_writes(row: &Row) -> bool {
    row.never_empty() || row.value.is_some() || row.generate.is_some()
}

/// The attributes that a filter asks for.
fn names_in(filter: &Filter, names: &mut BTreeSet<AttributeName>) {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().for_each(|part| names_in(part, names)),
        Filter::Not(part) => names_in(part, names),
        Filter::Equal(attribute, _)
        | Filter::GreaterOrEqual(attribute, _)
        | Filter::LessOrEqual(attribute, _)
        | Filter::Present(attribute)
        | Filter::Substrings { attribute, .. }
        | Filter::Matches { attribute, .. } => {
            names.insert(attribute.clone());
        }
    }
}
