//! Who leaves a name while others are about to write it.
//!
//! A change that names another entry looks that entry up and writes its name a moment later. If the entry leaves the name
//! in between, everything that refers to it may have followed before the name is written. So a change asks afterwards
//! which names were left since it began, and a name that was left is not taken as long as a change is under way that may
//! have looked it up before.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::dn::Dn;

/// Who wants a name waits no longer for others who may still write it.
const LONGEST: Duration = Duration::from_secs(10);

/// What is kept as long as somebody may not have followed an entry to its new name.
pub type Kept = Arc<dyn Any + Send + Sync>;

/// The changes that are under way, and the names that were left meanwhile.
#[derive(Default)]
pub(super) struct Moves {
    names: Mutex<Names>,
    ended: Notify,
}

#[derive(Default)]
struct Names {
    /// Grows with everything that happens.
    clock: u64,
    /// By when they began, and whether they wait for a name themselves.
    under_way: BTreeMap<u64, bool>,
    left: HashMap<Dn, Left>,
}

/// A name that an entry is about to leave, or has left.
#[derive(Default)]
struct Left {
    /// When that was last known.
    noted: u64,
    /// When it was left for certain, and for which name; without one the entry is gone.
    done: Option<(u64, Option<Dn>)>,
    kept: Vec<Kept>,
    /// The change that leaves it, and for which name.
    by: u64,
    to: Option<Dn>,
    /// When all that refers to it had followed.
    tidied: Option<u64>,
}

/// A change that names other entries, from before it looks them up until this is dropped.
pub struct UnderWay {
    moves: Arc<Moves>,
    began: u64,
    /// What was left before is known already.
    seen: Mutex<u64>,
}

/// An entry that has left its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The name.
    pub old: Dn,
    /// Those that it had since, in their order.
    pub names: Vec<Dn>,
    /// It has none any more.
    pub gone: bool,
}

/// What became of the names of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The entries that have left their names.
    pub moved: Vec<Moved>,
    /// Those whose leaving let others follow them meanwhile, or does so just now, whenever they left.
    pub moving: Vec<Moved>,
}

impl Moved {
    /// The name that it has now.
    #[must_use]
    pub fn now(&self) -> Option<&Dn> {
        self.names.last().filter(|_| !self.gone)
    }
}

impl Moves {
    pub fn begin(self: &Arc<Self>) -> UnderWay {
        let mut names = self.lock();
        let began = names.tick();
        names.under_way.insert(began, false);
        UnderWay { moves: Arc::clone(self), began, seen: Mutex::new(began) }
    }

    /// An entry has left `dn`, and is at `now`. To be told before it is looked for what refers to it.
    pub fn left(&self, dn: &Dn, now: Option<&Dn>) {
        self.note(dn, |left, clock| left.done = Some((clock, now.cloned())));
    }

    /// All that referred to `dn` has followed.
    pub fn tidied(&self, dn: &Dn) {
        {
            let mut names = self.lock();
            let clock = names.tick();
            if let Some(left) = names.left.get_mut(dn) {
                left.tidied = Some(clock);
            }
        }
        self.ended.notify_waiters();
    }

    fn note(&self, dn: &Dn, change: impl FnOnce(&mut Left, u64)) {
        let mut names = self.lock();
        if names.under_way.is_empty() {
            return;
        }
        let clock = names.tick();
        let left = names.left.entry(dn.clone()).or_default();
        left.noted = clock;
        change(left, clock);
    }

