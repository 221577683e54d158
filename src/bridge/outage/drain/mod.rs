//! Carrying out what is owed, once the directory is there.
//!
//! One task for each tenant takes the items of the queue in the order that [`Schedule`] allows, several side by side,
//! and brings each to a verdict: done, deferred (the directory's fault) or parked (the item's fault). What became of
//! them is written down for many at a time, without the others waiting for it: an item that is carried out once more
//! after a crash changes nothing.

mod gate;
mod verdict;
mod width;
mod work;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::directory::{Directory, Dn};
use crate::store::{FaultKind, StoreFault};

use super::super::Receipt;
use super::super::carrier::{Carrier, Earlier};
use super::super::unmet::LeftOut;
use super::Ledger;
use super::keep::Keep;
use super::stored::Owed;
use gate::Gate;
use verdict::{Outcome, Verdict};
use width::Width;
use work::{Page, Task, Work};

/// Verdicts that are written down together.
const TOGETHER: usize = 512;
/// How long a verdict may wait for others to be written down with, as long as there is enough else to do.
const PATIENCE: Duration = Duration::from_millis(200);
/// How often it is looked whether a person changed the queue.
const LOOK: Duration = Duration::from_secs(1);

/// Brings what a tenant owes to the directory.
pub(in crate::bridge) struct Drain {
    keep: Keep,
    carrier: Carrier,
    directory: Directory,
    /// Closed when the configuration that this drain belongs to is replaced.
    stop: watch::Receiver<()>,
}

/// Something that the store does meanwhile.
type Job<T> = JoinHandle<Result<T, StoreFault>>;

impl Drain {
    pub fn new(keep: Keep, carrier: Carrier, directory: Directory, stop: watch::Receiver<()>) -> Self {
        Self { keep, carrier, directory, stop }
    }

