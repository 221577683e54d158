//! Who the bridge is for a directory.

use std::path::{Path, PathBuf};

use super::super::secret::secret;
use crate::directory::{Bind, Dn, Kind};
use crate::tables::{Located, TableReader};

#[derive(Clone, Copy, PartialEq)]
enum BindKind {
    Simple,
    External,
    Anonymous,
    Gssapi,
}

/// Whether this program was built with Kerberos.
const KERBEROS: bool = cfg!(feature = "gssapi");

/// Who to be for the directory; `None` when that can't be told.
pub(super) fn bind(reader: &TableReader<'_>, folder: &Path, kind: Option<Kind>) -> Option<Bind> {
    let words = [
        ("simple", BindKind::Simple),
        ("external", BindKind::External),
        ("anonymous", BindKind::Anonymous),
        ("gssapi", BindKind::Gssapi),
    ];
    let given = reader.choice("bind", &words).map(|it| it.value);
    let dn = reader.optional::<String>("bind_dn");
    let principal = reader.optional::<String>("principal");
    let credentials = ["bind_dn", "bind_password", "bind_password_file"];
    let is_there = |key: &&'static str| reader.node(key).is_some();
    if reader.node("bind").is_some() && given.is_none() {
        return None;
    }
    let default = if credentials.iter().any(is_there) { BindKind::Simple } else { BindKind::Anonymous };
    let chosen = given.unwrap_or(default);
    if chosen != BindKind::Simple {
        only_for(reader, &credentials, "simple");
    }
    if chosen != BindKind::Gssapi {
        only_for(reader, &["keytab", "principal"], "gssapi");
    }
    match chosen {
        BindKind::Simple => {
            let password = secret(reader, folder, "bind_password", "bind_password_file");
            if reader.node("bind_dn").is_none() {
                reader.missing("bind_dn", "\"cn=scim,ou=services,dc=example,dc=com\"");
            }
            let dn = dn.filter(|dn| is_account(dn, kind, reader))?;
            Some(Bind::Simple { dn: dn.value, password: password? })
        }
        BindKind::External => Some(Bind::External),
        BindKind::Anonymous => Some(Bind::Anonymous),
        BindKind::Gssapi => {
            if let (Some(node), false) = (reader.node("bind"), KERBEROS) {
                let help =
                    "install one that was built with `cargo build --features gssapi`, or use bind_dn and a password";
                reader.findings().report(&node.spot, "this program was built without Kerberos", help.to_owned());
            }
            Some(Bind::Gssapi { principal: principal.map(|it| it.value) })
        }
    }
}

fn only_for(reader: &TableReader<'_>, keys: &[&'static str], word: &str) {
    for key in keys {
        if let Some(node) = reader.node(key) {
            let help = format!("leave `{key}` out, or write `bind = \"{word}\"`");
            reader.findings().report(&node.spot, format!("`{key}` is for `bind = \"{word}\"` only"), help);
        }
    }
}

/// The file with the keys of the account, where one is named.
pub(super) fn keytab(reader: &TableReader<'_>, folder: &Path) -> Option<Located<PathBuf>> {
    let name = reader.optional::<String>("keytab")?;
    let path = folder.join(&name.value);
    if let Err(error) = std::fs::File::open(&path) {
        let help = "write the name of a file that the user scim2ldap may read".to_owned();
        reader.findings().report(&name.spot, format!("can't read {}: {error}", path.display()), help);
        return None;
    }
    Some(Located { value: path, spot: name.spot })
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
