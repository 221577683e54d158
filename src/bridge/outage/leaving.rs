//! Entries that are leaving their name: a rename or a deletion that the directory carries out at once is noted on disk
//! before it is sent, and no more when the request has ended.
//!
//! A process that is killed in between leaves references to the old name behind: it did not come to tidying up, and
//! servers that let references follow may not either (OpenLDAP's overlay refint does nothing when the connection ends
//! before the answer). So the next process owes it to the directory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::directory::Dn;
use crate::scim::{Patch, ResourceKind};
use crate::store::{Durability, FaultKind, Journal, NewItem, Session, Store, StoreFault};

use super::super::Action;
use super::keep::now;
use super::stored::Owed;

/// The entries of one tenant that are leaving their name.
#[derive(Debug, Default)]
pub(in crate::bridge) struct Leaving {
    journal: Option<Journal>,
    /// The numbers of their notes.
    under_way: Mutex<BTreeSet<u64>>,
}

/// Who may be about to leave, as it is known before the entry is found.
#[derive(Debug, Clone)]
pub(in crate::bridge) struct Leaver {
    pub leaving: Arc<Leaving>,
    pub kind: ResourceKind,
    pub id: String,
}

/// An entry that is leaving its name, until this is dropped.
#[derive(Debug)]
pub(in crate::bridge) struct Departure {
    leaving: Arc<Leaving>,
    number: u64,
}

impl Leaving {
    /// What the process before was in the middle of becomes owed, in the order in which it began.
    pub async fn open(store: &Store, tenant: &str) -> Result<Self, StoreFault> {
        let journal = match store.side_journal(tenant).await {
            Ok(journal) => journal,
            // Two that carry out what is owed would do it twice.
            Err(fault) if fault.kind == FaultKind::Busy => return Err(fault),
            Err(fault) => {
                tracing::warn!(%fault, "what is under way is not noted: references may be left when the process is killed");
                return Ok(Self::default());
            }
        };
        let mut left = BTreeMap::new();
        for note in journal.after(0, usize::MAX)? {
            match serde_json::from_slice::<Value>(&note.body).unwrap_or_default() {
                Value::Number(ended) => drop(left.remove(&ended.as_u64().unwrap_or_default())),
                begun => drop(owed(&begun).and_then(|owed| left.insert(note.number, owed))),
            }
        }
        if !left.is_empty() {
            let items: Vec<NewItem> = left.values().map(|owed| item(tenant, owed)).collect();
            let push = async move |session: Session| {
                let numbers = items.iter().map(|item| session.push(item)).collect::<Result<Vec<_>, _>>()?;
                session.mark_started(&numbers)
            };
            store.write(Durability::Durable, push).await?;
        }
        journal.forget(journal.last())?;
        Ok(Self { journal: Some(journal), ..Self::default() })
    }

    fn note(&self, kind: ResourceKind, id: &str, home: &Dn) -> Option<u64> {
        let note = json!({ "kind": kind.name(), "id": id, "home": home.as_str() }).to_string();
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let added = self.journal.as_ref()?.add(note.as_bytes());
        let number = added
            .inspect_err(
                |fault| tracing::warn!(%fault, "a name that is left is not noted: a kill may leave references"),
            )
            .ok()?;
        under_way.insert(number);
        Some(number)
    }

    fn end(&self, number: u64) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.remove(&number);
        let Some(journal) = &self.journal else { return };
        let ended = if under_way.is_empty() {
            journal.forget(journal.last())
        } else {
            journal.add(number.to_string().as_bytes()).map(drop)
        };
        if let Err(fault) = ended {
            tracing::warn!(%fault, "that a name was left is noted for longer than it should be");
        }
    }
}

impl Leaver {
    /// From now on the entry may have left `home`.
    pub fn leaves(&self, home: &Dn) -> Option<Departure> {
        let number = self.leaving.note(self.kind, &self.id, home)?;
        Some(Departure { leaving: Arc::clone(&self.leaving), number })
    }
}

impl Drop for Departure {
    fn drop(&mut self) {
        self.leaving.end(self.number);
    }
}

/// What is left to do for an entry: nothing is asked of it, but what refers to its name has to follow.
fn owed(note: &Value) -> Option<Owed> {
    let text = |key: &str| note.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
    let kind = [ResourceKind::User, ResourceKind::Group]
        .into_iter()
        .find(|kind| text("kind").as_deref() == Some(kind.name()))?;
    let (id, home) = (text("id")?, Some(text("home")?));
    let action = Action::Patch { id: id.clone(), patch: Patch::default() };
    Some(Owed { kind, action, id, home, waits_for: None })
}

fn item(tenant: &str, owed: &Owed) -> NewItem {
    let home = owed.home.as_deref().unwrap_or_default();
    tracing::info!(entry = home, "the process before was killed while this entry left its name");
    let name = Dn::parse(home).ok().and_then(|home| home.rdn()).map(|rdn| rdn.to_string()).unwrap_or_default();
    NewItem {
        space: tenant.to_owned(),
        resource: owed.id.clone(),
        touches: Vec::new(),
        payload: owed.to_json().to_string().into_bytes(),
        asked_at: now(),
        asked_by: String::new(),
        request: String::new(),
        summary: format!("tidy up after {} {name}", owed.kind.name().to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{ItemQuery, StoreSettings, StoreUrl};

    fn home(name: &str) -> Dn {
        Dn::parse(&format!("uid={name},dc=x")).unwrap()
    }

    async fn summaries(store: &Store) -> Vec<(String, bool)> {
        let items = store.read(async |session: Session| session.items(&ItemQuery { limit: 9, ..ItemQuery::default() }));
        items.await.unwrap().into_iter().map(|item| (item.asked.summary, item.started)).collect()
    }

    #[tokio::test]
    async fn what_was_under_way_when_the_process_ended_is_owed_by_the_next_one_and_what_had_ended_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let settings = StoreSettings { url: StoreUrl::Sqlite(folder.path().join("store.db")) };
        let store = Store::open(&settings).await.unwrap();
        let leaving = Arc::new(Leaving::open(&store, "okta").await.unwrap());
        leaving.note(ResourceKind::User, "7", &home("ada")).unwrap();
        let leaver = Leaver { leaving: Arc::clone(&leaving), kind: ResourceKind::User, id: "8".to_owned() };
        drop(leaver.leaves(&home("bob")).unwrap());
        leaving.note(ResourceKind::Group, "9", &home("staff")).unwrap();
        drop((leaver, leaving));
        let next = Arc::new(Leaving::open(&store, "okta").await.unwrap());
        let owed =
            vec![("tidy up after user uid=ada".to_owned(), true), ("tidy up after group uid=staff".to_owned(), true)];
        assert_eq!(summaries(&store).await, owed);
        // Nobody is told twice, and who has left for good leaves nothing.
        let leaver = Leaver { leaving: Arc::clone(&next), kind: ResourceKind::User, id: "8".to_owned() };
        drop(leaver.leaves(&home("bob")).unwrap());
        drop((leaver, next));
        Leaving::open(&store, "okta").await.unwrap();
        assert_eq!(summaries(&store).await, owed);
    }
}
