//! A text attribute of users that holds the names of their groups, for programs that read a person's groups out of one
//! attribute. The bridge keeps it true; clients neither see nor write it.

use super::row::Direction;
use super::table::ResourceMapping;
use crate::directory::{AttributeName, Change, Entry, Modification};
use crate::scim::{AttributePath, ResourceKind};
use crate::tables::{Findings, Located, Place, Spot, TableReader, Value};

/// A row with `scim = "groups"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupNames {
    /// Where it stands.
    pub place: Place,
    /// The attribute of the user.
    pub ldap: AttributeName,
    /// What stands between two names.
    pub separator: String,
    /// What a group is called.
    pub show: GroupName,
    /// Also the groups that hold the user's groups.
    pub indirect: bool,
    /// Most characters that the value may have.
    pub max_length: Option<usize>,
}

/// What a group is called in the attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupName {
    /// Its `displayName`.
    DisplayName,
    /// Its `externalId`.
    ExternalId,
    /// Its SCIM id.
    Id,
}

/// The value for one user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Joined {
    /// The names; `None`: there is none, and the user has no such attribute.
    pub value: Option<String>,
    /// Names that can't be in it, because the separator is in them or because there is no room.
    pub left_out: Vec<String>,
}

/// Such a row, and where its parts stand.
pub(super) struct GroupNamesDraft {
    pub(super) row: GroupNames,
    pub(super) spot: Spot,
    pub(super) ldap_spot: Spot,
    pub(super) show_spot: Spot,
}

/// Whether a row is one of these.
pub(super) fn is_one(reader: &TableReader<'_>, kind: ResourceKind) -> bool {
    let scim = reader.node("scim").map(|node| &node.value);
    kind == ResourceKind::User && matches!(scim, Some(Value::Text(text)) if text.trim().eq_ignore_ascii_case("groups"))
}

/// Reads such a row; `None` when it is so wrong that nothing can be made of it.
pub(super) fn read(reader: TableReader<'_>) -> Option<GroupNamesDraft> {
    let spot = reader.spot().clone();
    // It is there, and it is "groups".
    let _ = reader.node("scim");
    if reader.node("ldap").is_none() {
        reader.missing("ldap", "\"departmentNumber\"");
    }
    let ldap =
        reader.parsed("ldap", AttributeName::parse, "an LDAP attribute name is made of letters, digits and hyphens");
    let separator = reader.optional::<String>("separator");
    let show = reader.choice(
        "show",
        &[("displayName", GroupName::DisplayName), ("externalId", GroupName::ExternalId), ("id", GroupName::Id)],
    );
    let indirect = reader.optional::<bool>("indirect");
    let max_length = reader.number("max_length", 1..=1_000_000);
    if let Some(empty) = separator.as_ref().filter(|it| it.value.is_empty()) {
        let help = "write separator = \";\"".to_owned();
        reader.findings().report(&empty.spot, "without a separator nobody can tell the names apart", help);
    }
    reader.finish();
    let ldap = ldap?;
    let row = GroupNames {
        place: spot.place(),
        ldap: ldap.value,
        separator: separator.map_or_else(|| ";".to_owned(), |it| it.value),
        show: show.as_ref().map_or(GroupName::DisplayName, |it| it.value),
        indirect: indirect.is_some_and(|it| it.value),
        max_length: max_length.and_then(|it| usize::try_from(it.value).ok()),
    };
    let show_spot = show.map_or_else(|| spot.clone(), |Located { spot, .. }| spot);
    Some(GroupNamesDraft { row, spot, ldap_spot: ldap.spot, show_spot })
}

/// Reports rows that can't work with this [group] table, or the lack of one. `external_id`: a row of it reads one.
pub(super) fn check(drafts: &[GroupNamesDraft], has_members: bool, external_id: bool, findings: &Findings) {
    for draft in drafts {
        if !has_members {
            let help = "add a [group] table with `members`, or leave the row out".to_owned();
            findings.report(&draft.spot, "the row is about the groups of users, and no groups have members", help);
        } else if draft.row.show == GroupName::ExternalId && !external_id {
            let help = "add a row for it there, or write show = \"displayName\"".to_owned();
            findings.report(&draft.show_spot, "no row of the [group] table reads `externalId`", help);
        }
    }
}

