//! What can go wrong with a store, for people.

/// Why the store could not do what it was asked for. None of it was kept.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{detail}")]
pub struct StoreFault {
    /// What to make of it.
    pub kind: FaultKind,
    /// What is wrong, where, and what to do.
    pub detail: String,
}

/// What to make of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// There is no room for more: nothing can be promised until there is.
    Full,
    /// Another process holds the store for longer than it should.
    Busy,
    /// The store is damaged.
    Corrupt,
    /// The store is closed, or a session was used after its job.
    Closed,
    /// Anything else.
    Other,
}

impl StoreFault {
    pub(super) fn new(kind: FaultKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    pub(super) fn closed() -> Self {
        Self::new(FaultKind::Closed, "the store is closed")
    }

    pub(super) fn panicked() -> Self {
        Self::new(FaultKind::Other, "a job on the store ended in a panic; nothing of it was kept. Please report this")
    }

    /// Whether there is no room for more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.kind == FaultKind::Full
    }
}
