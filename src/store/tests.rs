//! The store as its callers see it.

mod documents;
mod durability;
mod faults;
mod items;
mod jobs;
mod journal;
mod model;
mod names;
mod processes;

use std::path::Path;

use super::*;

/// A store in a folder of its own; the folder goes with the value.
struct Scratch {
    folder: tempfile::TempDir,
}

impl Scratch {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    async fn open(&self) -> Store {
        Store::open(&at(&self.path())).await.unwrap()
    }
}

fn at(path: &Path) -> StoreSettings {
    StoreSettings { url: StoreUrl::Sqlite(path.to_owned()) }
}

fn document(key: &str, body: &str) -> Document {
    Document { key: key.into(), body: body.into(), ..Document::default() }
}

fn item(resource: &str) -> NewItem {
    NewItem {
        space: "okta".into(),
        resource: resource.into(),
        touches: vec!["user 1".into(), String::new(), "Grüße".into()],
        payload: b"\0payload\xff".to_vec(),
        asked_at: 1000,
        asked_by: "bearer #1".into(),
        request: "r-1".into(),
        summary: "create a user".into(),
    }
}

fn all_items(session: &Session) -> Result<Vec<i64>, StoreFault> {
    Ok(session.items(&ItemQuery::default())?.into_iter().map(|item| item.number).collect())
}

fn keys(stored: Vec<Stored>) -> Vec<String> {
    stored.into_iter().map(|it| String::from_utf8(it.key).unwrap()).collect()
}

/// Does something with a store that nobody else has, and undoes it.
async fn alone<T: Send + 'static>(work: impl FnOnce(&Session) -> Result<T, StoreFault> + Send + 'static) -> T {
    let scratch = Scratch::new();
    scratch.open().await.write(Durability::Soon, async move |session| work(&session)).await.unwrap()
}
