//! The schema of a directory (RFC 4512 section 4.2), for the comparison with a mapping.

mod parse;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

use super::entry::Entry;
use super::name::AttributeName;

/// The schema of a directory: its attribute types and object classes, found by name, alias or OID in any case.
#[derive(Debug, Clone, Default)]
pub struct SchemaView {
    attributes: Vec<AttributeType>,
    classes: Vec<ObjectClass>,
    rules: Vec<ContentRule>,
    attribute_at: HashMap<String, usize>,
    class_at: HashMap<String, usize>,
    rule_at: HashMap<String, usize>,
}

/// An attribute type (RFC 4512 section 4.1.2). What it leaves out is filled in from its superior types.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "these are the flags of the definition")]
pub struct AttributeType {
    /// Its OID.
    pub oid: String,
    /// Its names, the usual one first.
    pub names: Vec<String>,
    /// The type it is derived from.
    pub sup: Option<String>,
    /// Name or OID of the rule for equality. Active Directory does not tell any rules.
    pub equality: Option<String>,
    /// Name or OID of the rule for greater and less.
    pub ordering: Option<String>,
    /// Name or OID of the rule for substrings.
    pub substring: Option<String>,
    /// OID of the syntax of its values.
    pub syntax: Option<String>,
    /// How long a value may be at least; servers may enforce it as the limit.
    pub length: Option<u32>,
    /// It has one value at most.
    pub single_value: bool,
    /// Only the server sets it.
    pub no_user_modification: bool,
    /// It serves the server itself and is returned only when asked for by name.
    pub operational: bool,
    /// It should no longer be used.
    pub obsolete: bool,
}

/// An object class (RFC 4512 section 4.1.1), without what it inherits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectClass {
    /// Its OID.
    pub oid: String,
    /// Its names, the usual one first.
    pub names: Vec<String>,
    /// The classes it is derived from.
    pub sup: Vec<String>,
    /// Whether entries can be of this class.
    pub kind: ClassKind,
    /// The attributes that an entry must have.
    pub must: Vec<String>,
    /// The attributes that an entry may have.
    pub may: Vec<String>,
    /// It should no longer be used.
    pub obsolete: bool,
}

/// What an object class is for (RFC 4512 section 2.4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClassKind {
    /// A base for other classes.
    Abstract,
    /// What an entry is; every entry has one.
    #[default]
    Structural,
    /// What is added to an entry.
    Auxiliary,
}

/// What a structural class brings along in this directory (RFC 4512 section 4.1.6). Active Directory tells here
/// which auxiliary classes a class contains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct ContentRule {
    oid: String,
    names: Vec<String>,
    aux: Vec<String>,
    must: Vec<String>,
    may: Vec<String>,
}

const ATTRIBUTE_TYPES: AttributeName = AttributeName::literal("attributeTypes");
const OBJECT_CLASSES: AttributeName = AttributeName::literal("objectClasses");
const CONTENT_RULES: AttributeName = AttributeName::literal("dITContentRules");

/// Superior types and classes are followed this far: a circle must not keep us for ever.
const DEEPEST: usize = 32;

impl SchemaView {
    /// What to ask the subschema entry for.
    pub(super) const ATTRIBUTES: [AttributeName; 3] = [ATTRIBUTE_TYPES, OBJECT_CLASSES, CONTENT_RULES];

    pub(super) fn from_entry(entry: &Entry) -> Self {
        Self::parse(entry.texts(&ATTRIBUTE_TYPES), entry.texts(&OBJECT_CLASSES), entry.texts(&CONTENT_RULES))
    }

