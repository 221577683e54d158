//! What the daemon knows of a tenant's directory and shadow, written down now and then for commands beside it.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::timeout;

use super::keep::{Keep, now};
use super::ledger::Ledger;
use crate::directory::Directory;
use crate::store::{Durability, Session, StoreFault, Tally};

/// The mark that holds it.
const MARK: &str = "pulse";
/// How often it is looked whether something has changed.
const LOOK: Duration = Duration::from_secs(1);
/// How old the number of entries may be.
const RECOUNT: Duration = Duration::from_mins(1);
/// After how many milliseconds it is written down though nothing has changed: who reads it sees that the daemon lives.
const BEAT: i64 = 60_000;
/// How many milliseconds lie between two beats because of something that changes all the time.
const HASTE: i64 = 5_000;

/// What the daemon knew at one moment. Times are in milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pulse {
    /// When that was.
    pub at: i64,
    /// Whether the directory answered when it was last spoken to.
    pub reachable: Option<bool>,
    /// Since when that is so.
    pub since: i64,
    /// Why it did not, if it does not.
    pub error: Option<String>,
    /// Whether the directory was read whole, so that an outage is invisible.
    pub filled: bool,
    /// How many entries were read so far by a reading of the whole directory.
    pub read: usize,
    /// When the last request to change something was carried out or accepted.
    pub synced: Option<i64>,
    /// The daemon ended in order at that moment.
    pub stopped: bool,
}

impl Pulse {
    /// The last one of a tenant.
    pub fn last(session: &Session, tenant: &str) -> Result<Option<Self>, StoreFault> {
        let mark = session.mark(tenant, MARK)?;
        Ok(mark.and_then(|mark| serde_json::from_slice(&mark).ok()))
    }

    fn resembles(&self, other: &Self) -> bool {
        (self.reachable, self.since, self.filled) == (other.reachable, other.since, other.filled)
    }

    fn is_due(&self, last: &Self) -> bool {
        let age = self.at - last.at;
        !self.resembles(last) || age >= BEAT || (age >= HASTE && (self.read, self.synced) != (last.read, last.synced))
    }
}

/// How far the shadow follows the directory.
#[derive(Debug, Default)]
pub(in crate::bridge) struct Progress {
    /// Entries that the reading of the whole directory has read.
    pub read: AtomicUsize,
    /// When the directory was last asked for what changed.
    pub refreshed: AtomicI64,
    /// How many entries the shadow has, and when they were counted.
    counted: Mutex<Option<(Instant, usize)>>,
}

/// How a tenant stands, for those who watch it.
#[derive(Debug, Clone)]
pub struct Figures {
    /// The items of its queue.
    pub tally: Tally,
    /// The entries of its shadow; up to a minute old.
    pub entries: usize,
    /// Whether the directory was read whole, so that an outage is invisible.
    pub filled: bool,
    /// When the directory was last asked for what others changed, in milliseconds since 1970.
    pub refreshed: Option<i64>,
}

impl Keep {
    /// How the tenant stands.
    pub async fn figures(&self) -> Result<Figures, StoreFault> {
        let known = *self.progress.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.filter(|(at, _)| at.elapsed() < RECOUNT).map(|(_, count)| count);
        let space = Arc::clone(&self.ledger.tenant);
        let read = async move |session: Session| {
            let entries = known.map_or_else(|| session.count(&space), Ok)?;
            Ok::<_, StoreFault>((session.tally(Some(&space))?, entries))
        };
        let (tally, entries) = self.ledger.store.read(read).await?;
        if known.is_none() {
            let now = Some((Instant::now(), entries));
            *self.progress.counted.lock().unwrap_or_else(PoisonError::into_inner) = now;
        }
        let refreshed = Some(self.progress.refreshed.load(Ordering::Relaxed)).filter(|at| *at > 0);
        Ok(Figures { tally, entries, filled: self.is_filled(), refreshed })
    }
}

impl Progress {
    /// The directory was just asked for what changed, and answered.
    pub fn note_refreshed(&self) {
        self.refreshed.store(now(), Ordering::Relaxed);
    }
}

/// Writes down what the daemon knows, until the configuration is replaced.
pub(super) async fn beat(keep: Keep, directory: Directory, mut stop: watch::Receiver<()>) {
    let mut last = Pulse::default();
    loop {
        let pulse = take(&keep, &directory);
        if pulse.is_due(&last) && write(&keep, &pulse).await.is_ok() {
            last = pulse;
        }
        if let Ok(Err(_closed)) = timeout(LOOK, stop.changed()).await {
            return;
        }
    }
}

fn take(keep: &Keep, directory: &Directory) -> Pulse {
    let health = directory.health();
    let since = health.since.duration_since(UNIX_EPOCH).unwrap_or_default();
    Pulse {
        at: now(),
        reachable: health.reachable,
        since: i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        error: health.last_error.filter(|_| health.reachable == Some(false)),
        filled: keep.is_filled(),
        read: keep.progress.read.load(Ordering::Relaxed),
        synced: keep.ledger.synced(),
        stopped: false,
    }
}

async fn write(keep: &Keep, pulse: &Pulse) -> Result<(), StoreFault> {
    let (space, mark, ending) = (Arc::clone(&keep.ledger.tenant), noted(pulse), Arc::clone(&keep.ledger.ending));
    let job = async move |session: Session| {
        if ending.load(Ordering::Acquire) { Ok(()) } else { session.set_mark(&space, MARK, &mark) }
    };
    keep.ledger.store.write(Durability::Soon, job).await
}

fn noted(pulse: &Pulse) -> Vec<u8> {
    serde_json::to_vec(pulse).unwrap_or_default()
}

impl Ledger {
    /// Writes down that the daemon ends: nobody is to wait until its silence is noticed.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn note_stopped(&self) -> Result<(), StoreFault> {
        self.ending.store(true, Ordering::Release);
        let (space, synced) = (Arc::clone(&self.tenant), self.synced());
        let job = async move |session: Session| {
            let last = Pulse::last(&session, &space)?.unwrap_or_default();
            let pulse = Pulse { at: now(), synced: synced.or(last.synced), stopped: true, ..last };
            session.set_mark(&space, MARK, &noted(&pulse))
        };
        self.store.write(Durability::Soon, job).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_written_down_at_once_and_the_rest_now_and_then() {
        let last = Pulse { at: 100_000, reachable: Some(true), read: 5, ..Pulse::default() };
        let later = |milliseconds: i64| Pulse { at: last.at + milliseconds, ..last.clone() };
        assert!(!later(1_000).is_due(&last));
        assert!(later(BEAT).is_due(&last));
        assert!(Pulse { reachable: Some(false), ..later(1_000) }.is_due(&last));
        assert!(!Pulse { synced: Some(7), ..later(1_000) }.is_due(&last));
        assert!(Pulse { synced: Some(7), ..later(HASTE) }.is_due(&last));
    }

    #[test]
    fn what_an_earlier_version_wrote_is_read_as_far_as_it_goes() {
        let read: Pulse = serde_json::from_str(r#"{"at": 7, "filled": true, "unknown": 1}"#).unwrap();
        assert_eq!(read, Pulse { at: 7, filled: true, ..Pulse::default() });
    }
}
