//! Names that the bridge makes up for new entries: allowed, short enough, and numbered until one is free.

use super::row::Row;
use super::table::ResourceMapping;
use super::write::Wanted;
use crate::directory::AttributeName;
use crate::scim::{Fault, FaultKind, Resource};

use super::template::Template;

/// How a row makes up the value of its attribute.
#[derive(Debug, Clone)]
pub struct Generate {
    /// Computes what the value is made from.
    pub from: Template,
    /// Characters that may not be in the value.
    pub forbidden: String,
    /// Most characters the value may have.
    pub max_length: usize,
    /// Whether a number is put behind a value that another entry has.
    pub number: bool,
}

/// A value that was made up, and may have to give way to the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// The attribute.
    pub attribute: AttributeName,
    stem: String,
    max_length: usize,
    number: bool,
}

impl Generate {
    /// `text` without what is not allowed. Dots and blanks at the end go as well: directories refuse or drop them.
    fn cleaned(&self, text: &str) -> String {
        let allowed = text.chars().filter(|&c| !c.is_control() && !self.forbidden.contains(c)).collect::<String>();
        cut(allowed.trim_start(), self.max_length)
    }
}

impl Generated {
    /// The value that comes `number`th, from 1: `jdoe`, `jdoe2`, `jdoe3`. `None` when there is no such value.
    #[must_use]
    pub fn candidate(&self, number: usize) -> Option<String> {
        if number <= 1 {
            return Some(self.stem.clone());
        }
        let suffix = number.to_string();
        let room = self.max_length.checked_sub(suffix.len()).filter(|room| self.number && *room > 0)?;
        Some(cut(&self.stem, room) + &suffix)
    }
}

fn cut(text: &str, length: usize) -> String {
    let short: String = text.chars().take(length).collect();
    short.trim_end_matches(['.', ' ']).to_owned()
}

impl ResourceMapping {
    /// The value of a row that makes one up: the client's own if it is allowed, otherwise one of the bridge's.
    pub(super) fn generated_value(row: &Row, generate: &Generate, given: Option<&str>, resource: &Resource) -> Made {
        if let Some(given) = given.filter(|given| !given.is_empty() && generate.cleaned(given) == *given) {
            return Ok((Wanted::Values(vec![given.as_bytes().to_vec()]), None));
        }
        let text = generate
            .from
            .render(resource.as_map())
            .map_err(|reason| Fault::new(FaultKind::InvalidValue, format!("{}: {reason}.", row.subject())))?;
        let stem = generate.cleaned(&text.unwrap_or_default());
        if stem.is_empty() {
            return Ok((Wanted::Values(Vec::new()), None));
        }
        let wanted = Wanted::Values(vec![stem.clone().into_bytes()]);
        let Generate { max_length, number, .. } = *generate;
        Ok((wanted, Some(Generated { attribute: row.ldap.clone(), stem, max_length, number })))
    }
}

/// The value, and what it was made up from, if it was.
type Made = Result<(Wanted, Option<Generated>), Fault>;

#[cfg(test)]
mod tests {
    use super::*;

    fn generate() -> Generate {
        let from = Template::parse("{{ userName }}").unwrap();
        Generate { from, forbidden: "\"/\\[]:;|=,+*?<>@".to_owned(), max_length: 8, number: true }
    }

    fn generated(stem: &str, number: bool) -> Generated {
        let attribute = AttributeName::literal("sAMAccountName");
        Generated { attribute, stem: stem.to_owned(), max_length: 8, number }
    }

    #[test]
    fn what_is_not_allowed_is_left_out_and_what_is_too_long_is_cut() {
        for (from, to) in [
            ("jdoe", "jdoe"),
            ("j/d:o@e", "jdoe"),
            ("a.very.long.name", "a.very.l"),
            ("1234567.890", "1234567"),
            ("dots...", "dots"),
            ("  x ", "x"),
            ("Zoë\u{7}", "Zoë"),
            ("[]", ""),
        ] {
            assert_eq!(generate().cleaned(from), to, "{from}");
        }
    }

    #[test]
    fn numbers_stay_within_the_length() {
        let all = |stem: &str| [1, 2, 10, 100].map(|number| generated(stem, true).candidate(number).unwrap());
        assert_eq!(all("jdoe"), ["jdoe", "jdoe2", "jdoe10", "jdoe100"]);
        assert_eq!(all("abcdefgh"), ["abcdefgh", "abcdefg2", "abcdef10", "abcde100"]);
        assert_eq!(all("abcdef.h"), ["abcdef.h", "abcdef2", "abcdef10", "abcde100"]);
        assert_eq!(generated("jdoe", false).candidate(2), None);
    }
}
