//! `[directory.NAME]`.

mod servers;
mod tls;

use std::path::Path;
use std::time::Duration;

use self::servers::Servers;
use super::secret::secret;
use crate::directory::{Bind, Dn, Kind, Settings, TrustAnchors};
use crate::tables::{Key, Located, Place, TableReader};

/// One LDAP directory.
#[derive(Debug, Clone)]
pub struct DirectoryConfig {
    /// How to talk to it.
    pub settings: Settings,
    /// Where it begins: `{base_dn}` in mappings.
    pub base_dn: Dn,
    /// What a write is answered while it can't be reached.
    pub when_unreachable: WhenUnreachable,
    /// Where the file describes it.
    pub place: Place,
}

/// What a write is answered while the directory can't be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenUnreachable {
    /// It is accepted and carried out later.
    Accept,
    /// The client is asked to try again later.
    Refuse,
}

/// A directory that the file names, right or wrong.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) kind: Option<Kind>,
    pub(super) base_dn: Option<Dn>,
    pub(super) config: Option<DirectoryConfig>,
}

pub(super) fn directories(root: &TableReader<'_>, folder: &Path) -> Vec<Named> {
    let named = root.named_tables("directory");
    check_names(root, "directory", named.iter().map(|(key, _)| *key));
    named.into_iter().map(|(key, reader)| directory(&key.name, reader, folder)).collect()
}

/// Names stand in URLs of metrics, in logs and in the environment.
pub(super) fn check_names<'k>(root: &TableReader<'_>, what: &str, keys: impl Iterator<Item = &'k Key>) {
    let mut seen: Vec<String> = Vec::new();
    for key in keys {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if key.name.is_empty() || !key.name.chars().all(fits) {
            let help = "use letters, digits, `-` and `_` only".to_owned();
            root.findings().report(&key.spot, format!("\"{}\" can't be the name of a {what}", key.name), help);
        }
        if seen.contains(&key.name.to_lowercase()) {
            let help = "choose another name; capitals don't count".to_owned();
            root.findings().report(&key.spot, format!("there is another {what} called \"{}\"", key.name), help);
        }
        seen.push(key.name.to_lowercase());
    }
}

fn directory(name: &str, reader: TableReader<'_>, folder: &Path) -> Named {
    let kinds = Kind::ALL.map(|kind| (kind.as_str(), kind));
    let kind = reader.choice("kind", &kinds).map(|it| it.value);
    if reader.node("kind").is_none() {
        reader.missing("kind", "\"openldap\"");
    }
    let base_dn = base_dn(&reader);
    let servers = Servers::read(&reader);
    let allow_plaintext = reader.optional::<bool>("allow_plaintext").is_some_and(|it| it.value);
    let bind = bind(&reader, folder, kind);
    let client = tls::client(&reader, folder);
    // One that is wrong is reported already.
    let certificate = reader.node("client_certificate").is_some();
    servers.check(&reader, bind.as_ref(), certificate, allow_plaintext);
    let when_unreachable =
        reader.choice("when_unreachable", &[("accept", WhenUnreachable::Accept), ("refuse", WhenUnreachable::Refuse)]);
    // A kind that is missing is reported; the other keys are looked at all the same.
    let default = Settings::new(name, kind.unwrap_or(Kind::OpenLdap), servers.urls());
    let settings = Settings {
        srv: servers.srv(),
        start_tls: servers.start_tls,
        allow_plaintext,
        bind: bind.unwrap_or(Bind::Anonymous),
        ca: tls::ca(&reader, folder).unwrap_or(TrustAnchors::System),
        client,
        connections: number(&reader, "connections", 1, 64).unwrap_or(default.connections),
        connect_timeout: duration(&reader, "connect_timeout").unwrap_or(default.connect_timeout),
        operation_timeout: duration(&reader, "operation_timeout").unwrap_or(default.operation_timeout),
        page_size: number(&reader, "page_size", 1, 100_000).unwrap_or(default.page_size),
        ..default
    };
    let place = reader.spot().place();
    let when_unreachable = when_unreachable.map_or(WhenUnreachable::Accept, |it| it.value);
    reader.finish();
    let config = base_dn.clone().map(|base_dn| DirectoryConfig { settings, base_dn, when_unreachable, place });
    Named { name: name.to_owned(), kind, base_dn, config }
}

