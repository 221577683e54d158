//! The `next` key of a row: the entry gets the next free number of a range when it is created.

use serde_json::Value;

use super::read::{Written, each};
use crate::directory::{AttributeName, Dn};
use crate::mapping::codec::Codec;
use crate::scim::AttributeType;
use crate::tables::{Findings, Located, TableReader};

const EXAMPLE: &str = "write next = { from = 20000, to = 29999 }";

/// The numbers that the bridge may give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberRange {
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
    /// Entries here and below must not have the same number.
    pub below: Dn,
}

impl NumberRange {
    /// Whether `number` is one of them.
    #[must_use]
    pub const fn contains(&self, number: u64) -> bool {
        self.from <= number && number <= self.to
    }

    /// The number that a client sent, which may be text; `None` if it is none, or not in the range.
    #[must_use]
    pub fn chosen(&self, value: &Value) -> Option<u64> {
        let number = match value {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_u64(),
        };
        number.filter(|number| self.contains(*number))
    }
}

/// Reads the key of a row; `base_dn` is where numbers in use are looked for unless the table says so.
pub(super) fn read(reader: &TableReader<'_>, base_dn: &Dn) -> Option<Located<NumberRange>> {
    let node = reader.node("next")?;
    let inner = reader.table("next")?;
    let most = i64::MAX.unsigned_abs();
    for (key, example) in [("from", "20000"), ("to", "29999")] {
        if inner.node(key).is_none() {
            inner.missing(key, example);
        }
    }
    let (from, to) = (inner.number("from", 0..=most), inner.number("to", 0..=most));
    let filled = |text: &str| Dn::parse(&text.replace("{base_dn}", base_dn.as_str()));
    let below = inner.parsed("below", filled, "write a DN: below = \"ou=groups,{base_dn}\"");
    let wrong_below = inner.node("below").is_some() && below.is_none();
    inner.finish();
    let (from, to) = (from?, to?);
    if to.value < from.value {
        reader.findings().report(&to.spot, "`to` is less than `from`, so there is no number", EXAMPLE.to_owned());
        return None;
    }
    if wrong_below {
        return None;
    }
    let below = below.map_or_else(|| base_dn.clone(), |below| below.value);
    Some(Located { value: NumberRange { from: from.value, to: to.value, below }, spot: node.spot.clone() })
}

/// A number is given, so keys that make, change or demand a value have nothing to do.
pub(super) fn check(written: &Written, findings: &Findings) {
    if written.next.is_none() {
        return;
    }
    let others = [
        written.value.as_ref().map(|it| ("value", &it.spot)),
        written.fallback.as_ref().map(|it| ("fallback", &it.spot)),
        written.default.as_ref().map(|it| ("default", &it.spot)),
        written.lookup.as_ref().map(|it| ("lookup", &it.spot)),
        written.one_of.as_ref().map(|it| ("one_of", &it.spot)),
        written.only_if.as_ref().map(|it| ("only_if", &it.spot)),
    ];
    each(findings, others, "can't be combined with `next`", "leave it out: the entry gets the next free number");
    let others = [
        written.required.as_ref().filter(|it| it.value).map(|it| ("required", &it.spot)),
        written.when.as_ref().map(|it| ("when", &it.spot)),
        written.case.as_ref().map(|it| ("case", &it.spot)),
        written.max_length.as_ref().map(|it| ("max_length", &it.spot)),
        written.multi.as_ref().filter(|it| it.value).map(|it| ("multi", &it.spot)),
        written.reference.as_ref().map(|it| ("reference", &it.spot)),
    ];
    each(findings, others, "can't be combined with `next`", "leave it out: a number is given once, to a new entry");
}

/// The form of the values; the SCIM attribute of the row, if it has one, must be able to show a number.
pub(super) fn codec(written: &Written, kind: Option<AttributeType>, findings: &Findings) -> Codec {
    if let Some(given) = written.codec.as_ref().filter(|it| it.value != Codec::Integer) {
        let message = format!("`as = \"{}\"` doesn't fit a number", given.value.name());
        findings.report(&given.spot, message, "leave it out".to_owned());
    }
    match kind {
        None | Some(AttributeType::Integer) => Codec::Integer,
        Some(AttributeType::String) => Codec::Text,
        Some(_) => {
            let spot = written.scim.as_ref().map_or(&written.spot, |scim| &scim.spot);
            let help =
                "leave `scim` out, or take an attribute of your own, such as urn:example:posix:2.0:User:uidNumber";
            findings.report(spot, "this attribute can't show a number", help.to_owned());
            Codec::Integer
        }
    }
}

/// Where a number came from, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    /// The attribute that gets it.
    pub attribute: AttributeName,
    /// What it is taken from.
    pub range: NumberRange,
    /// The one that the client wants; it is among the attributes of the entry already.
    pub chosen: Option<u64>,
    /// The row of the table, for people.
    pub row: String,
}