impl GroupNames {
    /// The value of somebody who is in the groups of these names.
    #[must_use]
    pub fn joined(&self, mut names: Vec<String>) -> Joined {
        names.sort();
        names.dedup();
        // Blanks around a separator are for the eye: what splits the text is the sign between them.
        let sign = Some(self.separator.trim()).filter(|sign| !sign.is_empty()).unwrap_or(&self.separator);
        let mut joined = Joined::default();
        let mut length = 0;
        for name in names.into_iter().filter(|name| !name.is_empty()) {
            let between = if joined.value.is_some() { self.separator.as_str() } else { "" };
            let longer = length + between.chars().count() + name.chars().count();
            // A name with a separator in it would make its members look like those of another group.
            if name.contains(sign) || self.max_length.is_some_and(|most| longer > most) {
                joined.left_out.push(name);
                continue;
            }
            length = longer;
            let value = joined.value.get_or_insert_default();
            value.push_str(between);
            value.push_str(&name);
        }
        joined
    }

    /// What has to change in `entry` so that it holds `value` and nothing else; `None`: nothing.
    #[must_use]
    pub fn difference(&self, entry: &Entry, value: Option<&String>) -> Option<Modification> {
        let wanted: Vec<Vec<u8>> = value.map(|value| value.as_bytes().to_vec()).into_iter().collect();
        let same = entry.values(&self.ldap) == wanted.as_slice();
        (!same).then(|| Modification::new(self.ldap.clone(), Change::Replace(wanted)))
    }
}

impl ResourceMapping {
    /// The LDAP attributes that tell what a group is called, best first; none for the id, which all entries show.
    #[must_use]
    pub fn name_attributes(&self, show: GroupName) -> Vec<AttributeName> {
        match show {
            GroupName::DisplayName => self.display_attributes(),
            GroupName::Id => Vec::new(),
            GroupName::ExternalId => {
                let path = AttributePath::core("externalId");
                let rows = self.rows.iter().filter(|row| row.direction != Direction::ToLdap);
                let rows = rows.filter(|row| row.scim.as_ref().is_some_and(|own| own.path == path));
                rows.map(|row| row.ldap.clone()).collect()
            }
        }
    }

    /// What the group `entry` is called.
    #[must_use]
    pub fn name_of_group(&self, entry: &Entry, show: GroupName) -> Option<String> {
        if show == GroupName::Id {
            return self.id.of(entry);
        }
        self.name_attributes(show).iter().find_map(|name| entry.text(name)).map(ToOwned::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Dn;

    fn row(separator: &str, max_length: Option<usize>) -> GroupNames {
        GroupNames {
            place: Place { file: "t".into(), line: 1, column: 1 },
            ldap: AttributeName::literal("departmentNumber"),
            separator: separator.to_owned(),
            show: GroupName::DisplayName,
            indirect: false,
            max_length,
        }
    }

    fn joined(row: &GroupNames, names: &[&str]) -> (Option<String>, Vec<String>) {
        let joined = row.joined(names.iter().map(|name| (*name).to_owned()).collect());
        (joined.value, joined.left_out)
    }

    #[test]
    fn names_are_sorted_and_each_is_there_once() {
        assert_eq!(joined(&row(";", None), &["b", "a", "b", ""]), (Some("a;b".to_owned()), vec![]));
        assert_eq!(joined(&row(";", None), &[]), (None, vec![]));
    }

    #[test]
    fn a_name_with_the_separator_in_it_gives_nobody_another_group() {
        assert_eq!(joined(&row(";", None), &["x;admin", "a"]), (Some("a".to_owned()), vec!["x;admin".to_owned()]));
        assert_eq!(joined(&row("; ", None), &["x;admin"]), (None, vec!["x;admin".to_owned()]));
        assert_eq!(joined(&row(" ", None), &["a b", "c"]), (Some("c".to_owned()), vec!["a b".to_owned()]));
    }

    #[test]
    fn names_are_never_cut() {
        let (value, left_out) = joined(&row(", ", Some(9)), &["aaa", "böb", "longer", "d"]);
        assert_eq!((value.as_deref(), left_out), (Some("aaa, böb"), vec!["d".to_owned(), "longer".to_owned()]));
    }

    #[test]
    fn what_is_right_is_left_alone() {
        let row = row(";", None);
        let mut entry = Entry::new(Dn::root());
        assert_eq!(row.difference(&entry, None), None);
        entry.insert(row.ldap.clone(), vec![b"a;b".to_vec()]);
        assert_eq!(row.difference(&entry, Some(&"a;b".to_owned())), None);
        let gone = Modification::new(row.ldap.clone(), Change::Replace(vec![]));
        assert_eq!(row.difference(&entry, None), Some(gone));
    }
}