fn base_dn(reader: &TableReader<'_>) -> Option<Dn> {
    if reader.node("base_dn").is_none() {
        reader.missing("base_dn", "\"dc=example,dc=com\"");
    }
    let dn = reader.parsed("base_dn", Dn::parse, "write it like \"dc=example,dc=com\"")?;
    if dn.is_root() {
        let help = "write where the directory begins, like \"dc=example,dc=com\"".to_owned();
        reader.findings().report(&dn.spot, "`base_dn` is empty", help);
    }
    Some(dn.value)
}

#[derive(Clone, Copy, PartialEq)]
enum BindKind {
    Simple,
    External,
    Anonymous,
}

/// Who to be for the directory; `None` when that can't be told.
fn bind(reader: &TableReader<'_>, folder: &Path, kind: Option<Kind>) -> Option<Bind> {
    let words = [("simple", BindKind::Simple), ("external", BindKind::External), ("anonymous", BindKind::Anonymous)];
    let given = reader.choice("bind", &words).map(|it| it.value);
    let dn = reader.optional::<String>("bind_dn");
    let credentials = ["bind_dn", "bind_password", "bind_password_file"];
    let present: Vec<&str> = credentials.into_iter().filter(|key| reader.node(key).is_some()).collect();
    if reader.node("bind").is_some() && given.is_none() {
        return None;
    }
    let default = if present.is_empty() { BindKind::Anonymous } else { BindKind::Simple };
    match given.unwrap_or(default) {
        BindKind::Simple => {
            let password = secret(reader, folder, "bind_password", "bind_password_file");
            if reader.node("bind_dn").is_none() {
                reader.missing("bind_dn", "\"cn=scim,ou=services,dc=example,dc=com\"");
            }
            let dn = dn.filter(|dn| is_account(dn, kind, reader))?;
            Some(Bind::Simple { dn: dn.value, password: password? })
        }
        other => {
            for key in present {
                let spot = reader.node(key).map_or(reader.spot(), |node| &node.spot);
                let help = format!("leave `{key}` out, or write `bind = \"simple\"`");
                reader.findings().report(spot, format!("`{key}` is for `bind = \"simple\"` only"), help);
            }
            Some(if other == BindKind::External { Bind::External } else { Bind::Anonymous })
        }
    }
}

/// A DN; Active Directory also knows accounts by other names.
fn is_account(text: &Located<String>, kind: Option<Kind>, reader: &TableReader<'_>) -> bool {
    let problem = match Dn::parse(text) {
        Ok(dn) if dn.is_root() => "`bind_dn` is empty".to_owned(),
        Ok(_) => return true,
        Err(_) if kind == Some(Kind::ActiveDirectory) && text.contains(['@', '\\']) => return true,
        Err(error) => error.to_string(),
    };
    let help = "write the full DN of the account, like \"cn=scim,ou=services,dc=example,dc=com\"".to_owned();
    reader.findings().report(&text.spot, problem, help);
    false
}

fn number<T: TryFrom<u64>>(reader: &TableReader<'_>, key: &'static str, least: u64, most: u64) -> Option<T> {
    reader.number(key, least..=most).and_then(|it| T::try_from(it.value).ok())
}

fn duration(reader: &TableReader<'_>, key: &'static str) -> Option<Duration> {
    let duration = reader.optional::<Duration>(key)?;
    if !(Duration::from_millis(10)..=Duration::from_mins(10)).contains(&duration.value) {
        let help = "write a time from \"10ms\" to \"10m\"".to_owned();
        reader.findings().report(&duration.spot, format!("`{key}` is out of range"), help);
    }
    Some(duration.value)
}
