//! One intent at a time for each resource, first come, first served; different resources side by side.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// The locks that are held or waited for now.
#[derive(Default)]
pub(super) struct Locks {
    held: Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>>,
}

/// The right to change one resource, until it is dropped.
pub(super) struct Turn {
    key: String,
    held: Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>>,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Locks {
    /// Waits for its turn on `key`.
    pub async fn turn(&self, key: String) -> Turn {
        let lock = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(held.entry(key.clone()).or_default())
        };
        // Made before the wait, so that a wait that is given up tidies up as well.
        let mut turn = Turn { key, held: Arc::clone(&self.held), guard: None };
        turn.guard = Some(lock.lock_owned().await);
        turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.guard.take();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        // Only the map still knows the lock: nobody holds it or waits for it.
        if held.get(&self.key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            held.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_intents_on_one_resource_take_turns_and_leave_nothing_behind() {
        let locks = Arc::new(Locks::default());
        let counter = Arc::new(Mutex::new((0, 0)));
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (locks, counter) = (Arc::clone(&locks), Arc::clone(&counter));
                tokio::spawn(async move {
                    let _turn = locks.turn("one".into()).await;
                    counter.lock().unwrap().0 += 1;
                    tokio::task::yield_now().await;
                    let mut counter = counter.lock().unwrap();
                    counter.1 = counter.1.max(counter.0);
                    counter.0 -= 1;
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(counter.lock().unwrap().1, 1, "never two at once");
        assert!(locks.held.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_turn_that_is_given_up_while_waiting_frees_the_resource() {
        let locks = Locks::default();
        let first = locks.turn("one".into()).await;
        let waiting = tokio::time::timeout(std::time::Duration::from_millis(1), locks.turn("one".into())).await;
        assert!(waiting.is_err());
        drop(first);
        assert!(locks.held.lock().unwrap().is_empty());
    }
}
