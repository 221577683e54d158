//! Aliases: ids that were given out before the real ones were known. Marks: small values by name.

use super::sqlite::names as sql;
use super::{Session, StoreFault};

/// How many rows are read at a time for a caller who wants to see all.
const PAGE: usize = 1000;

impl Session {
    /// From now on `given` means `real`.
    pub fn add_alias(&self, space: &str, given: &str, real: &str) -> Result<(), StoreFault> {
        self.with(|it| sql::add_alias(it, space, given, real))
    }

    /// What `given` means.
    pub fn alias(&self, space: &str, given: &str) -> Result<Option<String>, StoreFault> {
        self.with(|it| sql::alias(it, space, given))
    }

    /// Forgets an alias. Whether there was one.
    pub fn remove_alias(&self, space: &str, given: &str) -> Result<bool, StoreFault> {
        self.with(|it| sql::remove_alias(it, space, given))
    }

    /// Shows `each` all aliases of a space: what was given out, and what it means.
    pub fn aliases(&self, space: &str, each: &mut dyn FnMut(&str, &str)) -> Result<(), StoreFault> {
        let mut after = None::<String>;
        loop {
            let page = self.with(|it| sql::aliases(it, space, after.as_deref(), PAGE))?;
            for (given, real) in &page {
                each(given, real);
            }
            let Some((last, _)) = page.into_iter().next_back() else { return Ok(()) };
            after = Some(last);
        }
    }

    /// The value of a mark.
    pub fn mark(&self, space: &str, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        self.with(|it| sql::mark(it, space, name))
    }

    /// Gives a mark a value.
    pub fn set_mark(&self, space: &str, name: &str, value: &[u8]) -> Result<(), StoreFault> {
        self.with(|it| sql::set_mark(it, space, name, value))
    }

    /// Forgets a mark. Whether there was one.
    pub fn remove_mark(&self, space: &str, name: &str) -> Result<bool, StoreFault> {
        self.with(|it| sql::remove_mark(it, space, name))
    }
}
