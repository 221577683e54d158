//! The directory alone: the same operations through the same client library, without the bridge in between.

use crate::people::{Person, Prepared};
use crate::workload::{Outcome, Worker};
use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapResult, Mod, Scope, SearchEntry, StdStream};
use std::collections::{BTreeMap, HashSet};
use std::net::TcpStream;
use std::sync::Arc;

/// How many entries a page holds when the directory is counted.
const PAGE: i32 = 500;

/// Opens a connection with the same socket options as the bridge's, and binds.
pub async fn connect(port: u16, (dn, password): (&str, &str)) -> Outcome<Ldap> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    let settings = LdapConnSettings::new().set_std_stream(StdStream::Tcp(stream));
    let (connection, mut ldap) = LdapConnAsync::with_settings(settings, &format!("ldap://127.0.0.1:{port}")).await?;
    ldap3::drive!(connection);
    accepted(&ldap.simple_bind(dn, password).await?)?;
    Ok(ldap)
}

/// What the workers of one race do, by the index of the job.
pub enum Work {
    /// Add these entries.
    Add(Vec<Prepared>),
    /// Find one entry by each filter.
    Find(Find),
    /// Give the entries with these DNs this title.
    Retitle(Vec<String>, String),
}

/// Searches for one entry each.
pub struct Find {
    pub base: String,
    pub filters: Vec<String>,
    pub attributes: Vec<String>,
    /// The `uid` of what is to be found.
    pub names: Vec<String>,
}

/// One of those who work at the same time; several may share a connection.
pub struct RawWorker {
    pub ldap: Ldap,
    pub work: Arc<Work>,
}

impl Worker for RawWorker {
    async fn perform(&mut self, index: usize) -> Outcome<()> {
        let missing = "no such job";
        match &*self.work {
            Work::Add(entries) => add(&mut self.ldap, entries.get(index).ok_or(missing)?).await,
            Work::Find(find) => find.perform(&mut self.ldap, index).await.ok_or(missing)?,
            Work::Retitle(names, title) => retitle(&mut self.ldap, names.get(index).ok_or(missing)?, title).await,
        }
    }
}

async fn add(ldap: &mut Ldap, entry: &Prepared) -> Outcome<()> {
    let attributes = entry.attributes.iter();
    let attributes = attributes.map(|(name, values)| (name.as_str(), values.iter().map(String::as_str).collect()));
    accepted(&ldap.add(&entry.dn, attributes.collect()).await?)
}

async fn retitle(ldap: &mut Ldap, dn: &str, title: &str) -> Outcome<()> {
    accepted(&ldap.modify(dn, vec![Mod::Replace("title", HashSet::from([title]))]).await?)
}

impl Find {
    /// None when there is no such job.
    async fn perform(&self, ldap: &mut Ldap, index: usize) -> Option<Outcome<()>> {
        let (filter, name) = (self.filters.get(index)?, self.names.get(index)?);
        Some(self.find(ldap, filter, name).await)
    }

    async fn find(&self, ldap: &mut Ldap, filter: &str, name: &str) -> Outcome<()> {
        let answer = ldap.search(&self.base, Scope::Subtree, filter, &self.attributes).await?;
        accepted(&answer.1)?;
        let mut found = answer.0.into_iter().map(SearchEntry::construct);
        let (Some(entry), None) = (found.next(), found.next()) else {
            return Err(format!("not one entry matches {filter}").into());
        };
        if first(&entry, "uid") == name { Ok(()) } else { Err(format!("{filter} found {}", entry.dn).into()) }
    }
}

fn accepted(result: &LdapResult) -> Outcome<()> {
    if result.rc == 0 { Ok(()) } else { Err(format!("the directory said no: {result}").into()) }
}

fn first<'a>(entry: &'a SearchEntry, attribute: &str) -> &'a str {
    entry.attrs.get(attribute).and_then(|values| values.first()).map_or("", String::as_str)
}

/// An entry with its user attributes, sorted.
pub async fn entry(ldap: &Ldap, dn: &str) -> Outcome<Prepared> {
    let found = ldap.clone().search(dn, Scope::Base, "(objectClass=*)", vec!["*"]).await?;
    accepted(&found.1)?;
    let entry = found.0.into_iter().next().map(SearchEntry::construct).ok_or("no entry")?;
    let mut attributes: Vec<_> = entry.attrs.into_iter().collect();
    for (_, values) in &mut attributes {
        values.sort();
    }
    attributes.sort();
    Ok(Prepared { dn: entry.dn, attributes })
}

/// What is in the directory of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    pub dn: String,
    pub id: String,
    pub title: String,
    /// Changes with every write.
    pub version: String,
}

/// Every user below `base` whose key begins with `prefix` and a dot, by `uid`; read in pages. All users for "".
pub async fn survey(ldap: &Ldap, base: &str, prefix: &str) -> Outcome<BTreeMap<String, Record>> {
    let adapters: Vec<Box<dyn Adapter<_, _>>> = vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(PAGE))];
    let begins = if prefix.is_empty() { "*".to_owned() } else { format!("{prefix}.*") };
    let filter = format!("(&(uid={begins})(objectClass=inetOrgPerson))");
    let attributes = vec!["uid", "entryUUID", "title", "entryCSN"];
    let mut stream = ldap.clone().streaming_search_with(adapters, base, Scope::Subtree, &filter, attributes).await?;
    let mut found = BTreeMap::new();
    while let Some(entry) = stream.next().await? {
        let entry = SearchEntry::construct(entry);
        let text = |attribute| first(&entry, attribute).to_owned();
        let record =
            Record { dn: entry.dn.clone(), id: text("entryUUID"), title: text("title"), version: text("entryCSN") };
        found.insert(text("uid"), record);
    }
    accepted(&stream.finish().await)?;
    Ok(found)
}

/// The records of these people, in their order; it is an error when the directory holds more or fewer.
pub async fn records(ldap: &Ldap, base: &str, prefix: &str, people: &[Person]) -> Outcome<Vec<Record>> {
    let mut found = survey(ldap, base, prefix).await?;
    let (count, expected) = (found.len(), people.len());
    let records: Vec<_> = people.iter().filter_map(|person| found.remove(&person.name())).collect();
    if records.len() == expected && found.is_empty() {
        return Ok(records);
    }
    Err(format!("the directory holds {count} entries {prefix}*, and {} of the expected {expected}", records.len())
        .into())
}
