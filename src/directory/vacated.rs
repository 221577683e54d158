//! Names that entries have left a moment ago, and that nobody may take yet.
//!
//! Some servers take the old name out of groups and references only after they have answered. Who takes the name in that
//! moment loses memberships that were given under it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::dn::Dn;

/// The names, and until when each is kept free.
#[derive(Debug, Default)]
pub(super) struct Vacated(Mutex<Names>);

#[derive(Debug, Default)]
struct Names {
    until: HashMap<Dn, Instant>,
    /// As they came: what stands behind one that is kept for longer is forgotten later.
    order: VecDeque<(Instant, Dn)>,
    /// Until when every name is kept free.
    all_until: Option<Instant>,
}

impl Vacated {
    /// Somebody has left `dn`, or may have; the server goes on tidying for so long.
    pub fn note(&self, dn: &Dn, lasts: Duration) {
        if lasts.is_zero() {
            return;
        }
        let (now, mut names) = (Instant::now(), self.0.lock().unwrap_or_else(PoisonError::into_inner));
        while let Some((until, name)) = names.order.pop_front_if(|(until, _)| *until <= now) {
            // It may have been left once more since.
            if names.until.get(&name) == Some(&until) {
                names.until.remove(&name);
            }
        }
        let until = now + lasts;
        if names.until.get(dn).is_none_or(|known| *known < until) {
            names.until.insert(dn.clone(), until);
            names.order.push_back((until, dn.clone()));
        }
    }

    /// The same for all names.
    pub fn note_all(&self, lasts: Duration) {
        if !lasts.is_zero() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).all_until = Some(Instant::now() + lasts);
        }
    }

    /// Waits until `dn` may be taken.
    pub async fn wait(&self, dn: &Dn) {
        // It may be left once more meanwhile.
        while let Some(until) = self.free_from(dn).filter(|until| *until > Instant::now()) {
            sleep_until(until).await;
        }
    }

    fn free_from(&self, dn: &Dn) -> Option<Instant> {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.until.get(dn).copied().max(names.all_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dn(name: &str) -> Dn {
        Dn::parse(name).unwrap()
    }

    #[tokio::test]
    async fn a_name_is_kept_free_as_long_as_the_server_may_tidy_and_no_other_is() {
        let (vacated, begun, lasts) = (Vacated::default(), Instant::now(), Duration::from_millis(50));
        vacated.note(&dn("uid=ada,dc=x"), lasts);
        vacated.note(&dn("uid=eve,dc=x"), Duration::ZERO);
        assert_eq!(vacated.free_from(&dn("uid=bob,dc=x")), None);
        assert_eq!(vacated.free_from(&dn("uid=eve,dc=x")), None);
        // A shorter time does not end the longer one.
        vacated.note(&dn("uid=ada,dc=x"), Duration::from_millis(1));
        vacated.wait(&dn("uid=ADA,dc=x")).await;
        assert!(begun.elapsed() >= lasts);
    }

    #[tokio::test]
    async fn nobody_takes_any_name_while_it_is_not_known_which_ones_were_left() {
        let (vacated, begun, lasts) = (Vacated::default(), Instant::now(), Duration::from_millis(50));
        vacated.note_all(Duration::ZERO);
        assert_eq!(vacated.free_from(&dn("uid=ada,dc=x")), None);
        vacated.note_all(lasts);
        vacated.note(&dn("uid=ada,dc=x"), Duration::from_millis(1));
        vacated.wait(&dn("uid=ada,dc=x")).await;
        vacated.wait(&dn("uid=bob,dc=x")).await;
        assert!(begun.elapsed() >= lasts);
    }

    #[tokio::test]
    async fn names_that_are_free_again_are_forgotten_and_one_that_was_left_twice_waits_for_the_second_time() {
        let (vacated, short, long) = (Vacated::default(), Duration::from_millis(1), Duration::from_hours(1));
        vacated.note(&dn("uid=ada,dc=x"), short);
        vacated.note(&dn("uid=bob,dc=x"), short);
        vacated.note(&dn("uid=ada,dc=x"), long);
        tokio::time::sleep(short * 20).await;
        vacated.note(&dn("uid=joe,dc=x"), long);
        let kept: Vec<Dn> = vacated.0.lock().unwrap().order.iter().map(|(_, name)| name.clone()).collect();
        assert_eq!(kept, [dn("uid=ada,dc=x"), dn("uid=joe,dc=x")]);
        assert_eq!(vacated.free_from(&dn("uid=bob,dc=x")), None);
        assert!(vacated.free_from(&dn("uid=ada,dc=x")) > Some(Instant::now()));
    }
}
