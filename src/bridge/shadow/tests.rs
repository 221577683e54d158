//! The shadow as its callers see it: with the operations of LDAP, under a carrier, and beside a directory.

mod backlog;
mod beside;
mod carried;
mod changed;
mod mirror;
mod operations;
mod slapd;

use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::directory::{AttributeName, Filter, Kind, Modification, ModifyOptions, Scope, Search};
use crate::mapping::{IdAttribute, Mapping};
use crate::store::{Durability, Session, Store, StoreSettings, StoreUrl};
use crate::tables::Source;

const TENANT: &str = "okta";

/// A store with nothing in it, and the table of one of the kinds of server.
struct World {
    store: Store,
    mapping: Arc<Mapping>,
    shape: Arc<Shape>,
    _folder: TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with(Kind::OpenLdap, "openldap", &[]).await
    }

    /// The shipped table for one kind of server, with parts of its text replaced.
    async fn with(kind: Kind, table: &str, changes: &[(&str, &str)]) -> Self {
        let path = format!("{}/conf/mapping/{table}.toml", env!("CARGO_MANIFEST_DIR"));
        let mut text = std::fs::read_to_string(path).unwrap();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        let source = Source { name: table.to_owned(), text };
        let mapping = Mapping::parse(source, &dn("dc=x"), &IdAttribute::from(kind.dialect()));
        let mapping = Arc::new(mapping.unwrap_or_else(|faults| panic!("{faults}")));
        let folder = tempfile::tempdir().unwrap();
        let settings = StoreSettings { url: StoreUrl::Sqlite(folder.path().join("store.db")) };
        let store = Store::open(&settings).await.unwrap();
        let shape = Arc::new(Shape::new(TENANT, "corp", &mapping, kind.dialect(), true));
        Self { store, mapping, shape, _folder: folder }
    }

    /// One job on the shadow.
    async fn run<T: Send + 'static>(&self, work: impl AsyncFnOnce(Shadow) -> T + Send + 'static) -> T {
        let shape = Arc::clone(&self.shape);
        let job = async move |session: Session| Ok::<_, StoreFault>(work(Shadow::open(session, &shape)?).await);
        self.store.write(Durability::Soon, job).await.unwrap()
    }
}

fn dn(text: &str) -> Dn {
    Dn::parse(text).unwrap()
}

fn name(text: &str) -> AttributeName {
    AttributeName::parse(text).unwrap()
}

fn values(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn attributes(list: &[(&str, &[&str])]) -> Vec<(AttributeName, Vec<Vec<u8>>)> {
    list.iter().map(|(attribute, texts)| (name(attribute), values(texts))).collect()
}

fn add(attribute: &str, texts: &[&str]) -> Modification {
    Modification::new(name(attribute), crate::directory::Change::Add(values(texts)))
}

fn delete(attribute: &str, texts: &[&str]) -> Modification {
    Modification::new(name(attribute), crate::directory::Change::Delete(values(texts)))
}

fn replace(attribute: &str, texts: &[&str]) -> Modification {
    Modification::new(name(attribute), crate::directory::Change::Replace(values(texts)))
}

fn person(uid: &str) -> Vec<(AttributeName, Vec<Vec<u8>>)> {
    let classes = ["top", "person", "organizationalPerson", "inetOrgPerson"];
    attributes(&[("objectClass", &classes), ("uid", &[uid]), ("cn", &[uid]), ("sn", &["Doe"])])
}

fn group(cn: &str, members: &[&str]) -> Vec<(AttributeName, Vec<Vec<u8>>)> {
    attributes(&[("objectClass", &["top", "groupOfNames"]), ("cn", &[cn]), ("member", members)])
}

fn search(scope: Scope, base: &str, filter: &str) -> Search {
    let filter = Filter::parse(filter).unwrap();
    Search { base: dn(base), scope, filter, attributes: Vec::new(), size_limit: 0 }
}

/// The first components of what a search finds.
fn found(shadow: &Shadow, scope: Scope, base: &str, filter: &str) -> Vec<String> {
    let entries = shadow.search(&search(scope, base, filter)).unwrap_or_else(|fault| panic!("{filter}: {fault}"));
    let mut names: Vec<String> = entries.iter().map(|entry| entry.dn.rdn().unwrap().to_string()).collect();
    names.sort();
    names
}

fn at(shadow: &Shadow, dn: &str, attributes: &[&str]) -> Entry {
    let attributes = attributes.iter().map(|attribute| name(attribute)).collect();
    let search = Search { attributes, ..search(Scope::Base, dn, "(objectClass=*)") };
    shadow.search(&search).unwrap_or_else(|fault| panic!("{fault}")).pop().unwrap()
}

fn modify(shadow: &Shadow, at: &str, modifications: &[Modification]) -> Result<(), (FaultKind, Option<u32>)> {
    told(shadow.modify(&dn(at), modifications, &ModifyOptions::default()))
}

fn told<T>(outcome: Result<T, Fault>) -> Result<(), (FaultKind, Option<u32>)> {
    outcome.map(drop).map_err(|fault| (fault.kind, fault.code))
}
