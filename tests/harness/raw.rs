//! Plain LDAP: what the directory holds, without the bridge in between.

use super::tls;
use ldap3::controls::RawControl;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapResult, Mod, Scope, SearchEntry, SearchOptions};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::time::Duration;

/// An entry's attributes in the server's spelling, values sorted. A value that is not text is shown as `base64:...`.
pub type Attributes = BTreeMap<String, Vec<String>>;

/// The directory said no: LDAP result code and the server's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// RFC 4511 appendix A, for instance 32 noSuchObject.
    pub code: u32,
    /// The diagnostic message, often empty.
    pub text: String,
}

/// One bound connection. The methods named `try_` return a refusal; the others expect success.
#[derive(Clone, Debug)]
pub struct Raw {
    ldap: Ldap,
}

const PATIENCE: Duration = Duration::from_secs(20);

impl Raw {
    /// Connects without TLS verification being of interest (`ldap://`, `ldapi://`) and binds.
    pub async fn bind(url: &str, dn: &str, password: &str) -> Self {
        let mut raw =
            Self::connect(LdapConnSettings::new(), url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
        raw.authenticate(dn, password).await.unwrap_or_else(|refusal| panic!("bind as {dn} at {url}: {refusal:?}"));
        raw
    }

    /// Connects by `ldaps://`, or by `ldap://` and `StartTLS`, trusting the authority in the PEM file only, and binds.
    pub async fn bind_tls(url: &str, ca: &Path, dn: &str, password: &str) -> Result<Self, String> {
        let settings =
            LdapConnSettings::new().set_config(tls::client_config(ca)).set_starttls(url.starts_with("ldap://"));
        let mut raw = Self::connect(settings, url).await?;
        raw.authenticate(dn, password).await.map_err(|refusal| format!("{refusal:?}"))?;
        Ok(raw)
    }

    /// Whether a bind with these credentials succeeds, and if not, why not.
    pub async fn try_bind(url: &str, dn: &str, password: &str) -> Result<(), Refusal> {
        let mut raw =
            Self::connect(LdapConnSettings::new(), url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
        raw.authenticate(dn, password).await
    }

    /// The same by TLS.
    pub async fn try_bind_tls(url: &str, ca: &Path, dn: &str, password: &str) -> Result<(), Refusal> {
        let settings = LdapConnSettings::new().set_config(tls::client_config(ca));
        let mut raw = Self::connect(settings, url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
        raw.authenticate(dn, password).await
    }

    async fn connect(settings: LdapConnSettings, url: &str) -> Result<Self, String> {
        let settings = settings.set_conn_timeout(PATIENCE);
        let (connection, ldap) =
            LdapConnAsync::with_settings(settings, url).await.map_err(|error| error.to_string())?;
        ldap3::drive!(connection);
        Ok(Self { ldap })
    }

    async fn authenticate(&mut self, dn: &str, password: &str) -> Result<(), Refusal> {
        accepted(self.ldap.with_timeout(PATIENCE).simple_bind(dn, password).await)
    }

    fn handle(&self) -> Ldap {
        let mut ldap = self.ldap.clone();
        ldap.with_timeout(PATIENCE);
        ldap
    }

    /// The user attributes of an entry, None when there is no such entry.
    pub async fn entry(&self, dn: &str) -> Option<Attributes> {
        self.read(dn, &["*"]).await
    }

    /// The same with the operational attributes: entryUUID, memberOf, pwdAccountLockedTime, ...
    pub async fn entry_full(&self, dn: &str) -> Option<Attributes> {
        self.read(dn, &["*", "+"]).await
    }

    /// Waits until an entry is as expected, and returns it: the overlay refint works after the answer has been sent.
    pub async fn wait_for(&self, dn: &str, expected: impl Fn(&Attributes) -> bool) -> Attributes {
        for _ in 0..1000 {
            let entry = self.entry_full(dn).await.unwrap_or_default();
            if expected(&entry) {
                return entry;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{dn} did not become what was expected: {:#?}", self.entry_full(dn).await);
    }

    async fn read(&self, dn: &str, attributes: &[&str]) -> Option<Attributes> {
        let found = self.try_search(dn, Scope::Base, "(objectClass=*)", attributes, 0).await;
        match found {
            Ok(mut entries) => entries.pop().map(|(_, attributes)| attributes),
            Err(Refusal { code: 32, .. }) => None,
            Err(refusal) => panic!("reading {dn}: {refusal:?}"),
        }
    }

    /// Every entry below `base` that matches, with all attributes, sorted by DN.
    pub async fn find(&self, base: &str, filter: &str) -> Vec<(String, Attributes)> {
        let found = self.try_search(base, Scope::Subtree, filter, &["*", "+"], 0).await;
        found.unwrap_or_else(|refusal| panic!("searching {base} for {filter}: {refusal:?}"))
    }

    /// The only entry below `base` that matches.
    pub async fn find_one(&self, base: &str, filter: &str) -> (String, Attributes) {
        let mut found = self.find(base, filter).await;
        assert_eq!(found.len(), 1, "entries below {base} that match {filter}: {found:#?}");
        found.remove(0)
    }

    /// One search as asked for, unpaged; `size_limit` 0 leaves the limit to the server.
    pub async fn try_search(
        &self,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[&str],
        size_limit: i32,
    ) -> Result<Vec<(String, Attributes)>, Refusal> {
        let mut ldap = self.handle();
        ldap.with_search_options(SearchOptions::new().sizelimit(size_limit));
        let answer = ldap.search(base, scope, filter, attributes).await.expect("an answer to a search");
        let (entries, result) = (answer.0, answer.1);
        accepted(Ok(result))?;
        // A reference to another server is not an entry.
        let entries = entries.into_iter().filter(|entry| !entry.is_ref() && !entry.is_intermediate());
        let mut found: Vec<_> = entries.map(|entry| flatten(SearchEntry::construct(entry))).collect();
        found.sort();
        Ok(found)
    }

    /// Adds an entry.
    pub async fn add(&self, dn: &str, attributes: &[(&str, &[&str])]) {
        self.try_add(dn, attributes).await.unwrap_or_else(|refusal| panic!("adding {dn}: {refusal:?}"));
    }

    /// Adds an entry.
    pub async fn try_add(&self, dn: &str, attributes: &[(&str, &[&str])]) -> Result<(), Refusal> {
        let attributes = attributes.iter().map(|(name, values)| (*name, values.iter().copied().collect())).collect();
        accepted(self.handle().add(dn, attributes).await)
    }

    /// Gives an attribute these values and no others; none at all removes it.
    pub async fn replace(&self, dn: &str, attribute: &str, values: &[&str]) {
        let change = Mod::Replace(attribute, values.iter().copied().collect());
        self.try_modify(dn, vec![change]).await.unwrap_or_else(|refusal| panic!("{attribute} of {dn}: {refusal:?}"));
    }

    /// The same with one value that need not be text.
    pub async fn replace_bytes(&self, dn: &str, attribute: &str, value: &[u8]) {
        let change = Mod::Replace(attribute.as_bytes(), HashSet::from([value]));
        let result = accepted(self.handle().modify(dn, vec![change]).await);
        result.unwrap_or_else(|refusal| panic!("{attribute} of {dn}: {refusal:?}"));
    }

    /// Adds values to an attribute.
    pub async fn add_values(&self, dn: &str, attribute: &str, values: &[&str]) {
        let change = Mod::Add(attribute, values.iter().copied().collect::<HashSet<_>>());
        self.try_modify(dn, vec![change]).await.unwrap_or_else(|refusal| panic!("{attribute} of {dn}: {refusal:?}"));
    }

    /// Any modification.
    pub async fn try_modify(&self, dn: &str, changes: Vec<Mod<&str>>) -> Result<(), Refusal> {
        accepted(self.handle().modify(dn, changes).await)
    }

    /// Renames an entry, or moves it below `parent`.
    pub async fn rename(&self, dn: &str, rdn: &str, parent: Option<&str>) {
        let result = accepted(self.handle().modifydn(dn, rdn, true, parent).await);
        result.unwrap_or_else(|refusal| panic!("renaming {dn} to {rdn}: {refusal:?}"));
    }

    /// Deletes an entry.
    pub async fn delete(&self, dn: &str) {
        self.try_delete(dn).await.unwrap_or_else(|refusal| panic!("deleting {dn}: {refusal:?}"));
    }

    /// Deletes an entry with everything below it, with Active Directory's control for that.
    pub async fn delete_tree(&self, dn: &str) {
        let control = RawControl { ctype: "1.2.840.113556.1.4.805".to_owned(), crit: true, val: None };
        let result = accepted(self.handle().with_controls(control).delete(dn).await);
        result.unwrap_or_else(|refusal| panic!("deleting {dn} with all below it: {refusal:?}"));
    }

    /// The DNs of the entries right below `base` that match.
    pub async fn children(&self, base: &str, filter: &str) -> Vec<String> {
        let found = self.try_search(base, Scope::OneLevel, filter, &["1.1"], 0).await;
        let found = found.unwrap_or_else(|refusal| panic!("searching {base} for {filter}: {refusal:?}"));
        found.into_iter().map(|(dn, _)| dn).collect()
    }

    /// Deletes an entry.
    pub async fn try_delete(&self, dn: &str) -> Result<(), Refusal> {
        accepted(self.handle().delete(dn).await)
    }
}

fn accepted(outcome: ldap3::result::Result<LdapResult>) -> Result<(), Refusal> {
    let result = outcome.unwrap_or_else(|error| panic!("the LDAP connection failed: {error}"));
    if result.rc == 0 { Ok(()) } else { Err(Refusal { code: result.rc, text: result.text }) }
}

fn flatten(entry: SearchEntry) -> (String, Attributes) {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let binary = entry.bin_attrs.into_iter().map(|(name, values)| {
        let values = values.iter().map(|value| format!("base64:{}", STANDARD.encode(value))).collect();
        (name, values)
    });
    let attributes = entry.attrs.into_iter().chain(binary).map(|(name, mut values): (String, Vec<String>)| {
        values.sort();
        (name, values)
    });
    (entry.dn, attributes.collect())
}
