//! What works for a tenant in the background: the drain, and who keeps the shadow true.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::super::carrier::Carrier;
use super::super::shadow;
use super::super::snapshot::Snapshots;
use super::super::target::Target;
use super::drain::Drain;
use super::echoes::follow;
use super::keep::Keep;
use super::pulse;
use crate::directory::Directory;
use crate::store::{Generation, StoreFault};

/// How often what others changed in the directory is brought into the shadow.
const REFRESH: Duration = Duration::from_mins(1);
/// After how many refreshes it is looked for entries that others deleted.
const SWEEP: u32 = 60;
/// How often it is looked whether a person changed the queue.
const LOOK: Duration = Duration::from_secs(1);
/// After how long reading the directory is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// After how many entries it is said how far the first reading is.
const PROGRESS: usize = 50_000;

/// What works for a tenant in the background, to be spawned.
pub struct Backstage {
    keep: Keep,
    directory: Directory,
    stop: watch::Receiver<()>,
}

impl Backstage {
    pub(super) fn new(keep: Keep, directory: Directory, stop: watch::Receiver<()>) -> Self {
        Self { keep, directory, stop }
    }

    /// Finds out whether the shadow was filled by an earlier process; to be done before the first request.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn prepare(&self) -> Result<(), StoreFault> {
        let known = Arc::clone(&self.keep.shape);
        let job = move |session| async move { shadow::is_filled(&session, &known) };
        let filled = self.keep.ledger.store.read(job).await?;
        self.keep.filled.store(filled, Ordering::Release);
        // The process before may have ended between what the directory did and its echo on the shadow.
        self.keep.missed.store(filled, Ordering::Release);
        if filled {
            // Nor is it known which names were left a moment ago.
            self.directory.keep_all_free();
        }
        shadow::forget_made(&self.keep.ledger.store, &self.keep.shape).await.map(drop)
    }

    /// Works until the last clone of the bridge is dropped.
    pub async fn run(self) {
        let Self { keep, directory, stop } = self;
        let live = Target::Live(keep.live(&directory));
        // Lists that are kept have had what is owed since it was accepted.
        let carrier = Carrier::new(Arc::clone(&keep.mapping), live.clone(), keep.policy.clone(), Snapshots::default());
        let drain = Drain::new(keep.clone(), carrier, directory.clone(), stop.clone());
        let pulse = pulse::beat(keep.clone(), directory.clone(), stop.clone());
        let follow = follow(keep.clone(), stop.clone());
        tokio::join!(
            drain.run(),
            pulse,
            follow,
            Keeper { keep, live, directory, stop, seen: None, dropped: true }.run()
        );
    }
}

/// Keeps the shadow true.
struct Keeper {
    keep: Keep,
    live: Target,
    directory: Directory,
    stop: watch::Receiver<()>,
    /// As of when the store was looked at for what people did.
    seen: Option<Generation>,
    /// A person may have taken items out of the queue since the directory was last read.
    dropped: bool,
}

impl Keeper {
    async fn run(mut self) {
        let mut rounds = 0;
        let mut failing = false;
        // An earlier process may have ended before it told those who waited.
        self.keep.meet_all().await;
        loop {
            let outcome = self.round(&mut rounds).await;
            match &outcome {
                Err(fault) if !failing => tracing::warn!(%fault, "the directory can't be read into the shadow now"),
                Err(fault) => tracing::debug!(%fault, "the directory can't be read into the shadow now"),
                Ok(()) => {}
            }
            failing = outcome.is_err();
            let pause = if failing { AGAIN } else { REFRESH };
            if !self.pause(pause).await {
                return;
            }
        }
    }

    /// Waits until it is time for the next round. `false`: there is none.
    async fn pause(&mut self, time: Duration) -> bool {
        let until = Instant::now() + time;
        loop {
            if let Ok(Err(_closed)) = timeout(LOOK, self.stop.changed()).await {
                return false;
            }
            if until <= Instant::now() || self.is_called().await {
                return true;
            }
        }
    }

    /// Whether a person took items out of the queue, so that what they had changed is to be read again now.
    async fn is_called(&mut self) -> bool {
        let Keep { ledger, shape, .. } = &self.keep;
        let Ok(now) = ledger.store.changed_elsewhere().await else { return false };
        if self.seen.replace(now) != Some(now) {
            self.dropped |= shadow::forget_made(&ledger.store, shape).await.is_ok_and(|count| count > 0);
        }
        // An owed change is not in the directory yet.
        let behind = || self.keep.missed.load(Ordering::Acquire) && !ledger.owes();
        (self.dropped || behind()) && !self.is_away()
    }

    fn is_away(&self) -> bool {
        self.directory.is_away()
    }

    /// What a person took out of the queue is not going to be: what it had changed is as the directory has it.
    async fn read_dropped(&mut self) -> Result<(), shadow::FillFault> {
        let Keep { ledger, shape, missed, .. } = &self.keep;
        let count = shadow::read_again(&self.live, &ledger.store, shape).await?;
        self.dropped = false;
        if count == 0 {
            return Ok(());
        }
        // Others may stand at the names that it had taken.
        if ledger.owes() {
            missed.store(true, Ordering::Release);
        } else {
            shadow::sweep(&self.live, &ledger.store, shape).await?;
        }
        tracing::info!(resources = count, "what was dropped from the queue is as the directory has it");
        Ok(())
    }

    async fn round(&mut self, rounds: &mut u32) -> Result<(), shadow::FillFault> {
        let Keep { ledger, shape, filled, .. } = &self.keep;
        if !filled.load(Ordering::Acquire) {
            tracing::info!(tenant = &*ledger.tenant, "reading the directory for the first time");
            let progress = Arc::clone(&self.keep.progress);
            let note = move |read: usize| {
                progress.read.store(read, Ordering::Relaxed);
                if read.is_multiple_of(PROGRESS) {
                    tracing::info!(read, "reading the directory");
                }
            };
            self.keep.missed.store(false, Ordering::Release);
            shadow::fill(&self.live, &ledger.store, shape, &note).await?;
            ledger.backlog.note_read();
            self.keep.progress.note_refreshed();
            tracing::info!(tenant = &*ledger.tenant, "the directory was read; an outage is invisible from now on");
            filled.store(true, Ordering::Release);
            self.keep.meet_all().await;
            return Ok(());
        }
        self.keep.catch_up().await?;
        // A directory that is away has nothing to tell.
        if self.is_away() {
            return Ok(());
        }
        self.read_dropped().await?;
        // What is owed is not in the directory yet.
        if self.keep.ledger.owes() {
            return Ok(());
        }
        *rounds += 1;
        let missed = self.keep.missed.swap(false, Ordering::AcqRel);
        let outcome = self.read_again(missed || rounds.is_multiple_of(SWEEP)).await;
        match &outcome {
            Err(_) if missed => self.keep.missed.store(true, Ordering::Release),
            Ok(()) if missed => self.keep.ledger.backlog.note_read(),
            _ => {}
        }
        outcome
    }

    /// What others changed; with `sweep` also what they deleted.
    async fn read_again(&self, sweep: bool) -> Result<(), shadow::FillFault> {
        let Keep { ledger, shape, .. } = &self.keep;
        let mut count = shadow::refresh(&self.live, &ledger.store, shape).await?;
        self.keep.progress.note_refreshed();
        if sweep {
            count += shadow::sweep(&self.live, &ledger.store, shape).await?;
        }
        if count > 0 {
            self.keep.meet_all().await;
        }
        Ok(())
    }
}
