//! Who may vouch for a server, and that it is the server that was meant.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use secrecy::ExposeSecret as _;

use super::settings::{ClientIdentity, TrustAnchors};

/// The TLS side of one directory: the authorities, from which a configuration for each server is made.
pub(super) struct Tls {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
    /// Who the bridge is, for servers that want to know.
    own: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

impl Tls {
    pub(super) fn new(anchors: &TrustAnchors, client: Option<&ClientIdentity>) -> Result<Self, String> {
        let roots = match anchors {
            TrustAnchors::System => system_roots(),
            TrustAnchors::Pem(text) => own_roots(text),
        }?;
        let own = client.map(own_identity).transpose()?;
        Ok(Self { roots: Arc::new(roots), provider: Arc::new(ring::default_provider()), own })
    }

    /// The configuration for connections to `host`, a name or an address without brackets.
    pub(super) fn config(&self, host: &str) -> Result<Arc<ClientConfig>, String> {
        let refused = |fault: rustls::Error| format!("TLS cannot be set up: {fault}");
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(refused)?
            .with_root_certificates(Arc::clone(&self.roots));
        let mut config = match &self.own {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder.with_client_auth_cert(chain.clone(), key.clone_key()).map_err(|fault| {
                format!("client_certificate and client_key can't be used: {fault}; the key must be the certificate's")
            })?,
        };
        if let Ok(address @ IpAddr::V6(_)) = host.parse() {
            config.enable_sni = false;
            config.dangerous().set_certificate_verifier(Arc::new(self.verifier_of(address)?));
        }
        Ok(Arc::new(config))
    }

    fn verifier_of(&self, address: IpAddr) -> Result<AddressVerifier, String> {
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::clone(&self.roots), Arc::clone(&self.provider))
            .build()
            .map_err(|fault| format!("TLS cannot be set up: {fault}"))?;
        Ok(AddressVerifier { address: ServerName::IpAddress(address.into()), inner })
    }
}

fn own_identity(client: &ClientIdentity) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let chain = CertificateDer::pem_slice_iter(&client.certificate).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|fault| format!("client_certificate cannot be read: {fault}"))?;
    let key = PrivateKeyDer::from_pem_slice(client.key.expose_secret().as_bytes());
    // What is wrong with a key is not told: the text could hold a part of it.
    let key = key.map_err(|_| "client_key holds no private key; it must be a PEM file".to_owned())?;
    if chain.is_empty() {
        return Err("client_certificate holds no certificate; it must be a PEM file".to_owned());
    }
    Ok((chain, key))
}

fn own_roots(text: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(text) {
        let unreadable =
            |fault: &dyn std::fmt::Display| format!("ca_file holds a certificate that cannot be read: {fault}");
        let certificate = certificate.map_err(|fault| unreadable(&fault))?;
        roots.add(certificate).map_err(|fault| unreadable(&fault))?;
    }
    if roots.is_empty() {
        return Err("ca_file holds no certificate; it must be a PEM file with -----BEGIN CERTIFICATE-----".to_owned());
    }
    Ok(roots)
}

/// One unreadable certificate of the system must not take all others away.
fn system_roots() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (_, ignored) = roots.add_parsable_certificates(found.certs);
    if ignored > 0 || !found.errors.is_empty() {
        tracing::debug!(
            ignored,
            unreadable = found.errors.len(),
            "some certificate authorities of the system are not used"
        );
    }
    if roots.is_empty() {
        return Err("the system trusts no certificate authority; install ca-certificates or set ca_file".to_owned());
    }
    Ok(roots)
}

/// Verifies the certificate against an IPv6 address, whatever name the connection goes by: the LDAP library cannot
/// carry such an address down to TLS.
#[derive(Debug)]
struct AddressVerifier {
    address: ServerName<'static>,
    inner: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for AddressVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.inner.verify_server_cert(end_entity, intermediates, &self.address, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(names: &[&str]) -> rcgen::CertifiedKey<rcgen::KeyPair> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        rcgen::generate_simple_self_signed(names).unwrap()
    }

    #[test]
    fn an_empty_or_broken_file_of_authorities_is_refused() {
        let refused = |text: &str| Tls::new(&TrustAnchors::Pem(text.into()), None).err().unwrap();
        assert!(refused("hello").contains("no certificate"));
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(refused(broken).contains("cannot be read"));
    }

    #[test]
    fn an_ipv6_address_is_compared_with_the_certificate_whatever_the_name() {
        let made = certificate(&["::1", "dc1.example.com"]);
        let tls = Tls::new(&TrustAnchors::Pem(made.cert.pem().into()), None).unwrap();
        let verify = |address: &str| {
            let verifier = tls.verifier_of(address.parse().unwrap()).unwrap();
            let name = ServerName::try_from("dc1.example.com").unwrap();
            verifier.verify_server_cert(made.cert.der(), &[], &name, &[], UnixTime::now())
        };
        verify("::1").unwrap();
        verify("::2").unwrap_err();
    }

    #[test]
    fn an_authority_that_poses_as_a_server_is_told_from_other_faults() {
        let mut params = rcgen::CertificateParams::new(vec!["::1".to_owned()]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let made = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let tls = Tls::new(&TrustAnchors::Pem(made.pem().into()), None).unwrap();
        let verifier = tls.verifier_of("::1".parse().unwrap()).unwrap();
        let name = ServerName::try_from("dc1.example.com").unwrap();
        let fault = verifier.verify_server_cert(made.der(), &[], &name, &[], UnixTime::now()).unwrap_err();
        let told = super::super::explain::socket(&std::io::Error::other(fault));
        assert!(told.contains("signed by itself"), "{told}");
    }

    #[test]
    fn a_server_configuration_is_made_for_names_and_addresses() {
        let tls = Tls::new(&TrustAnchors::Pem(certificate(&["x"]).cert.pem().into()), None).unwrap();
        assert!(tls.config("dc1.example.com").unwrap().enable_sni);
        assert!(!tls.config("::1").unwrap().enable_sni);
    }
}
