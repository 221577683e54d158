//! What a server's answer means, for the person who has to do something about it.

use std::io;

use ldap3::{LdapError, LdapResult};

use super::dialect::Dialect;

/// The server's words without what servers pad them with: Active Directory ends them with a NUL.
pub(super) fn tidy(text: &str) -> String {
    text.trim_matches(|character: char| character == '\0' || character.is_whitespace()).to_owned()
}

/// What the result of an operation means and what to do; `particular` when that is known better than from the code.
pub(super) fn result(code: u32, particular: Option<&str>, diagnostic: &str, referrals: &[String]) -> String {
    if code == 10 {
        return format!(
            "this server passes the operation on to {}; name a server in urls that carries it out itself, such as the \
             one that accepts writes",
            referrals.first().map_or("another server", String::as_str)
        );
    }
    let general = meaning(code);
    match (hex_code(diagnostic).and_then(windows_meaning), particular) {
        (Some(windows), _) => format!("{general} ({windows})"),
        (None, Some(particular)) => particular.to_owned(),
        (None, None) if general.is_empty() => format!("the server answered with result code {code}"),
        (None, None) if code == 19 && Dialect::says_not_unique(diagnostic) => {
            "a value that must be unique belongs to another entry already".to_owned()
        }
        (None, None) => general.to_owned(),
    }
}

const fn meaning(code: u32) -> &'static str {
    match code {
        1 => "the server could not carry the operation out; its log tells why",
        3 => "the server gave up after its time limit; an index on the attributes of the filter may be missing",
        4 => "there are more entries than the limit allows; raise the size limit of the service account",
        7 => "the server does not allow this kind of bind",
        8 => "the server demands a protected connection; use ldaps:// or start_tls = true",
        11 => "an administrative limit of the server was exceeded; raise the limits of the service account",
        12 => "the server does not support a control that the operation needs",
        13 => "the server does this only on a protected connection; use ldaps:// or start_tls = true",
        16 => "the attribute does not have this value, or the entry does not have the attribute",
        17 => "the schema of the directory does not know an attribute; correct the mapping or extend the schema",
        18 => "the schema of the directory has no rule to compare an attribute of the filter in this way",
        19 => "a value breaks a rule of the directory",
        20 => "the attribute has this value already",
        21 => "a value is not in the form that the schema of the directory demands for its attribute",
        32 => "there is no such entry",
        34 => "the server does not accept the name of the entry",
        50 => "the service account may not do this; give it the right to",
        51 => "the server is busy",
        52 | 81 | 91 => "the server is not available",
        53 => "the server will not do this",
        54 => "aliases or referrals of the directory lead in a circle",
        64 => "the name of the entry does not fit its attributes",
        65 => "the entry would not fit its object classes: an attribute is missing or not allowed; correct the mapping",
        66 => "the entry has other entries below it, and only an entry without any can be deleted or moved",
        67 => "an attribute of the entry's name cannot be changed in this way; the entry must be renamed",
        68 => "there is such an entry or value already",
        69 => "the object classes of an entry cannot be changed in this way",
        71 => "the move would cross a boundary between servers",
        122 => "the entry has changed in the meantime",
        _ => "",
    }
}

/// The eight hexadecimal digits that Active Directory's diagnostics start with.
fn hex_code(diagnostic: &str) -> Option<u32> {
    let (digits, _) = diagnostic.split_once(':')?;
    if digits.len() == 8 { u32::from_str_radix(digits, 16).ok() } else { None }
}

