//! Passwords and tokens, in the file or in files of their own.

use std::path::Path;

use secrecy::SecretString;

use crate::tables::{Findings, Located, Origin, Spot, TableReader};

/// The value of `key`, or what the file named by `file_key` holds. One of the two must be there.
pub(super) fn secret(
    reader: &TableReader<'_>,
    folder: &Path,
    key: &'static str,
    file_key: &'static str,
) -> Option<SecretString> {
    let (has_text, has_file) = (reader.node(key).is_some(), reader.node(file_key).is_some());
    let text = reader.optional::<String>(key);
    let file = reader.optional::<String>(file_key);
    if !has_text && !has_file {
        let message = format!("{} has neither `{key}` nor `{file_key}`", reader.name());
        let help = format!("add `{file_key} = \"...\"`, the name of a file that holds it");
        reader.findings().report(reader.spot(), message, help);
    }
    let (text, file) = outer_wins(text, file);
    if let (Some(_), Some(file)) = (&text, &file) {
        let message = format!("{} has both `{key}` and `{file_key}`", reader.name());
        reader.findings().report(&file.spot, message, "leave one of them out".to_owned());
        return None;
    }
    if let Some(text) = text {
        if text.is_empty() {
            reader.findings().report(&text.spot, format!("`{key}` is empty"), format!("write it, or use `{file_key}`"));
        }
        return Some(text.value.into());
    }
    let file = file?;
    match read(&file, folder) {
        Ok(secret) => {
            warn_if_public(reader.findings(), &file.spot, &folder.join(&file.value));
            Some(secret)
        }
        Err((message, help)) => {
            reader.findings().report(&file.spot, message, help);
            None
        }
    }
}

/// The environment wins over the file, also when it gives a secret the other way.
fn outer_wins(
    text: Option<Located<String>>,
    file: Option<Located<String>>,
) -> (Option<Located<String>>, Option<Located<String>>) {
    let outer =
        |it: &Option<Located<String>>| it.as_ref().is_some_and(|it| matches!(it.spot.origin, Origin::Variable(_)));
    match (outer(&text), outer(&file)) {
        (true, false) => (text, None),
        (false, true) => (None, file),
        (true, true) | (false, false) => (text, file),
    }
}

fn read(file: &Located<String>, folder: &Path) -> Result<SecretString, (String, String)> {
    let path = folder.join(&file.value);
    let shown = path.display();
    let bytes = std::fs::read(&path).map_err(|error| {
        let help = "write the name of a file that the user scim2ldap may read".to_owned();
        (format!("can't read {shown}: {error}"), help)
    })?;
    let help = || "let the file hold the secret and nothing else".to_owned();
    let text = String::from_utf8(bytes).map_err(|_| (format!("{shown} is not UTF-8"), help()))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err((format!("{shown} is empty"), help()));
    }
    if secret.contains(['\r', '\n']) {
        return Err((format!("{shown} has more than one line"), help()));
    }
    Ok(secret.to_owned().into())
}

/// Warns of a file with a secret that everybody can read.
pub(super) fn warn_if_public(findings: &Findings, spot: &Spot, path: &Path) {
    if is_public(path) {
        let message = format!("every user of this machine can read {}", path.display());
        findings.warn(spot, message, "run chmod o-r on it");
    }
}

#[cfg(unix)]
pub(super) fn is_public(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    let mode = std::fs::metadata(path).map(|metadata| metadata.permissions().mode());
    mode.is_ok_and(|mode| mode & 0o004 != 0)
}

#[cfg(not(unix))]
pub(super) fn is_public(_: &Path) -> bool {
    false
}
