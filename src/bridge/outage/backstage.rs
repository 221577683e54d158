//! What works for a tenant in the background: the drain, and who keeps the shadow true.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::super::carrier::Carrier;
use super::super::shadow;
use super::super::snapshot::Snapshots;
use super::super::target::Target;
use super::drain::Drain;
use super::echoes::catch_up;
use super::keep::Keep;
use crate::directory::Directory;
use crate::store::StoreFault;

/// How often what others changed in the directory is brought into the shadow.
const REFRESH: Duration = Duration::from_mins(1);
/// After how many refreshes it is looked for entries that others deleted.
const SWEEP: u32 = 60;
/// After how long reading the directory is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// After how many entries it is said how far the first reading is.
const PROGRESS: usize = 50_000;
/// After so long without a write, what was noted for the shadow is worked in ...
const CALM: Duration = Duration::from_secs(2);
/// ... and at once when it is as much as this: a shadow that is needed must not be far behind.
const BEHIND: u64 = 20_000;

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
        Ok(())
    }

    /// Works until the last clone of the bridge is dropped.
    pub async fn run(self) {
        let Self { keep, directory, stop } = self;
        let live = Target::Live(keep.live(&directory));
        // Lists that are kept have had what is owed since it was accepted.
        let carrier = Carrier::new(Arc::clone(&keep.mapping), live.clone(), keep.policy.clone(), Snapshots::default());
        let drain = Drain::new(keep.clone(), carrier, directory.clone(), stop.clone());
        let follow = follow(keep.clone(), stop.clone());
        tokio::join!(drain.run(), follow, Keeper { keep, live, directory, stop }.run());
    }
}

/// Works in what was noted for the shadow, when there is time for it.
async fn follow(keep: Keep, mut stop: watch::Receiver<()>) {
    let mut before = 0;
    while !matches!(timeout(CALM, stop.changed()).await, Ok(Err(_closed))) {
        let noted = keep.ledger.noted();
        if (noted == before || keep.ledger.unworked() > BEHIND)
            && let Err(fault) = catch_up(&keep.ledger, &keep.shape).await
        {
            tracing::warn!(%fault, "what the directory did can't be worked into the shadow now");
        }
        before = noted;
    }
}

/// Keeps the shadow true.
struct Keeper {
    keep: Keep,
    live: Target,
    directory: Directory,
    stop: watch::Receiver<()>,
}

impl Keeper {
    async fn run(mut self) {
        let mut rounds = 0;
        let mut failing = false;
        loop {
            let outcome = self.round(&mut rounds).await;
            match &outcome {
                Err(fault) if !failing => tracing::warn!(%fault, "the directory can't be read into the shadow now"),
                Err(fault) => tracing::debug!(%fault, "the directory can't be read into the shadow now"),
                Ok(()) => {}
            }
            failing = outcome.is_err();
            let pause = if failing { AGAIN } else { REFRESH };
            if let Ok(Err(_closed)) = timeout(pause, self.stop.changed()).await {
                return;
            }
        }
    }

    async fn round(&self, rounds: &mut u32) -> Result<(), shadow::FillFault> {
        let Keep { ledger, shape, filled, .. } = &self.keep;
        if !filled.load(Ordering::Acquire) {
            tracing::info!(tenant = &*ledger.tenant, "reading the directory for the first time");
            shadow::fill(&self.live, &ledger.store, shape, &progress).await?;
            tracing::info!(tenant = &*ledger.tenant, "the directory was read; an outage is invisible from now on");
            filled.store(true, Ordering::Release);
            return Ok(());
        }
        // What is owed is not in the directory yet, and a directory that is away has nothing to tell.
        if ledger.owes() || self.directory.health().reachable == Some(false) {
            return Ok(());
        }
        *rounds += 1;
        let missed = self.keep.missed.swap(false, Ordering::AcqRel);
        let outcome = self.read_again(missed || rounds.is_multiple_of(SWEEP)).await;
        if missed && outcome.is_err() {
            self.keep.missed.store(true, Ordering::Release);
        }
        outcome
    }

    /// What others changed; with `sweep` also what they deleted.
    async fn read_again(&self, sweep: bool) -> Result<(), shadow::FillFault> {
        let Keep { ledger, shape, .. } = &self.keep;
        shadow::refresh(&self.live, &ledger.store, shape).await?;
        if sweep {
            shadow::sweep(&self.live, &ledger.store, shape).await?;
        }
        Ok(())
    }
}

fn progress(read: usize) {
    if read.is_multiple_of(PROGRESS) {
        tracing::info!(read, "reading the directory");
    }
}
