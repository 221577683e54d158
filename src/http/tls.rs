//! The certificate of the listeners, read again when its files change.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use crate::config::Tls;

/// A certificate with its key, and the files they come from.
#[derive(Debug)]
pub struct Certificate {
    current: ArcSwap<CertifiedKey>,
    seen: Mutex<(Tls, Option<Stamp>)>,
}

/// What tells one state of the files from the next.
type Stamp = [(SystemTime, u64); 2];

/// Why a certificate can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// A file can't be read.
    #[error("{} can't be read: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file is not the PEM it should be.
    #[error("{} does not hold {what} in PEM form: {error}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// What is wrong with it.
        error: pem::Error,
    },
    /// The key does not go with the certificate, or is of a kind that can't be used.
    #[error("{} and {} can't be used together: {error}", files.certificate.display(), files.private_key.display())]
    Unusable {
        /// The files.
        files: Tls,
        /// What is wrong with them.
        error: rustls::Error,
    },
    /// The protocol can't be set up.
    #[error("TLS can't be set up: {0}")]
    Setup(rustls::Error),
}

impl Certificate {
    /// Reads the certificate and its key.
    pub fn load(files: Tls) -> Result<Arc<Self>, TlsFault> {
        let seen = stamp(&files);
        let current = ArcSwap::from_pointee(read_pair(&files)?);
        Ok(Arc::new(Self { current, seen: Mutex::new((files, seen)) }))
    }

    /// Reads the files again if they have changed since they were last looked at; says whether it did.
    /// The old certificate stays in use when the new one can't be.
    pub fn refresh(&self) -> Result<bool, TlsFault> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp(&seen.0);
        if now.is_none() || seen.1 == now {
            return Ok(false);
        }
        // Before it is read: what can't be used is reported once, not every few seconds.
        seen.1 = now;
        self.current.store(Arc::new(read_pair(&seen.0)?));
        Ok(true)
    }

    /// Takes the certificate and its key from `files` from now on. Those in use stay when these can't be used.
    pub fn replace(&self, files: Tls) -> Result<(), TlsFault> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp(&files);
        self.current.store(Arc::new(read_pair(&files)?));
        *seen = (files, now);
        Ok(())
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

/// Reads both files and makes sure that they belong together.
fn read_pair(files: &Tls) -> Result<CertifiedKey, TlsFault> {
    let malformed = |path: &Path, what, error| TlsFault::Malformed { path: path.to_owned(), what, error };
    let chain = CertificateDer::pem_slice_iter(&read(&files.certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
        .map_err(|error| malformed(&files.certificate, "a certificate", error))?;
    let key = PrivateKeyDer::from_pem_slice(&Zeroizing::new(read(&files.private_key)?))
        .map_err(|error| malformed(&files.private_key, "a private key", error))?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|error| TlsFault::Unusable { files: files.clone(), error })
}

fn stamp(files: &Tls) -> Option<Stamp> {
    let one = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    Some([one(&files.certificate)?, one(&files.private_key)?])
}

fn read(path: &Path) -> Result<Vec<u8>, TlsFault> {
    fs::read(path).map_err(|error| TlsFault::Unreadable { path: path.to_owned(), error })
}

fn provider() -> CryptoProvider {
    ring::default_provider()
}

/// TLS 1.2 and 1.3 with `certificate`; which HTTP is spoken is agreed on by whoever listens.
pub fn server_config(certificate: Arc<Certificate>) -> Result<ServerConfig, TlsFault> {
    let builder = ServerConfig::builder_with_provider(Arc::new(provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(TlsFault::Setup)?;
    Ok(builder.with_no_client_auth().with_cert_resolver(certificate))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pair {
        certificate: String,
        private_key: String,
    }

    fn pair() -> Pair {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Pair { certificate: made.cert.pem(), private_key: made.signing_key.serialize_pem() }
    }

    fn written(pair: &Pair) -> (tempfile::TempDir, Tls) {
        let directory = tempfile::tempdir().unwrap();
        let files =
            Tls { certificate: directory.path().join("cert.pem"), private_key: directory.path().join("key.pem") };
        fs::write(&files.certificate, &pair.certificate).unwrap();
        fs::write(&files.private_key, &pair.private_key).unwrap();
        (directory, files)
    }

    fn in_use(certificate: &Certificate) -> Vec<u8> {
        certificate.current.load().cert[0].to_vec()
    }

    fn touch(path: &Path, seconds: u64) {
        let file = fs::File::options().append(true).open(path).unwrap();
        file.set_modified(SystemTime::now() + std::time::Duration::from_secs(seconds)).unwrap();
    }

    #[test]
    fn a_new_pair_is_taken_up_when_the_files_change() {
        let (_directory, files) = written(&pair());
        let certificate = Certificate::load(files.clone()).unwrap();
        let before = in_use(&certificate);
        assert!(!certificate.refresh().unwrap());
        let next = pair();
        fs::write(&files.certificate, next.certificate).unwrap();
        fs::write(&files.private_key, next.private_key).unwrap();
        touch(&files.certificate, 10);
        assert!(certificate.refresh().unwrap());
        assert_ne!(in_use(&certificate), before);
    }

    #[test]
    fn a_key_that_does_not_fit_leaves_the_old_pair_in_use() {
        let (_directory, files) = written(&pair());
        let certificate = Certificate::load(files.clone()).unwrap();
        let before = in_use(&certificate);
        fs::write(&files.private_key, pair().private_key).unwrap();
        touch(&files.private_key, 10);
        assert!(matches!(certificate.refresh(), Err(TlsFault::Unusable { .. })));
        assert_eq!(in_use(&certificate), before);
        assert!(!certificate.refresh().unwrap(), "the same fault is not reported again");
    }

    #[test]
    fn other_files_are_taken_up_only_if_they_can_be_used() {
        let (_directory, files) = written(&pair());
        let (_other_directory, other) = written(&pair());
        let certificate = Certificate::load(files.clone()).unwrap();
        let before = in_use(&certificate);
        let mixed = Tls { private_key: files.private_key, ..other.clone() };
        assert!(certificate.replace(mixed).is_err());
        assert_eq!(in_use(&certificate), before);
        certificate.replace(other).unwrap();
        assert_ne!(in_use(&certificate), before);
    }

    #[test]
    fn a_file_that_is_no_pem_is_named() {
        let (_directory, files) = written(&pair());
        fs::write(&files.certificate, "nothing").unwrap();
        let fault = Certificate::load(files).unwrap_err().to_string();
        assert!(fault.contains("cert.pem") && fault.contains("a certificate"), "{fault}");
    }

    #[test]
    fn a_server_can_be_set_up_with_the_certificate() {
        let (_directory, files) = written(&pair());
        assert!(server_config(Certificate::load(files).unwrap()).is_ok());
    }
}
