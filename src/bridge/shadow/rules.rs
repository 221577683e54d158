//! How values are compared: the rules of the server's schema (RFC 4517 section 4.2), as far as they matter here.
//!
//! The part of the schema that is about the attributes of the table is remembered in the store, in the notation that
//! servers use for it.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::shape::Shape;
use crate::directory::{AttributeName, AttributeType, Dn, SchemaView};
use crate::mapping::Codec;

/// How the values of an attribute are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// As text, without regard to case and to the number of blanks.
    Text,
    /// As text, without regard to case, blanks and hyphens.
    Number,
    /// As names of entries.
    Name,
    /// Byte by byte.
    Exact,
}

impl Rule {
    /// What two equal values have in common.
    pub fn form(self, value: &[u8]) -> Vec<u8> {
        match (self, std::str::from_utf8(value)) {
            (Self::Exact, _) | (_, Err(_)) => value.to_vec(),
            (Self::Name, Ok(_)) => Dn::form_of_value(value),
            (Self::Text, Ok(text)) => folded(text).trim_matches(' ').as_bytes().to_vec(),
            (Self::Number, Ok(text)) => folded(text).replace([' ', '-'], "").into_bytes(),
        }
    }

    /// A part of a value, for the comparison of substrings; `None` where the rule knows none.
    pub fn part(self, part: &[u8]) -> Option<Vec<u8>> {
        match (self, std::str::from_utf8(part)) {
            (Self::Name, _) => None,
            (Self::Exact, _) | (_, Err(_)) => Some(part.to_vec()),
            (Self::Text, Ok(text)) => Some(folded(text).into_bytes()),
            (Self::Number, Ok(_)) => Some(self.form(part)),
        }
    }
}

/// Lower case, and one blank for several.
fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character != ' ' || !out.ends_with(' ') {
            out.extend(character.to_lowercase());
        }
    }
    out
}

/// Whether a value is at least, or at most, another: by number or time where both are one, else as text.
pub(super) fn compare(one: &[u8], other: &[u8]) -> std::cmp::Ordering {
    if let (Some(one), Some(other)) = (integer(one), integer(other)) {
        return one.cmp(&other);
    }
    if let (Some(one), Some(other)) = (moment(one), moment(other)) {
        return one.cmp(&other);
    }
    Rule::Text.form(one).cmp(&Rule::Text.form(other))
}

pub(super) fn integer(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

/// The time that a change stamp says.
pub(super) fn moment(value: &[u8]) -> Option<Timestamp> {
    Codec::GeneralizedTime.decode(value)?.as_str()?.parse().ok()
}

/// Which characters the values of an attribute may have (RFC 4517 section 3.3), as far as text is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Syntax {
    /// IA5 String: ASCII.
    Ascii,
    /// Printable String, and what is made of it: Telephone Number.
    Printable,
    /// Facsimile Telephone Number: a printable string, with parameters behind dollar signs.
    Fax,
    /// Numeric String: digits and blanks.
    Numeric,
}

impl Syntax {
    fn of(oid: &str) -> Option<Self> {
        Some(match oid.strip_prefix("1.3.6.1.4.1.1466.115.121.1.")? {
            "26" => Self::Ascii,
            "44" | "50" => Self::Printable,
            "22" => Self::Fax,
            "36" => Self::Numeric,
            _ => return None,
        })
    }

    fn allows(self, value: &[u8]) -> bool {
        value.iter().all(|byte| match self {
            Self::Ascii => byte.is_ascii(),
            Self::Printable => is_printable(*byte),
            Self::Fax => is_printable(*byte) || *byte == b'$',
            Self::Numeric => byte.is_ascii_digit() || *byte == b' ',
        })
    }
}

/// RFC 4517 section 3.2, with the equals sign, which OpenLDAP and 389 Directory Server let pass as well.
fn is_printable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte)
}

/// What is known of the server's schema.
#[derive(Debug, Default)]
pub(super) struct Rules {
    remembered: Vec<u8>,
    schema: Option<SchemaView>,
}

impl Rules {
    /// What was remembered in this form.
    pub fn remembered(bytes: Vec<u8>) -> Self {
        let schema = std::str::from_utf8(&bytes).ok().filter(|text| !text.is_empty());
        let schema = schema.map(|text| SchemaView::parse(text.lines(), [], []));
        Self { remembered: bytes, schema }
    }

    /// Whether this is what was remembered as `bytes`.
    pub fn are(&self, bytes: &[u8]) -> bool {
        self.remembered == bytes
    }

    /// As much of the schema as is remembered, if any is.
    pub fn schema(&self) -> Option<&SchemaView> {
        self.schema.as_ref()
    }

    /// How values of `attribute` are compared.
    pub fn rule(&self, shape: &Shape, attribute: &AttributeName) -> Rule {
        if let Some(rule) = shape.rule(attribute) {
            return rule;
        }
        let known = self.schema.as_ref().and_then(|schema| schema.attribute(attribute.as_str()));
        known.and_then(|known| known.equality.as_deref()).map_or(Rule::Text, rule_named)
    }

