//! The store as its callers see it.

mod jobs;

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
    Document { key: key.into(), body: body.into(), fields: Vec::new(), stamp: 0 }
}
