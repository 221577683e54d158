//! What the kinds of directory server do differently, as data. Nothing else in the bridge asks for the kind by name.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::name::AttributeName;
use super::password::PasswordWay;

/// The kinds of directory server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// OpenLDAP's slapd; configuration text `openldap`.
    OpenLdap,
    /// Microsoft Active Directory or Samba AD DC; configuration text `active-directory`.
    ActiveDirectory,
    /// 389 Directory Server and its descendants; configuration text `389ds`.
    Ds389,
}

/// How the value of an id attribute stands in the directory and in a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdForm {
    /// A UUID as text, set by the server (RFC 4530).
    EntryUuid,
    /// Sixteen bytes, the first three groups of the UUID little-endian, set by Active Directory.
    ObjectGuid,
    /// Four groups of eight hexadecimal digits, set by 389 Directory Server.
    NsUniqueId,
    /// Any text; an attribute that the bridge itself writes when it creates the entry.
    Writable,
}

/// What one kind of server knows, names and answers in its own way.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "a table of facts that do not depend on one another")]
pub struct Dialect {
    /// The kind that this is the dialect of.
    pub kind: Kind,
    /// The server's name for people.
    pub label: &'static str,
    /// The attribute that holds the time of creation.
    pub created: AttributeName,
    /// The attribute that holds the time of the last change.
    pub modified: AttributeName,
    /// The attribute that identifies an entry for good.
    pub id_attribute: AttributeName,
    /// How its value is written.
    pub id_form: IdForm,
    /// An attribute that changes with every change of the entry itself, where there is one. A membership that
    /// changes because a member was renamed or deleted does not touch it.
    pub change_mark: Option<AttributeName>,
    /// The permissive modify control makes adding what is there and deleting what is not there a success.
    /// OpenLDAP honours it without listing it, but still answers 16 when the attribute has values and none of those to
    /// be deleted is among them. Samba ignores it for linked attributes.
    pub permissive_modify: bool,
    /// The assertion control (RFC 4528) works.
    pub assertion: bool,
    /// The attribute with an entry's own DN, where an assertion must be confined to the entry that is changed:
    /// OpenLDAP's overlay memberof takes the control along to the entries of the members who come and go, where the
    /// assertion does not hold, and leaves their memberOf as it was.
    pub confines_assertions: Option<AttributeName>,
    /// How long the server may go on taking the old name of an entry that was deleted or renamed out of groups and
    /// references after it has answered: OpenLDAP's overlay refint does it later, and takes it for the name that was
    /// left, even when somebody else has it by then.
    pub tidies_for: Duration,
    /// An entry may be given its own name in other capitals. 389 Directory Server says that it has done so, but an entry
    /// that others change or read in the same moment may then answer every further write with 32 until the server is
    /// started anew; there the value of the attribute is exchanged, and the name stays as it was written.
    pub renames_capitals: bool,
    /// The post-read control (RFC 4527) is to be expected; whether a server has it is read from its root DSE.
    pub post_read: bool,
    /// The dereference control is to be expected, and answers for large groups in a fraction of the time that
    /// searches by name take; whether a server has it is read from its root DSE.
    pub dereference: bool,
    /// `groupOfNames`, or what stands for it, may be without any member.
    pub empty_groups: bool,
    /// Long lists of values come in pieces, as `member;range=0-1499`.
    pub ranged_values: bool,
    /// Every text attribute answers equality and substrings without regard to case, whatever the published schema says
    /// of matching rules (Active Directory publishes none).
    pub matches_every_string: bool,
    /// A value that is not of the syntax that the published schema gives its attribute is refused. Active Directory has
    /// rules of its own.
    pub checks_syntax: bool,
    /// Every entry must have a structural object class. 389 Directory Server asks for none, and its schema makes posixGroup an
    /// auxiliary one.
    pub demands_structural: bool,
    /// Attributes that the schema demands and the server fills in itself.
    pub supplied: &'static [AttributeName],
    /// Matching rule that tests bits of an integer.
    pub bit_and_rule: &'static str,
    /// memberOf also names the groups that hold the entry's groups (389 Directory Server's plugin, as it is set up at first).
    pub member_of_all: bool,
    /// Matching rule that follows a chain of links, such as nested memberships.
    pub in_chain_rule: Option<&'static str>,
    /// The attribute that holds a password.
    pub password_attribute: AttributeName,
    /// How a password is set.
    pub password: PasswordWay,
    /// A password is set over a protected connection only.
    pub password_needs_tls: bool,
    /// The attribute, and its value, by which the user has to choose another password at the next log-on.
    pub must_change: Option<(AttributeName, &'static str)>,
    /// The attributes that make a membership which stands in no list of members, where there is such a thing.
    pub primary_group: Option<PrimaryGroup>,
    /// What the server says about the rights of who asks, where it does.
    pub effective_rights: Option<EffectiveRights>,
    /// The attribute and its value by which accounts are known whose rights the server puts back by itself, so that
    /// rights which were delegated don't reach them.
    pub guarded: Option<(AttributeName, &'static str)>,
    /// Attributes of the root DSE with a functional level, and what it is the level of.
    pub levels: &'static [(&'static str, AttributeName)],
    /// Result codes that say: this value, such as a member, is there already.
    pub value_there: &'static [u32],
    /// Result codes that say: this value, such as a member, is not there.
    pub value_gone: &'static [u32],
    /// From how many bytes on a name in its place (an RDN) may be too long for the server, where it then answers 80
    /// (other) and does not say why: OpenLDAP's database keeps both forms of it in 511 bytes.
    pub long_name: Option<usize>,
    /// What stands in the diagnostic of a constraint violation (19) when a value must be unique and is not; lower case.
    pub not_unique: &'static [&'static str],
    /// What stands in the diagnostic when the value of an attribute is taken, and which attribute that is; lower case.
    pub taken: &'static [(&'static str, AttributeName)],
    /// What stands in the diagnostic when a password is refused by the rules for passwords; lower case.
    pub weak_password: &'static [&'static str],
}

