//! Entries and changes to them.

use super::dn::Dn;
use super::name::AttributeName;

/// An entry of the directory, or the part of it that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub dn: Dn,
    /// No attribute stands here twice, none is without a value, and values are sorted: servers keep no order.
    attributes: Vec<(AttributeName, Vec<Vec<u8>>)>,
}

impl Entry {
    /// An entry without attributes.
    #[must_use]
    pub const fn new(dn: Dn) -> Self {
        Self { dn, attributes: Vec::new() }
    }

    /// An entry as a server sent it: attributes without values, which Active Directory sends beside ranges, go.
    pub(super) fn from_wire(dn: Dn, mut attributes: Vec<(AttributeName, Vec<Vec<u8>>)>) -> Self {
        attributes.retain(|(_, values)| !values.is_empty());
        for (_, values) in &mut attributes {
            values.sort_unstable();
        }
        Self { dn, attributes }
    }

    /// The values of `attribute`, sorted by their bytes; empty when it has none.
    #[must_use]
    pub fn values(&self, attribute: &AttributeName) -> &[Vec<u8>] {
        self.attributes.iter().find(|(name, _)| name == attribute).map_or(&[], |(_, values)| values)
    }

    /// The first value of `attribute` as text; none when there is no value or it is not UTF-8.
    #[must_use]
    pub fn text(&self, attribute: &AttributeName) -> Option<&str> {
        self.values(attribute).first().and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The values of `attribute` that are UTF-8.
    pub fn texts(&self, attribute: &AttributeName) -> impl Iterator<Item = &str> {
        self.values(attribute).iter().filter_map(|value| std::str::from_utf8(value).ok())
    }

    /// The entries that `attribute` names.
    pub fn names(&self, attribute: &AttributeName) -> impl Iterator<Item = Dn> {
        self.values(attribute).iter().filter_map(|value| Dn::in_value(value))
    }

    /// Whether `attribute` has a value.
    #[must_use]
    pub fn has(&self, attribute: &AttributeName) -> bool {
        !self.values(attribute).is_empty()
    }

    /// Sets the values of `attribute`, in place of those it had; no values remove it.
    pub fn insert(&mut self, attribute: AttributeName, mut values: Vec<Vec<u8>>) {
        values.sort_unstable();
        values.dedup();
        let at = self.attributes.iter().position(|(name, _)| *name == attribute);
        match (at, values.is_empty()) {
            (Some(at), true) => drop(self.attributes.remove(at)),
            (Some(at), false) => {
                if let Some(place) = self.attributes.get_mut(at) {
                    place.1 = values;
                }
            }
            (None, true) => {}
            (None, false) => self.attributes.push((attribute, values)),
        }
    }

    /// Takes `attribute` out of the entry and returns its values.
    pub fn remove(&mut self, attribute: &AttributeName) -> Vec<Vec<u8>> {
        let at = self.attributes.iter().position(|(name, _)| name == attribute);
        at.map_or_else(Vec::new, |at| self.attributes.remove(at).1)
    }

    /// Every attribute with its sorted values, in the order in which the server gave them.
    pub fn attributes(&self) -> impl Iterator<Item = (&AttributeName, &[Vec<u8>])> {
        self.attributes.iter().map(|(name, values)| (name, values.as_slice()))
    }
}

/// One step of a modify operation (RFC 4511 section 4.6). A server carries out all steps or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modification {
    /// The attribute that changes.
    pub attribute: AttributeName,
    /// How.
    pub change: Change,
}

/// What happens to the values of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// These values are added; at least one.
    Add(Vec<Vec<u8>>),
    /// These values are deleted, or the whole attribute when none is given. What is not there is a fault.
    Delete(Vec<Vec<u8>>),
    /// These values take the place of all others; none removes the attribute if it is there.
    Replace(Vec<Vec<u8>>),
}

impl Modification {
    /// `attribute` changes by `change`.
    #[must_use]
    pub const fn new(attribute: AttributeName, change: Change) -> Self {
        Self { attribute, change }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(texts: &[&str]) -> Vec<Vec<u8>> {
        texts.iter().map(|text| text.as_bytes().to_vec()).collect()
    }

    #[test]
    fn values_are_sorted_and_found_in_any_case() {
        let mut entry = Entry::new(Dn::root());
        entry.insert(AttributeName::literal("mail"), values(&["b@x", "a@x", "b@x"]));
        assert_eq!(entry.values(&AttributeName::literal("MAIL")), values(&["a@x", "b@x"]));
        assert_eq!(entry.text(&AttributeName::literal("mail")), Some("a@x"));
        assert_eq!(entry.texts(&AttributeName::literal("mail")).count(), 2);
        assert!(!entry.has(&AttributeName::literal("cn")));
        assert!(entry.values(&AttributeName::literal("cn")).is_empty());
    }

    #[test]
    fn inserting_replaces_and_inserting_nothing_removes() {
        let mut entry = Entry::new(Dn::root());
        entry.insert(AttributeName::literal("cn"), values(&["a"]));
        entry.insert(AttributeName::literal("CN"), values(&["b"]));
        assert_eq!(entry.attributes().count(), 1);
        assert_eq!(entry.text(&AttributeName::literal("cn")), Some("b"));
        entry.insert(AttributeName::literal("cn"), vec![]);
        assert_eq!(entry.attributes().count(), 0);
    }

    #[test]
    fn bytes_that_are_no_text_are_values_all_the_same() {
        let mut entry = Entry::new(Dn::root());
        entry.insert(AttributeName::literal("objectGUID"), vec![vec![0xff, 0x00]]);
        assert_eq!(entry.text(&AttributeName::literal("objectGUID")), None);
        assert_eq!(entry.remove(&AttributeName::literal("objectguid")), vec![vec![0xff, 0x00]]);
        assert!(!entry.has(&AttributeName::literal("objectGUID")));
    }
}
