//! How to reach a directory and as whom.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::dialect::Kind;
use super::url::ServerUrl;

/// Everything the bridge must know to talk to one directory.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The directory's name in the configuration.
    pub name: String,
    /// Which kind of server it is.
    pub kind: Kind,
    /// Its servers, the preferred one first; the next one is used when one cannot be reached or says it is busy.
    pub urls: Vec<ServerUrl>,
    /// The service record that names its servers, in place of `urls`.
    pub srv: Option<Srv>,
    /// Protect `ldap://` connections by `StartTLS` (RFC 4511 section 4.14). Other schemes do not need it.
    pub start_tls: bool,
    /// Who the bridge is for the directory.
    pub bind: Bind,
    /// Which certificate authorities may vouch for a server.
    pub ca: TrustAnchors,
    /// Who the bridge is in TLS, for servers that want to know.
    pub client: Option<ClientIdentity>,
    /// Allow a password to travel unprotected.
    pub allow_plaintext: bool,
    /// How many connections share the operations; each carries up to 32 at a time. At least one is used. Who works in the
    /// background has one more.
    pub connections: usize,
    /// How long opening a connection may take, from the look-up of the name to the end of the bind.
    pub connect_timeout: Duration,
    /// How long the directory may take to answer one operation, or one page of a scan.
    pub operation_timeout: Duration,
    /// How many entries a page of a scan has.
    pub page_size: u32,
}

impl Settings {
    /// Whether nobody on the way to any of the servers can listen: TLS, or a socket of the same machine.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        self.urls.iter().all(|url| self.start_tls || url.is_tls() || url.is_local())
    }

    /// Settings for one directory with the usual connections and time limits, an anonymous bind, and the
    /// system's certificate authorities.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: Kind, urls: Vec<ServerUrl>) -> Self {
        Self {
            name: name.into(),
            kind,
            urls,
            srv: None,
            start_tls: false,
            bind: Bind::Anonymous,
            ca: TrustAnchors::System,
            client: None,
            allow_plaintext: false,
            connections: 4,
            connect_timeout: Duration::from_secs(5),
            operation_timeout: Duration::from_secs(20),
            page_size: 500,
        }
    }

    /// Refuses what could never work and what would give the password away.
    pub(super) fn check(&self) -> Result<(), SettingsFault> {
        if self.urls.is_empty() && self.srv.is_none() {
            return Err(SettingsFault::NoUrl { directory: self.name.clone() });
        }
        if let Bind::Simple { dn, password } = &self.bind
            && (dn.is_empty() || password.expose_secret().is_empty())
        {
            return Err(SettingsFault::Nobody { directory: self.name.clone() });
        }
        for (server, way) in self.ways() {
            let (directory, bare) = (self.name.clone(), way == Way::Bare);
            match &self.bind {
                Bind::Simple { .. } if bare && !self.allow_plaintext => {
                    return Err(SettingsFault::Plaintext { directory, server });
                }
                Bind::External if !self.vouches(way) => return Err(SettingsFault::External { directory, server }),
                Bind::Simple { .. } | Bind::External | Bind::Anonymous | Bind::Gssapi { .. } => {}
            }
        }
        Ok(())
    }

    /// How each server is spoken to.
    fn ways(&self) -> Vec<(String, Way)> {
        let named = self.urls.iter().map(|url| (url.to_string(), url.way(self.start_tls)));
        let found = self.srv.iter().map(|srv| (srv.name.clone(), srv.protection.way()));
        named.chain(found).collect()
    }

    /// Whether a connection says by itself who the bridge is, as SASL EXTERNAL demands.
    #[must_use]
    pub fn vouches(&self, way: Way) -> bool {
        match way {
            Way::Local => true,
            Way::Protected => self.client.is_some(),
            Way::Bare => false,
        }
    }
}

/// A service record (RFC 2782) that names the servers of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srv {
    /// Its name, such as `_ldap._tcp.dc._msdcs.example.com`.
    pub name: String,
    /// How connections to its servers are protected.
    pub protection: Protection,
    /// Who is asked; empty: the name servers of the system.
    pub nameservers: Vec<SocketAddr>,
}

/// How connections to servers that were looked up are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// By TLS from the start (`ldaps`).
    Tls,
    /// By `StartTLS`.
    StartTls,
    /// Not at all.
    None,
}

impl Protection {
    /// How such servers are spoken to.
    #[must_use]
    pub const fn way(self) -> Way {
        match self {
            Self::Tls | Self::StartTls => Way::Protected,
            Self::None => Way::Bare,
        }
    }
}

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Over a socket of the same machine.
    Local,
    /// Over TLS.
    Protected,
    /// So that anybody on the way can read it.
    Bare,
}

/// The certificate by which the bridge shows who it is, with its key.
#[derive(Clone)]
pub struct ClientIdentity {
    /// The certificate and those between it and its authority, PEM.
    pub certificate: Vec<u8>,
    /// The private key, PEM.
    pub key: SecretString,
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ClientIdentity({} bytes)", self.certificate.len())
    }
}

