//! A certificate authority of our own, and clients that trust it and nothing else.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The names every certificate carries.
const NAMES: [&str; 5] = ["localhost", "127.0.0.1", "::1", "dc1.example.test", "dc2.example.test"];

/// A new certificate authority (EC P-256).
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// Where a certificate was written.
#[derive(Clone, Debug)]
pub struct Files {
    /// The authority's certificate, PEM.
    pub ca: PathBuf,
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

impl Authority {
    /// Makes an authority that nobody has met before.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "scim2ldap test authority");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// The authority's own certificate, PEM.
    pub fn pem(&self) -> &str {
        &self.certificate
    }

    /// Issues a certificate for the client called `name`, and writes it like [`Authority::issue`] does.
    pub fn issue_client(&self, name: &str, directory: &Path) -> Files {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.write(params, directory, "client")
    }

    /// Issues a certificate for localhost and writes it with its key and the authority's certificate to `directory`.
    pub fn issue(&self, directory: &Path) -> Files {
        let names: Vec<String> = NAMES.map(String::from).into();
        let mut params = CertificateParams::new(names).expect("valid names");
        params.distinguished_name.push(DnType::CommonName, "localhost");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.write(params, directory, "server")
    }

    fn write(&self, mut params: CertificateParams, directory: &Path, role: &str) -> Files {
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate").pem();

        fs::create_dir_all(directory).expect("a directory for the certificates");
        let file = |name: &str, text: &str| {
            let path = directory.join(name);
            fs::write(&path, text).expect("a file for the certificate");
            path
        };
        Files {
            ca: file("ca.pem", self.pem()),
            certificate: file(&format!("{role}.pem"), &certificate),
            key: file(&format!("{role}.key"), &key.serialize_pem()),
        }
    }
}

/// A client that trusts the authority in the PEM file, and nobody else.
pub fn client_config(ca: &Path) -> Arc<ClientConfig> {
    install_provider();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).expect("a certificate")).expect("a trust anchor");
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// Whether the TLS server on this port of 127.0.0.1 has a certificate of the authority in the PEM file.
pub fn proves_itself(port: u16, ca: &Path) -> bool {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
    // A server that is not quite up accepts connections without saying anything.
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let name = ServerName::try_from("localhost").expect("a name");
    let mut connection = ClientConnection::new(client_config(ca), name).expect("a client");
    while connection.is_handshaking() {
        if connection.complete_io(&mut stream).is_err() {
            return false;
        }
    }
    true
}

/// Makes ring the process's cryptography; a second call changes nothing.
pub fn install_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