/// A membership by number: the one in the group's attribute is the one in the member's.
#[derive(Debug)]
pub struct PrimaryGroup {
    /// The attribute of the group.
    pub of_group: AttributeName,
    /// The attribute of the member.
    pub of_member: AttributeName,
}

/// Attributes of an entry that the server computes for who asks.
#[derive(Debug)]
pub struct EffectiveRights {
    /// The attributes that may be written.
    pub attributes: AttributeName,
    /// The object classes of which entries may be made below this one.
    pub children: AttributeName,
}

const OPEN_LDAP: Dialect = Dialect {
    kind: Kind::OpenLdap,
    label: "OpenLDAP",
    created: AttributeName::literal("createTimestamp"),
    modified: AttributeName::literal("modifyTimestamp"),
    id_attribute: AttributeName::literal("entryUUID"),
    id_form: IdForm::EntryUuid,
    change_mark: Some(AttributeName::literal("entryCSN")),
    permissive_modify: true,
    assertion: true,
    confines_assertions: Some(AttributeName::literal("entryDN")),
    tidies_for: Duration::from_millis(500),
    renames_capitals: true,
    post_read: true,
    dereference: true,
    empty_groups: false,
    ranged_values: false,
    matches_every_string: false,
    checks_syntax: true,
    demands_structural: true,
    supplied: &[],
    bit_and_rule: BIT_AND,
    member_of_all: false,
    in_chain_rule: None,
    password_attribute: AttributeName::literal("userPassword"),
    password: PasswordWay::Operation,
    password_needs_tls: false,
    must_change: None,
    primary_group: None,
    effective_rights: None,
    guarded: None,
    levels: &[],
    value_there: &[20],
    value_gone: &[16],
    long_name: Some(240),
    taken: &[],
    // The overlay ppolicy.
    weak_password: &["password fails quality", "password is in history", "password is too", "password is not"],
    not_unique: &["non-unique attributes found"],
};

const ACTIVE_DIRECTORY: Dialect = Dialect {
    kind: Kind::ActiveDirectory,
    label: "Active Directory",
    created: AttributeName::literal("whenCreated"),
    modified: AttributeName::literal("whenChanged"),
    id_attribute: AttributeName::literal("objectGUID"),
    id_form: IdForm::ObjectGuid,
    change_mark: Some(AttributeName::literal("uSNChanged")),
    permissive_modify: true,
    assertion: false,
    confines_assertions: None,
    tidies_for: Duration::ZERO,
    renames_capitals: true,
    post_read: false,
    dereference: false,
    empty_groups: true,
    ranged_values: true,
    matches_every_string: true,
    checks_syntax: false,
    demands_structural: true,
    supplied: &[
        AttributeName::literal("groupType"),
        AttributeName::literal("instanceType"),
        AttributeName::literal("nTSecurityDescriptor"),
        AttributeName::literal("objectCategory"),
        AttributeName::literal("objectSid"),
        AttributeName::literal("sAMAccountName"),
    ],
    bit_and_rule: BIT_AND,
    member_of_all: false,
    in_chain_rule: Some("1.2.840.113556.1.4.1941"),
    password_attribute: AttributeName::literal("unicodePwd"),
    password: PasswordWay::Attribute(AttributeName::literal("unicodePwd")),
    password_needs_tls: true,
    must_change: Some((AttributeName::literal("pwdLastSet"), "0")),
    primary_group: Some(PrimaryGroup {
        of_group: AttributeName::literal("primaryGroupToken"),
        of_member: AttributeName::literal("primaryGroupID"),
    }),
    effective_rights: Some(EffectiveRights {
        attributes: AttributeName::literal("allowedAttributesEffective"),
        children: AttributeName::literal("allowedChildClassesEffective"),
    }),
    guarded: Some((AttributeName::literal("adminCount"), "1")),
    levels: &[
        ("domain", AttributeName::literal("domainFunctionality")),
        ("forest", AttributeName::literal("forestFunctionality")),
        ("domain controller", AttributeName::literal("domainControllerFunctionality")),
    ],
    // A linked attribute answers 68 and 53 where others answer 20 and 16.
    value_there: &[20, 68],
    value_gone: &[16, 53],
    long_name: None,
    // Active Directory's codes 21C7 and 21C8: the name of a service or user principal exists in the forest.
    not_unique: &["is already in use", "already in use!", "000021c7", "000021c8"],
    // Active Directory's codes for an account (0524) or group (0526) of this name; Samba names the attribute. Every
    // account owns the principal name that its sAMAccountName and the domain make, whether it is written down or not.
    taken: &[
        ("implied by userprincipalname", AttributeName::literal("userPrincipalName")),
        ("00000524", AttributeName::literal("sAMAccountName")),
        ("00000526", AttributeName::literal("sAMAccountName")),
        ("000021c7", AttributeName::literal("servicePrincipalName")),
        ("000021c8", AttributeName::literal("userPrincipalName")),
        ("samaccountname", AttributeName::literal("sAMAccountName")),
        ("userprincipalname", AttributeName::literal("userPrincipalName")),
    ],
    weak_password: &["0000052d"],
};

