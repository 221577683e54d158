//! How many items are carried out side by side.

use std::time::Duration;

/// Enough to keep any server busy that waits for its disk.
const LEAST: usize = 32;
/// More gain nothing even where the directory answers at once.
const MOST: usize = 128;
/// As long as an item takes no longer, others hardly wait because of those that are at work.
const QUICK: Duration = Duration::from_millis(20);

/// As many as the directory takes without letting them, and everybody else who asks it, wait long.
pub(super) struct Width(usize);

impl Default for Width {
    fn default() -> Self {
        Self(LEAST)
    }
}

impl Width {
    pub fn get(&self) -> usize {
        self.0
    }

    /// An item has been carried out, and took so long.
    pub fn note(&mut self, took: Duration) {
        self.0 = if took <= QUICK { MOST.min(self.0 + 1) } else { LEAST.max(self.0 / 2) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_answers_at_once_gets_more_and_one_that_lets_items_wait_gets_fewer() {
        let mut width = Width::default();
        let mut note = |times: usize, took: Duration| {
            (0..times).for_each(|_| width.note(took));
            width.get()
        };
        assert_eq!(note(10, QUICK), LEAST + 10);
        assert_eq!(note(1000, Duration::ZERO), MOST);
        assert_eq!(note(1, QUICK * 2), MOST / 2);
        assert_eq!(note(9, QUICK * 2), LEAST);
    }
}
