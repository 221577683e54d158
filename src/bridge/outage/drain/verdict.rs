//! What becomes of an item.

use std::time::Duration;

use super::super::super::Fault;
use super::work::Task;
use crate::mapping::Unmet;

/// How often something that is not there is looked for again: another server of the directory may lag behind.
const LOOKS: u32 = 5;

/// What came of a task.
pub(super) struct Outcome {
    pub task: Task,
    pub receipt: Result<(), Fault>,
    /// References that mean nobody in the directory.
    pub unmet: Vec<Unmet>,
    /// How long it took to carry it out.
    pub took: Duration,
}

/// What becomes of its items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The directory is as it was asked for.
    Done,
    /// It is tried again. `directory`: because of the directory, which is asked nothing more for now.
    Deferred { reason: String, directory: bool },
    /// It waits for a person.
    Parked(String),
}

impl Outcome {
    pub fn verdict(&self) -> Verdict {
        match &self.receipt {
            Ok(()) => Verdict::Done,
            Err(Fault::Unavailable { detail, .. }) => Verdict::Deferred { reason: detail.clone(), directory: true },
            Err(Fault::NotFound { .. }) if self.task.deletes() => Verdict::Done,
            Err(fault @ Fault::NotFound { .. }) if self.task.attempts < LOOKS => {
                Verdict::Deferred { reason: fault.to_string(), directory: false }
            }
            Err(fault) => Verdict::Parked(fault.to_string()),
        }
    }
}
