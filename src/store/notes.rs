//! Notes: what is yet to be worked into the documents, in the order in which it was written. Cheap to write, and read
//! only once.

use super::sqlite::notes as sql;
use super::{Session, StoreFault};

impl Session {
    /// Adds a note behind all others of its space.
    pub fn add_note(&self, space: &str, body: &[u8]) -> Result<(), StoreFault> {
        self.with(|it| sql::add(it, space, body))
    }

    /// The first notes of a space with their numbers, and no more than `limit`.
    pub fn first_notes(&self, space: &str, limit: usize) -> Result<Vec<(i64, Vec<u8>)>, StoreFault> {
        self.with(|it| sql::first(it, space, limit))
    }

    /// Forgets the notes of a space up to this number. Answers how many there were.
    pub fn remove_notes(&self, space: &str, last: i64) -> Result<usize, StoreFault> {
        self.with(|it| sql::remove(it, space, last))
    }
}