const DS_389: Dialect = Dialect {
    kind: Kind::Ds389,
    label: "389 Directory Server",
    created: AttributeName::literal("createTimestamp"),
    modified: AttributeName::literal("modifyTimestamp"),
    id_attribute: AttributeName::literal("nsUniqueId"),
    id_form: IdForm::NsUniqueId,
    change_mark: None,
    permissive_modify: false,
    assertion: false,
    confines_assertions: None,
    tidies_for: Duration::ZERO,
    renames_capitals: false,
    post_read: true,
    dereference: true,
    empty_groups: true,
    ranged_values: false,
    matches_every_string: false,
    checks_syntax: true,
    demands_structural: false,
    supplied: &[],
    bit_and_rule: BIT_AND,
    member_of_all: true,
    in_chain_rule: None,
    password_attribute: AttributeName::literal("userPassword"),
    password: PasswordWay::Attribute(AttributeName::literal("userPassword")),
    password_needs_tls: false,
    must_change: None,
    primary_group: None,
    effective_rights: None,
    guarded: None,
    levels: &[],
    value_there: &[20],
    value_gone: &[16],
    long_name: None,
    taken: &[],
    weak_password: &["invalid password syntax", "password in history", "within password minimum age"],
    not_unique: &["another entry with the same attribute value already exists"],
};

/// Introduced by Active Directory, known to all three.
const BIT_AND: &str = "1.2.840.113556.1.4.803";

static DIALECTS: [Dialect; 3] = [OPEN_LDAP, ACTIVE_DIRECTORY, DS_389];

impl Kind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::OpenLdap, Self::ActiveDirectory, Self::Ds389];

    /// The text that stands for this kind in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenLdap => "openldap",
            Self::ActiveDirectory => "active-directory",
            Self::Ds389 => "389ds",
        }
    }

    /// How servers of this kind speak.
    #[must_use]
    pub const fn dialect(self) -> &'static Dialect {
        let [open_ldap, active_directory, ds_389] = &DIALECTS;
        match self {
            Self::OpenLdap => open_ldap,
            Self::ActiveDirectory => active_directory,
            Self::Ds389 => ds_389,
        }
    }
}

impl Dialect {
    /// Whether the diagnostic of a constraint violation says, in the words of any kind of server, that a value must
    /// be unique and is not.
    pub(super) fn says_not_unique(diagnostic: &str) -> bool {
        let said = diagnostic.to_lowercase();
        DIALECTS.iter().flat_map(|dialect| dialect.not_unique).any(|mark| said.contains(mark))
    }

    /// The attribute whose value is taken, where the diagnostic tells.
    pub(super) fn names_taken(diagnostic: &str) -> Option<AttributeName> {
        let said = diagnostic.to_lowercase();
        let mut marks = DIALECTS.iter().flat_map(|dialect| dialect.taken);
        marks.find(|(mark, _)| said.contains(mark)).map(|(_, attribute)| attribute.clone())
    }

    /// Whether the diagnostic says that the rules for passwords refuse one.
    pub(super) fn says_weak_password(diagnostic: &str) -> bool {
        let said = diagnostic.to_lowercase();
        DIALECTS.iter().flat_map(|dialect| dialect.weak_password).any(|mark| said.contains(mark))
    }
}

/// A text that names no kind of directory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no kind of directory: write openldap, active-directory or 389ds")]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_as_it_is_written_and_has_its_own_dialect() {
        for kind in Kind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
            assert_eq!(kind.dialect().kind, kind);
        }
        assert!("ad".parse::<Kind>().unwrap_err().to_string().contains("active-directory"));
    }

    #[test]
    fn texts_to_look_for_are_in_lower_case() {
        let unique = DIALECTS.iter().flat_map(|dialect| dialect.not_unique);
        let taken = DIALECTS.iter().flat_map(|dialect| dialect.taken).map(|(mark, _)| mark);
        for text in unique.chain(taken).chain(DIALECTS.iter().flat_map(|dialect| dialect.weak_password)) {
            assert_eq!(*text, text.to_lowercase());
        }
    }
}
