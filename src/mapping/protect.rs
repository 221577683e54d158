//! What a tenant may read but never write: the lines of `protect`. Pure; who is a member of a listed group, and what a
//! filter matches, is asked of the directory by the bridge.

use crate::directory::{AttributeName, Dialect, Dn, Filter};
use crate::tables::Place;

/// One line of `protect`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protect {
    /// What it names.
    pub what: Protected,
    /// Where it stands.
    pub place: Place,
}

/// What a line of `protect` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protected {
    /// An entry, everything below it, and if it is a group its members.
    Entry(Dn),
    /// The entries that a filter matches.
    Filter(Filter),
}

const MEMBER: AttributeName = AttributeName::literal("member");
const UNIQUE_MEMBER: AttributeName = AttributeName::literal("uniqueMember");
const MEMBER_UID: AttributeName = AttributeName::literal("memberUid");
const MEMBER_OF: AttributeName = AttributeName::literal("memberOf");
const UID: AttributeName = AttributeName::literal("uid");

/// The attributes in which groups of any kind keep their members.
pub const MEMBER_ATTRIBUTES: [AttributeName; 3] = [MEMBER, UNIQUE_MEMBER, MEMBER_UID];

impl Protected {
    /// What `text` names: a filter when it begins with a parenthesis, else a DN. `{base_dn}` becomes `base_dn`. The
    /// reason for refusing it is for the admin.
    pub fn parse(text: &str, base_dn: &Dn) -> Result<Self, String> {
        if text.trim_start().starts_with('(') {
            let filled = text.replace("{base_dn}", &Filter::escaped(base_dn.as_str()));
            return Filter::parse(&filled).map(Self::Filter).map_err(|fault| fault.to_string());
        }
        let dn = Dn::parse(&text.replace("{base_dn}", base_dn.as_str())).map_err(|fault| fault.to_string())?;
        if dn.is_root() { Err("it is empty".to_owned()) } else { Ok(Self::Entry(dn)) }
    }

    /// Whether the place of an entry alone tells that it is covered.
    #[must_use]
    pub fn holds(&self, dn: &Dn) -> bool {
        matches!(self, Self::Entry(listed) if dn.is_within(listed))
    }

    /// The listed entry.
    #[must_use]
    pub const fn entry(&self) -> Option<&Dn> {
        match self {
            Self::Entry(dn) => Some(dn),
            Self::Filter(_) => None,
        }
    }

    /// What holds for an entry that is covered, as far as the entry itself can tell. `primary` is the number by which
    /// members name the listed group as their primary one.
    #[must_use]
    pub fn filter(&self, dialect: &Dialect, primary: Option<&str>) -> Filter {
        let group = match self {
            Self::Filter(filter) => return filter.clone(),
            Self::Entry(dn) => dn.as_str().as_bytes().to_vec(),
        };
        let Some(rule) = dialect.in_chain_rule else { return Filter::Equal(MEMBER_OF, group) };
        let chain = Filter::Matches { attribute: MEMBER_OF, rule: rule.to_owned(), value: group };
        let names = dialect.primary_group.as_ref().zip(primary);
        match names.map(|(names, number)| Filter::equal(&names.of_member, number)) {
            Some(primary) => Filter::Or(vec![chain, primary]),
            None => chain,
        }
    }

    /// In words, why the entry at `dn` is covered.
    #[must_use]
    pub fn reason(&self, dn: &Dn) -> String {
        match self {
            Self::Entry(listed) if listed == dn => "it is listed there".to_owned(),
            Self::Entry(listed) if dn.is_within(listed) => format!("it lies below {listed}, which is listed there"),
            Self::Entry(listed) => format!("it is a member of {listed}, which is listed there"),
            Self::Filter(filter) => format!("it matches {filter}, which is listed there"),
        }
    }

    /// The line as it was meant.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Entry(dn) => dn.to_string(),
            Self::Filter(filter) => filter.to_string(),
        }
    }
}

/// What holds for a group that lists the entry at `dn` as a member: by its DN, or by the user name in that DN.
#[must_use]
pub fn lists(dn: &Dn) -> Filter {
    let value = dn.as_str().as_bytes().to_vec();
    let mut ways = vec![Filter::Equal(MEMBER, value.clone()), Filter::Equal(UNIQUE_MEMBER, value)];
    let rdn = dn.rdn();
    let name = rdn.as_ref().and_then(|rdn| rdn.value_of(&UID));
    ways.extend(name.map(|name| Filter::equal(&MEMBER_UID, name)));
    Filter::Or(ways)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Kind;

    fn parse(text: &str) -> Protected {
        Protected::parse(text, &Dn::parse("dc=example,dc=com").unwrap()).unwrap()
    }

    fn dn(text: &str) -> Dn {
        Dn::parse(text).unwrap()
    }

    #[test]
    fn a_line_is_a_filter_or_a_dn_with_the_base_filled_in() {
        assert_eq!(parse("cn=wheel,{base_dn}").text(), "cn=wheel,dc=example,dc=com");
        assert_eq!(parse(" (memberOf=cn=a,{base_dn})").text(), "(memberOf=cn=a,dc=example,dc=com)");
        for wrong in ["wheel", "(adminCount=1", ""] {
            assert!(Protected::parse(wrong, &Dn::root()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_listed_entry_covers_itself_and_what_lies_below_it() {
        let line = parse("ou=staff,{base_dn}");
        assert!(line.holds(&dn("OU=Staff,dc=example,dc=com")));
        assert!(line.holds(&dn("uid=a,ou=x,ou=staff,dc=example,dc=com")));
        assert!(!line.holds(&dn("uid=a,ou=oldstaff,dc=example,dc=com")));
        assert!(!line.holds(&dn("dc=example,dc=com")));
        assert!(!parse("(uid=a)").holds(&dn("uid=a,dc=example,dc=com")));
    }

    #[test]
    fn members_are_told_by_what_the_kind_of_server_knows() {
        let line = parse("cn=a,{base_dn}");
        assert_eq!(line.filter(Kind::OpenLdap.dialect(), None).to_string(), "(memberOf=cn=a,dc=example,dc=com)");
        assert_eq!(
            line.filter(Kind::ActiveDirectory.dialect(), Some("512")).to_string(),
            "(|(memberOf:1.2.840.113556.1.4.1941:=cn=a,dc=example,dc=com)(primaryGroupID=512))"
        );
    }

    #[test]
    fn a_group_is_asked_for_every_way_in_which_it_may_name_a_member() {
        assert_eq!(
            lists(&dn("uid=ada,dc=example")).to_string(),
            "(|(member=uid=ada,dc=example)(uniqueMember=uid=ada,dc=example)(memberUid=ada))"
        );
        assert_eq!(lists(&dn("cn=a,dc=x")).to_string(), "(|(member=cn=a,dc=x)(uniqueMember=cn=a,dc=x))");
    }
}
