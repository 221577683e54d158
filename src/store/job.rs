//! A job on its way to the store's thread and back.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::{Session, StoreFault};

/// A job whose types nobody needs to know any more.
pub(super) trait Job: Send {
    /// Does the work; whether its changes are to be kept.
    fn run(&mut self, session: Session, runtime: &Runtime) -> bool;

    /// Tells the caller. `kept`: whether the changes are where they should be.
    fn finish(self: Box<Self>, kept: Result<(), StoreFault>);
}

/// A job and what became of it.
pub(super) struct Task<F, T, E> {
    work: Option<F>,
    outcome: Option<Result<T, E>>,
    answer: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Task<F, T, E> {
    /// The job, and where its outcome will arrive.
    pub(super) fn new(work: F) -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (answer, arrival) = oneshot::channel();
        (Self { work: Some(work), outcome: None, answer }, arrival)
    }
}

impl<F, R, T, E> Job for Task<F, T, E>
where
    F: FnOnce(Session) -> R + Send,
    R: Future<Output = Result<T, E>>,
    T: Send,
    E: From<StoreFault> + Send,
{
    fn run(&mut self, session: Session, runtime: &Runtime) -> bool {
        let Some(work) = self.work.take() else { return false };
        // What a job leaves half done is undone with its savepoint, and it shares nothing else with the thread.
        let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(work(session))));
        let outcome = outcome.unwrap_or_else(|_| Err(StoreFault::panicked().into()));
        self.outcome.insert(outcome).is_ok()
    }

    fn finish(self: Box<Self>, kept: Result<(), StoreFault>) {
        let outcome = match (self.outcome, kept) {
            (Some(Err(error)), _) => Err(error),
            (_, Err(fault)) => Err(fault.into()),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(StoreFault::closed().into()),
        };
        // The caller may have gone away.
        let _ = self.answer.send(outcome);
    }
}
