//! Which comparisons the server can answer as SCIM means them, by the matching rules in its schema (RFC 4517 section 4.2).

use super::Terms;
use crate::directory::AttributeName;

/// How well the server can answer one kind of comparison on one attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// As SCIM means it.
    Exact,
    /// It lets more through than SCIM does.
    Wider,
    /// Not at all, or it would miss values that SCIM matches.
    None,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Answers {
    pub equality: Answer,
    pub substring: Answer,
}

impl Answers {
    pub fn of(attribute: &AttributeName, terms: Terms<'_>, exact_case: bool) -> Self {
        let Some(known) = terms.schema.and_then(|schema| schema.attribute(attribute.as_str())) else {
            // Without the server's schema only the plain equality of a directory string can be counted on.
            let equality = if exact_case { Answer::Wider } else { Answer::Exact };
            return Self { equality, substring: Answer::None };
        };
        if terms.dialect.matches_every_string {
            let equality = if exact_case { Answer::Wider } else { Answer::Exact };
            return Self { equality, substring: equality };
        }
        Self {
            equality: known.equality.as_deref().map_or(Answer::None, |rule| answer(rule, exact_case)),
            substring: known.substring.as_deref().map_or(Answer::None, |rule| answer(rule, exact_case)),
        }
    }
}

/// What a matching rule (RFC 4517 section 4.2) answers to a SCIM comparison with or without regard to case.
fn answer(rule: &str, exact_case: bool) -> Answer {
    let caseless =
        ["caseIgnoreMatch", "caseIgnoreIA5Match", "caseIgnoreSubstringsMatch", "caseIgnoreIA5SubstringsMatch"];
    let exact = ["caseExactMatch", "caseExactIA5Match", "caseExactSubstringsMatch", "caseExactIA5SubstringsMatch"];
    let looser = [
        "telephoneNumberMatch",
        "telephoneNumberSubstringsMatch",
        "caseIgnoreListMatch",
        "caseIgnoreListSubstringsMatch",
        "numericStringMatch",
        "numericStringSubstringsMatch",
    ];
    let single = [
        "booleanMatch",
        "integerMatch",
        "generalizedTimeMatch",
        "octetStringMatch",
        "UUIDMatch",
        "distinguishedNameMatch",
        "objectIdentifierMatch",
    ];
    let is = |rules: &[&str]| rules.iter().any(|known| known.eq_ignore_ascii_case(rule));
    if is(&caseless) {
        if exact_case { Answer::Wider } else { Answer::Exact }
    } else if is(&exact) {
        if exact_case { Answer::Exact } else { Answer::None }
    } else if is(&looser) {
        Answer::Wider
    } else if is(&single) {
        Answer::Exact
    } else {
        Answer::None
    }
}
