//! Entries and changes as LDIF (RFC 2849), for people to read and for `ldapmodify` to take.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{AttributeName, Change, Dn, Modification, Rdn};

/// LDIF that is being written: change records one after the other.
#[derive(Debug, Default)]
pub struct Ldif(String);

impl Ldif {
    /// The record that adds an entry.
    #[must_use]
    pub fn add(mut self, dn: &Dn, attributes: &[(AttributeName, Vec<Vec<u8>>)]) -> Self {
        self.record(dn, "add");
        for (name, values) in attributes {
            for value in values {
                self.line(name.as_str(), value);
            }
        }
        self
    }

    /// The record that changes the attributes of an entry.
    #[must_use]
    pub fn modify(mut self, dn: &Dn, modifications: &[Modification]) -> Self {
        self.record(dn, "modify");
        for Modification { attribute, change } in modifications {
            let (verb, values) = match change {
                Change::Add(values) => ("add", values),
                Change::Delete(values) => ("delete", values),
                Change::Replace(values) => ("replace", values),
            };
            self.line(verb, attribute.as_str().as_bytes());
            for value in values {
                self.line(attribute.as_str(), value);
            }
            self.0.push_str("-\n");
        }
        self
    }

    /// The record that renames an entry, moves it, or both.
    #[must_use]
    pub fn rename(mut self, dn: &Dn, rdn: &Rdn, parent: Option<&Dn>) -> Self {
        self.record(dn, "modrdn");
        self.line("newrdn", rdn.to_string().as_bytes());
        self.line("deleteoldrdn", b"1");
        if let Some(parent) = parent {
            self.line("newsuperior", parent.as_str().as_bytes());
        }
        self
    }

    /// The record that deletes an entry.
    #[must_use]
    pub fn delete(mut self, dn: &Dn) -> Self {
        self.record(dn, "delete");
        self
    }

    /// A remark about the record that stands last.
    #[must_use]
    pub fn comment(mut self, remark: &str) -> Self {
        self.0.push_str("# ");
        self.0.push_str(remark);
        self.0.push('\n');
        self
    }

    /// The text.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }

    fn record(&mut self, dn: &Dn, kind: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.line("dn", dn.as_str().as_bytes());
        self.line("changetype", kind.as_bytes());
    }

    fn line(&mut self, name: &str, value: &[u8]) {
        let written = match std::str::from_utf8(value) {
            Ok(text) if is_safe(text) => writeln!(self.0, "{name}: {text}"),
            _ => writeln!(self.0, "{name}:: {}", STANDARD.encode(value)),
        };
        debug_assert!(written.is_ok(), "a String takes every write");
    }
}

/// SAFE-STRING of RFC 2849, and no blank at the end, which nobody sees.
fn is_safe(text: &str) -> bool {
    !text.starts_with([' ', ':', '<'])
        && !text.ends_with(' ')
        && text.bytes().all(|byte| byte.is_ascii() && !matches!(byte, 0 | b'\n' | b'\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dn() -> Dn {
        Dn::parse("uid=ada,ou=people,dc=example,dc=test").unwrap()
    }

    fn name(text: &str) -> AttributeName {
        AttributeName::parse(text).unwrap()
    }

    #[test]
    fn values_that_ldif_can_not_show_are_base64() {
        let values = ["plain", " leading", "trailing ", ":colon", "<less", "ö", ""];
        let attributes = vec![(name("cn"), values.iter().map(|value| value.as_bytes().to_vec()).collect())];
        let text = Ldif::default().add(&dn(), &attributes).into_text();
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "cn: plain",
                "cn:: IGxlYWRpbmc=",
                "cn:: dHJhaWxpbmcg",
                "cn:: OmNvbG9u",
                "cn:: PGxlc3M=",
                "cn:: w7Y=",
                "cn: "
            ]
        );
    }

    #[test]
    fn records_stand_apart_and_modifications_end_with_a_dash() {
        let modification = |change| Modification { attribute: name("title"), change };
        let text = Ldif::default()
            .rename(&dn(), &dn().rdn().unwrap().replacing(&name("uid"), "lovelace"), None)
            .modify(
                &Dn::parse("uid=lovelace,ou=people,dc=example,dc=test").unwrap(),
                &[modification(Change::Replace(vec![b"Countess".to_vec()])), modification(Change::Delete(Vec::new()))],
            )
            .into_text();
        assert_eq!(
            text,
            "dn: uid=ada,ou=people,dc=example,dc=test\nchangetype: modrdn\nnewrdn: uid=lovelace\ndeleteoldrdn: 1\n\n\
             dn: uid=lovelace,ou=people,dc=example,dc=test\nchangetype: modify\nreplace: title\ntitle: Countess\n-\n\
             delete: title\n-\n"
        );
    }
}
