//! Small records, found by key, by the beginning of a key, and by the values of fields.

use super::sqlite::documents as sql;
use super::{Session, StoreFault};

/// A record to be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// What it is found by; there is one document with a key in a space.
    pub key: Vec<u8>,
    /// What is kept.
    pub body: Vec<u8>,
    /// Names and values that it is found by, too. The same pair twice counts once.
    pub fields: Vec<(String, Vec<u8>)>,
    /// A number of the caller's, to sweep old documents by.
    pub stamp: i64,
}

/// A record that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its number in the store: never that of another document, also when this one is gone.
    pub row: i64,
    /// What it is found by.
    pub key: Vec<u8>,
    /// What is kept.
    pub body: Vec<u8>,
    /// The number given with it.
    pub stamp: i64,
}

impl Session {
    /// Keeps a document, in place of the one with its key if there is one: that one's body, stamp and fields are
    /// replaced, its links stay. Answers its row.
    pub fn put(&self, space: &str, document: &Document) -> Result<i64, StoreFault> {
        self.with(|it| sql::put(it, space, document))
    }

    /// The document with this key.
    pub fn document(&self, space: &str, key: &[u8]) -> Result<Option<Stored>, StoreFault> {
        self.with(|it| sql::by_key(it, space, key))
    }

    /// Gives a document another key. Whether there is such a document.
    ///
    /// # Errors
    /// Also when another document has the key.
    pub fn rekey(&self, row: i64, key: &[u8]) -> Result<bool, StoreFault> {
        self.with(|it| sql::rekey(it, row, key))
    }

    /// Gives a document another stamp and leaves everything else. Whether there is such a document.
    pub fn restamp(&self, row: i64, stamp: i64) -> Result<bool, StoreFault> {
        self.with(|it| sql::restamp(it, row, stamp))
    }

    /// Forgets a document with its fields and links. Whether there was one.
    pub fn delete(&self, row: i64) -> Result<bool, StoreFault> {
        self.with(|it| sql::delete(it, row))
    }

    /// Up to `limit` documents whose keys begin with `prefix` and come after `after`, in the order of their keys.
    pub fn with_prefix(
        &self,
        space: &str,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreFault> {
        self.with(|it| sql::with_prefix(it, space, prefix, after, limit))
    }

    /// The documents that have this value in a field or a link of this name, in the order of their keys.
    pub fn with_field(&self, space: &str, name: &str, value: &[u8]) -> Result<Vec<Stored>, StoreFault> {
        self.with(|it| sql::with_field(it, space, name, value))
    }

    /// How many documents a space has.
    pub fn count(&self, space: &str) -> Result<usize, StoreFault> {
        self.with(|it| sql::count(it, space))
    }

    /// How many documents of a space have which value at this place of their bodies. Reads all of them.
    pub fn count_by_byte(&self, space: &str, place: usize) -> Result<Vec<(u8, usize)>, StoreFault> {
        self.with(|it| sql::count_by_byte(it, space, place))
    }

    /// Forgets the documents of a space whose stamp is below `stamp`. Answers how many there were.
    pub fn delete_older(&self, space: &str, stamp: i64) -> Result<usize, StoreFault> {
        self.with(|it| sql::delete_older(it, space, stamp))
    }

    /// Forgets all documents of a space. Answers how many there were.
    pub fn clear(&self, space: &str) -> Result<usize, StoreFault> {
        self.with(|it| sql::clear(it, space))
    }
}
