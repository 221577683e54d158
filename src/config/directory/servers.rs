//! Which servers a directory has: `urls`, or `srv` and what belongs to it.

use std::net::{IpAddr, SocketAddr};

use crate::directory::{Bind, Protection, ServerUrl, Srv, Way};
use crate::tables::{Located, TableReader};

/// The servers as the file has them; what is wrong is reported and missing.
pub(super) struct Servers {
    urls: Vec<Located<ServerUrl>>,
    srv: Option<Located<Srv>>,
    pub(super) start_tls: bool,
}

const EXAMPLE: &str = "[\"ldaps://ldap.example.com\"]";
const DNS_PORT: u16 = 53;

impl Servers {
    pub(super) fn read(reader: &TableReader<'_>) -> Self {
        let start_tls = reader.optional::<bool>("start_tls").is_some_and(|it| it.value);
        if reader.node("srv").is_none() {
            for key in ["srv_tls", "nameservers"] {
                if let Some(node) = reader.node(key) {
                    let help = "add `srv = \"_ldap._tcp.dc._msdcs.example.com\"`, or leave it out".to_owned();
                    reader.findings().report(&node.spot, format!("`{key}` says nothing without `srv`"), help);
                }
            }
            return Self { urls: urls(reader), srv: None, start_tls };
        }
        for (key, help) in [
            ("urls", "leave one of them out: `srv` looks the servers up, `urls` names them"),
            ("start_tls", "leave it out, and write `srv_tls = \"start_tls\"`, which is the default"),
        ] {
            if let Some(node) = reader.node(key) {
                reader.findings().report(&node.spot, format!("`{key}` can't stand beside `srv`"), help.to_owned());
            }
        }
        Self { urls: Vec::new(), srv: srv(reader), start_tls: false }
    }

    pub(super) fn urls(&self) -> Vec<ServerUrl> {
        self.urls.iter().map(|url| url.value.clone()).collect()
    }

    pub(super) fn srv(&self) -> Option<Srv> {
        self.srv.as_ref().map(|srv| srv.value.clone())
    }

    /// No password over a bare connection, and no EXTERNAL over one that vouches for nobody.
    pub(super) fn check(
        &self,
        reader: &TableReader<'_>,
        bind: Option<&Bind>,
        certificate: bool,
        allow_plaintext: bool,
    ) {
        let named = self.urls.iter().map(|url| (url.value.to_string(), url.value.way(self.start_tls), &url.spot));
        let found = self.srv.iter().map(|srv| (srv.name.clone(), srv.protection.way(), &srv.spot));
        for (server, way, spot) in named.chain(found) {
            let (message, help) = match (bind, way) {
                (Some(Bind::Simple { .. }), Way::Bare) if !allow_plaintext => (
                    format!("the password of bind_dn would travel unprotected to {server}"),
                    if self.srv.is_some() {
                        "write `srv_tls = \"ldaps\"` or `srv_tls = \"start_tls\"`; or, on a network where nobody can \
                         listen, `allow_plaintext = true`"
                    } else {
                        "write ldaps://, or add `start_tls = true`; or, on a network where nobody can listen, \
                         `allow_plaintext = true`"
                    },
                ),
                (Some(Bind::Gssapi { .. }), Way::Bare) if !allow_plaintext => (
                    format!("`bind = \"gssapi\"` needs TLS, and {server} has none"),
                    "write ldaps://, or add `start_tls = true` (with `srv`: `srv_tls`); Kerberos' own protection breaks \
                     on large groups. `allow_plaintext = true` uses it all the same",
                ),
                (Some(Bind::Gssapi { .. }), Way::Local) => (
                    format!("`bind = \"gssapi\"` can't be used with {server}"),
                    "name the server by its host name, or write `bind = \"external\"`",
                ),
                (Some(Bind::External), Way::Bare) => external(&server),
                (Some(Bind::External), Way::Protected) if !certificate => external(&server),
                _ => continue,
            };
            reader.findings().report(spot, message, help.to_owned());
        }
    }
}

fn external(server: &str) -> (String, &'static str) {
    (
        format!("`bind = \"external\"` can't be used with {server}"),
        "write the address of a local socket, like \"ldapi://%2Frun%2Fslapd%2Fldapi\"; or use ldaps:// or start_tls with \
         `client_certificate` and `client_key`",
    )
}

fn urls(reader: &TableReader<'_>) -> Vec<Located<ServerUrl>> {
    let Some(texts) = reader.required::<Vec<Located<String>>>("urls", EXAMPLE) else { return Vec::new() };
    if texts.value.is_empty() {
        reader.findings().report(&texts.spot, "`urls` names no server", format!("write `urls = {EXAMPLE}`"));
    }
    let parse = |text: Located<String>| match ServerUrl::parse(&text) {
        Ok(value) => Some(Located { value, spot: text.spot }),
        Err(error) => {
            let help = format!("write `urls = {EXAMPLE}`");
            reader.findings().report(&text.spot, error.to_string(), help);
            None
        }
    };
    texts.value.into_iter().filter_map(parse).collect()
}

fn srv(reader: &TableReader<'_>) -> Option<Located<Srv>> {
    let words = [("start_tls", Protection::StartTls), ("ldaps", Protection::Tls), ("none", Protection::None)];
    let protection = reader.choice("srv_tls", &words).map_or(Protection::StartTls, |it| it.value);
    let nameservers = nameservers(reader);
    let name = reader.optional::<String>("srv")?;
    if !is_service(&name) {
        let help = "write it like \"_ldap._tcp.dc._msdcs.example.com\"".to_owned();
        reader.findings().report(&name.spot, format!("\"{}\" is not the name of a service record", name.value), help);
        return None;
    }
    Some(Located { value: Srv { name: name.value, protection, nameservers }, spot: name.spot })
}

/// `_service._protocol.domain` (RFC 2782).
fn is_service(name: &str) -> bool {
    let labels: Vec<&str> = name.strip_suffix('.').unwrap_or(name).split('.').collect();
    let fits = |label: &&str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&label.len()) && label.chars().all(allowed)
    };
    let begins = labels.iter().take(2).all(|label| label.starts_with('_'));
    labels.len() > 2 && name.len() < 254 && begins && labels.iter().all(fits)
}

fn nameservers(reader: &TableReader<'_>) -> Vec<SocketAddr> {
    let Some(texts) = reader.optional::<Vec<Located<String>>>("nameservers") else { return Vec::new() };
    let parse = |text: Located<String>| {
        let address: Option<IpAddr> = text.parse().ok();
        let address = address.map(|ip| SocketAddr::new(ip, DNS_PORT)).or_else(|| text.parse().ok());
        if address.is_none() {
            let help = "write addresses: nameservers = [\"192.0.2.53\", \"192.0.2.54:5353\"]".to_owned();
            reader.findings().report(&text.spot, format!("\"{}\" is no address of a name server", text.value), help);
        }
        address
    };
    texts.value.into_iter().filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_service_record_is_told_from_other_names() {
        for name in ["_ldap._tcp.example.com", "_ldap._tcp.dc._msdcs.example.com.", "_ldaps._tcp.x"] {
            assert!(is_service(name), "{name}");
        }
        for name in ["example.com", "_ldap.example.com", "_ldap._tcp", "_ldap._tcp..com", "_ldap._tcp.exa mple.com"] {
            assert!(!is_service(name), "{name}");
        }
    }
}
