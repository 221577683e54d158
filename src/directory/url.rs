//! Where a directory server listens.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustls_pki_types::ServerName;

use super::settings::Way;

/// The address of one server: `ldap://host:port`, `ldaps://host:port` or `ldapi:///path/to/socket`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerUrl(Address);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Address {
    Tcp { tls: bool, host: String, port: u16 },
    Unix(PathBuf),
}

/// A text that is no address of a directory server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no address of a directory server: {reason}")]
pub struct InvalidUrl {
    /// What was written.
    pub text: String,
    /// What is wrong with it and what to write instead.
    pub reason: &'static str,
}

const LDAP_PORT: u16 = 389;
const LDAPS_PORT: u16 = 636;

impl ServerUrl {
    /// The address that `text` writes. The path of a socket is written as it is (`ldapi:///run/slapd/ldapi`) or
    /// percent-encoded (`ldapi://%2Frun%2Fslapd%2Fldapi`).
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        let invalid = |reason| InvalidUrl { text: text.to_owned(), reason };
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| invalid("write ldaps://host, ldap://host with start_tls, or ldapi:///path/to/socket"))?;
        let address = match scheme.to_ascii_lowercase().as_str() {
            "ldap" => tcp(rest, false),
            "ldaps" => tcp(rest, true),
            "ldapi" => unix(rest),
            _ => Err("the scheme must be ldap, ldaps or ldapi"),
        };
        address.map(Self).map_err(invalid)
    }

    /// The address of a host, by name or address without brackets; the error says what is wrong with it.
    pub(super) fn tcp(tls: bool, host: &str, port: u16) -> Result<Self, &'static str> {
        if ServerName::try_from(host).is_err() {
            return Err("this is no valid host name");
        }
        Ok(Self(Address::Tcp { tls, host: host.to_owned(), port }))
    }

    /// Whether every byte is protected by TLS from the start.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        matches!(self.0, Address::Tcp { tls: true, .. })
    }

    /// Whether this is a socket of the same machine (`ldapi`).
    #[must_use]
    pub const fn is_local(&self) -> bool {
        matches!(self.0, Address::Unix(_))
    }

    /// How the server is spoken to, where `ldap://` connections are protected by `StartTLS` or not.
    #[must_use]
    pub const fn way(&self, start_tls: bool) -> Way {
        match &self.0 {
            Address::Unix(_) => Way::Local,
            Address::Tcp { tls: true, .. } => Way::Protected,
            Address::Tcp { .. } if start_tls => Way::Protected,
            Address::Tcp { .. } => Way::Bare,
        }
    }

    pub(super) const fn address(&self) -> &Address {
        &self.0
    }
}

fn tcp(rest: &str, tls: bool) -> Result<Address, &'static str> {
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#']) {
        return Err("only host and port stand in it; the base of the tree is the key base_dn");
    }
    if rest.contains('@') {
        return Err("no user name stands in it; that is the key bind_dn");
    }
    let (host, port) = host_and_port(rest)?;
    if ServerName::try_from(host.as_str()).is_err() {
        return Err("the host name is missing or not valid");
    }
    let port = match (port.strip_prefix(':'), port) {
        (None, "") => Some(if tls { LDAPS_PORT } else { LDAP_PORT }),
        (digits, _) => digits.and_then(|digits| digits.parse().ok()).filter(|port| *port != 0),
    };
    Ok(Address::Tcp { tls, host, port: port.ok_or("the port must be a number from 1 to 65535")? })
}

/// The host, an IPv6 address without its brackets, and what follows it.
fn host_and_port(text: &str) -> Result<(String, &str), &'static str> {
    if let Some((host, port)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let host: Ipv6Addr = host.parse().map_err(|_| "the IPv6 address is not valid")?;
        return Ok((host.to_string(), port));
    }
    let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
    if port.matches(':').count() > 1 {
        return Err("an IPv6 address stands in brackets: ldaps://[2001:db8::1]");
    }
    Ok((host.to_owned(), port))
}

fn unix(rest: &str) -> Result<Address, &'static str> {
    let encoded = if rest.starts_with('/') { rest } else { rest.trim_end_matches('/') };
    let path = percent_decoded(encoded).ok_or("a percent sign must be followed by two hexadecimal digits")?;
    if !path.starts_with('/') || path.ends_with('/') {
        return Err("write the absolute path of the socket: ldapi:///run/slapd/ldapi");
    }
    Ok(Address::Unix(PathBuf::from(path)))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
            let (high, low) = (digit()?, digit()?);
            out.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok().filter(|path| !path.contains('\0'))
}

/// `host:port` with an IPv6 address in brackets.
pub(super) struct HostPort<'a>(pub &'a str, pub u16);

impl fmt::Display for HostPort<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(host, port) = self;
        if host.contains(':') { write!(formatter, "[{host}]:{port}") } else { write!(formatter, "{host}:{port}") }
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Address::Tcp { tls, host, port } => {
                write!(formatter, "{}://{}", if *tls { "ldaps" } else { "ldap" }, HostPort(host, *port))
            }
            Address::Unix(path) => write!(formatter, "ldapi://{}", Path::display(path)),
        }
    }
}

impl FromStr for ServerUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_with_their_port() {
        for (text, shown) in [
            ("ldaps://dc1.example.com", "ldaps://dc1.example.com:636"),
            ("LDAP://dc1.example.com:10389/", "ldap://dc1.example.com:10389"),
            ("ldap://127.0.0.1", "ldap://127.0.0.1:389"),
            ("ldaps://[::1]:1636", "ldaps://[::1]:1636"),
            ("ldaps://[2001:DB8:0::1]", "ldaps://[2001:db8::1]:636"),
            ("ldapi:///run/slapd/ldapi", "ldapi:///run/slapd/ldapi"),
            ("ldapi://%2Frun%2Fslapd%2fldapi", "ldapi:///run/slapd/ldapi"),
            ("ldapi://%2Frun%2Fldapi/", "ldapi:///run/ldapi"),
        ] {
            let url = ServerUrl::parse(text).unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(ServerUrl::parse(shown), Ok(url));
        }
    }

    #[test]
    fn anything_else_is_refused_with_a_hint() {
        for (text, hint) in [
            ("dc1.example.com", "ldaps://host"),
            ("https://dc1", "ldap, ldaps or ldapi"),
            ("ldap://", "host name"),
            ("ldap://:389", "host name"),
            ("ldap://host:0", "port"),
            ("ldap://host:99999", "port"),
            ("ldap://host:", "port"),
            ("ldap://host/dc=example,dc=com", "base_dn"),
            ("ldap://cn=admin@host", "bind_dn"),
            ("ldap://::1", "brackets"),
            ("ldap://[::g]", "IPv6"),
            ("ldap://[::1]x", "port"),
            ("ldap://ho st", "host name"),
            ("ldapi://", "absolute path"),
            ("ldapi:///", "absolute path"),
            ("ldapi://run%2Fldapi", "absolute path"),
            ("ldapi://%2", "percent"),
        ] {
            let fault = ServerUrl::parse(text).expect_err(text);
            assert!(fault.reason.contains(hint), "{text}: {}", fault.reason);
        }
    }
}