/// Windows system error codes that say more than the result code.
const fn windows_meaning(code: u32) -> Option<&'static str> {
    Some(match code {
        0x0000_0056 => "the old password is wrong",
        0x0000_04dc => "the connection is not bound",
        0x0000_0524 => "an account of the domain has this sAMAccountName already",
        0x0000_0526 => "a group of the domain has this sAMAccountName already",
        0x0000_0525 => "an account that is referred to does not exist",
        0x0000_052d => "the password policy of the domain is not met",
        0x0000_200a => "the schema does not know an attribute, or the entry does not have it",
        0x0000_2071 => "this name is taken already",
        0x0000_20b5 => "an entry that is referred to, such as a manager or member, does not exist",
        0x0000_21c7 => "a service principal name is taken by another account of the forest",
        0x0000_21c8 => "userPrincipalName is taken by another account of the forest",
        _ => return None,
    })
}

/// Why the service account was refused.
pub(super) fn bind(result: &LdapResult) -> String {
    let diagnostic = tidy(&result.text);
    let reason = match (result.rc, bind_data(&diagnostic)) {
        (49, Some(data)) => account_meaning(data),
        (49, None) => Some("the name or the password is wrong, or the account is locked"),
        (48, _) => Some("the account has no password, or may not bind in this way"),
        (53, _) => Some("the account is disabled"),
        (32 | 34, _) => Some("bind_dn is not the name of an account"),
        (8, _) => Some(
            "the server accepts this bind only on a protected connection (Active Directory: LDAP signing; Samba with \
             Kerberos: ldap server require strong auth = allow_sasl_over_tls); use ldaps:// or start_tls = true",
        ),
        _ => None,
    };
    reason.map_or_else(|| self::result(result.rc, None, &diagnostic, &result.refs), str::to_owned)
}

/// The sub-code in `... AcceptSecurityContext error, data 52e, v1db1`.
fn bind_data(diagnostic: &str) -> Option<u32> {
    let (_, rest) = diagnostic.split_once(", data ")?;
    let digits = rest.split([',', ' ']).next()?;
    u32::from_str_radix(digits, 16).ok()
}

const fn account_meaning(data: u32) -> Option<&'static str> {
    Some(match data {
        0x525 => "there is no such account",
        0x52e => "the name or the password is wrong",
        0x530 => "the account may not log on at this hour",
        0x531 => "the account may not log on from this machine",
        0x532 => "the password of the account has expired; set a new one",
        0x533 => "the account is disabled; enable it",
        0x701 => "the account has expired; prolong it",
        0x773 => "the password of the account must be changed before it can be used; set a new one",
        0x775 => "the account is locked after too many wrong passwords; unlock it",
        _ => return None,
    })
}

/// Why a connection could not be opened.
pub(super) fn connect(fault: &LdapError) -> String {
    match fault {
        LdapError::Io { source } => socket(source),
        LdapError::Rustls { source } => tls(source),
        LdapError::LdapResult { result } => {
            format!("the server refused StartTLS ({}); it may have no certificate, or use ldaps://", tidy(&result.text))
        }
        LdapError::ResultRecv { .. } | LdapError::OpSend { .. } => "the server closed the connection".to_owned(),
        other => other.to_string(),
    }
}

/// Why a socket could not be opened or broke; a fault of TLS comes wrapped in one of the socket.
pub(super) fn socket(fault: &io::Error) -> String {
    if let Some(inner) = fault.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return tls(inner);
    }
    match fault.kind() {
        io::ErrorKind::ConnectionRefused => "nothing listens there; is the server running?".to_owned(),
        io::ErrorKind::TimedOut => {
            "no answer; is it running, and does a firewall let the connection through?".to_owned()
        }
        io::ErrorKind::UnexpectedEof => "the server closed the connection; does this port speak TLS?".to_owned(),
        io::ErrorKind::PermissionDenied => "the daemon's user may not use this socket".to_owned(),
        io::ErrorKind::NotFound => format!("there is no such socket or host ({fault})"),
        _ => fault.to_string(),
    }
}

