//! The kinds of directory server, and in what they differ, as data: the tests know no other place for it.

use super::Attributes;
use base64::{Engine, engine::general_purpose::STANDARD};

/// A kind of directory server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// OpenLDAP's slapd.
    OpenLdap,
    /// Samba as a domain controller of Active Directory.
    ActiveDirectory,
    /// 389 Directory Server.
    Ds389,
}

/// What is so on one kind of server, as the harness sets it up and with the shipped mapping.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "a table of facts that do not depend on one another")]
pub struct Facts {
    /// The kind in the configuration.
    pub text: &'static str,
    /// The server's name for people.
    pub label: &'static str,
    /// The shipped mapping table, below `conf`.
    pub mapping: &'static str,
    /// The naming context, as the server spells it.
    pub suffix: &'static str,
    /// DN and password of the bridge's account, which has ordinary rights.
    pub service: (&'static str, &'static str),
    /// DN and password of the account that may do anything.
    pub admin: (&'static str, &'static str),
    /// A simple bind without TLS is refused.
    pub needs_tls: bool,
    /// How a part of the tree is named: `ou`, as the server spells it.
    pub part: &'static str,
    /// Where users are, below the base.
    pub people: &'static str,
    /// Where groups are, below the base.
    pub groups: &'static str,
    /// What `people` and `groups` are.
    pub container: &'static str,
    /// The attribute that names users, as the server spells it in DNs.
    pub rdn: &'static str,
    /// The attribute that names groups, as the server spells it in DNs.
    pub group_rdn: &'static str,
    /// The attribute that holds the userName.
    pub user_name: &'static str,
    /// The values of objectClass that make a user.
    pub person: &'static [&'static str],
    /// The structural object class of users, for filters.
    pub person_class: &'static str,
    /// The object class of groups.
    pub group_class: &'static str,
    /// The object classes that the server gives to whoever becomes a member of a group, and never takes back.
    pub class_of_members: &'static [&'static str],
    /// The attribute in which the server tells whose manager somebody is.
    pub reports: Option<&'static str>,
    /// The attribute that the shipped mapping has for the externalId of groups.
    pub group_external: &'static str,
    /// The attribute that identifies an entry.
    pub id: &'static str,
    /// The shipped mapping's value of `disable`.
    pub disable: &'static str,
    /// The attribute that says whether an account is locked; without a value it is not.
    pub lock: &'static str,
    /// Its value while the account is not locked.
    pub unlocked: &'static [&'static str],
    /// Its value when the account is locked.
    pub locked: &'static str,
    /// What is beside real members in an empty group: `member` with no DN.
    pub empty_group: &'static [&'static str],
    /// SCIM attributes, and the LDAP attributes that the shipped mapping has for them, where the kinds differ.
    pub department: &'static str,
    pub organization: &'static str,
    /// The cn follows the names of a person. Otherwise it is the userName.
    pub cn_from_name: bool,
    /// A text attribute that the mapping does not name, users may have, and that takes any value.
    pub spare: &'static str,
    /// A text attribute that the schema does not allow in a user.
    pub foreign: &'static str,
    /// Two users of the same name can't be in the domain, wherever they are.
    pub one_of_a_name: bool,
    /// Names may hold a tab and the like.
    pub controls_in_names: bool,
    /// The server's own rule of uniqueness holds for renames, too.
    pub unique_renames: bool,
    /// The assertion control: a write can be bound to a state of the entry.
    pub asserts: bool,
    /// Attributes that change with every write, or by themselves.
    pub clocks: &'static [&'static str],
    /// Attributes that only repeat what stands in the DN.
    pub derived: &'static [&'static str],
    /// What the server adds to a user by itself and the shipped mapping does not write.
    pub supplied: &'static [&'static str],
}

const SLAPD: Facts = Facts {
    text: "openldap",
    label: "OpenLDAP",
    mapping: "mapping/openldap.toml",
    suffix: "dc=example,dc=test",
    service: ("cn=scim,ou=services,dc=example,dc=test", "Service-Account-9"),
    admin: ("cn=admin,dc=example,dc=test", "Root-Account-7"),
    needs_tls: false,
    part: "ou",
    people: "ou=people",
    groups: "ou=groups",
    container: "organizationalUnit",
    rdn: "uid",
    group_rdn: "cn",
    user_name: "uid",
    person: &["inetOrgPerson", "organizationalPerson", "person", "top"],
    person_class: "inetOrgPerson",
    group_class: "groupOfNames",
    class_of_members: &[],
    reports: None,
    group_external: "businessCategory",
    id: "entryUUID",
    disable: "ppolicy",
    lock: "pwdAccountLockedTime",
    unlocked: &[],
    locked: "000001010000Z",
    empty_group: &[""],
    department: "departmentNumber",
    organization: "o",
    cn_from_name: true,
    spare: "businessCategory",
    foreign: "c",
    one_of_a_name: false,
    controls_in_names: true,
    unique_renames: true,
    asserts: true,
    clocks: &["entryCSN", "modifyTimestamp", "modifiersName", "pwdChangedTime"],
    derived: &["entryDN"],
    supplied: &["createTimestamp", "creatorsName", "hasSubordinates", "structuralObjectClass", "subschemaSubentry"],
};

