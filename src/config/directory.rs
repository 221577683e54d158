//! `[directory.NAME]`.

mod bind;
mod servers;
mod tls;

use std::path::{Path, PathBuf};
use std::time::Duration;

use self::servers::Servers;
use crate::directory::{Bind, Dn, Kind, Settings, TrustAnchors};
use crate::tables::{Findings, Key, Located, Place, TableReader};

/// One LDAP directory.
#[derive(Debug, Clone)]
pub struct DirectoryConfig {
    /// How to talk to it.
    pub settings: Settings,
    /// Where it begins: `{base_dn}` in mappings.
    pub base_dn: Dn,
    /// The file with the keys by which the bridge proves to Kerberos who it is.
    pub keytab: Option<PathBuf>,
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
    keytab: Option<Located<PathBuf>>,
    pub(super) config: Option<DirectoryConfig>,
}

pub(super) fn directories(root: &TableReader<'_>, folder: &Path) -> Vec<Named> {
    let named = root.named_tables("directory");
    check_names(root, "directory", named.iter().map(|(key, _)| *key));
    let directories: Vec<Named> = named.into_iter().map(|(key, reader)| directory(&key.name, reader, folder)).collect();
    one_keytab(&directories, root.findings());
    directories
}

/// Kerberos knows one keytab for each process.
fn one_keytab(directories: &[Named], findings: &Findings) {
    let mut keytabs = directories.iter().filter_map(|directory| directory.keytab.as_ref());
    let Some(first) = keytabs.next() else { return };
    for other in keytabs.filter(|other| other.value != first.value) {
        let help = "put the keys of all accounts into one file (ktutil), and tell them apart by `principal`".to_owned();
        findings.report(&other.spot, "two directories have different keytabs", help);
    }
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
    let bind = bind::bind(&reader, folder, kind);
    let keytab = bind::keytab(&reader, folder);
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
    let config = base_dn.clone().map(|base_dn| DirectoryConfig {
        settings,
        base_dn,
        keytab: keytab.as_ref().map(|it| it.value.clone()),
        when_unreachable,
        place,
    });
    Named { name: name.to_owned(), kind, base_dn, keytab, config }
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