    /// Works until the configuration is replaced.
    pub async fn run(self) {
        let ledger = Arc::clone(&self.keep.ledger);
        let _alone = ledger.work().await;
        while self.stop.has_changed().is_ok() {
            let mut at_work = JoinSet::new();
            let outcome = self.shift(&mut at_work).await;
            at_work.shutdown().await;
            if let Err(fault) = outcome {
                tracing::error!(%fault, "what is owed can't be read or written down; trying again");
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    /// Works until a person changes the queue, and the order has to be made anew.
    ///
    /// What is at work are tasks of their own: they go on while this one waits for something else, which may be just what
    /// they hold, a connection for instance.
    async fn shift(&self, at_work: &mut JoinSet<Outcome>) -> Result<(), StoreFault> {
        let store = self.keep.ledger.store.clone();
        let generation = store.changed_elsewhere().await?;
        let (mut work, mut gate, mut width) = (Work::default(), Gate::default(), Width::default());
        let (mut reading, mut writing): (Option<Job<Page>>, Option<Job<()>>) = (None, None);
        let mut look = Instant::now() + LOOK;
        let (mut stop, mut leaving) = (self.stop.clone(), false);
        loop {
            gate.heed(&self.directory);
            if !leaving && gate.is_open() {
                if reading.is_none() && work.wants_more(&self.keep.ledger) {
                    reading = Some(tokio::spawn(work.read_on(&self.keep)));
                }
                while at_work.len() < width.get() {
                    let Some(task) = work.next() else { break };
                    at_work.spawn(perform(self.carrier.clone(), Arc::clone(&self.keep.ledger), task));
                }
            }
            // When nothing else can be begun, something may wait for what is done to be on disk.
            let starved = at_work.len() < width.get();
            if writing.is_none() && work.wants_writing(starved) {
                writing = Some(tokio::spawn(work.write_down(&self.keep)));
            }
            work.tell(&self.keep.ledger);
            if leaving && at_work.is_empty() && writing.is_none() && reading.is_none() {
                return Ok(());
            }
            let next = work.next_time(look, gate.is_open(), writing.is_some()).min(gate.next_time(look));
            tokio::select! {
                Some(ended) = at_work.join_next() => {
                    let outcome = ended.map_err(|fault| interrupted(&fault))?;
                    width.note(outcome.took);
                    if self.settle(&mut work, outcome) { gate.good() } else { gate.close() }
                }
                page = wait_for(&mut reading) => {
                    reading = None;
                    work.take_in(&self.keep, &page?);
                }
                written = wait_for(&mut writing) => {
                    writing = None;
                    written?;
                    let came = work.written();
                    if !came.is_empty() {
                        let keep = self.keep.clone();
                        tokio::spawn(async move { keep.meet_named(came).await });
                    }
                }
                () = self.keep.ledger.woken() => {}
                _ = stop.changed(), if !leaving => leaving = true,
                () = sleep_until(next) => {
                    gate.probe(&self.directory).await;
                    if look <= Instant::now() {
                        look = Instant::now() + LOOK;
                        leaving |= store.changed_elsewhere().await? != generation;
                    }
                }
            }
        }
    }

    /// What becomes of the items. Whether the directory is all right.
    fn settle(&self, work: &mut Work, outcome: Outcome) -> bool {
        let verdict = outcome.verdict();
        let Outcome { task, unmet, .. } = outcome;
        match verdict {
            Verdict::Done => {
                let given = task.parts.first().map(|part| part.owed.id.clone()).unwrap_or_default();
                let real = self.keep.ledger.aliases.real(&given);
                work.done(&self.keep, &task, real.map(|real| (given, real)), unmet);
                true
            }
            Verdict::Deferred { reason, directory } => {
                tracing::debug!(item = task.first(), %reason, "deferred");
                work.defer(task, reason);
                !directory
            }
            Verdict::Parked(_) if task.parts.len() > 1 => {
                work.one_by_one(task);
                true
            }
            Verdict::Parked(reason) => {
                tracing::warn!(item = task.first(), %reason, "parked: a person has to decide (queue show, retry or drop)");
                work.park(&task, &reason);
                self.keep.ledger.note_stuck(Arc::clone(work.stuck()));
                true
            }
        }
    }
}

/// Carries out what belongs together.
async fn perform(carrier: Carrier, ledger: Arc<Ledger>, task: Task) -> Outcome {
    let began = Instant::now();
    let Some(owed) = task.owed() else {
        return Outcome { task, receipt: Ok(()), unmet: Vec::new(), took: Duration::ZERO };
    };
    let home = |owed: &Owed| Dn::parse(owed.home.as_deref()?).ok();
    let earlier = Earlier {
        id: Some(owed.id.clone()),
        started: task.started,
        home: home(&owed),
        later_homes: task.parts.iter().skip(1).filter_map(|part| home(&part.owed)).collect(),
        ..Earlier::default()
    };
    tracing::debug!(item = task.first(), together = task.parts.len(), "carrying out");
    let left_out = LeftOut::without(ledger.stuck());
    let receipt = carrier.apply_noting(owed.errand(), &earlier, &left_out).await;
    if let Ok(Receipt::Created(resource)) = &receipt
        && let Some(real) = resource.as_map().get("id").and_then(serde_json::Value::as_str)
        && real != owed.id
    {
        // From now on everybody who asks for the id that was given out means this entry.
        ledger.aliases.add(&owed.id, real);
    }
    Outcome { task, receipt: receipt.map(drop), unmet: left_out.take(), took: began.elapsed() }
}

/// What comes of a job of the store; never, if there is none.
async fn wait_for<T>(job: &mut Option<Job<T>>) -> Result<T, StoreFault> {
    match job {
        Some(task) => task.await.unwrap_or_else(|fault| Err(interrupted(&fault))),
        None => std::future::pending().await,
    }
}

fn interrupted(fault: &JoinError) -> StoreFault {
    StoreFault { kind: FaultKind::Other, detail: format!("carrying out what is owed was interrupted: {fault}") }
}
