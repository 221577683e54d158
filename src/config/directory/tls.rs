//! Files for TLS: who may vouch for the servers, and who the bridge is.

use std::path::{Path, PathBuf};

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::super::secret::is_public;
use crate::directory::{ClientIdentity, TrustAnchors};
use crate::tables::{Located, TableReader};

pub(super) fn ca(reader: &TableReader<'_>, folder: &Path) -> Option<TrustAnchors> {
    let name = reader.optional::<String>("ca_file")?;
    certificates(reader, &name, folder).map(TrustAnchors::Pem)
}

/// The certificate and key of the bridge; what is wrong with them is reported.
pub(super) fn client(reader: &TableReader<'_>, folder: &Path) -> Option<ClientIdentity> {
    let present = ["client_certificate", "client_key"].map(|key| reader.node(key));
    let certificate = reader.optional::<String>("client_certificate");
    let key = reader.optional::<String>("client_key");
    match present {
        [None, None] => return None,
        [Some(_), None] => reader.missing("client_key", "\"/etc/scim2ldap/tls/client.key\""),
        [None, Some(_)] => reader.missing("client_certificate", "\"/etc/scim2ldap/tls/client.pem\""),
        [Some(_), Some(_)] => {}
    }
    let certificate = certificate.and_then(|name| certificates(reader, &name, folder));
    let key = key.and_then(|name| private_key(reader, &name, folder));
    certificate.zip(key).map(|(certificate, key)| ClientIdentity { certificate, key: key.into() })
}

fn certificates(reader: &TableReader<'_>, name: &Located<String>, folder: &Path) -> Option<Vec<u8>> {
    let bytes = read(reader, name, folder)?;
    if CertificateDer::pem_slice_iter(&bytes).any(|it| it.is_ok()) {
        return Some(bytes);
    }
    let message = format!("{} has no certificate", path(name, folder).display());
    reader.findings().report(&name.spot, message, "it must be PEM: -----BEGIN CERTIFICATE-----".to_owned());
    None
}

fn private_key(reader: &TableReader<'_>, name: &Located<String>, folder: &Path) -> Option<String> {
    let bytes = read(reader, name, folder)?;
    let (file, spot) = (path(name, folder), &name.spot);
    let is_key = PrivateKeyDer::from_pem_slice(&bytes).is_ok();
    let Some(text) = String::from_utf8(bytes).ok().filter(|_| is_key) else {
        let help = "it must be PEM without a password: -----BEGIN PRIVATE KEY-----".to_owned();
        reader.findings().report(spot, format!("{} has no private key", file.display()), help);
        return None;
    };
    if is_public(&file) {
        let message = format!("every user of this machine can read {}", file.display());
        reader.findings().warn(spot, message, "run chmod o-r on it");
    }
    Some(text)
}

fn read(reader: &TableReader<'_>, name: &Located<String>, folder: &Path) -> Option<Vec<u8>> {
    let file = path(name, folder);
    let failed = |error| {
        let help = "write the name of a file that the user scim2ldap may read".to_owned();
        reader.findings().report(&name.spot, format!("can't read {}: {error}", file.display()), help);
    };
    std::fs::read(&file).map_err(failed).ok()
}

fn path(name: &Located<String>, folder: &Path) -> PathBuf {
    folder.join(&name.value)
}
