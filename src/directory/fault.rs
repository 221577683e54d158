//! What can go wrong between the bridge and a directory, and whether trying again can help.

use ldap3::LdapResult;

use super::dialect::Dialect;
use super::explain;
use super::name::AttributeName;

/// An operation that the directory did not carry out, or of which that is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// What went wrong, for decisions.
    pub kind: FaultKind,
    /// The LDAP result code, when a server answered (RFC 4511 appendix A).
    pub code: Option<u32>,
    /// What went wrong, for people: which operation, why, and what to do. Never a secret.
    pub message: String,
    /// The server's own words; empty when it gave none.
    pub diagnostic: String,
    /// The part of the name that exists, where the server said so with `noSuchObject`; else empty.
    pub matched: String,
    /// The request that was refused sets a password.
    pub with_password: bool,
}

/// What went wrong. The numbers are LDAP result codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// No server could be reached or none is available (52); nothing was carried out.
    Unreachable,
    /// A search was not answered in time, or the server ended it for that reason (3).
    TimedOut,
    /// The server has too much to do (51), or too many operations wait here; nothing was carried out.
    Busy,
    /// The service account was refused; nothing was carried out.
    BindFailed,
    /// A write was sent and the connection ended before the answer: it may have been carried out or not.
    UnknownOutcome,
    /// There is no such entry (32).
    NotFound,
    /// There is such an entry already (68). For a member of a group in Active Directory: it is there already.
    AlreadyExists,
    /// The attribute has this value already (20).
    ValueExists,
    /// The attribute does not have this value, or does not exist (16).
    NoSuchValue,
    /// The schema of the directory does not know the attribute (17).
    UndefinedAttribute,
    /// A value breaks a rule of the directory: too long, too many, not unique, a weak password (19).
    Constraint,
    /// A value or a name is not in the form that its attribute demands (21, 34).
    InvalidSyntax,
    /// The entry would not fit its object classes: an attribute is missing or not allowed (65, 69).
    ObjectClass,
    /// An attribute of the entry's name cannot be changed like any other (64, 67).
    NotAllowedOnRdn,
    /// The entry has entries below it (66).
    NonLeaf,
    /// The service account may not do this (50).
    AccessDenied,
    /// The server will not do this (53).
    UnwillingToPerform,
    /// The entry is not as the assertion demands (122).
    AssertionFailed,
    /// More entries than the limit; the result is not whole (4, 11).
    SizeLimit,
    /// The server demands a protected connection or a stronger bind (8, 13).
    StrongerAuthRequired,
    /// The server does not know a control that the operation cannot do without (12).
    UnsupportedControl,
    /// Anything else.
    Other,
}

impl Fault {
    /// A fault of `kind` without an answer from a server.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        let (diagnostic, matched) = (String::new(), String::new());
        Self { kind, code: None, message: message.into(), diagnostic, matched, with_password: false }
    }

    /// The fault that the answer `result` to `task` ("cannot add cn=...") is; `particular` is what its code means
    /// for that operation, where that is known.
    pub(super) fn refused(task: &str, result: &LdapResult, particular: Option<&str>) -> Self {
        let diagnostic = explain::tidy(&result.text);
        let why = explain::result(result.rc, particular, &diagnostic, &result.refs);
        let message = format!("{task}: {why}");
        let matched = result.matched.clone();
        Self { kind: kind_of(result.rc), code: Some(result.rc), message, diagnostic, matched, with_password: false }
    }

    /// Whether the directory or the way to it is at fault, so that the same operation may succeed later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self.kind {
            FaultKind::Unreachable
            | FaultKind::TimedOut
            | FaultKind::Busy
            | FaultKind::BindFailed
            | FaultKind::UnknownOutcome => true,
            FaultKind::NotFound
            | FaultKind::AlreadyExists
            | FaultKind::ValueExists
            | FaultKind::NoSuchValue
            | FaultKind::UndefinedAttribute
            | FaultKind::Constraint
            | FaultKind::InvalidSyntax
            | FaultKind::ObjectClass
            | FaultKind::NotAllowedOnRdn
            | FaultKind::NonLeaf
            | FaultKind::AccessDenied
            | FaultKind::UnwillingToPerform
            | FaultKind::AssertionFailed
            | FaultKind::SizeLimit
            | FaultKind::StrongerAuthRequired
            | FaultKind::UnsupportedControl
            | FaultKind::Other => false,
        }
    }

    /// Whether something that must be unique is taken: the name of the entry, or a value of another entry.
    #[must_use]
    pub fn is_uniqueness(&self) -> bool {
        match self.kind {
            FaultKind::AlreadyExists => true,
            FaultKind::Constraint => Dialect::says_not_unique(&self.diagnostic),
            _ => false,
        }
    }

    /// The attribute whose value belongs to another entry, where the server says which it is.
    #[must_use]
    pub fn taken(&self) -> Option<AttributeName> {
        if self.is_uniqueness() { Dialect::names_taken(&self.diagnostic) } else { None }
    }

    /// Whether the rules for passwords are the reason: they refuse the password, or the account is to be enabled and
    /// has none that they allow.
    #[must_use]
    pub fn is_password_policy(&self) -> bool {
        matches!(self.kind, FaultKind::Constraint | FaultKind::UnwillingToPerform)
            && Dialect::says_weak_password(&self.diagnostic)
    }
}

/// The result codes that mean "ask another server": busy, unavailable, and the client-side serverDown and
/// connectError that some proxies pass on.
pub(super) const fn is_elsewhere(code: u32) -> bool {
    matches!(code, 51 | 52 | 81 | 91)
}