    /// The schema that these definitions make up. One that cannot be read is left out.
    pub fn parse<'a>(
        attribute_types: impl IntoIterator<Item = &'a str>,
        object_classes: impl IntoIterator<Item = &'a str>,
        content_rules: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut view = Self {
            attributes: attribute_types.into_iter().filter_map(parse::attribute_type).collect(),
            classes: object_classes.into_iter().filter_map(parse::object_class).collect(),
            rules: content_rules.into_iter().filter_map(parse::content_rule).collect(),
            ..Self::default()
        };
        view.attribute_at = index(view.attributes.iter().map(|each| (&each.oid, &each.names)));
        view.class_at = index(view.classes.iter().map(|each| (&each.oid, &each.names)));
        view.rule_at = index(view.rules.iter().map(|each| (&each.oid, &each.names)));
        view.inherit();
        view
    }

    /// The attribute type called `name`, an option of which does not matter.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&AttributeType> {
        let base = name.split(';').next().unwrap_or_default();
        self.attributes.get(*self.attribute_at.get(&base.to_lowercase())?)
    }

    /// The object class called `name`.
    #[must_use]
    pub fn object_class(&self, name: &str) -> Option<&ObjectClass> {
        self.classes.get(*self.class_at.get(&name.to_lowercase())?)
    }

    /// Every attribute type.
    pub fn attributes(&self) -> impl Iterator<Item = &AttributeType> {
        self.attributes.iter()
    }

    /// Every object class.
    pub fn object_classes(&self) -> impl Iterator<Item = &ObjectClass> {
        self.classes.iter()
    }

    /// The attributes, by their usual names, that an entry of these classes must have; classes that the schema does
    /// not know add nothing.
    #[must_use]
    pub fn must_of<S: AsRef<str>>(&self, classes: &[S]) -> BTreeSet<AttributeName> {
        let (classes, rules) = self.lineage(classes);
        let own = classes.iter().flat_map(|class| &class.must);
        self.usual_names(own.chain(rules.iter().flat_map(|rule| &rule.must)))
    }

    /// The attributes, by their usual names, that an entry of these classes may have besides.
    #[must_use]
    pub fn may_of<S: AsRef<str>>(&self, classes: &[S]) -> BTreeSet<AttributeName> {
        let (classes, rules) = self.lineage(classes);
        let own = classes.iter().flat_map(|class| &class.may);
        self.usual_names(own.chain(rules.iter().flat_map(|rule| &rule.may)))
    }

    /// Whether an entry of these classes can have the attribute `name`: one of them names it, or allows anything,
    /// or it is an operational one, which needs no class.
    #[must_use]
    pub fn allows<S: AsRef<str>>(&self, classes: &[S], name: &str) -> bool {
        const EXTENSIBLE_OBJECT: &str = "1.3.6.1.4.1.1466.101.120.111";
        let Some(wanted) = self.attribute(name) else { return false };
        let (lineage, rules) = self.lineage(classes);
        let same = |named: &String| self.attribute(named).is_some_and(|named| named.oid == wanted.oid);
        wanted.operational
            || lineage
                .iter()
                .any(|class| class.oid == EXTENSIBLE_OBJECT || class.must.iter().chain(&class.may).any(same))
            || rules.iter().any(|rule| rule.must.iter().chain(&rule.may).any(same))
    }

    /// The classes with all their superiors and the auxiliaries that content rules bring along, and those rules.
    fn lineage<S: AsRef<str>>(&self, classes: &[S]) -> (Vec<&ObjectClass>, Vec<&ContentRule>) {
        let mut found: Vec<&ObjectClass> = Vec::new();
        let mut rules: Vec<&ContentRule> = Vec::new();
        let mut open: Vec<&str> = classes.iter().map(AsRef::as_ref).collect();
        while let Some(name) = open.pop() {
            let Some(class) = self.object_class(name) else { continue };
            if found.iter().any(|known| known.oid == class.oid) {
                continue;
            }
            found.push(class);
            open.extend(class.sup.iter().map(String::as_str));
            let rule = self.rule_at.get(&class.oid.to_lowercase()).and_then(|at| self.rules.get(*at));
            if let Some(rule) = rule {
                open.extend(rule.aux.iter().map(String::as_str));
                rules.push(rule);
            }
        }
        (found, rules)
    }

    fn usual_names<'a>(&self, names: impl Iterator<Item = &'a String>) -> BTreeSet<AttributeName> {
        let usual = |name: &'a String| {
            let known = self.attribute(name).and_then(|attribute| attribute.names.first());
            AttributeName::parse(known.unwrap_or(name)).ok()
        };
        names.filter_map(usual).collect()
    }

    /// Fills in what attribute types leave to their superiors (RFC 4512 section 2.5.1).
    fn inherit(&mut self) {
        for at in 0..self.attributes.len() {
            let Some(mut whole) = self.attributes.get(at).cloned() else { continue };
            let mut sup = whole.sup.clone();
            for _ in 0..DEEPEST {
                let Some(above) = sup.as_deref().and_then(|name| self.attribute(name)) else { break };
                whole.inherit(above);
                sup.clone_from(&above.sup);
            }
            if let Some(place) = self.attributes.get_mut(at) {
                *place = whole;
            }
        }
    }
}

impl AttributeType {
    fn inherit(&mut self, above: &Self) {
        let fill = |own: &mut Option<String>, above: &Option<String>| {
            if own.is_none() {
                own.clone_from(above);
            }
        };
        if self.syntax.is_none() {
            self.length = self.length.or(above.length);
        }
        fill(&mut self.equality, &above.equality);
        fill(&mut self.ordering, &above.ordering);
        fill(&mut self.substring, &above.substring);
        fill(&mut self.syntax, &above.syntax);
    }
}

fn index<'a>(definitions: impl Iterator<Item = (&'a String, &'a Vec<String>)>) -> HashMap<String, usize> {
    let keys = definitions
        .enumerate()
        .flat_map(|(at, (oid, names))| std::iter::once(oid).chain(names).map(move |key| (key.to_lowercase(), at)));
    keys.collect()
}