fn tls(fault: &rustls::Error) -> String {
    use rustls::CertificateError::{
        BadSignature, Expired, ExpiredContext, NotValidForName, NotValidForNameContext, Other, UnknownIssuer,
    };
    match fault {
        rustls::Error::InvalidCertificate(UnknownIssuer) => {
            "its certificate is signed by an authority that is not trusted; put that authority's certificate into ca_file"
                .to_owned()
        }
        // An authority that was set up anew has the old name and another key.
        rustls::Error::InvalidCertificate(BadSignature) => {
            "its certificate is signed by an authority that is not trusted, though one of the same name is; put the \
             present certificate of that authority into ca_file"
                .to_owned()
        }
        rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            "its certificate is for another name; write the name that stands in the certificate into urls".to_owned()
        }
        rustls::Error::InvalidCertificate(Other(reason)) if reason.to_string().contains("CaUsedAsEndEntity") => {
            "its certificate is one of an authority, signed by itself; give the server one that an authority issued, and \
             name that authority in ca_file"
                .to_owned()
        }
        rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. }) => {
            "its certificate has expired; renew it on the server".to_owned()
        }
        rustls::Error::InvalidMessage(_) => {
            format!("it does not speak TLS on this port ({fault}); use ldap:// with start_tls = true, or another port")
        }
        other => format!("TLS failed: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fault::tests::answer;
    use super::*;

    #[test]
    fn active_directorys_bind_codes_are_told_apart() {
        let why = |data: &str| {
            let text =
                format!("80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data {data}, v1db1\0");
            bind(&answer(49, &text))
        };
        for (data, part) in [
            ("52e", "password is wrong"),
            ("530", "at this hour"),
            ("531", "from this machine"),
            ("525", "no such account"),
            ("533", "disabled"),
            ("532", "has expired"),
            ("701", "account has expired"),
            ("773", "must be changed"),
            ("775", "locked"),
        ] {
            assert!(why(data).contains(part), "{data}: {}", why(data));
        }
        assert!(bind(&answer(49, "")).contains("password is wrong"));
        assert!(bind(&answer(53, "Account inactivated. Contact system administrator.")).contains("disabled"));
    }

    #[test]
    fn a_demand_for_protection_says_how_to_protect() {
        assert!(bind(&answer(8, "BindSimple: Transport encryption required.")).contains("start_tls = true"));
        assert!(result(8, None, "", &[]).contains("ldaps://"));
        assert!(result(13, None, "", &[]).contains("ldaps://"));
    }

    #[test]
    fn the_hexadecimal_code_adds_to_the_meaning() {
        assert!(
            result(53, None, "0000052D: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM)", &[])
                .contains("password policy")
        );
        assert!(result(19, None, "000020B5: Referenced object not found", &[]).contains("does not exist"));
        assert_eq!(result(19, None, "00000000: nothing", &[]), "a value breaks a rule of the directory");
        assert_eq!(result(19, None, "password: too short", &[]), "a value breaks a rule of the directory");
        assert_eq!(result(222, None, "", &[]), "the server answered with result code 222");
    }

    #[test]
    fn what_is_known_about_the_operation_comes_first() {
        assert_eq!(result(32, Some("no parent"), "", &[]), "no parent");
        assert!(result(32, Some("no parent"), "00000525: specified dn doesn't exist", &[]).contains("referred to"));
        assert!(result(19, None, "non-unique attributes found with (|(uid=a))", &[]).contains("another entry"));
    }

    #[test]
    fn a_referral_names_the_other_server() {
        assert!(
            result(10, None, "", &["ldap://master.example.com/".to_owned()]).contains("ldap://master.example.com/")
        );
    }

    #[test]
    fn a_certificate_that_is_not_trusted_says_what_to_do() {
        let wrapped = |fault: rustls::Error| socket(&io::Error::new(io::ErrorKind::InvalidData, fault));
        let certificate = rustls::Error::InvalidCertificate;
        assert!(wrapped(certificate(rustls::CertificateError::UnknownIssuer)).contains("ca_file"));
        assert!(wrapped(certificate(rustls::CertificateError::NotValidForName)).contains("urls"));
        assert!(wrapped(certificate(rustls::CertificateError::Expired)).contains("renew"));
    }
}
