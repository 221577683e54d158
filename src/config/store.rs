//! `[store]`.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::secret::warn_if_public;
use crate::store::seal::SealKey;
use crate::store::{StoreSettings, StoreUrl};
use crate::tables::{Located, Place, TableReader};

/// What outlives the process.
#[derive(Debug, Clone)]
pub struct Store {
    /// Where the file describes it.
    pub place: Place,
    /// Where it is kept.
    pub settings: StoreSettings,
    /// What passwords that have to wait for the directory are sealed with; `None`: they can't wait.
    pub key: Option<SealKey>,
}

pub(super) fn store(root: &TableReader<'_>, folder: &Path) -> Option<Store> {
    let reader = root.section("store")?;
    let url = reader.optional::<String>("url");
    let given = reader.node("url").is_some();
    let key_file = reader.optional::<String>("key_file");
    let place = reader.spot().place();
    reader.finish();
    let key = key_file.map(|file| key(&file, folder, root));
    let url = match url {
        Some(url) => store_url(&url, folder, root)?,
        None if given => return None,
        None => StoreUrl::Sqlite(PathBuf::from("/var/lib/scim2ldap/store.db")),
    };
    Some(Store { place, settings: StoreSettings { url }, key: key.flatten() })
}

fn store_url(url: &Located<String>, folder: &Path, root: &TableReader<'_>) -> Option<StoreUrl> {
    match url.split_once(':') {
        Some(("sqlite", path)) if !path.trim_start_matches("//").is_empty() => {
            Some(StoreUrl::Sqlite(folder.join(path.strip_prefix("//").unwrap_or(path))))
        }
        Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
            Some(StoreUrl::Postgres(url.value.clone().into()))
        }
        _ => {
            let help = "write \"sqlite:/var/lib/scim2ldap/store.db\" or \"postgres://user@host/database\"".to_owned();
            root.findings().report(&url.spot, "`url` names no store", help);
            None
        }
    }
}

fn key(file: &Located<String>, folder: &Path, root: &TableReader<'_>) -> Option<SealKey> {
    let path = folder.join(&file.value);
    let shown = path.display();
    let (message, help) = match std::fs::read(&path).map(Zeroizing::new) {
        Err(error) => (
            format!("can't read {shown}: {error}"),
            "write the name of a file that the user scim2ldap may read".to_owned(),
        ),
        Ok(content) => match SealKey::read(&content) {
            Ok(key) => {
                warn_if_public(root.findings(), &file.spot, &path);
                return Some(key);
            }
            Err(fault) => {
                (format!("{shown} holds no key: {fault}"), format!("make one with: openssl rand -hex 32 > {shown}"))
            }
        },
    };
    root.findings().report(&file.spot, message, help);
    None
}