/// Who the bridge is for the directory.
#[derive(Debug, Clone)]
pub enum Bind {
    /// Nobody.
    Anonymous,
    /// A service account with a password.
    Simple {
        /// The account: a DN, or for Active Directory also `user@domain` or `DOMAIN\user`.
        dn: String,
        /// Its password.
        password: SecretString,
    },
    /// Who the connection says it is (SASL EXTERNAL): the user that the daemon runs as, vouched for by the socket
    /// (`ldapi`), or the subject of the client certificate.
    External,
    /// An account of the Kerberos realm (SASL GSSAPI).
    Gssapi {
        /// The account; `None`: the one that Kerberos takes by itself.
        principal: Option<String>,
    },
}

/// Which certificate authorities may vouch for a server.
#[derive(Clone)]
pub enum TrustAnchors {
    /// Those that the operating system trusts.
    System,
    /// Those in this PEM text, and no other.
    Pem(Vec<u8>),
}

impl fmt::Debug for TrustAnchors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => formatter.write_str("System"),
            Self::Pem(text) => write!(formatter, "Pem({} bytes)", text.len()),
        }
    }
}

/// Settings that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsFault {
    /// No server is named.
    #[error("directory {directory}: urls is empty; name at least one server")]
    NoUrl {
        /// The directory's name.
        directory: String,
    },
    /// A name without a password, or the other way round: servers take that for an anonymous bind, and accept it
    /// (RFC 4513 section 5.1.2).
    #[error("directory {directory}: bind_dn or the password is empty; give both, or none for an anonymous bind")]
    Nobody {
        /// The directory's name.
        directory: String,
    },
    /// A password would travel unprotected.
    #[error(
        "directory {directory}: the password of the service account would travel unprotected to {server}; use ldaps://, \
         or set start_tls = true, or, on a network where nobody can listen, allow_plaintext = true"
    )]
    Plaintext {
        /// The directory's name.
        directory: String,
        /// The server in question, or the service record.
        server: String,
    },
    /// SASL EXTERNAL over a connection that vouches for nobody.
    #[error(
        "directory {directory}: bind = \"external\" needs ldapi://, or TLS with client_certificate and client_key; \
         {server} has neither"
    )]
    External {
        /// The directory's name.
        directory: String,
        /// The server in question, or the service record.
        server: String,
    },
    /// TLS cannot be set up: the certificate authorities, or the certificate of the bridge, cannot be used.
    #[error("directory {directory}: {reason}")]
    Tls {
        /// The directory's name.
        directory: String,
        /// What is wrong and what to do.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str, bind: Bind) -> Settings {
        Settings { bind, ..Settings::new("corp", Kind::OpenLdap, vec![url.parse().unwrap()]) }
    }

    fn simple() -> Bind {
        Bind::Simple { dn: "cn=scim,dc=example".into(), password: "hush-hush".into() }
    }

    #[test]
    fn a_password_does_not_travel_unprotected_unless_that_is_allowed() {
        let bare = settings("ldap://dc1", simple());
        let fault = bare.check().unwrap_err();
        assert!(matches!(fault, SettingsFault::Plaintext { .. }), "{fault}");
        assert!(fault.to_string().contains("allow_plaintext = true"));
        assert_eq!(Settings { allow_plaintext: true, ..bare.clone() }.check(), Ok(()));
        assert_eq!(Settings { start_tls: true, ..bare }.check(), Ok(()));
        assert_eq!(settings("ldaps://dc1", simple()).check(), Ok(()));
        assert_eq!(settings("ldapi:///run/ldapi", simple()).check(), Ok(()));
        assert_eq!(settings("ldap://dc1", Bind::Anonymous).check(), Ok(()));
    }

    #[test]
    fn one_bare_address_among_several_is_enough_to_refuse() {
        let mut settings = settings("ldaps://dc1", simple());
        settings.urls.push("ldap://dc2".parse().unwrap());
        assert!(settings.check().unwrap_err().to_string().contains("ldap://dc2:389"));
    }

    #[test]
    fn an_empty_password_is_not_taken_for_an_anonymous_bind() {
        for (dn, password) in [("cn=scim", ""), ("", "hush-hush")] {
            let bind = Bind::Simple { dn: dn.into(), password: password.into() };
            assert!(matches!(settings("ldaps://dc1", bind).check(), Err(SettingsFault::Nobody { .. })));
        }
    }

    #[test]
    fn the_own_user_needs_a_local_socket() {
        assert_eq!(settings("ldapi:///run/ldapi", Bind::External).check(), Ok(()));
        assert!(matches!(settings("ldaps://dc1", Bind::External).check(), Err(SettingsFault::External { .. })));
    }

    #[test]
    fn the_password_is_never_shown() {
        assert!(!format!("{:?}", settings("ldaps://dc1", simple())).contains("hush"));
    }
}