    fn lock(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Names {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Whether a change that may have looked `dn` up before it was left is still under way, and waits for nothing.
    fn is_in_use(&self, dn: &Dn, own: u64) -> bool {
        let Some(left) = self.left.get(dn) else { return false };
        self.under_way.range(..left.noted).any(|(began, waits)| *began != own && !waits)
    }

    /// Whether who leaves the name is still at it.
    fn is_moving(&self, left: &Left) -> bool {
        left.tidied.is_none() && self.under_way.contains_key(&left.by)
    }

    /// The names that the entry had since it left `old`.
    fn follow(&self, old: &Dn, since: u64) -> Option<Moved> {
        let (mut names, mut at, mut here) = (Vec::new(), since, old);
        while let Some((when, next)) = self.left.get(here).and_then(|left| left.done.as_ref()).filter(|it| it.0 > at) {
            let Some(next) = next else { return Some(Moved { old: old.clone(), names, gone: true }) };
            names.push(next.clone());
            (at, here) = (*when, next);
        }
        (!names.is_empty() && here != old).then(|| Moved { old: old.clone(), names, gone: false })
    }
}

impl UnderWay {
    /// Where nobody else changes anything meanwhile.
    #[must_use]
    pub fn alone() -> Self {
        Arc::<Moves>::default().begin()
    }

    /// This change is about to let the entry at `dn` leave it for `to`, or go. `kept` is dropped when every change has ended
    /// that may still mean the entry by this name.
    pub fn announce(&self, dn: &Dn, to: Option<&Dn>, kept: Option<Kept>) {
        self.moves.note(dn, |left, _| {
            left.kept.extend(kept);
            (left.by, left.to, left.tidied) = (self.began, to.cloned(), None);
        });
    }

    /// What became of names since this began, or was asked before. All is told as of one moment: what is followed between two
    /// questions would be in neither answer.
    #[must_use]
    pub fn news(&self) -> News {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let names = self.moves.lock();
        let since = std::mem::replace(&mut *seen, names.clock);
        let moved = names.left.keys().filter_map(|old| names.follow(old, since)).collect();
        let by_others = names.left.iter().filter(|(_, left)| left.by != self.began);
        let moving = by_others.filter(|(_, left)| names.is_moving(left) || left.tidied > Some(since));
        let target = |(old, left): (&Dn, &Left)| {
            let to = left.done.as_ref().map_or(&left.to, |(_, now)| now).clone();
            Moved { old: old.clone(), gone: to.is_none(), names: to.into_iter().collect() }
        };
        News { moved, moving: moving.map(target).collect() }
    }

    /// Waits until all that refers to `moving` has followed.
    pub async fn settled(&self, moving: &[Moved]) {
        self.wait(|names| !moving.iter().any(|it| names.left.get(&it.old).is_some_and(|left| names.is_moving(left))))
            .await;
    }

    /// Whether somebody else may have left a name since this began.
    #[must_use]
    pub fn may_be_late(&self) -> bool {
        let names = self.moves.lock();
        let late = |left: &Left| left.done.as_ref().is_none_or(|(when, _)| *when > self.began);
        names.left.values().any(|left| left.by != self.began && late(left))
    }

    /// Waits until nobody else may write `dn` who means the entry that has left it.
    pub async fn wait_for(&self, dn: &Dn) {
        self.wait(|names| !names.is_in_use(dn, self.began)).await;
    }

    async fn wait(&self, is_over: impl Fn(&Names) -> bool) {
        let until = Instant::now() + LONGEST;
        loop {
            let ended = self.moves.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            // Two that wait for each other would wait for ever.
            let (over, waited) = {
                let mut names = self.moves.lock();
                let over = is_over(&names);
                (over, names.under_way.insert(self.began, !over) == Some(true))
            };
            if over {
                return;
            }
            if !waited {
                self.moves.ended.notify_waiters();
            }
            if timeout_at(until, ended).await.is_err() {
                self.moves.lock().under_way.insert(self.began, false);
                tracing::warn!(
                    "another change that concerns the same entry takes long, and is not waited for any longer"
                );
                return;
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let forgotten: Vec<Left> = {
            let mut names = self.moves.lock();
            names.under_way.remove(&self.began);
            let first = names.under_way.keys().next().copied().unwrap_or(u64::MAX);
            let over = |left: &Left| left.noted < first && left.tidied < Some(first);
            names.left.extract_if(|_, left| over(left)).map(|(_, left)| left).collect()
        };
        // What is kept may take its time to go.
        drop(forgotten);
        self.moves.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;

    fn dn(name: &str) -> Dn {
        Dn::parse(&format!("uid={name},dc=x")).unwrap()
    }

    fn names(moved: &[Moved]) -> Vec<(Dn, Option<Dn>)> {
        moved.iter().map(|moved| (moved.old.clone(), moved.now().cloned())).collect()
    }

    async fn soon(waits: impl Future<Output = ()>) -> bool {
        tokio::time::timeout(Duration::from_millis(20), waits).await.is_ok()
    }

    #[test]
    fn who_began_before_a_name_was_left_hears_of_it_once_and_who_began_later_does_not() {
        let moves = Arc::new(Moves::default());
        let early = moves.begin();
        early.announce(&dn("ada"), None, None);
        assert_eq!(early.news().moved, []);
        moves.left(&dn("ada"), Some(&dn("eve")));
        let late = moves.begin();
        assert_eq!(names(&early.news().moved), [(dn("ada"), Some(dn("eve")))]);
        assert_eq!((early.news().moved, late.news().moved), (Vec::new(), Vec::new()));
        moves.left(&dn("eve"), None);
        assert_eq!(names(&late.news().moved), [(dn("eve"), None)]);
        drop((early, late));
        assert!(moves.lock().left.is_empty());
    }

    #[test]
    fn a_name_leads_through_all_names_since_and_one_that_came_back_was_not_left() {
        let moves = Arc::new(Moves::default());
        let change = moves.begin();
        moves.left(&dn("a"), Some(&dn("b")));
        moves.left(&dn("b"), Some(&dn("c")));
        let a = Moved { old: dn("a"), names: vec![dn("b"), dn("c")], gone: false };
        assert!(change.news().moved.contains(&a));
        let change = moves.begin();
        moves.left(&dn("c"), Some(&dn("d")));
        moves.left(&dn("d"), Some(&dn("c")));
        assert_eq!(names(&change.news().moved), [(dn("d"), Some(dn("c")))]);
    }

    #[test]
    fn what_is_kept_goes_when_the_last_one_has_ended_who_may_mean_the_old_name() {
        let (moves, kept) = (Arc::new(Moves::default()), Arc::new(()));
        let (early, leaver) = (moves.begin(), moves.begin());
        leaver.announce(&dn("ada"), None, Some(Arc::clone(&kept) as Kept));
        let late = moves.begin();
        drop(leaver);
        assert_eq!(Arc::strong_count(&kept), 2);
        drop(early);
        assert_eq!(Arc::strong_count(&kept), 1);
        drop(late);
    }

    #[test]
    fn only_what_others_leave_makes_a_change_late() {
        let moves = Arc::new(Moves::default());
        let (one, other) = (moves.begin(), moves.begin());
        one.announce(&dn("ada"), None, None);
        assert!(!one.may_be_late() && other.may_be_late());
        moves.left(&dn("ada"), None);
        assert!(other.may_be_late() && !moves.begin().may_be_late());
    }

    #[tokio::test]
    async fn a_name_is_not_taken_before_all_have_ended_who_may_mean_whom_it_belonged_to() {
        let moves = Arc::new(Moves::default());
        let (early, leaver, ada) = (moves.begin(), moves.begin(), dn("ada"));
        leaver.announce(&dn("ada"), None, None);
        moves.left(&dn("ada"), None);
        assert!(soon(leaver.wait_for(&dn("bob"))).await);
        drop(leaver);
        let taker = moves.begin();
        assert!(!soon(taker.wait_for(&dn("ada"))).await);
        assert!(soon(early.wait_for(&dn("ada"))).await, "nobody waits for themselves");
        let (waited, ()) = tokio::join!(soon(taker.wait_for(&ada)), async { drop(early) });
        assert!(waited);
    }

    #[tokio::test]
    async fn who_leaves_is_waited_for_until_all_that_refers_to_the_name_has_followed() {
        let moves = Arc::new(Moves::default());
        let leaver = moves.begin();
        leaver.announce(&dn("ada"), Some(&dn("eve")), None);
        let change = moves.begin();
        let moving = change.news().moving;
        assert_eq!(moving, [Moved { old: dn("ada"), names: vec![dn("eve")], gone: false }]);
        assert!(leaver.news().moving.is_empty());
        assert!(!soon(change.settled(&moving)).await);
        let (settled, ()) = tokio::join!(soon(change.settled(&moving)), async {
            moves.tidied(&dn("ada"));
        });
        assert!(settled);
        assert_eq!(change.news().moving, moving, "it followed while the change was under way");
        assert_eq!(change.news().moving, []);
        leaver.announce(&dn("ada"), None, None);
        let (settled, ()) = tokio::join!(soon(change.settled(&moving)), async { drop(leaver) });
        assert!(settled, "who gave up is not waited for");
    }

    #[tokio::test]
    async fn two_that_want_each_others_names_do_not_wait_for_each_other() {
        let moves = Arc::new(Moves::default());
        let (one, other) = (moves.begin(), moves.begin());
        moves.left(&dn("ada"), None);
        moves.left(&dn("bob"), None);
        let takes = async |change: UnderWay, name: Dn| soon(async { change.wait_for(&name).await }).await;
        assert_eq!(tokio::join!(takes(one, dn("ada")), takes(other, dn("bob"))), (true, true));
    }
}