const fn kind_of(code: u32) -> FaultKind {
    match code {
        3 | 85 => FaultKind::TimedOut,
        4 | 11 => FaultKind::SizeLimit,
        8 | 13 => FaultKind::StrongerAuthRequired,
        12 => FaultKind::UnsupportedControl,
        16 => FaultKind::NoSuchValue,
        17 => FaultKind::UndefinedAttribute,
        19 => FaultKind::Constraint,
        20 => FaultKind::ValueExists,
        21 | 34 => FaultKind::InvalidSyntax,
        32 => FaultKind::NotFound,
        50 => FaultKind::AccessDenied,
        51 => FaultKind::Busy,
        52 | 81 | 91 => FaultKind::Unreachable,
        53 => FaultKind::UnwillingToPerform,
        64 | 67 => FaultKind::NotAllowedOnRdn,
        65 | 69 => FaultKind::ObjectClass,
        66 => FaultKind::NonLeaf,
        68 => FaultKind::AlreadyExists,
        122 => FaultKind::AssertionFailed,
        _ => FaultKind::Other,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An answer as the wire library hands it over.
    pub(in super::super) fn answer(code: u32, text: &str) -> LdapResult {
        LdapResult { rc: code, matched: String::new(), text: text.to_owned(), refs: vec![], ctrls: vec![] }
    }

    fn refused(code: u32, text: &str) -> Fault {
        Fault::refused("cannot add cn=a,dc=x", &answer(code, text), None)
    }

    #[test]
    fn only_what_the_directory_or_the_way_to_it_is_at_fault_for_is_tried_again() {
        for code in [3, 51, 52, 81, 85, 91] {
            assert!(refused(code, "").is_transient(), "{code}");
        }
        for code in [
            1, 2, 4, 8, 10, 11, 12, 13, 16, 17, 18, 19, 20, 21, 32, 34, 49, 50, 53, 54, 64, 65, 66, 67, 68, 69, 71, 80,
            122,
        ] {
            assert!(!refused(code, "").is_transient(), "{code}");
        }
        assert!(Fault::new(FaultKind::UnknownOutcome, "").is_transient());
        assert!(Fault::new(FaultKind::BindFailed, "").is_transient());
    }

    #[test]
    fn every_server_has_its_own_words_for_a_value_that_must_be_unique() {
        for text in [
            "non-unique attributes found with (|(uid=jdoe))",
            "0000202F: samldb: userPrincipalName 'jdoe@example.test' is already in use",
            "000021C8: AtrErr: DSID-03200BBA, #1: 0: 000021C8: DSID-03200BBA, problem 1005 (CONSTRAINT_ATT_TYPE), data 0",
            "Another entry with the same attribute value already exists (attribute: \"uid \")",
        ] {
            assert!(refused(19, text).is_uniqueness(), "{text}");
        }
        assert!(refused(68, "").is_uniqueness());
        assert!(!refused(19, "Password fails quality checking policy").is_uniqueness());
        assert!(!refused(53, "is already in use").is_uniqueness());
    }

    #[test]
    fn the_attribute_whose_value_is_taken_is_known_from_the_code_or_the_words() {
        let taken = |code, text| refused(code, text).taken().map(|attribute| attribute.to_string());
        let user = "00000524: UpdErr: DSID-031A1261, problem 6005 (ENTRY_EXISTS), data 0";
        assert_eq!(taken(68, user).as_deref(), Some("sAMAccountName"));
        let samba = "00002071: samldb: samAccountName 'one' already in use!";
        assert_eq!(taken(68, samba).as_deref(), Some("sAMAccountName"));
        assert_eq!(taken(68, "00002071: UpdErr: DSID-030503CF, problem 6005 (ENTRY_EXISTS), data 0"), None);
        let upn = "000021C8: AtrErr: DSID-03200BBA, #1:\n\t0: 000021C8: DSID-03200BBA, problem 1005 \
                   (CONSTRAINT_ATT_TYPE), data 0, Att 90290 (userPrincipalName)";
        assert_eq!(taken(19, upn).as_deref(), Some("userPrincipalName"));
        let upn = "0000202F: samldb: userPrincipalName 'one@example.test' is already in use ";
        assert_eq!(taken(19, upn).as_deref(), Some("userPrincipalName"));
        let implied = "00002071: samldb: sAMAccountName 'one' is already in use (implied by userPrincipalName)";
        assert_eq!(taken(68, implied).as_deref(), Some("userPrincipalName"));
        assert_eq!(taken(53, user), None);
    }

    #[test]
    fn a_password_that_the_rules_refuse_is_told_from_other_constraints() {
        for (code, text) in [
            (53, "0000052D: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0"),
            (19, "0000052D: Constraint violation - check_password_restrictions: the password is too short."),
            (19, "Password fails quality checking policy"),
            (19, "invalid password syntax - password must be at least 8 characters long"),
        ] {
            assert!(refused(code, text).is_password_policy(), "{text}");
        }
        assert!(!refused(53, "0000001F: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM)").is_password_policy());
        assert!(!refused(50, "0000052D").is_password_policy());
    }

    #[test]
    fn the_message_names_the_operation_and_the_servers_words_stay_apart() {
        let fault = refused(65, "object class 'groupOfNames' requires attribute 'member'\0");
        assert_eq!((fault.kind, fault.code), (FaultKind::ObjectClass, Some(65)));
        assert!(fault.message.starts_with("cannot add cn=a,dc=x: "), "{}", fault.message);
        assert_eq!(fault.diagnostic, "object class 'groupOfNames' requires attribute 'member'");
        assert_eq!(fault.to_string(), fault.message);
    }
}
