//! Whether a filter holds for an entry (RFC 4511 section 4.5.1.7).
//!
//! As with the servers, a comparison with an attribute that the entry does not have is false, not undefined; undefined
//! is only what can't be compared at all.

use super::rules::{compare, integer};
use super::{Doc, Rule, Shadow, key};
use crate::directory::{AttributeName, Dn, Filter};
use crate::scim::ResourceKind;
use crate::store::StoreFault;

/// `None`: undefined.
type Truth = Result<Option<bool>, StoreFault>;

/// Matching rules that test bits of an integer: all of them, any of them.
const BIT_AND: &str = "1.2.840.113556.1.4.803";
const BIT_OR: &str = "1.2.840.113556.1.4.804";

impl Shadow {
    /// Whether `filter` holds. Where it is the filter of a table, what the server said of the entry counts: the server
    /// may have filled in attributes that are not known here, or compare them in its own way.
    pub(super) fn matches(&self, doc: &Doc, filter: &Filter) -> Result<bool, StoreFault> {
        Ok(self.truth(doc, filter, true)? == Some(true))
    }

    /// Whether the entry looks like a resource of this kind.
    pub(super) fn looks_like(&self, doc: &Doc, kind: ResourceKind) -> Result<bool, StoreFault> {
        let Some(part) = self.shape.part(kind) else { return Ok(false) };
        Ok(self.truth(doc, &part.filter, false)? == Some(true))
    }

    fn truth(&self, doc: &Doc, filter: &Filter, told: bool) -> Truth {
        if told {
            let mut same = self.shape.parts().filter(|part| part.filter == *filter).peekable();
            if same.peek().is_some() {
                return Ok(Some(same.any(|part| doc.kinds.has(part.kind))));
            }
        }
        match filter {
            Filter::And(parts) => self.all(doc, parts, told),
            Filter::Or(parts) => self.any(doc, parts, told),
            Filter::Not(inner) => Ok(self.truth(doc, inner, told)?.map(|holds| !holds)),
            Filter::Equal(attribute, value) => self.equal(doc, attribute, value).map(Some),
            Filter::Present(attribute) => self.present(doc, attribute).map(Some),
            Filter::Substrings { attribute, initial, any, last } => {
                Ok(self.substrings(doc, attribute, initial.as_deref(), any, last.as_deref()))
            }
            Filter::GreaterOrEqual(attribute, value) => {
                Ok(Some(doc.entry.values(attribute).iter().any(|own| compare(own, value).is_ge())))
            }
            Filter::LessOrEqual(attribute, value) => {
                Ok(Some(doc.entry.values(attribute).iter().any(|own| compare(own, value).is_le())))
            }
            Filter::Matches { attribute, rule, value } => self.extended(doc, attribute, rule, value),
        }
    }

    fn all(&self, doc: &Doc, parts: &[Filter], told: bool) -> Truth {
        let mut outcome = Some(true);
        for part in parts {
            match self.truth(doc, part, told)? {
                Some(false) => return Ok(Some(false)),
                None => outcome = None,
                Some(true) => {}
            }
        }
        Ok(outcome)
    }

    fn any(&self, doc: &Doc, parts: &[Filter], told: bool) -> Truth {
        let mut outcome = Some(false);
        for part in parts {
            match self.truth(doc, part, told)? {
                Some(true) => return Ok(Some(true)),
                None => outcome = None,
                Some(false) => {}
            }
        }
        Ok(outcome)
    }

    fn equal(&self, doc: &Doc, attribute: &AttributeName, value: &[u8]) -> Result<bool, StoreFault> {
        let rule = self.rule(attribute);
        let form = rule.form(value);
        if self.shape.is_link(attribute) {
            return self.has_link(doc.row, attribute, &form);
        }
        if self.shape.is_member_of(attribute) {
            let (dn, all) = (&doc.entry.dn, self.shape.dialect.member_of_all);
            let is_member = if all { self.is_in_chain(dn, value)? } else { self.lists(&form, dn)? };
            if is_member {
                return Ok(true);
            }
        }
        Ok(doc.entry.values(attribute).iter().any(|own| rule.form(own) == form))
    }

