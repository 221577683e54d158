//! Binds by Kerberos (SASL GSSAPI, RFC 4752).

use ldap3::{Ldap, LdapResult};

/// Binds as `principal`, or as whoever Kerberos knows, to the service `ldap` on `host`. The library waits for the key
/// distribution centre without letting others run, so that happens on a thread of its own. The error is for people.
#[cfg(feature = "gssapi")]
pub(super) async fn bind(mut ldap: Ldap, principal: Option<String>, host: &str) -> Result<LdapResult, String> {
    use cross_krb5::{Cred, InitiateFlags, K5Cred as _};

    let (host, runtime) = (host.to_owned(), tokio::runtime::Handle::current());
    let work = move || {
        let credentials = Cred::client_acquire(InitiateFlags::empty(), principal.as_deref());
        let credentials = credentials.map_err(|fault| {
            format!("Kerberos has no credentials: {fault:#}; check keytab, principal and /etc/krb5.conf")
        })?;
        runtime.block_on(ldap.sasl_gssapi_cred_bind(credentials, &host)).map_err(|fault| {
            format!(
                "Kerberos: {fault}; check that the key distribution centre can be reached, that the clock is right, and \
                 that the server is named by the name that the domain knows it by"
            )
        })
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err("Kerberos failed".to_owned()))
}

#[cfg(not(feature = "gssapi"))]
#[expect(clippy::unused_async, reason = "with Kerberos it waits")]
pub(super) async fn bind(_: Ldap, _: Option<String>, _: &str) -> Result<LdapResult, String> {
    Err("this program was built without Kerberos (the feature gssapi)".to_owned())
}