    /// Whether the server lets `attribute` have one value at most.
    pub fn is_single(&self, attribute: &AttributeName) -> bool {
        let known = self.schema.as_ref().and_then(|schema| schema.attribute(attribute.as_str()));
        known.is_some_and(|known| known.single_value)
    }

    /// Whether `value` has only what the syntax of `attribute` lets it have.
    pub fn allow(&self, attribute: &AttributeName, value: &[u8]) -> bool {
        let known = self.schema.as_ref().and_then(|schema| schema.attribute(attribute.as_str()));
        let syntax = known.and_then(|known| known.syntax.as_deref()).and_then(Syntax::of);
        syntax.is_none_or(|syntax| syntax.allows(value))
    }
}

fn rule_named(rule: &str) -> Rule {
    const EXACT: [&str; 4] = ["caseExactMatch", "caseExactIA5Match", "octetStringMatch", "caseExactListMatch"];
    const NUMBER: [&str; 2] = ["telephoneNumberMatch", "numericStringMatch"];
    let is = |rules: &[&str]| rules.iter().any(|known| known.eq_ignore_ascii_case(rule));
    if is(&EXACT) {
        Rule::Exact
    } else if is(&NUMBER) {
        Rule::Number
    } else if is(&["distinguishedNameMatch"]) {
        Rule::Name
    } else {
        Rule::Text
    }
}

/// The definitions of `attributes` in `schema`, one a line (RFC 4512 section 4.1.2).
pub(super) fn definitions<'a>(schema: &SchemaView, attributes: impl Iterator<Item = &'a AttributeName>) -> Vec<u8> {
    let mut known: Vec<&AttributeType> = attributes.filter_map(|name| schema.attribute(name.as_str())).collect();
    known.sort_unstable_by(|one, other| one.oid.cmp(&other.oid));
    known.dedup_by(|one, other| one.oid == other.oid);
    let mut text = String::new();
    for known in known {
        define(known, &mut text);
    }
    text.into_bytes()
}

fn define(known: &AttributeType, out: &mut String) {
    let AttributeType { oid, names, equality, ordering, substring, syntax, single_value, .. } = known;
    // Writing to a text can't fail.
    let _ = write!(out, "( {oid}");
    if !names.is_empty() {
        let _ = write!(out, " NAME ( '{}' )", names.join("' '"));
    }
    for (keyword, value) in [("EQUALITY", equality), ("ORDERING", ordering), ("SUBSTR", substring), ("SYNTAX", syntax)]
    {
        if let Some(value) = value {
            let _ = write!(out, " {keyword} {value}");
        }
    }
    out.push_str(if *single_value { " SINGLE-VALUE )\n" } else { " )\n" });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_equal_when_their_form_is() {
        assert_eq!(Rule::Text.form(b" Ada  Lovelace"), Rule::Text.form("ada LOVELACE ".as_bytes()));
        assert_ne!(Rule::Exact.form(b"Ada"), Rule::Exact.form(b"ada"));
        assert_eq!(Rule::Number.form(b"+49 30-123"), Rule::Number.form(b"+4930123"));
        assert_eq!(Rule::Name.form(b"uid=A, ou=P,dc=x"), Rule::Name.form(b"UID=a,OU=p,DC=x"));
        assert_eq!(Rule::Text.form(&[255]), vec![255]);
    }

    #[test]
    fn numbers_and_times_are_compared_as_what_they_are() {
        assert!(compare(b"9", b"10").is_lt());
        assert!(compare(b"20261122080000.0Z", b"20261122080000Z").is_eq());
        assert!(compare(b"20261122090000+0200", b"20261122080000Z").is_lt());
        assert!(compare(b"b", b"A").is_gt());
    }

    #[test]
    fn the_schema_is_remembered_as_it_matters() {
        let definitions_of = [
            "( 1.1 NAME ( 'serial' 'serialNo' ) EQUALITY caseExactMatch SYNTAX 1.3.6{64} SINGLE-VALUE )",
            "( 1.2 NAME 'serialOfTwin' SUP serial )",
            "( 1.3 NAME 'other' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch )",
            "( 1.4 NAME 'unasked' EQUALITY caseExactMatch )",
        ];
        let names = ["serialNo", "serialOfTwin", "other", "strange"].map(|name| AttributeName::parse(name).unwrap());
        let bytes = definitions(&SchemaView::parse(definitions_of, [], []), names.iter());
        let rules = Rules::remembered(bytes.clone());
        assert!(rules.are(&bytes));
        let schema = rules.schema().unwrap();
        for (name, equality) in [("serial", "caseExactMatch"), ("serialOfTwin", "caseExactMatch")] {
            assert_eq!(schema.attribute(name).unwrap().equality.as_deref(), Some(equality), "{name}");
        }
        assert_eq!(schema.attribute("other").unwrap().substring.as_deref(), Some("caseIgnoreSubstringsMatch"));
        assert!(schema.attribute("unasked").is_none());
        assert!(rules.is_single(&names[0]) && !rules.is_single(&names[2]));
        assert!(Rules::remembered(Vec::new()).schema().is_none());
    }
}
