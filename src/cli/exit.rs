//! What the process says to whoever started it when it ends.

use std::process::ExitCode;

use crate::store::{FaultKind, StoreFault};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All is well: 0.
    Good,
    /// It found problems, or failed: 1.
    Problems,
    /// The command line makes no sense: 64 (`EX_USAGE`).
    Usage,
    /// The configuration or a mapping table is wrong: 78 (`EX_CONFIG`).
    BadConfiguration,
}

impl Exit {
    /// For a store that can't be used: where time may heal it, a service manager shall try again.
    pub(crate) fn of_store(fault: &StoreFault) -> Self {
        match fault.kind {
            FaultKind::Full | FaultKind::Busy => Self::Problems,
            FaultKind::Corrupt | FaultKind::Closed | FaultKind::Other => Self::BadConfiguration,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Good => 0,
            Exit::Problems => 1,
            Exit::Usage => 64,
            Exit::BadConfiguration => 78,
        })
    }
}
