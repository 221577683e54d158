//! Comparing strings the way a schema asks for, without allocating where the text is ASCII.

use std::cmp::Ordering;

use super::fault::{Fault, FaultKind};

/// Whether two strings are equal, by case or (also beyond ASCII) regardless of it.
pub(super) fn equal(left: &str, right: &str, exact: bool) -> bool {
    if exact || left == right {
        return left == right;
    }
    if left.is_ascii() && right.is_ascii() { left.eq_ignore_ascii_case(right) } else { folded(left).eq(folded(right)) }
}

/// The order of two strings, by case or regardless of it.
pub(super) fn order(left: &str, right: &str, exact: bool) -> Ordering {
    if exact { left.cmp(right) } else { folded(left).cmp(folded(right)) }
}

/// Whether `text` contains `part`.
pub(super) fn contains(text: &str, part: &str, exact: bool) -> bool {
    if exact { text.contains(part) } else { lowered(text).contains(&lowered(part)) }
}

/// Whether `text` begins with `part`.
pub(super) fn starts_with(text: &str, part: &str, exact: bool) -> bool {
    if exact { text.starts_with(part) } else { lowered(text).starts_with(&lowered(part)) }
}

/// Whether `text` ends with `part`.
pub(super) fn ends_with(text: &str, part: &str, exact: bool) -> bool {
    if exact { text.ends_with(part) } else { lowered(text).ends_with(&lowered(part)) }
}

fn folded(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(char::to_lowercase)
}

// Not `str::to_lowercase`: its rule for a final sigma depends on the neighbours, so a part would not be found.
fn lowered(text: &str) -> String {
    folded(text).collect()
}

/// The text shortened for an error message, in quotes.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    if text.chars().nth(SHOWN).is_none() {
        return format!("\"{}\"", text.escape_debug());
    }
    let start: String = text.chars().take(SHOWN).collect();
    format!("\"{}...\"", start.escape_debug())
}

/// The instant that a dateTime names (RFC 7643 section 2.3.5). One without an offset is taken as UTC.
pub(super) fn instant(text: &str) -> Option<jiff::Timestamp> {
    // A date alone is no xsd:dateTime, though jiff would read it.
    if !text.bytes().any(|byte| byte == b'T' || byte == b't') {
        return None;
    }
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(instant);
    }
    let civil = text.parse::<jiff::civil::DateTime>().ok()?;
    civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// Refuses control characters that no attribute value may hold; tab and line breaks are allowed.
pub(super) fn check_characters(text: &str, name: &impl std::fmt::Display) -> Result<(), Fault> {
    match text.chars().find(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
        None => Ok(()),
        Some(control) => Err(Fault::new(
            FaultKind::InvalidValue,
            format!(
                "{name} contains the control character U+{:04X}, which a directory cannot store. Remove it.",
                u32::from(control)
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_ignored_beyond_ascii_too() {
        assert!(equal("MÜLLER", "müller", false));
        assert!(!equal("MÜLLER", "müller", true));
        assert!(contains("ΟΔΥΣΣΕΥΣ", "υς".to_uppercase().as_str(), false));
        assert!(starts_with("Überlingen", "über", false));
        assert!(ends_with("STRASSE", "sse", false));
    }

    #[test]
    fn a_date_time_with_fraction_and_offset_is_the_same_instant_as_in_utc() {
        assert_eq!(instant("2011-05-13T06:42:34.500+02:00"), instant("2011-05-13T04:42:34.5Z"));
        assert_eq!(instant("2011-05-13T04:42:34"), instant("2011-05-13T04:42:34Z"));
        assert_eq!(instant("2011-05-13"), None);
        assert_eq!(instant("yesterday"), None);
    }

    #[test]
    fn tabs_and_line_breaks_pass_and_other_control_characters_do_not() {
        assert!(check_characters("a\tb\r\nc", &"title").is_ok());
        assert!(check_characters("a\u{0}b", &"title").is_err_and(|fault| fault.detail.contains("title")));
        assert!(check_characters("a\u{7f}b", &"title").is_err());
        assert!(check_characters("a\u{9b}b", &"title").is_err());
    }
}
