//! Links: single values of long lists, such as the members of a group. Each is a row of its own, so that one more or one
//! less costs the same however long the list is.

use super::sqlite::links as sql;
use super::{Session, StoreFault};

impl Session {
    /// Adds values to a list of a document. For each, whether it was there already.
    ///
    /// # Errors
    /// Also when there is no such document.
    pub fn add_links(&self, row: i64, name: &str, values: &[Vec<u8>]) -> Result<Vec<bool>, StoreFault> {
        self.with(|it| sql::add(it, row, name, values))
    }

    /// Removes values from a list of a document. For each, whether it was there.
    pub fn remove_links(&self, row: i64, name: &str, values: &[Vec<u8>]) -> Result<Vec<bool>, StoreFault> {
        self.with(|it| sql::remove(it, row, name, values))
    }

    /// Removes a value from the lists of this name of all documents, and stamps those documents. How many there were.
    pub fn remove_everywhere(&self, name: &str, value: &[u8], stamp: i64) -> Result<usize, StoreFault> {
        self.with(|it| sql::remove_everywhere(it, name, value, stamp))
    }

    /// All values of a list, sorted.
    pub fn links(&self, row: i64, name: &str) -> Result<Vec<Vec<u8>>, StoreFault> {
        self.with(|it| sql::all(it, row, name))
    }

    /// The first values of a list, as sorted, and no more than `limit`.
    pub fn first_links(&self, row: i64, name: &str, limit: usize) -> Result<Vec<Vec<u8>>, StoreFault> {
        self.with(|it| sql::first(it, row, name, limit))
    }

    /// How many values a list has.
    pub fn count_links(&self, row: i64, name: &str) -> Result<usize, StoreFault> {
        self.with(|it| sql::count(it, row, name))
    }

    /// Whether a list has this value.
    pub fn has_link(&self, row: i64, name: &str, value: &[u8]) -> Result<bool, StoreFault> {
        self.with(|it| sql::has(it, row, name, value))
    }

    /// Empties a list. Answers how many values it had.
    pub fn clear_links(&self, row: i64, name: &str) -> Result<usize, StoreFault> {
        self.with(|it| sql::clear(it, row, name))
    }
}