const SAMBA: Facts = Facts {
    text: "active-directory",
    label: "Samba AD DC",
    mapping: "mapping/active-directory.toml",
    suffix: "DC=example,DC=test",
    service: ("CN=scim,CN=Users,DC=example,DC=test", "Service-Account-9"),
    admin: ("CN=Administrator,CN=Users,DC=example,DC=test", "Root-Account-7"),
    needs_tls: true,
    part: "OU",
    people: "CN=Users",
    groups: "CN=Users",
    container: "container",
    rdn: "CN",
    group_rdn: "CN",
    user_name: "userPrincipalName",
    person: &["organizationalPerson", "person", "top", "user"],
    person_class: "user",
    group_class: "group",
    class_of_members: &[],
    reports: Some("directReports"),
    group_external: "adminDescription",
    id: "objectGUID",
    disable: "ad-account-control",
    lock: "userAccountControl",
    unlocked: &["512"],
    locked: "514",
    empty_group: &[],
    department: "department",
    organization: "company",
    cn_from_name: false,
    spare: "info",
    foreign: "dNSHostName",
    one_of_a_name: true,
    controls_in_names: false,
    unique_renames: true,
    asserts: false,
    clocks: &[
        "uSNChanged",
        "whenChanged",
        "pwdLastSet",
        "lastLogon",
        "lastLogonTimestamp",
        "logonCount",
        "badPwdCount",
    ],
    derived: &["distinguishedName", "name"],
    supplied: &[
        "accountExpires",
        "badPasswordTime",
        "badPwdCount",
        "codePage",
        "countryCode",
        "distinguishedName",
        "instanceType",
        "lastLogoff",
        "lastLogon",
        "logonCount",
        "name",
        "objectCategory",
        "objectGUID",
        "objectSid",
        "primaryGroupID",
        "pwdLastSet",
        "sAMAccountType",
        "uSNChanged",
        "uSNCreated",
        "whenChanged",
        "whenCreated",
    ],
};

const DS_389: Facts = Facts {
    text: "389ds",
    label: "389 Directory Server",
    mapping: "mapping/389ds.toml",
    admin: ("cn=Directory Manager", "Root-Account-7"),
    class_of_members: &["nsMemberOf"],
    id: "nsUniqueId",
    disable: "ns-account-lock",
    lock: "nsAccountLock",
    locked: "true",
    empty_group: &[],
    unique_renames: false,
    asserts: false,
    clocks: &["modifyTimestamp", "modifiersName", "passwordGraceUserTime"],
    derived: &["dsEntryDN", "entrydn"],
    supplied: &["createTimestamp", "creatorsName", "entryid", "entryUUID", "numSubordinates", "parentid"],
    ..SLAPD
};

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::OpenLdap, Self::ActiveDirectory, Self::Ds389];

    /// The kind that the configuration calls so.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.facts().text == text)
    }

    /// What is so on this kind.
    pub fn facts(self) -> &'static Facts {
        match self {
            Self::OpenLdap => &SLAPD,
            Self::ActiveDirectory => &SAMBA,
            Self::Ds389 => &DS_389,
        }
    }

    /// The SCIM id of an entry.
    pub fn scim_id(self, entry: &Attributes) -> String {
        let value = &entry[self.facts().id][0];
        match self {
            Self::OpenLdap | Self::Ds389 => value.clone(),
            Self::ActiveDirectory => guid(value),
        }
    }
}

/// Microsoft's order of a UUID's bytes: the first three groups are numbers, stored with the last byte first.
fn guid(value: &str) -> String {
    let bytes = match value.strip_prefix("base64:") {
        Some(encoded) => STANDARD.decode(encoded).expect("base64"),
        // It looked like text by chance.
        None => value.as_bytes().to_vec(),
    };
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let digits = order.map(|at: usize| format!("{:02x}", bytes[at])).concat();
    [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &digits[part]).join("-")
}
