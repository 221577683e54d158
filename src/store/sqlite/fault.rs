//! SQLite's errors in words for people.

use std::path::Path;

use rusqlite::{Error, ErrorCode};

use crate::store::{FaultKind, StoreFault};

/// What went wrong with the file at `path`, and what to do about it.
pub(super) fn explain(path: &Path, error: &Error) -> StoreFault {
    let (kind, help) = judge(error);
    let separator = if help.is_empty() { "" } else { "; " };
    StoreFault::new(kind, format!("the store {}: {error}{separator}{help}", path.display()))
}

fn judge(error: &Error) -> (FaultKind, &'static str) {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => (FaultKind::Full, "make room on its file system"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            (FaultKind::Busy, "another process has been writing to it for too long; see which one has it open")
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            (FaultKind::Corrupt, "it is damaged: move it away, or bring back a copy, and start again")
        }
        Some(ErrorCode::NotADatabase) => {
            (FaultKind::Corrupt, "it is no SQLite database: let `url` in [store] name another file, or move it away")
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            (FaultKind::Other, "let the user scim2ldap read and write it and its folder")
        }
        Some(ErrorCode::SystemIoFailure) => (FaultKind::Other, "the disk or its file system fails; see the system log"),
        _ => (FaultKind::Other, ""),
    }
}