    fn present(&self, doc: &Doc, attribute: &AttributeName) -> Result<bool, StoreFault> {
        if doc.entry.has(attribute) || attribute.as_str().eq_ignore_ascii_case("objectClass") {
            return Ok(true);
        }
        if self.shape.is_link(attribute) {
            return Ok(!self.session.first_links(doc.row, &super::field(attribute), 1)?.is_empty());
        }
        Ok(self.shape.is_member_of(attribute) && !self.groups_of(&doc.entry.dn)?.is_empty())
    }

    fn substrings(
        &self,
        doc: &Doc,
        attribute: &AttributeName,
        initial: Option<&[u8]>,
        any: &[Vec<u8>],
        last: Option<&[u8]>,
    ) -> Option<bool> {
        let rule = self.rule(attribute);
        let mut initial = rule.part(initial.unwrap_or_default())?;
        let any = any.iter().map(|part| rule.part(part)).collect::<Option<Vec<_>>>()?;
        let mut last = rule.part(last.unwrap_or_default())?;
        if rule == Rule::Text {
            // The form of a value has no blanks at its ends.
            initial = initial.trim_ascii_start().to_vec();
            last = last.trim_ascii_end().to_vec();
        }
        let holds = |value: &Vec<u8>| has_parts(&rule.form(value), &initial, &any, &last);
        Some(doc.entry.values(attribute).iter().any(holds))
    }

    fn extended(&self, doc: &Doc, attribute: &AttributeName, rule: &str, value: &[u8]) -> Truth {
        if rule == BIT_AND || rule == BIT_OR {
            let Some(mask) = integer(value) else { return Ok(None) };
            let has = |bits: i64| if rule == BIT_AND { bits & mask == mask } else { bits & mask != 0 };
            let values = doc.entry.values(attribute).iter();
            return Ok(Some(values.filter_map(|own| integer(own)).any(has)));
        }
        let in_chain = self.shape.dialect.in_chain_rule == Some(rule) && self.shape.is_member_of(attribute);
        if in_chain { self.is_in_chain(&doc.entry.dn, value).map(Some) } else { Ok(None) }
    }

    /// Whether the group whose name has this form lists `dn`.
    fn lists(&self, form: &[u8], dn: &Dn) -> Result<bool, StoreFault> {
        let (Some(members), Ok(normal)) = (self.shape.members(), std::str::from_utf8(form)) else { return Ok(false) };
        match self.session.document(&self.shape.space, &key::of_normal(normal))? {
            Some(group) => self.has_link(group.row, &members.attribute, dn.normal_form().as_bytes()),
            None => Ok(false),
        }
    }

    /// Whether the group `value` lists `dn`, or lists a group that does, and so on.
    fn is_in_chain(&self, dn: &Dn, value: &[u8]) -> Result<bool, StoreFault> {
        let wanted = Rule::Name.form(value);
        let (mut open, mut seen) = (vec![dn.clone()], std::collections::HashSet::new());
        while let Some(next) = open.pop() {
            for group in self.groups_of(&next)? {
                if group.entry.dn.normal_form().as_bytes() == wanted {
                    return Ok(true);
                }
                if seen.insert(group.row) {
                    open.push(group.entry.dn);
                }
            }
        }
        Ok(false)
    }
}

fn has_parts(value: &[u8], initial: &[u8], any: &[Vec<u8>], last: &[u8]) -> bool {
    let Some(mut rest) = value.strip_prefix(initial) else { return false };
    for part in any.iter().filter(|part| !part.is_empty()) {
        let Some(at) = rest.windows(part.len()).position(|window| window == part.as_slice()) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_value_stand_in_their_order_and_do_not_overlap() {
        let holds = |initial: &str, any: &[&str], last: &str| {
            let any: Vec<Vec<u8>> = any.iter().map(|part| part.as_bytes().to_vec()).collect();
            has_parts(b"abcabd", initial.as_bytes(), &any, last.as_bytes())
        };
        assert!(holds("ab", &["ca"], "d"));
        assert!(holds("", &["ab", "ab"], ""));
        assert!(!holds("ab", &["bc"], ""));
        assert!(!holds("abcabd", &[], "d"));
        assert!(!holds("", &["d", "a"], ""));
    }
}
