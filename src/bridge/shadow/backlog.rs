//! Echoes are noted as they come, and worked into the entries when there is time for it, and always before the shadow is
//! read or changed: a note is a few bytes at the end of a file, an entry that is found by its values is many places.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Mutex;
use tokio::time::sleep;

use super::echo::Echo;
use super::{Left, Shadow, Shape, notes};
use crate::store::{Durability, FaultKind, Journal, Session, Stamp, Store, StoreFault};

/// Notes that are worked in by one job, so that others need not wait for long.
const TOGETHER: usize = 200;

/// What the directory has done and the shadow does not show yet; one for a tenant, whatever its table says.
#[derive(Debug, Default)]
pub(in crate::bridge) struct Backlog {
    /// Without one every echo is worked in at once.
    pub(super) journal: Option<Journal>,
    /// Notes up to this number are worked in for good.
    worked_in: AtomicU64,
    /// Something could not be noted or worked in: the directory has to be read again.
    missed: Arc<AtomicBool>,
    /// That was something that the directory did, and it has not been read since: what the shadow does not hold may
    /// exist all the same.
    blind: AtomicBool,
    /// There as long as nothing of that kind was missed, so that the next process knows it too.
    whole: std::sync::Mutex<Option<Stamp>>,
    /// One at a time works in.
    turn: Mutex<()>,
    /// Names that were left while the directory is being read.
    pub left: Left,
}

impl Backlog {
    /// The backlog of a tenant, with what an earlier process has left.
    pub async fn open(store: &Store, space: &str) -> Self {
        let journal = store.journal(space).await.inspect_err(|fault| {
            tracing::warn!(%fault, "what the directory does is written into the tables at once, which is slower");
        });
        let whole = store.whole(space);
        let blind = AtomicBool::new(!whole.is_there());
        Self { journal: journal.ok(), blind, whole: Some(whole).into(), ..Self::default() }
    }

    /// How many notes wait, at most.
    pub fn len(&self) -> u64 {
        let last = self.journal.as_ref().map_or(0, Journal::last);
        last.saturating_sub(self.worked_in.load(Ordering::Acquire))
    }

    /// Whether any may wait.
    pub fn is_behind(&self) -> bool {
        self.len() > 0
    }

    /// How many notes there ever were.
    pub fn noted(&self) -> u64 {
        self.journal.as_ref().map_or(0, Journal::last)
    }

    /// Whether the directory has to be read again.
    pub fn missed(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.missed)
    }

    /// Whether the shadow lacks something that the directory has done.
    pub fn is_blind(&self) -> bool {
        self.blind.load(Ordering::Acquire)
    }

    /// The directory was read again.
    pub fn note_read(&self) {
        let whole = self.whole();
        // Something may have been missed in the meantime.
        if self.missed.load(Ordering::Acquire) {
            self.blind.store(true, Ordering::Release);
            return;
        }
        if self.blind.swap(false, Ordering::AcqRel)
            && let Some(Err(fault)) = whole.as_ref().map(Stamp::put)
        {
            tracing::warn!(%fault, "after a restart the directory has to be read before the bridge can answer in its place");
        }
    }

    /// Works in what was noted before this was called, in jobs that leave room for others; `gently` also in time.
    pub async fn catch_up(&self, store: &Store, shape: &Arc<Shape>, gently: bool) -> Result<(), StoreFault> {
        let Some(journal) = self.journal.as_ref().filter(|_| self.is_behind()) else { return Ok(()) };
        let wanted = journal.last();
        while self.worked_in.load(Ordering::Acquire) < wanted {
            let begun = Instant::now();
            self.work_in(journal, store, shape).await?;
            if gently {
                sleep(begun.elapsed()).await;
            }
        }
        Ok(())
    }

    async fn work_in(&self, journal: &Journal, store: &Store, shape: &Arc<Shape>) -> Result<(), StoreFault> {
        let _turn = self.turn.lock().await;
        let shape = Arc::clone(shape);
        let job = async move |session: Session| Shadow::behind(session, &shape)?.work_in(TOGETHER);
        let done = store.write(Durability::Soon, job).await?;
        self.worked_in.store(done, Ordering::Release);
        journal.forget(done)
    }

    fn miss(&self, fault: &StoreFault) {
        let whole = self.whole();
        self.missed.store(true, Ordering::Release);
        if self.blind.swap(true, Ordering::AcqRel) {
            return;
        }
        tracing::error!(%fault, "the store can't follow what the directory does; it will be read again");
        if let Some(Err(fault)) = whole.as_ref().map(Stamp::take) {
            tracing::error!(%fault, "if the directory is away after the next restart, answers may lack what it did");
        }
    }

    fn whole(&self) -> MutexGuard<'_, Option<Stamp>> {
        self.whole.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps an echo where a killed process does not lose it.
pub(in crate::bridge) async fn note(store: &Store, shape: &Arc<Shape>, echo: &Echo<'_>) {
    let note = notes::written(echo, shape);
    if let Some(Ok(_)) = shape.backlog.journal.as_ref().map(|journal| journal.add(&note)) {
        return;
    }
    let known = Arc::clone(shape);
    let job = async move |session: Session| Shadow::open(session, &known)?.take_note(&note);
    if let Err(fault) = store.write(Durability::Soon, job).await {
        shape.backlog.miss(&fault);
    }
}

impl Shadow {
    /// Works up to `limit` notes in, the oldest first. Answers the number up to which they are.
    pub(super) fn work_in(&self, limit: usize) -> Result<u64, StoreFault> {
        let (space, backlog) = (&self.shape.space, &self.shape.backlog);
        let mut done = self.session.worked_in(space)?;
        let (Some(journal), mut left) = (&backlog.journal, limit) else { return Ok(done) };
        let last = journal.last();
        while left > 0 && done < last {
            let page = journal.after(done, left.min(TOGETHER))?;
            for note in &page {
                self.take_note(&note.body)?;
            }
            left -= page.len().min(left);
            done = page.last().map_or_else(|| self.pass_over(last), |note| note.number);
            self.session.set_worked_in(space, done)?;
        }
        Ok(done)
    }

    fn take_note(&self, note: &[u8]) -> Result<(), StoreFault> {
        let Some((at, echo)) = notes::read(note) else {
            self.pass_over(0);
            return Ok(());
        };
        // What the directory did belongs to no item.
        let then = Self { run: Arc::default(), back_then: Some(at), ..self.clone() };
        match then.echo(&echo) {
            Err(fault) if fault.kind == FaultKind::Corrupt => {
                self.shape.backlog.miss(&fault);
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Goes on behind notes that can't be read.
    fn pass_over(&self, last: u64) -> u64 {
        self.shape.backlog.miss(&StoreFault {
            kind: FaultKind::Corrupt,
            detail: "what the directory did was noted in a form that is not known".to_owned(),
        });
        last
    }
}
